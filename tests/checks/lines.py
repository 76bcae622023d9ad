#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No file is longer than one reads in a sitting. Excepted are tables and lists, which nobody reads from
top to bottom, pages that a program writes, and what is no text."""
import sys

from _tree import TOP, files, finish

LINES_MAX = 500
TABLES = (".tsv", ".def", ".list")
GENERATED = {"docs/differences.md", "docs/matrix.md", "docs/registers.md"}


def lines(path):
    """How many; none when it is no text."""
    data = (TOP / path).read_bytes()
    return 0 if b"\0" in data else len(data.splitlines())


def main():
    read = [path for path in files() if not path.endswith(TABLES) and path not in GENERATED]
    long = {path: n for path in read if (n := lines(path)) > LINES_MAX}
    faults = [f"{path}: {n} lines, at most {LINES_MAX}: split it by what it is about"
              for path, n in long.items()]
    return finish(f"no file is longer than {LINES_MAX} lines", faults, f"{len(read)} files")


if __name__ == "__main__":
    sys.exit(main())
