#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the book and the READMEs name is there: every `path` that begins with a folder of this tree, or of
the page's own room, is a file or a folder of it."""
import re
import sys
from pathlib import PurePosixPath

from _tree import TOP, files, finish

NAMED = re.compile(r"`([A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.*-]+)+/?)`")


def main():
    known = set(files())
    folders = {str(parent) for path in known for parent in PurePosixPath(path).parents}
    faults, seen = [], 0
    for page in files(".md"):
        here = PurePosixPath(page).parent
        for name in NAMED.findall((TOP / page).read_text(encoding="utf-8")):
            path, first = name.rstrip("/"), name.split("/")[0]
            bases = [b for b in (PurePosixPath("."), here, *here.parents) if str(b / first) in folders]
            if not bases or "*" in path:
                continue  # of another tree, or a pattern
            seen += 1
            if not any(str(b / path) in known | folders for b in bases):
                faults.append(f"{page}: {name} is not there")
    return finish("what the pages name is there", faults, f"{seen} paths")


if __name__ == "__main__":
    sys.exit(main())
