#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The checks of the tree notice what they are for: floors.py, lines.py and live_page.py are run in
trees made here, one fault in each, and in the same tree without it."""
import base64
import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CHECKS = Path(__file__).resolve().parent
CHECK_S = 60
ROOM = "floor arch lies below mm"
UP = "lies below "
CIRCLE = "include each other"
LONG = "int x;\n" * 500
# name: check, {path: text}, what it says; None: nothing, the tree is good.
CASES = {
    "a lower room": ("floors", {"mm/a.c": '#include "arch/b.h"', "arch/b.h": ""}, None),
    "a higher room": ("floors", {"arch/b.c": '#include "mm/a.h"', "mm/a.h": ""}, ROOM),
    "a lower floor inside": ("floors", {"net/http/a.c": '#include "net/stack/b.h"',
                                        "net/stack/b.h": ""}, None),
    "a higher floor inside": ("floors", {"net/stack/b.c": '#include "net/http/a.h"',
                                         "net/http/a.h": ""},
                              "net/stack/b.c:1: includes net/http/a.h: inside net/ net/stack/ " + UP),
    "a higher floor inside, of gsp": ("floors", {"gsp/hw/b.c": '#include "gsp/gpu.h"',
                                                 "gsp/gpu.h": ""}, UP),
    "a higher floor inside, in brackets": ("floors", {"gsp/rm/b.c": "# include <gsp/boot/a.h>",
                                                      "gsp/boot/a.h": ""}, UP),
    "the top of a room with floors": ("floors", {"gsp/serve.c": '#include "gsp/boot/a.h"',
                                                 "gsp/boot/a.h": ""}, None),
    "only main knows the wire": ("floors", {"tests/model/main.c": '#include "tests/model/wire/a.h"',
                                            "tests/model/wire/a.h": ""}, None),
    "the model knows no wire": ("floors", {"tests/model/bus/b.c": '#include "tests/model/wire/a.h"',
                                           "tests/model/wire/a.h": ""}, UP),
    "on no floor": ("floors", {"net/a.c": '#include "net/stack/b.h"', "net/stack/b.h": ""},
                    "is on no floor of net/"),
    "a chain": ("floors", {"pci/a.c": '#include "pci/b.h"', "pci/b.h": '#include "pci/c.h"',
                           "pci/c.h": ""}, None),
    "a circle of headers": ("floors", {"pci/a.h": '#include "b.h"', "pci/b.h": '#include "pci/a.h"'},
                            CIRCLE),
    "a circle through a .c": ("floors", {"pci/a.c": '#include "pci/b.h"', "pci/a.h": "",
                                         "pci/b.c": '#include "pci/a.h"', "pci/b.h": ""},
                              "2 files include each other: pci/a -> pci/b -> pci/a"),
    "a circle of three, in tests": ("floors", {"tests/unit/a.h": '#include "b.h"', "tests/unit/b.h": "",
                                               "tests/unit/b.c": '#include "c.h"',
                                               "tests/unit/c.h": '#include "a.h"'}, CIRCLE),
    "a circle through a private header": ("floors", {"pci/a_priv.h": '#include "pci/b.h"',
                                                     "pci/a.h": "", "pci/b.h": "",
                                                     "pci/b.c": '#include "pci/a.h"'}, CIRCLE),
    "a header and its own files": ("floors", {"pci/a.c": '#include "pci/a_priv.h"', "pci/a.h": "",
                                              "pci/a_priv.h": '#include "pci/a.h"'}, None),
    "a list that its header reads": ("floors", {"pci/a.h": '#include "pci/x.def"',
                                                "pci/x.def": '#include "pci/a.h"'}, None),
    "two ways to one file": ("floors", {"pci/a.c": '#include "pci/b.h"\n#include "pci/c.h"',
                                        "pci/b.h": "", "pci/c.h": '#include "pci/b.h"'}, None),
    "long enough": ("lines", {"mm/a.c": LONG}, None),
    "a line more": ("lines", {"mm/a.c": LONG + "int y;\n"}, "mm/a.c: 501 lines, at most 500"),
    "a line more, not ended": ("lines", {"images/a.py": LONG + "y"}, "images/a.py: 501 lines"),
    "a long page": ("lines", {"docs/a.md": LONG + LONG}, "docs/a.md: 1000 lines"),
    "a long page that is generated": ("lines", {"docs/differences.md": LONG + LONG}, None),
    "a long table": ("lines", {"gsp/a.tsv": LONG + LONG, "gsp/b.def": LONG + LONG,
                                 "gsp/c.list": LONG + LONG}, None),
    "no text": ("lines", {"docs/a.png": "\0" + LONG + LONG}, None),
}
PAGE = "net/page/index.html"
FRAME = "<!doctype html>\n<style>\n/* a.css */\n</style>\n{}\n<script>\n/* a.js */\n</script>\n"
FRAME_BYTES = len(FRAME.format("").replace("/* a.css */", "").replace("\n\n", "\n").replace("/* a.js */", "x;")) + 2
# Text that does not get smaller: what hashes look like.
NOISE = "".join(base64.b64encode(hashlib.sha512(bytes([i // 256, i % 256])).digest()).decode() for i in range(600))


def page_tree(line, **more):
    """A live page with this line in it, put together by the real gen.py."""
    generator = (CHECKS.parent.parent / "net/page/gen.py").read_text(encoding="utf-8")
    return {PAGE: FRAME.format(line), "net/page/links.html": "", "net/page/plain.html": "", "net/page/a.css": "",
            "net/page/a.js": "x;", "net/page/gen.py": generator} | more


# A line of the live page, what is said of it; None: nothing.
PAGE_LINES = (
    ("e.textContent = text;", None),
    ("<svg xmlns='http://www.w3.org/2000/svg'>", None),
    ('<a href="/metrics">', None),
    ('<input id="a"> // a remark', None),
    ("setTimeout(tick, 1000);", None),
    ("e.innerHTML = text;", "text put in as markup: innerHTML"),
    ("e.insertAdjacentHTML('beforeend', text);", "text put in as markup"),
    ("document.write(text);", "text put in as markup"),
    ("eval(text);", "text run as a program"),
    ("setTimeout('tick()', 1000);", "text run as a program"),
    ('localStorage.token = "x";', "something kept in the browser"),
    ('document.cookie = "x";', "something kept in the browser"),
    ('fetch("https://example.com/x")', "something from elsewhere"),
    ('fetch("//example.com/x")', "something from elsewhere"),
    ('<script src="/x.js"></script>', "something from elsewhere"),
    ('<b onclick="x()">', "a handler in the markup"),
    ('<input id="a" name="token">', "a field that a form would put into an address"),
    ('<b style="color: red">', "a style in the markup"),
    ('e.setAttribute("style", text);', "a style in the markup"),
    ("<style>b {}</style>", "one <style>, not 2"),
    ("x" * (80 * 1024 - FRAME_BYTES), None),
    ("x" * (80 * 1024 - FRAME_BYTES + 1), "81921 bytes whole, at most 81920"),
    (NOISE[:36 * 1024], None),
    (NOISE[:40 * 1024], "bytes compressed, at most 28672"),
)
CASES |= {f"{line[:40]}, {len(line)} bytes": ("live_page", page_tree(line), said) for line, said in PAGE_LINES}
CASES["no page"] = ("live_page", {}, "there is no page")
CASES["a script that nobody names"] = ("live_page", page_tree("", **{"net/page/b.js": "y;"}), "index.html does not name it")
CASES["a fault in a script"] = ("live_page", page_tree("", **{"net/page/a.js": "eval(x);"}), "net/page/a.js:1: text run")
# What gen.py might do wrong: a part of it, what stands there instead, what is said.
for part, wrong, said in (("default-src 'none'", "default-src 'self'", "default-src is not 'none'"),
                          ("img-src data:", "img-src *", "the policy says *"),
                          ('hash_of(html, "script"))', 'hash_of(html, "style"))', "script-src is"),
                          ("squeeze.compress(data)", "squeeze.compress(data[1:])", "does not come out again")):
    tree = page_tree("")
    tree["net/page/gen.py"] = tree["net/page/gen.py"].replace(part, wrong)
    CASES[f"a generator with {wrong[:24]}"] = ("live_page", tree, said)


def run(check, tree):
    """(status, output) of one check in a tree of these files."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        for path, text in tree.items():
            (top / path).parent.mkdir(parents=True, exist_ok=True)
            (top / path).write_text(text, encoding="utf-8")
        folder = top / "tests/checks"
        folder.mkdir(parents=True)
        for part in ("_tree", check):
            shutil.copy(CHECKS / f"{part}.py", folder)
        subprocess.run(["git", "init", "-q"], cwd=top, check=True, timeout=CHECK_S)
        done = subprocess.run([sys.executable, folder / f"{check}.py"], cwd=top, capture_output=True,
                              text=True, check=False, timeout=CHECK_S)
        return done.returncode, done.stdout + done.stderr


def outcomes():
    """(name, whether it is as it should be, what was printed)"""
    for name, (check, tree, said) in CASES.items():
        status, output = run(check, tree)
        yield f"{check}: {name}", (status == 0 if said is None else status == 1 and said in output), output


def main():
    failed = 0
    for name, good, output in outcomes():
        failed += not good
        print(f"ok {name}" if good else f"{output}not ok {name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
