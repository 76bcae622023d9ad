#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every file says its licence in one of its first lines, and says nothing that holds on one machine
only: a path of somebody's home, the host of a mirror."""
import re
import sys

from _tree import TOP, files, finish

LINE = "SPDX-License-Identifier: MIT"
FIRST_LINES = 5
# Forms that have no comments, or whose bytes are test data.
EXEMPT = re.compile(r"\.(json|png|ico|bin|rom)$|^tests/fuzz/corpus/|^tests/.*/data/")
# Written in pieces, so that this file does not find itself.
MACHINE = re.compile("/" + r"(?:root|work|home/\w+)/|\b(?:deb|ftp|snapshot)(?:\.\w\w)?" +
                     r"\.debian\.org")


def main():
    faults, seen = [], 0
    for path in files():
        if EXEMPT.search(path):
            continue
        seen += 1
        text = (TOP / path).read_text(encoding="utf-8", errors="replace")
        if LINE not in "\n".join(text.splitlines()[:FIRST_LINES]):
            faults.append(f"{path}: no line '{LINE}' at its top")
        for number, line in enumerate(text.splitlines(), 1):
            if match := MACHINE.search(line):
                faults.append(f"{path}:{number}: holds on one machine only: {match.group(0)}")
    return finish("every file has its licence line and no machine's name", faults, f"{seen} files")


if __name__ == "__main__":
    sys.exit(main())
