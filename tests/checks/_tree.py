# SPDX-License-Identifier: MIT
"""What the checks share: the files of the tree, and the protocol of tests/run.py."""
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent


def files(*endings):
    """Paths of the files that git tracks or would track, from the top; endings filter by name."""
    listed = subprocess.run(["git", "ls-files", "-z", "-c", "-o", "--exclude-standard"], cwd=TOP,
                            capture_output=True, text=True, check=True).stdout
    return sorted(p for p in listed.split("\0")
                  if p and (not endings or p.endswith(endings)) and (TOP / p).is_file())


def finish(name, faults, what):
    """Prints the outcome; each fault is a line that names its file."""
    for fault in faults:
        print(fault)
    print(f"ok {name} ({what})" if not faults else f"not ok {name}: {len(faults)} faults")
    return 1 if faults else 0
