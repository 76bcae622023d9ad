#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A room is in order: no two files need each other, however far around (x.c and x.h are one file),
none is longer than a sitting, and each of its folders says what it is. Rooms join the list when they
are."""
import sys
from pathlib import PurePosixPath

from _tree import TOP, files, finish
from floors import INCLUDE, cycles, resolve

ROOMS = ("tests/model/",)
LINES_MAX = 500
README_LINES = (5, 80)


def unit(path):
    """x.c and x.h are one."""
    return str(PurePosixPath(path).with_suffix("")) if path.endswith((".c", ".h")) else path


def lines(path):
    return (TOP / path).read_text(encoding="utf-8").count("\n")


def main():
    known = set(files(".c", ".h", ".def"))
    ours = [p for p in sorted(known) if p.startswith(ROOMS)]
    faults, graph = [], {}
    for path in ours:
        text = (TOP / path).read_text(encoding="utf-8")
        targets = {resolve(path, name, known) for _, name in INCLUDE.findall(text)}
        needed = {unit(t) for t in targets if t and t.startswith(ROOMS)} - {unit(path)}
        graph.setdefault(unit(path), set()).update(needed)
        if lines(path) > LINES_MAX:
            faults.append(f"{path}: {lines(path)} lines; a file has {LINES_MAX} at most")
    faults += [f"cycle of files: {' -> '.join(c)}"
               for c in cycles({u: sorted(graph[u]) for u in graph})]
    readmes = set(files("README.md"))
    for folder in sorted({str(PurePosixPath(p).parent) for p in ours}):
        readme = f"{folder}/README.md"
        if readme not in readmes:
            faults.append(f"{folder}: has no README.md")
        elif not README_LINES[0] <= lines(readme) <= README_LINES[1]:
            faults.append(f"{readme}: {lines(readme)} lines; {README_LINES[0]} to {README_LINES[1]}"
                          " are wanted")
    return finish("rooms are in order", faults, f"{len(ours)} files")


if __name__ == "__main__":
    sys.exit(main())
