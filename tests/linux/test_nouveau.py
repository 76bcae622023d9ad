#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Debian's unmodified nouveau boots the GSP of our GPU model, with NVIDIA's real files, and unloads
it again, and again.

    test_nouveau.py [--chip CHIP ...] [--fw VERSION ...] [--rounds N] [--trace]

Prints "ok NAME" or "not ok NAME: reason" for each thing looked at. What is looked at comes from two
witnesses: the guest's kernel (its messages, its DRM devices) and the model (which rules were broken,
what was touched that nobody models, what state the GPU was left in).
"""
import argparse
import re
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
import debian  # noqa: E402
import guest  # noqa: E402
import initramfs  # noqa: E402
import launch  # noqa: E402
import setup  # noqa: E402

TOP = Path(__file__).resolve().parent.parent.parent
RESULTS = TOP / "build/test-results"
IMAGES = TOP / "build/test-images"
JOB = TOP / "build/linux/job"
NAME = "linux"
JOB_COPIES = 3000  # what job.c does in one round
# Without the channels' own interrupts there are about 60; with them nearly one a copy.
INTERRUPTS_LEAST = 300
# The module's own switch for the older release (it picks the newest otherwise).
PARAMS = {"570.144": "", "535.113.01": "config=NvGspFw=0"}
# Class of the copy engine, channels.md 5.1.
COPY_CLASS = {"tu": "c5b5", "ga100": "c6b5", "ga10": "c7b5", "ad10": "c7b5", "gh100": "c8b5",
              "gb10": "c9b5", "gb20": "cab5"}
# Messages that nouveau prints on a GPU without a display; they are no faults.
HARMLESS = ("No compatible format found", "Cannot find any crtc or sizes", "vgaarb: deactivate")
# The levels of the kernel's messages are not on the serial line; these words are what its warnings
# and errors have in common.
TROUBLE = re.compile(r"\b(WARNING|BUG|Oops|error|failed|fail|timeout|timed out|unable|invalid|fault|"
                     r"stall|unhandled|unknown|unexpected|corrupt|killed|Call Trace)\b|-E[A-Z]+|\*ERROR\*",
                     re.I)
CLOCK = re.compile(r"clocksource|tsc|TSC|sched_clock")  # the emulator's clock, not the driver


class Checks:
    def __init__(self, name):
        self.name, self.failed, self.done = name, 0, 0

    def ok(self, name, condition, reason=""):
        self.done += 1
        if condition:
            print(f"ok {self.name}.{name}", flush=True)
        else:
            self.failed += 1
            print(f"not ok {self.name}.{name}: {' '.join(str(reason).split()) or 'it is not so'}",
                  flush=True)
        return bool(condition)

    def equal(self, name, seen, expected):
        return self.ok(name, seen == expected, f"seen {seen!r}, expected {expected!r}")

    def note(self, text):
        print(f"# {self.name}: {text}", flush=True)


def copy_class(chip):
    return next(v for k, v in COPY_CLASS.items() if chip.startswith(k))


def number(pattern, text):
    found = re.search(pattern, text)
    return int(found[1]) if found else -1


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
            [f"done {JOB_COPIES} copies, 0 words wrong"] * rounds)
    for word in ("insmod-failed", "rmmod-failed"):
        c.equal(word.replace("-", "-not-"), result.marks(word), [])
    c.equal("tainted", result.marks("tainted"), ["0"])
    start = max(serial.find("FL:round 1"), 0)
    bad = [line for line in serial[start:].splitlines()
           if re.match(r"\[ *\d+\.\d+\]", line) and TROUBLE.search(line)
           and not CLOCK.search(line) and not any(h in line for h in HARMLESS)]
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
    c.ok("copy-interrupts", number(r"; (\d+) interrupts\n", report) >= rounds * INTERRUPTS_LEAST,
         report[:700])
    c.equal("channel-faults", number(r"(\d+) channels faulted", report), 0)


def one(kernel, firmware, chip, fw, rounds, trace):
    name = f"{NAME}.nouveau-{chip}-{fw}"
    c = Checks(name)
    IMAGES.mkdir(parents=True, exist_ok=True)
    image = IMAGES / f"{name}.cpio"
    begin = time.monotonic()
    try:
        initramfs.build(image, kernel, firmware, chip=chip, versions=[fw], params=PARAMS[fw],
                        rounds=rounds, work=f"job {copy_class(chip)}",
                        extra=[("bin/job", JOB.read_bytes())])
        result = guest.run(kernel, image, chip=chip, firmware=firmware, record=RESULTS / name,
                           trace=trace)
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
    args.add_argument("--chip", nargs="*", default=["ga102"])
    args.add_argument("--fw", nargs="*", default=list(PARAMS), choices=list(PARAMS))
    args.add_argument("--rounds", type=int, default=2)
    args.add_argument("--trace", action="store_true", help="keep the model's trace")
    opt = args.parse_args()
    try:
        kernel = debian.get()
        firmware = launch.read_deps().get("FIRMWARE_DIR", "")
        if not JOB.is_file():
            raise launch.MachineError(f"{JOB} is missing: run make test-linux")
        if not Path(firmware, "nvidia").is_dir():
            raise launch.MachineError("no firmware: run make setup")
    except (setup.SetupError, launch.MachineError) as e:
        print(f"not ok {NAME}.set-up: {e}")
        return 1
    failed = sum(one(kernel, firmware, chip, fw, opt.rounds, opt.trace)
                 for chip in opt.chip for fw in opt.fw)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
