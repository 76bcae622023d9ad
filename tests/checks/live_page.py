#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The live page takes nothing from elsewhere, puts no text of strangers in as markup, keeps nothing in
the browser, and stays small: it is part of the kernel's image."""
import re
import sys

from _tree import TOP, finish

PAGE = "net/page/index.html"
BYTES_MAX = 28 * 1024
# What: where it would be seen. The names of XML's vocabularies are addresses that nobody fetches.
NEVER = {
    "text put in as markup": r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|setHTMLUnsafe|"
                             r"parseFromString|srcdoc)\b|\bdocument\.write",
    "text run as a program": r"\beval\(|\bFunction\(|\bimport\(|javascript:|set(?:Timeout|Interval)\([\"'`]",
    "something kept in the browser": r"\b(?:localStorage|sessionStorage|indexedDB|cookie|caches|serviceWorker)\b",
    "something from elsewhere": r"(?<!xmlns=['\"])https?://|[\"'`(=]//\w|@import|<(?:script|link|img|iframe)\b[^>]*"
                                r"\b(?:src|href)=(?!\"data:)",
    "a handler in the markup": r"<[a-z][^>]*\son\w+\s*=",
    "a field that a form would put into an address": r"<(?:input|select|textarea)\b[^>]*\sname=",
}


def main():
    path = TOP / PAGE
    if not path.exists():
        return finish("the live page keeps to itself", [f"{PAGE}: is not there"], "0 bytes")
    text = path.read_text(encoding="utf-8")
    faults = []
    for number, line in enumerate(text.splitlines(), 1):
        for what, pattern in NEVER.items():
            if match := re.search(pattern, line):
                faults.append(f"{PAGE}:{number}: {what}: {match.group(0)}")
    size = len(text.encode())
    if size > BYTES_MAX:
        faults.append(f"{PAGE}: {size} bytes, at most {BYTES_MAX}")
    return finish("the live page keeps to itself", faults, f"{size} bytes")


if __name__ == "__main__":
    sys.exit(main())
