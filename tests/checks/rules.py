#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every rule of the GPU model is checked somewhere in the model, is broken by a case of a unit test,
and has words and a source; no test and no code names a rule that does not exist."""
import re
import sys

from _tree import TOP, files, finish

RULE = re.compile(r'^RULE\((\w+), "([^"]+)", "((?:[^"\\]|\\.)*)", "((?:[^"\\]|\\.)*)"\)$', re.M)
# A row of a table of wrong deeds: {"falcon.bootvec", what, ...; or of what is then said: {"mmu.kind", "kind 7, ...
CASE = re.compile(r'\{\s*"([a-z0-9]+\.[a-z0-9-]+)",\s*(?:\w|"[^"]*\s)')
WORDS_LEAST, SOURCE_LEAST = 20, 8


def text(path):
    return (TOP / path).read_text(encoding="utf-8")


def main():
    faults = []
    listed = text("tests/model/books/rules.def")
    rules = RULE.findall(listed)
    if len(rules) != listed.count("\nRULE("):
        faults.append("tests/model/books/rules.def: a line that this check does not understand")
    model = "".join(text(p) for p in files(".c") if p.startswith("tests/model/"))
    used = set(re.findall(r"\bRULE_(\w+)", model))
    broken = {}
    for path in files(".c"):
        if re.match(r"tests/unit/(test_model_(?!legal)|wrong_)", path):
            for rule in CASE.findall(text(path)):
                broken.setdefault(rule, path)
    names = {name for _, name, _, _ in rules}
    for symbol, name, words, source in rules:
        if symbol not in used:
            faults.append(f"tests/model/books/rules.def: {name}: the model never says it")
        if name not in broken:
            faults.append(f"tests/model/books/rules.def: {name}: no case breaks it")
        if len(words) < WORDS_LEAST or len(source) < SOURCE_LEAST:
            faults.append(f"tests/model/books/rules.def: {name}: words or source are missing")
    groups = {name.split(".")[0] for name in names}
    for name, path in sorted(broken.items()):
        if name.split(".")[0] in groups and name not in names:
            faults.append(f"{path}: there is no rule {name}")
    return finish("every rule is broken by a test", faults, f"{len(rules)} rules")


if __name__ == "__main__":
    sys.exit(main())
