#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/differences.md and docs/matrix.md are what `make differences` and `make matrix` would write now:
nobody edited them, explanations and marks are those of today, and so is what our driver does. For that
it is booted here on a chip of each family, on the model, with NVIDIA's own files; what Linux's drivers
do is not run again."""
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from _tree import TOP, finish
from matrix import numbers, tables

BOOT_TRACE = TOP / "build/host/tests/matrix/boot_trace"
BOOT_S = 120


def load(path):
    """A program of tests/trace or tests/matrix as a module."""
    spec = importlib.util.spec_from_file_location(f"{path.stem}_tool", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


sys.path.insert(0, str(TOP / "tests/trace"))
differences = load(TOP / "tests/trace/differences.py")
page = load(TOP / "tests/matrix/page.py")


def boot(firmware):
    """{case: {stage: accesses}} of our driver, now."""
    out = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace"
        for case, (chip, version) in differences.CASES.items():
            done = subprocess.run([BOOT_TRACE, chip, version, firmware, path], timeout=BOOT_S,
                                  capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise RuntimeError(f"{case} does not boot: {done.stdout or done.stderr}")
            out[case] = differences.read(path, chip)[1]
    return out


def costs(stages):
    """Reads, writes and reads of the VBIOS as docs/matrix.md counts them."""
    cell = {"state": "ready", "stages": [{"name": name, **differences.steps.cost(accesses)}
                                         for name, accesses in stages.items()]}
    total = page.span(cell)
    return [total[kind] for kind in page.KINDS]


def differences_faults(text, now):
    ours = {case: differences.what_is_done(stages) for case, stages in now.items()}
    inputs = differences.inputs(ours or dict.fromkeys(differences.CASES, b""))
    for name in differences.stamp.faults(text, **inputs):
        if name != "ours" or now:
            yield f"docs/differences.md: not as it was written from today's: {name}: run make differences"


def matrix_faults(text, now):
    for name in page.stamp.faults(text, **page.inputs()):
        yield f"docs/matrix.md: not as it was written from today's: {name}: run make matrix"
    found = tables(text)
    for case, stages in now.items():
        chip, version = differences.CASES[case]
        row = next((r for r in found.get(version, []) if r[0] == chip), None)
        said = [count for count, _ in numbers(row[1])] if row else None
        if said != costs(stages):
            yield f"docs/matrix.md: {case}: it says {said}, ours now has {costs(stages)}: run make matrix"


def main():
    firmware = os.environ.get("FIRMWARE_DIR", "")
    can = BOOT_TRACE.exists() and Path(firmware, "nvidia").is_dir()
    now = boot(firmware) if can else {}
    status = 0
    for name, find in (("differences.md", differences_faults), ("matrix.md", matrix_faults)):
        text = (TOP / "docs" / name).read_text(encoding="utf-8")
        status |= finish(f"docs/{name} is not stale", list(find(text, now)), f"{len(now)} boots")
    if not can:
        print("ok docs show what our driver does # SKIP no firmware or no boot_trace here")
    return status


if __name__ == "__main__":
    sys.exit(main())
