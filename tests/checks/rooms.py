#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every room, and every folder of a room that holds sources, says in a README of a few lines what it is
and what may be touched there. What may include what is judged in floors.py, how long a file may be in
lines.py."""
import sys
from pathlib import PurePosixPath

from _tree import TOP, files, finish

ROOMS = ("arch/", "boot/", "client/", "gsp/", "mm/", "net/", "pci/", "tests/model/")
# Inside of a room that says it: the machine's and the host's half of arch, the stub, data.
TOLD_ABOVE = ("arch/host", "arch/x86_64", "boot/stub", "gsp/hw/regs", "gsp/rpc/layout", "net/stack/lwip")
README_LINES = (5, 80)


def lines(path):
    return (TOP / path).read_text(encoding="utf-8").count("\n")


def main():
    readmes = set(files("README.md"))
    folders = {str(PurePosixPath(p).parent) for p in files(".c", ".h", ".def", ".html") if p.startswith(ROOMS)}
    folders = sorted(f for f in folders if not f.startswith(TOLD_ABOVE))
    faults = []
    for folder in folders:
        readme = f"{folder}/README.md"
        if readme not in readmes:
            faults.append(f"{folder}: has no README.md")
        elif not README_LINES[0] <= lines(readme) <= README_LINES[1]:
            faults.append(f"{readme}: {lines(readme)} lines; {README_LINES[0]} to {README_LINES[1]}"
                          " are wanted")
    return finish("each folder says what it is", faults, f"{len(folders)} folders")


if __name__ == "__main__":
    sys.exit(main())
