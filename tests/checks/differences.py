#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/differences.md, which `make differences` writes, gives the reasons that tests/trace/explained.tsv
has now: each of them, in its words, with the differences that it explains, as many as are said."""
import re
import sys

from _tree import TOP, finish

PAGE = TOP / "docs/differences.md"
EXPLAINED = TOP / "tests/trace/explained.tsv"


def main():
    text = PAGE.read_text(encoding="utf-8")
    lines = [line.split("\t") for line in EXPLAINED.read_text(encoding="utf-8").splitlines()]
    reasons = {p[1]: p[2] for p in lines if p[0] == "reason"}
    faults, seen, rows = [], set(), 0
    for part in re.split(r"^## ", text, flags=re.M)[1:]:
        head = part.splitlines()[0]
        said = int(re.search(r": (\d+) differences$", head)[1])
        found = 0
        for section in re.split(r"^### ", part, flags=re.M)[1:]:
            identity, words = section.split("\n")[0], section.split("\n")[2]
            seen.add(identity)
            if reasons.get(identity) != words:
                faults.append(f"{head}: the reason {identity} is not that of explained.tsv")
            here = len(re.findall(r"^\| `", section, re.M))
            if not here:
                faults.append(f"{head}: {identity} explains nothing")
            found += here
        if found != said:
            faults.append(f"{head}: there are {found}")
        rows += found
    faults += [f"explained.tsv: {i} is not on the page" for i in reasons if i not in seen]
    if not rows:
        faults.append("no difference at all")
    return finish("docs/differences.md", faults, f"{rows} differences, {len(reasons)} reasons")


if __name__ == "__main__":
    sys.exit(main())
