#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make compdb`: build/compile_commands.json, for clangd and everything else that reads it.

make is asked what it would do if every source were new, so the flags are those of the build. A file
that is compiled several times (the host library and the kernel share most of theirs) has one entry,
that of the first variant in ORDER."""
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
OUT = TOP / "build/compile_commands.json"
GOALS = ["all", "units", "fuzzers", "benches", "test-kernels",
         "build/host/tests/matrix/boot_trace"]
ORDER = ["host", "asan", "kernel", "stub", "fuzz"]
MAKE_S = 300
# They say nothing of the language, and clang refuses gcc's spelling.
NOT_AN_EDITORS = {"-ftrivial-auto-var-init=zero", "-mstringop-strategy=libcall"}


def commands():
    """The compiler's command lines of the whole build."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.c", "*.S"], cwd=TOP,
                            capture_output=True, text=True, check=True)
    news = [word for path in listed.stdout.split() for word in ("-W", path)]
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    done = subprocess.run(["make", "--no-print-directory", "-n", "-k", "V=1", *news, *GOALS], cwd=TOP,
                          env=env, capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=MAKE_S)
    for line in done.stdout.replace("\\\n", " ").splitlines():
        words = shlex.split(line) if " -c " in line and " -o build/" in line else []
        if words and Path(words[-1]).suffix in (".c", ".S"):
            yield words


def entries():
    found = {}
    for words in commands():
        path, output = words[-1], words[words.index("-o") + 1]
        variant = output.split("/")[1]
        if variant not in ORDER or path.startswith(("build/", "/")):
            continue
        rank = ORDER.index(variant)
        if path not in found or rank < found[path][0]:
            found[path] = (rank, {"directory": str(TOP), "file": path, "output": output,
                                  "arguments": [w for w in words if w not in NOT_AN_EDITORS]})
    return [entry for _, (_, entry) in sorted(found.items())]


def main():
    made = entries()
    if not made:
        sys.exit("compdb: make says nothing of a compiler: does `make` work?")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(made, indent=1) + "\n")
    print(f"{OUT.relative_to(TOP)}: {len(made)} files")


if __name__ == "__main__":
    main()
