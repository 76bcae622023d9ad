#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Debian's unmodified nouveau boots the GSP of our GPU model, with NVIDIA's real files, and unloads
it again, and again.

    test_nouveau.py [--all | --chip CHIP ... [--fw VERSION ...]] [--rounds N] [--trace] [--jobs N]

Without a choice: a few that stand for the rest. Prints "ok NAME" or "not ok NAME: reason" for each
thing looked at. What is looked at comes from two witnesses: the guest's kernel (its messages, its
DRM devices, a register that it reads) and the model (which rules were broken, what was touched that
nobody models, what state the GPU was left in).
"""
import argparse
import os
import re
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
import checks  # noqa: E402
import guest  # noqa: E402
import initramfs  # noqa: E402
import launch  # noqa: E402
from checks import IMAGES, NAME, RESULTS, TOP, Checks, complaints, number  # noqa: E402

JOB = TOP / "build/linux/job"
# What job.c does in one round, and how often it can only go on by an interrupt.
JOB_COPIES, SLEEPERS = 3020, 20
# The module's own switch for the older release (it picks the newest otherwise).
PARAMS = {"570.144": "", "535.113.01": "config=NvGspFw=0"}
NEWEST, OLDER = PARAMS
BY_FALCON = ("tu102", "tu104", "tu106", "tu116", "tu117", "ga100", "ga102", "ga103", "ga104", "ga106",
             "ga107", "ad102", "ad103", "ad104", "ad106", "ad107")
BY_FSP = ("gh100", "gb100", "gb102", "gb202", "gb203", "gb205", "gb206", "gb207")  # no older files
ALL = [(c, NEWEST) for c in BY_FALCON + BY_FSP] + [(c, OLDER) for c in BY_FALCON]
# One for each way to boot: falcon loaded by DMA, both versions; by port; FSP.
FEW = [("ga102", NEWEST), ("ga102", OLDER), ("tu102", NEWEST), ("gb202", NEWEST)]
# As large and laid out as on the chip's boards; the older firmware gets one that is quick to read.
VBIOS = ("--vbios", "real")
# End of WPR2 (NV_PFB_PRI_MMU_WPR2_ADDR_HI, 0 when there is none); the FSP keeps it elsewhere.
WPR2_HI = 0x1fa828
# Class of the copy engine, channels.md 5.1.
COPY_CLASS = {"tu": "c5b5", "ga100": "c6b5", "ga10": "c7b5", "ad10": "c7b5", "gh100": "c8b5",
              "gb10": "c9b5", "gb20": "cab5"}
# Messages that nouveau prints on a GPU without a display; they are no faults.
HARMLESS = ("No compatible format found", "Cannot find any crtc or sizes", "vgaarb: deactivate")


def copy_class(chip):
    return next(v for k, v in COPY_CLASS.items() if chip.startswith(k))


def kernel_side(c, result, chip, fw, rounds):
    serial = result.serial
    tail = serial[-1200:]
    c.equal("ended", result.ended, "power off")
    c.equal("rounds", len(result.marks("unloaded")), rounds)
    c.ok("chip", len(re.findall(rf"NVIDIA {chip.upper()} \(", serial)) == rounds, tail)
    c.equal("gsp-version", set(re.findall(r"gsp: RM version: (\S+)", serial)), {fw})
    c.equal("drm-registered", len(re.findall(r"\[drm\] Initialized nouveau", serial)), rounds)
    c.equal("drm-device", result.marks("drm"), ["card0 nouveau"] * rounds)
    c.equal("render-node", result.marks("node").count("/dev/dri/renderD128"), rounds)
    c.equal("bound", result.marks("bound"), ["0000:01:00.0 nouveau"] * rounds)
    c.ok("copy-engine", len(re.findall(r"MM: using COPY for buffer copies", serial)) == rounds, tail)
    c.equal("jobs", [re.sub(r", channel.*", "", x) for x in result.marks("job")],
            [f"done {JOB_COPIES} copies, 0 words wrong, {SLEEPERS} sleepers woken"] * rounds)
    if chip in BY_FALCON:
        c.equal("wpr2-down-each-time", result.marks("wpr2"), ["0x00000000"] * rounds)
    for word in ("insmod-failed", "rmmod-failed"):
        c.equal(word.replace("-", "-not-"), result.marks(word), [])
    c.equal("tainted", result.marks("tainted"), ["0"])
    bad = complaints(serial, HARMLESS)
    c.ok("no-complaints", not bad, f"{len(bad)} lines: {bad[:3]}")


def model_side(c, result, rounds):
    report = result.report
    c.ok("model-verdict", "verdict: no rule broken" in report and result.model_status == 0,
         f"status {result.model_status}: {report[:700]}")
    c.equal("gsp-boots", number(r"GSP: (\d+) boots", report), rounds)
    c.equal("gsp-unloads", number(r"GSP: \d+ boots, (\d+) unloads", report), rounds)
    c.ok("gsp-down", re.search(r"unloads, stopped; WPR2 down", report), report[:700])
    c.ok("image-compared", number(r"(\d+) image pages compared", report) > 1000, report[:700])
    c.equal("unmodelled", number(r"not modelled: (\d+) registers", report), 0)
    c.equal("refused", number(r"refused: (\d+)", report), 0)
    c.ok("copies-done", number(r"(\d+) copies of \d+ bytes", report) >= rounds * JOB_COPIES,
         report[:700])
    c.ok("interrupts", number(r"; (\d+) interrupts\n", report) >= rounds * SLEEPERS, report[:700])
    c.equal("channel-faults", number(r"(\d+) channels faulted", report), 0)


def one(kernel, firmware, chip, fw, rounds, trace, cpu=0):
    name = f"{NAME}.nouveau-{chip}-{fw}"
    c = Checks(name)
    IMAGES.mkdir(parents=True, exist_ok=True)
    image = IMAGES / f"{name}.cpio"
    begin = time.monotonic()
    try:
        initramfs.build(image, kernel, firmware, chip=chip, versions=[fw], params=PARAMS[fw],
                        rounds=rounds, work=f"job {copy_class(chip)}",
                        wpr2=WPR2_HI if chip in BY_FALCON else None,
                        extra=[("bin/job", JOB.read_bytes())])
        result = guest.run(kernel, image, chip=chip, firmware=firmware, record=RESULTS / name,
                           trace=trace, cpu=cpu, model_args=VBIOS if fw == NEWEST else ())
        kernel_side(c, result, chip, fw, rounds)
        model_side(c, result, rounds)
        if c.failed:
            print(f"--- end of {RESULTS / name}/serial.log\n{result.serial[-2500:]}")
        else:
            loaded = [float(x.split()[1]) for x in result.marks("loaded")]
            began = [float(x.split()[1]) for x in result.marks("round")]
            c.note("loading took " + ", ".join(f"{b - a:.1f}" for a, b in zip(began, loaded)) +
                   f" s in the guest; kernel {result.marks('start')[0].split()[0]}")
    except (initramfs.InitramfsError, launch.MachineError) as e:
        c.ok("runs", False, e)
    finally:
        image.unlink(missing_ok=True)
    c.note(f"{c.done - c.failed} of {c.done} in {time.monotonic() - begin:.1f} s")
    return c.failed


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--all", action="store_true", help="every chip with each version")
    args.add_argument("--chip", nargs="*", default=[])
    args.add_argument("--fw", nargs="*", default=list(PARAMS), choices=list(PARAMS))
    args.add_argument("--rounds", type=int, default=2)
    args.add_argument("--trace", action="store_true", help="keep the model's trace")
    args.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)),
                      help="machines at a time, each on a processor of its own")
    opt = args.parse_args()
    runs = ALL if opt.all else [(c, fw) for c in opt.chip for fw in opt.fw] or FEW
    kernel, firmware = checks.prepare([JOB])

    def run(chip_fw, cpu):
        return one(kernel, firmware, *chip_fw, opt.rounds, opt.trace, cpu)
    return 1 if sum(checks.side_by_side(run, runs, opt.jobs)) else 0


if __name__ == "__main__":
    sys.exit(main())
