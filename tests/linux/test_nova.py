#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""nova-core, unmodified, boots the GSP of our GPU model with NVIDIA's real files, unloads it, and
again.

    test_nova.py [--all | --chip CHIP ...] [--rounds N] [--trace] [--jobs N] [--build]
    test_nova.py --image bzImage --modules DIR ...    another kernel, and a nova-core of its own

Without a choice: a few that stand for the rest. Prints "ok NAME" or "not ok NAME: reason" for each thing looked at, from the two witnesses of
test_nouveau.py. A round loads the module, unbinds the GPU, binds it again and removes the module: two
boots. nova.py makes the module for Debian's kernel; of that one every line it prints is known, so any
other line is a failure. What this release refuses is tested too: it must be refused in its own words.
Without --build the test is skipped when that module has not been made yet: make nova-core makes it, and so
does make test before it comes here.
"""
import argparse
import os
import re
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
import checks  # noqa: E402
import guest  # noqa: E402
import initramfs  # noqa: E402
import launch  # noqa: E402
import nova  # noqa: E402
import cache  # noqa: E402
from checks import IMAGES, NAME, RESULTS, Checks, complaints, messages, number  # noqa: E402

FW = "570.144"  # the one version that the driver asks for
MODULE = "nova_core"
GPU = "0000:01:00.0"
BOOTS_A_ROUND = 2
TAINT_MODULE = 1 << 12 | 1 << 13  # built outside the tree, not signed (tainted-kernels.rst)
FEW = ("ga102", "tu102", "gb202")  # one for each way to boot: falcon loaded by DMA, by port; FSP
FSP = ("gh100", "gb")
VBIOS = ("--vbios", "real")  # as large and laid out as on the chip's boards
WPR2_HI = 0x1fa828  # NV_PFB_PRI_MMU_WPR2_ADDR_HI, 0 when there is none; the FSP keeps it elsewhere
CHIPS = {
    "Turing": "tu102 tu104 tu106 tu116 tu117",
    "Ampere": "ga100 ga102 ga103 ga104 ga106 ga107",
    "Hopper": "gh100",
    "Ada": "ad102 ad103 ad104 ad106 ad107",
    "BlackwellGB10x": "gb100 gb102",
    "BlackwellGB20x": "gb202 gb203 gb205 gb206 gb207",
}
ARCHITECTURE = {chip: name for name, chips in CHIPS.items() for chip in chips.split()}


class Refused:
    """A chip that this release cannot boot: its words after the first line, the rules it breaks."""

    def __init__(self, lines, rules, why):
        self.lines, self.rules, self.why = lines, rules, why


# It takes the PCI resources 1 and 3 for BAR1 and BAR3. Where BAR0 is a 64-bit one these are the
# upper halves, so GSP_SET_SYSTEM_INFO carries 0 for both apertures (gsp/fw/commands.rs).
NO_APERTURE = Refused(
    ["GSP shutdown failed: ETIMEDOUT", "GSP falcon failed to halt", "Unload bundle failed: ETIMEDOUT",
     "probe with driver nova-core failed with error -110"], {"rm.system-info"},
    "the apertures of GSP_SET_SYSTEM_INFO are PCI resources 1 and 3, empty on a board of 64-bit BARs")
REFUSED = {
    "gh100": Refused(["probe with driver nova-core failed with error -22"], set(),
                     "asks the image for .fwsignature_gh10x; that of 570.144 is .fwsignature_gh100"),
    "gb100": NO_APERTURE,
    "gb102": NO_APERTURE,
}

# In the guest, between loading and removing the module.
WORK = f"""
    D=/sys/bus/pci/drivers/nova-core
    look() {{
        for a in /sys/bus/auxiliary/devices/*.nova-drm.*; do [ -e $a ] && echo "FL:aux $(basename $a)"; done
        for l in /sys/kernel/debug/nova-core/{GPU}/log*; do
            [ -e $l ] && echo "FL:log $(basename $l) $(od -A n -t u8 -N 8 $l)"
        done
    }}
    if [ -e $D/{GPU} ]; then
        look
        echo {GPU} > $D/unbind || echo "FL:unbind-failed"
        [ -e $D/{GPU} ] && echo "FL:unbind-failed still there"
        echo "FL:unbound $round $(seconds)"
        echo {GPU} > $D/bind || echo "FL:bind-failed"
        echo "FL:rebound $round $(seconds)"
        state
        look
    fi
"""


def expected_lines(chip):
    """Patterns of what the driver prints from a bind to the end of the unbind."""
    first = rf"NVIDIA \(Chipset: {chip.upper()}, Architecture: {ARCHITECTURE[chip]}, Revision: a\.1\)"
    if chip in REFUSED:
        return [first] + [re.escape(line) for line in REFUSED[chip].lines]
    return [first, r"GPU name: NVIDIA \S.*", r"GSP successfully unloaded"]


def driver_side(c, result, chip, times):
    """Every line of the driver, in order, and no line of anybody else that complains."""
    said = [m[1] for line in messages(result.serial)
            if (m := re.search(rf"nova-core {GPU}: (.*)", line))]
    wanted = expected_lines(chip) * times
    wrong = [f"{line!r} instead of {pattern!r}" for line, pattern in zip(said, wanted)
             if not re.fullmatch(pattern, line)]
    c.ok("says", not wrong and len(said) == len(wanted),
         f"{len(said)} lines, expected {len(wanted)}; {wrong[:2] or said[-3:]}")
    others = [line for line in complaints(result.serial, ("module verification failed",))
              if f"nova-core {GPU}" not in line]
    c.ok("no-complaints", not others, f"{len(others)} lines: {others[:3]}")


def up_and_down(c, result, chip, rounds, own):
    times = rounds * BOOTS_A_ROUND
    if own:
        bad = complaints(result.serial, ("module verification failed",))
        c.ok("no-complaints", not bad, f"{len(bad)} lines: {bad[:3]}")
    else:
        driver_side(c, result, chip, times)
        c.equal("name", len(set(re.findall(r"GPU name: (.*)", result.serial))), 1)
        # The number of the auxiliary device goes up with each bind, and starts anew with the module.
        c.equal("auxiliary", result.marks("aux"),
                [f"nova-core.nova-drm.{i}" for i in range(BOOTS_A_ROUND)] * rounds)
        logs = [line.split() for line in result.marks("log")]
        c.ok("logs", len(logs) == 3 * times and all(len(x) == 2 and int(x[1]) > 0 for x in logs),
             logs)
    c.equal("bound", result.marks("bound"), [f"{GPU} nova-core"] * times)
    for word in ("unbind-failed", "bind-failed"):
        c.equal(word.replace("-", "-not-"), result.marks(word), [])
    if not chip.startswith(FSP):
        c.equal("wpr2-down-each-time", result.marks("wpr2"), ["0x00000000"] * rounds)
    report = result.report
    c.ok("model-verdict", "verdict: no rule broken" in report and result.model_status == 0,
         f"status {result.model_status}: {report[:700]}")
    c.equal("gsp-boots", number(r"GSP: (\d+) boots", report), times)
    c.equal("gsp-unloads", number(r"GSP: \d+ boots, (\d+) unloads", report), times)
    c.ok("gsp-down", re.search(r"unloads, stopped; WPR2 down", report), report[:700])
    c.ok("image-compared", number(r"(\d+) image pages compared", report) > 1000 * times, report[:700])


def turned_away(c, result, chip, rounds):
    refused = REFUSED[chip]
    c.note(f"refused: {refused.why}")
    driver_side(c, result, chip, rounds)
    c.equal("not-bound", result.marks("bound"), [])
    rules = set(re.findall(r"^  (\S+): \d+ times", result.report, re.M))
    c.equal("rules-broken", rules, refused.rules)
    c.equal("model-status", result.model_status, 1 if refused.rules else 0)


def both(c, result, chip, rounds, own):
    c.equal("ended", result.ended, "power off")
    c.equal("rounds", len(result.marks("unloaded")), rounds)
    for word in ("insmod-failed", "rmmod-failed"):
        c.equal(word.replace("-", "-not-"), result.marks(word), [])
    c.equal("tainted", [int(x) & ~TAINT_MODULE for x in result.marks("tainted")], [0])
    if chip in REFUSED and not own:
        turned_away(c, result, chip, rounds)
    else:
        up_and_down(c, result, chip, rounds, own)
    c.equal("unmodelled", number(r"not modelled: (\d+) registers", result.report), 0)
    c.equal("refused", number(r"refused: (\d+)", result.report), 0)


def one(kernel, firmware, chip, opt, cpu):
    name = f"{NAME}.nova-{chip}-{FW}"
    own = opt.image is not None
    rounds = 1 if chip in REFUSED and not own else opt.rounds
    c = Checks(name)
    IMAGES.mkdir(parents=True, exist_ok=True)
    image = IMAGES / f"{name}.cpio"
    begin = time.monotonic()
    try:
        initramfs.build(image, kernel, firmware, chip=chip, versions=[FW], module=MODULE,
                        rounds=rounds, work=WORK,
                        wpr2=None if chip.startswith(FSP) else WPR2_HI)
        result = guest.run(kernel, image, chip=chip, firmware=firmware, record=RESULTS / name,
                           trace=opt.trace, cpu=cpu, model_args=VBIOS)
        both(c, result, chip, rounds, own)
        if c.failed:
            print(f"--- end of {RESULTS / name}/serial.log\n{result.serial[-2500:]}")
        else:
            took = [float(b.split()[1]) - float(a.split()[1])
                    for a, b in zip(result.marks("round"), result.marks("loaded"))]
            c.note("loading took " + ", ".join(f"{t:.1f}" for t in took) +
                   f" s in the guest; kernel {result.marks('start')[0].split()[0]}")
    except (initramfs.InitramfsError, launch.MachineError) as e:
        c.ok("runs", False, e)
    finally:
        image.unlink(missing_ok=True)
    c.note(f"{c.done - c.failed} of {c.done} in {time.monotonic() - begin:.1f} s")
    return c.failed


def kernel_of(opt, debians, folder):
    """A directory as guest.py and initramfs.py want it: kernel, module, busybox."""
    if not opt.image:
        return nova.get()
    for name, target in (("vmlinuz", Path(opt.image).resolve()), ("busybox", debians / "busybox"),
                         ("modules", Path(opt.modules).resolve())):
        if not target.exists():
            raise launch.MachineError(f"{target} does not exist")
        (folder / name).symlink_to(target)
    return folder


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--all", action="store_true", help="every chip")
    args.add_argument("--chip", nargs="*", default=[])
    args.add_argument("--fw", nargs="*", default=[FW], help=f"nothing is done without {FW}")
    args.add_argument("--rounds", type=int, default=1)
    args.add_argument("--trace", action="store_true", help="keep the model's trace")
    args.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)),
                      help="machines at a time, each on a processor of its own")
    args.add_argument("--build", action="store_true", help="make Debian's nova-core if need be")
    args.add_argument("--image", help="a kernel (bzImage) instead of Debian's")
    args.add_argument("--modules", help="where nova-core.ko and what it needs lie, for --image")
    opt = args.parse_args()
    if bool(opt.image) != bool(opt.modules):
        args.error("--image and --modules go together")
    chips = list(ARCHITECTURE) if opt.all else opt.chip or FEW
    unknown = [chip for chip in chips if chip not in ARCHITECTURE]
    if unknown:
        args.error(f"not a chip: {', '.join(unknown)}")
    if FW not in opt.fw:
        return 0
    debians, firmware = checks.prepare([])
    try:
        if not (opt.build or opt.image or nova.in_cache()):
            print(f"ok {NAME}.nova # SKIP no nova-core for this kernel yet: make nova-core makes it")
            return 0
        with tempfile.TemporaryDirectory(prefix="firstlight-") as folder:
            kernel = kernel_of(opt, debians, Path(folder))

            def run(chip, cpu):
                return one(kernel, firmware, chip, opt, cpu)
            return 1 if sum(checks.side_by_side(run, chips, opt.jobs)) else 0
    except (cache.SetupError, launch.MachineError) as e:
        print(f"not ok {NAME}.nova-set-up: {' '.join(str(e).split())}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
