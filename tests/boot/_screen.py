# SPDX-License-Identifier: MIT
"""Reads the text on a machine's screen, cell by cell, with the font's own file."""
import re
from pathlib import Path

from _harness import launch

WIDTH, HEIGHT = 8, 16
PAPER = bytes.fromhex("101418")  # arch/x86_64/screen.c
REPLACEMENT = 0xFFFD
UNREADABLE = "\0"


def letters():
    """{rows of a cell: character}"""
    text = (Path(launch.read_deps()["FONT_DIR"]) / "ter-u16b.bdf").read_text(encoding="latin-1")
    found, code, rows = {}, None, None
    for line in text.splitlines():
        if line.startswith("ENCODING"):
            code = int(line.split()[1])
        elif line == "BITMAP":
            rows = []
        elif line == "ENDCHAR":
            if 0x20 <= code < 0x7F or code == REPLACEMENT:
                found[tuple(rows)] = chr(code)
            rows = None
        elif rows is not None:
            rows.append(int(line, 16))
    return found


def read(machine):
    """The lines on the screen, without spaces at their ends; UNREADABLE for what is no letter."""
    ppm = machine.work / "screen.ppm"
    machine.qmp("screendump", filename=str(ppm))
    data = ppm.read_bytes()
    head = re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", data)
    width, height, start = int(head[1]), int(head[2]), head.end()
    known = letters()

    def cell(row, column):
        at = start + 3 * (row * HEIGHT * width + column * WIDTH)
        lines = (data[at + 3 * y * width:at + 3 * y * width + 3 * WIDTH] for y in range(HEIGHT))
        bits = tuple(sum((line[3 * x:3 * x + 3] != PAPER) << (WIDTH - 1 - x) for x in range(WIDTH))
                     for line in lines)
        return known.get(bits, UNREADABLE)

    return ["".join(cell(row, column) for column in range(width // WIDTH)).rstrip()
            for row in range(height // HEIGHT)]
