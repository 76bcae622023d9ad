#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Warnings are errors with the compilers of Debian 12 and 13 and in CI, and never lock out somebody
who has a newer one: with compilers that say they are of some version, a file that earns a warning is
compiled as each variant compiles."""
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from _tree import TOP, finish

TOOL_S = 60
# What only some versions take, and the machine's own may not be among them.
VERSION_OWN = re.compile("-(ftrivial|enable-trivial)-auto-var-init")
# A conversion that -Wconversion finds; neither a mistake nor undefined.
WARNED = "int narrow(long long v);\nint narrow(long long v) { return v; }\n"
CLEAN = "int narrow(long long v);\nint narrow(long long v) { return (int)v; }\n"
VARIANTS = {  # flags, and the tool whose version counts
    "host": ("HOST_CFLAGS host_INSTR", "CC"), "asan": ("HOST_CFLAGS asan_INSTR", "CC"),
    "fuzz": ("HOST_CFLAGS fuzz_INSTR", "CLANG"), "kernel": ("KERNEL_CFLAGS", "CC"),
    "stub": ("STUB_CFLAGS", "CLANG")}
# version of gcc, of clang, what is said to make, whether warnings are errors with each
CASES = [(12, 14, {}, True, True), (14, 19, {}, True, True), (99, 99, {}, False, False),
         (99, 14, {}, False, True), (12, 99, {}, True, False), (99, 99, {"CI": "true"}, True, True),
         (99, 99, {"WERROR": "1"}, True, True), (12, 14, {"WERROR": "0"}, False, False),
         (99, 99, {"CI": "false"}, False, False)]


def wrapper(folder, name, macro, version):
    """A compiler that says it is of this version, and else is the machine's."""
    path = Path(folder) / f"{name}-{version}"
    path.write_text(f'#!/bin/sh\nexec {name} -U{macro} -D{macro}={version} "$@"\n')
    path.chmod(0o755)
    return path


def flags(settings):
    names = list(dict.fromkeys(n for words, _ in VARIANTS.values() for n in words.split()))
    env = {k: v for k, v in os.environ.items()
           if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "CI", "WERROR", "CC", "CLANG")}
    done = subprocess.run(["make", "-s", *(f"print-{n}" for n in names),
                           *(f"{k}={v}" for k, v in settings.items())],
                          cwd=TOP, capture_output=True, text=True, check=True, env=env, timeout=TOOL_S)
    return dict(zip(names, done.stdout.splitlines()[-len(names):]))  # a set-up may have spoken before


def compiles(command, text):
    return subprocess.run([*command, "-c", "-x", "c", "-o", os.devnull, "-"], cwd=TOP, input=text,
                          capture_output=True, text=True, check=False, timeout=TOOL_S).returncode == 0


def main():
    faults, count = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for gcc, clang, settings, gcc_strict, clang_strict in CASES:
            tools = {"CC": wrapper(folder, "gcc", "__GNUC__", gcc),
                     "CLANG": wrapper(folder, "clang", "__clang_major__", clang)}
            values = flags({**settings, **{k: str(v) for k, v in tools.items()}})
            for variant, (words, tool) in VARIANTS.items():
                count += 1
                strict = gcc_strict if tool == "CC" else clang_strict
                real = "gcc" if tool == "CC" else "clang"  # the wrapper's macro is for make alone
                command = [real, *(w for name in words.split() for w in shlex.split(values[name])
                                   if not VERSION_OWN.match(w))]
                where = f"{variant}, gcc {gcc}, clang {clang}, {settings}"
                if not compiles(command, CLEAN):
                    faults.append(f"{where}: a clean file is refused")
                if compiles(command, WARNED) == strict:
                    faults.append(f"{where}: a warning is {'no' if strict else 'an'} error")
    return finish("warnings are errors where they shall be", faults, f"{count} ways to compile")


if __name__ == "__main__":
    sys.exit(main())
