#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/matrix.md, which `make matrix` writes, is about the chips that there are, and no cell of it is worse
than the goal: ours come up wherever NVIDIA has published files, and cost no more register accesses than the
leaner of the other drivers, or the row is marked and the reason stands below the tables."""
import re
import sys

from _tree import TOP, finish

PAGE = TOP / "docs/matrix.md"
CHIPS = re.compile(r'^ *(?:TURING|GA10X|AD10X|GB10X|GB20X|ID)\("(\w+)"', re.M)
MARK = "†"


def tables(text):
    """{heading before it: [cells of a row]} without the rows of heads and rules."""
    out, heading = {}, ""
    for line in text.splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.startswith("| ") and not line.startswith(("| chip", "| stage")):
            out.setdefault(heading, []).append([c.strip() for c in line.strip("|").split("|")])
    return out


def state_faults(rows, chips):
    if [r[0] for r in rows] != chips:
        yield f"its chips are not those of tests/model/chips.c: {[r[0] for r in rows]}"
    for row in rows:
        for cell in row[1:3]:  # ours
            if cell != "ready" and not cell.startswith("— (no files)"):
                yield f"{row[0]}: ours is '{cell}'"
        for cell in row[1:]:
            if not (cell in ("ready", "?") or cell.startswith(("— (", "failed: "))):
                yield f"{row[0]}: what is '{cell}'?"


def numbers(cell):
    return [(int(n.rstrip(MARK)), MARK in n) for n in cell.split(" / ")] if cell != "—" else []


def cost_faults(rows, reasons):
    for row in rows:
        ours, others = numbers(row[1]), [numbers(c) for c in row[2:] if c != "—"]
        for i, (count, marked) in enumerate(ours):
            least = min((other[i][0] for other in others), default=count)
            kind = ("reads", "writes", "VBIOS reads")[i]
            if (count > least) != marked:
                yield f"{row[0]}: {count} {kind}, the leanest has {least}, marked: {marked}"
            if marked and not any(r.startswith(f"- {kind}: ") for r in reasons):
                yield f"{row[0]}: {kind} are marked and no reason is given"


def main():
    text = PAGE.read_text(encoding="utf-8")
    chips = CHIPS.findall((TOP / "tests/model/chips.c").read_text(encoding="utf-8"))
    found = tables(text)
    faults = list(state_faults(found.get("Every chip, every driver", []), chips))
    reasons = [line for line in text.splitlines() if line.startswith("- ")]
    counted = 0
    for heading, rows in found.items():
        if re.fullmatch(r"\d+\.\d+(\.\d+)?", heading):
            counted += len(rows)
            faults += cost_faults(rows, reasons)
    if not counted:
        faults.append("no table of costs")
    return finish("docs/matrix.md", [f"docs/matrix.md: {f}" for f in faults],
                  f"{len(chips)} chips, {counted} costs")


if __name__ == "__main__":
    sys.exit(main())
