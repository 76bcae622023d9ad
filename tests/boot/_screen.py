# SPDX-License-Identifier: MIT
"""Reads a machine's screen: the log cell by cell and the fixed part's texts by their looks, with the
font's own files; the QR code with zbarimg, which is not ours."""
import re
import subprocess
from pathlib import Path

from _harness import launch

WIDTH, HEIGHT = 8, 16
REPLACEMENT = 0xFFFD
UNREADABLE = "\0"
ZBAR_S = 30
# arch/screen.c
PAPER, RULE = bytes.fromhex("101418"), bytes.fromhex("2a333d")
BRIGHT, NORMAL, DIM = bytes.fromhex("ffffff"), bytes.fromhex("d8dee4"), bytes.fromhex("8a95a1")
GOOD, BUSY, WARN, ERROR = (bytes.fromhex(c) for c in ("56d364", "6cb6ff", "f2c14e", "ff6b5e"))
BAND_GOOD, BAND_BUSY, BAND_WARN, BAND_ERROR = (bytes.fromhex(c) for c in ("1a7f37", "1f5fa8", "8a5a00",
                                                                          "b3261e"))


def font(name):
    """{character: rows of bits}"""
    text = (Path(launch.read_deps()["FONT_DIR"]) / name).read_text(encoding="latin-1")
    found, code, rows = {}, None, None
    for line in text.splitlines():
        if line.startswith("ENCODING"):
            code = int(line.split()[1])
        elif line == "BITMAP":
            rows = []
        elif line == "ENDCHAR":
            if 0x20 <= code < 0x7F or code == REPLACEMENT:
                found[chr(code)] = tuple(rows)
            rows = None
        elif rows is not None:
            rows.append(int(line, 16))
    return found


class Picture:
    def __init__(self, machine):
        self.path = machine.work / "screen.ppm"
        machine.qmp("screendump", filename=str(self.path))
        data = self.path.read_bytes()
        head = re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", data)
        self.width, self.height = int(head[1]), int(head[2])
        at, row = head.end(), 3 * self.width
        self.rows = [data[at + y * row:at + (y + 1) * row] for y in range(self.height)]

    def log_top(self):
        """Where the log begins: below the rule that ends the fixed part; 0: there is none."""
        return max((y + 2 for y, row in enumerate(self.rows) if row == RULE * self.width), default=0)

    def log(self):
        """The lines of the log, without spaces at their ends; UNREADABLE for what is no letter."""
        known = {rows: c for c, rows in font("ter-u16b.bdf").items()}
        top = self.log_top()

        def cell(row, column):
            bits = []
            for line in self.rows[top + row * HEIGHT:top + (row + 1) * HEIGHT]:
                part = line[3 * column * WIDTH:3 * (column + 1) * WIDTH]
                bits.append(sum((part[3 * x:3 * x + 3] != PAPER) << (WIDTH - 1 - x) for x in range(WIDTH)))
            return known.get(tuple(bits), UNREADABLE)

        return ["".join(cell(row, column) for column in range(self.width // WIDTH)).strip(" ")
                for row in range((self.height - top) // HEIGHT)]

    def find(self, text, level, ink, paper=PAPER):
        """(x, y) of a text of this level, ink and paper; None when it is nowhere."""
        letters = font("ter-u16b.bdf" if level % 2 else "ter-u32b.bdf")
        zoom, columns = (level, WIDTH) if level % 2 else (level // 2, 2 * WIDTH)
        rows = []
        for r in range(HEIGHT * level):
            bits = (letters[c][r // zoom] >> (columns - 1 - i) & 1 for c in text for i in range(columns))
            rows.append(b"".join((ink if bit else paper) * zoom for bit in bits))
        # The row with most ink is the rarest.
        best = max(range(len(rows)), key=lambda r: rows[r].count(ink))
        for y in range(self.height - len(rows) + 1):
            at = self.rows[y + best].find(rows[best])
            while at >= 0:
                if at % 3 == 0 and all(self.rows[y + r][at:at + len(rows[r])] == rows[r]
                                       for r in range(len(rows))):
                    return at // 3, y
                at = self.rows[y + best].find(rows[best], at + 1)
        return None

    def qr(self):
        """What zbarimg reads on it; "" when it reads nothing."""
        done = subprocess.run(["zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", self.path],
                              capture_output=True, text=True, timeout=ZBAR_S, check=False)
        return done.stdout.strip()
