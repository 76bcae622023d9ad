# SPDX-License-Identifier: MIT
"""What a page that a program writes was made from, in a line of its own near its top, so that
tests/checks/pages.py can tell a page that is stale or was edited:

    <!-- made from: explanations 0123456789ab, ours 0123456789ab, text 0123456789ab -->

text is the page itself without that line; the others are what the program names."""
import hashlib
import re

PLACE = "<!-- made from -->"
LINE = re.compile(r"^<!-- made from: (.*) -->$", re.M)
DIGITS = 12


def of_bytes(*parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:DIGITS]


def of_files(*paths):
    return of_bytes(*(path.read_bytes() for path in paths))


def put(page, **inputs):
    """The page with its line, where PLACE stands."""
    said = dict(inputs, text=of_bytes(page.encode("utf-8")))
    line = ", ".join(f"{name} {digest}" for name, digest in said.items())
    return page.replace(PLACE, f"<!-- made from: {line} -->", 1)


def faults(page, **inputs):
    """What is not as the page's line says: names; of text too."""
    found = LINE.search(page)
    if not found:
        return ["no line says what it was made from"]
    said = dict(part.rsplit(" ", 1) for part in found[1].split(", "))
    now = dict(inputs, text=of_bytes(LINE.sub(PLACE, page, count=1).encode("utf-8")))
    return [name for name in sorted(said.keys() | now.keys()) if said.get(name) != now.get(name)]
