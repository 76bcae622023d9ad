#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The live page takes nothing from elsewhere, puts no text of strangers in as markup, keeps nothing in
the browser, runs under a policy of hashes that are right, and stays small: it is part of the kernel's image."""
import base64
import gzip
import hashlib
import importlib.util
import re
import sys
import zlib

from _tree import TOP, finish

FOLDER = TOP / "net/page"
GZIP_BYTES_MAX = 28 * 1024  # what the image carries and what goes over the network
PAGE_BYTES_MAX = 80 * 1024
# What: where it would be seen. The names of XML's vocabularies are addresses that nobody fetches.
NEVER = {
    "text put in as markup": r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|setHTMLUnsafe|"
                             r"parseFromString|srcdoc)\b|\bdocument\.write",
    "text run as a program": r"\beval\(|\bFunction\(|\bimport\(|javascript:|set(?:Timeout|Interval)\([\"'`]",
    "something kept in the browser": r"\b(?:localStorage|sessionStorage|indexedDB|cookie|caches|serviceWorker)\b",
    "something from elsewhere": r"(?<!xmlns=['\"])(?<!SVG = [\"'])https?://|[\"'`(=]//\w|@import|<(?:script|link|img|iframe)\b[^>]*"
                                r"\b(?:src|href)=(?!\"data:)",
    "a handler in the markup": r"<[a-z][^>]*\son\w+\s*=",
    "a style in the markup, which the policy forbids": r"<[a-z][^>]*\sstyle\s*=|setAttribute\([\"'`]style",
    "a field that a form would put into an address": r"<(?:input|select|textarea)\b[^>]*\sname=",
}


def generator():
    spec = importlib.util.spec_from_file_location("gen", FOLDER / "gen.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def policy_faults(page, policy):
    """The hashes are counted here again, from the page alone."""
    directives = dict(d.split(" ", 1) for d in policy.split("; "))
    faults = [f"the policy says {word}" for word in ("unsafe-inline", "unsafe-eval", "http", "*") if word in policy]
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        for inside in re.findall(rf"<{tag}\b[^>]*>(.*?)</{tag}>", page, flags=re.S):
            digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
            if directives.get(directive) != f"'sha256-{digest}'":
                faults.append(f"{directive} is {directives.get(directive)}, the page's <{tag}> has {digest}")
    if directives.get("default-src") != "'none'":
        faults.append("the policy's default-src is not 'none'")
    return faults


def main():
    sources = sorted(p for p in FOLDER.glob("*") if p.suffix in (".html", ".css", ".js"))
    if not sources:
        return finish("the live page keeps to itself", ["net/page/: there is no page"], "0 bytes")
    faults = []
    for path in sources:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for what, pattern in NEVER.items():
                if match := re.search(pattern, line):
                    faults.append(f"net/page/{path.name}:{number}: {what}: {match.group(0)}")
    gen = generator()
    page = gen.compose(FOLDER)
    faults += [f"one <{tag}>, not {n}" for tag in ("style", "script") if (n := page.count(f"<{tag}>")) != 1]
    if faults:
        return finish("the live page keeps to itself", faults, "not put together")
    unused = [p.name for p in sources if p.suffix != ".html" and p.name not in (FOLDER / "index.html").read_text()]
    faults += [f"net/page/{name}: index.html does not name it" for name in unused]
    faults += policy_faults(page, gen.policy(page))
    data = gen.gzipped(page.encode())
    try:
        again = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        again = str(error)
    if again != page.encode():
        faults.append("gen.py: what it compressed does not come out again")
    for size, most, what in ((len(data), GZIP_BYTES_MAX, "compressed"), (len(page.encode()), PAGE_BYTES_MAX, "whole")):
        if size > most:
            faults.append(f"the page is {size} bytes {what}, at most {most}")
    return finish("the live page keeps to itself", faults, f"{len(data)} bytes compressed")


if __name__ == "__main__":
    sys.exit(main())
