#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""nouveau loaded and unloaded again and again, in one guest and on one process of the GPU model: the
GSP comes up and goes down each time, and the model's process does not grow.

    test_cycles.py [--chip CHIP] [--fw VERSION] [--cycles N]
"""
import argparse
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
import checks  # noqa: E402
import guest  # noqa: E402
import initramfs  # noqa: E402
import launch  # noqa: E402
import test_nouveau as nouveau  # noqa: E402

CYCLES = 5
CYCLE_S = 20  # deadline of one, for hangs
# The first cycles meet new pages of video memory; after these the process holds what it will hold: in
# a hundred it stayed at 1232 KiB to the page.
SETTLED = 3
GROWTH_MOST = 128 << 10
TELL = 10  # a line of progress every so many


def look(c, result, chip, fw, cycles):
    serial, report = result.serial, result.report
    c.equal("ended", result.ended, "power off")
    c.equal("cycles", len(result.marks("unloaded")), cycles)
    c.equal("gsp-version", serial.count(f"gsp: RM version: {fw}"), cycles)
    c.equal("drm-registered", serial.count("[drm] Initialized nouveau"), cycles)
    c.equal("bound", result.marks("bound"), ["0000:01:00.0 nouveau"] * cycles)
    if chip in nouveau.BY_FALCON:
        c.equal("wpr2-down-each-time", result.marks("wpr2"), ["0x00000000"] * cycles)
    c.equal("tainted", result.marks("tainted"), ["0"])
    bad = checks.complaints(serial, nouveau.HARMLESS)
    c.ok("no-complaints", not bad, f"{len(bad)} lines: {bad[:3]}")
    c.ok("model-verdict", "verdict: no rule broken" in report and result.model_status == 0,
         f"status {result.model_status}: {report[:700]}")
    c.equal("gsp-boots", checks.number(r"GSP: (\d+) boots", report), cycles)
    c.equal("gsp-unloads", checks.number(r"GSP: \d+ boots, (\d+) unloads", report), cycles)
    c.equal("objects-left", checks.number(r"left at an unload: (\d+) objects", report), 0)
    c.equal("unmodelled", checks.number(r"not modelled: (\d+) registers", report), 0)
    c.equal("refused", checks.number(r"refused: (\d+)", report), 0)
    s = result.samples
    if not c.equal("samples", len(s), cycles):
        return
    c.equal("open-files", {x.files for x in s}, {s[0].files})
    grown = s[-1].rss - s[SETTLED - 1].rss
    c.ok("memory", grown <= GROWTH_MOST,
         f"{grown >> 10} KiB more after cycle {cycles} than after cycle {SETTLED}: "
         f"{[x.rss >> 10 for x in s]}")
    began = [float(x.split()[1]) for x in result.marks("round")]
    ended = [float(x.split()[1]) for x in result.marks("unloaded")]
    took = sorted(b - a for a, b in zip(began, ended))
    c.note(f"a cycle took {took[0]:.1f} to {took[-1]:.1f} s in the guest, median "
           f"{took[len(took) // 2]:.1f}; the model held {s[0].rss >> 10} KiB after the first, "
           f"{s[SETTLED - 1].rss >> 10} after number {SETTLED}, {s[-1].rss >> 10} after the last")


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--chip", default="ad102")
    args.add_argument("--fw", default=nouveau.NEWEST, choices=list(nouveau.PARAMS))
    args.add_argument("--cycles", type=int, default=CYCLES)
    opt = args.parse_args()
    if opt.cycles <= SETTLED:
        args.error(f"--cycles must be more than {SETTLED}")
    kernel, firmware = checks.prepare([])
    name = f"{checks.NAME}.cycles-{opt.chip}-{opt.fw}"
    c = checks.Checks(name)
    checks.IMAGES.mkdir(parents=True, exist_ok=True)
    image = checks.IMAGES / f"{name}.cpio"
    begin = time.monotonic()
    try:
        initramfs.build(image, kernel, firmware, chip=opt.chip, versions=[opt.fw],
                        params=nouveau.PARAMS[opt.fw], rounds=opt.cycles,
                        wpr2=nouveau.WPR2_HI if opt.chip in nouveau.BY_FALCON else None)
        result = guest.run(kernel, image, chip=opt.chip, firmware=firmware,
                           record=checks.RESULTS / name,
                           deadline_s=guest.RUN_S + opt.cycles * CYCLE_S,
                           progress=lambda n: n % TELL or c.note(f"{n} of {opt.cycles} cycles, "
                                                                 f"{time.monotonic() - begin:.0f} s"))
        look(c, result, opt.chip, opt.fw, opt.cycles)
        if c.failed:
            print(f"--- end of {checks.RESULTS / name}/serial.log\n{result.serial[-2500:]}")
    except (initramfs.InitramfsError, launch.MachineError) as e:
        c.ok("runs", False, e)
    finally:
        image.unlink(missing_ok=True)
    c.note(f"{c.done - c.failed} of {c.done} in {time.monotonic() - begin:.1f} s")
    return 1 if c.failed else 0


if __name__ == "__main__":
    sys.exit(main())
