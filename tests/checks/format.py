#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Our C code is laid out as .clang-format says. --write does it. The major version is pinned, for
versions differ; where it is not installed, the check says so and is skipped."""
import re
import shutil
import subprocess
import sys

from _tree import TOP, files, finish

MAJOR = 19
TOOL_S = 120


def find_tool():
    for name in (f"clang-format-{MAJOR}", "clang-format"):
        path = shutil.which(name)
        if path:
            text = subprocess.run([path, "--version"], capture_output=True, text=True, check=False,
                                  timeout=TOOL_S).stdout
            if re.search(rf"version {MAJOR}\.", text):
                return path
    return None


def main():
    tool = find_tool()
    write = "--write" in sys.argv[1:]
    if not tool:
        print(f"ok format # SKIP no clang-format {MAJOR} on this machine")
        return 1 if write else 0
    sources = [p for p in files(".c", ".h")]
    mode = ["-i"] if write else ["--dry-run", "-Werror"]
    done = subprocess.run([tool, *mode, *sources], cwd=TOP, capture_output=True, text=True,
                          check=False, timeout=TOOL_S)
    wrong = sorted({line.split(":", 1)[0] for line in done.stderr.splitlines()
                    if "clang-format-violations" in line})
    if done.returncode and not wrong:
        wrong = [done.stderr]
    return finish("format", [f"{path}: run make format" for path in wrong], f"{len(sources)} files")


if __name__ == "__main__":
    sys.exit(main())
