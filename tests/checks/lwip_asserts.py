#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every assertion of lwIP that net/stack/stack_assert.c lets the machine survive exists in the pinned lwIP,
in the file that the list names: a new version's assertions are read anew."""
import re
import sys

from _tree import TOP, finish

LIST = "net/stack/stack_assert.c"


def lwip():
    for line in (TOP / "build/deps.env").read_text().splitlines():
        if line.startswith("LWIP_DIR="):
            return line.split("=", 1)[1]
    return None


def main():
    text = (TOP / LIST).read_text()
    body = re.search(r"survivable\[\] = \{\n(.*?)\n\};", text, re.S).group(1)
    faults, seen, source, name = [], 0, "", "no file named"
    for line in body.splitlines():
        if match := re.search(r"/\* (\w+\.c) \*/", line):
            name = match.group(1)
            source = open(f"{lwip()}/src/core/{name}", encoding="latin-1").read()
        elif match := re.search(r'"(.*)",', line):
            seen += 1
            if f'LWIP_ASSERT("{match.group(1)}"' not in source:
                faults.append(f"{LIST}: {name} of lwIP has no assertion '{match.group(1)}'")
    return finish("the assertions that lwIP may survive are lwIP's", faults, f"{seen} assertions")


if __name__ == "__main__":
    sys.exit(main())
