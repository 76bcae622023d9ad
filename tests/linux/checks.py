# SPDX-License-Identifier: MIT
"""What the test programs of this folder share: result lines, what they need, machines side by side."""
import concurrent.futures
import queue
import re
import sys
from pathlib import Path

import debian  # finds cache
import cache
from guest import launch

TOP = Path(__file__).resolve().parent.parent.parent
RESULTS = TOP / "build/test-results"
IMAGES = TOP / "build/test-images"
NAME = "linux"
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


def number(pattern, text):
    found = re.search(pattern, text)
    return int(found[1]) if found else -1


def messages(serial):
    """The kernel's lines since the driver was first loaded, without those about the clock."""
    start = max(serial.find("FL:round 1"), 0)
    return [line for line in serial[start:].splitlines()
            if re.match(r"\[ *\d+\.\d+\]", line) and not CLOCK.search(line)]


def complaints(serial, harmless):
    """Those that tell of something wrong."""
    return [line for line in messages(serial)
            if TROUBLE.search(line) and not any(h in line for h in harmless)]


def prepare(programs):
    """(kernel, directory of the firmware). Where one is missing the program ends: with success and a
    "# SKIP" when Debian's archive cannot be reached, else as failed."""
    try:
        firmware = launch.read_deps().get("FIRMWARE_DIR", "")
        missing = [str(p) for p in programs if not p.is_file()]
        if missing:
            raise cache.SetupError(f"{', '.join(missing)} missing: run make test-linux")
        if not Path(firmware, "nvidia").is_dir():
            raise cache.SetupError("no firmware: run make setup")
        return debian.get(), firmware
    except debian.NotReachable as e:
        print(f"ok {NAME}.set-up # SKIP no kernel to test with: {' '.join(str(e).split())}")
        sys.exit(0)
    except (cache.SetupError, launch.MachineError) as e:
        print(f"not ok {NAME}.set-up: {' '.join(str(e).split())}")
        sys.exit(1)


def side_by_side(run, items, jobs):
    """Results of run(item, processor), at most one at a time on each of jobs processors."""
    cpus = queue.SimpleQueue()
    for cpu in range(jobs):
        cpus.put(cpu)

    def one(item):
        cpu = cpus.get()
        try:
            return run(item, cpu)
        finally:
            cpus.put(cpu)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(one, items)
