#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every header compiles alone, twice in a row, with the flags of those who use it: it includes what
it needs and guards itself."""
import concurrent.futures
import os
import shlex
import subprocess
import sys

from _tree import TOP, files, finish

COMPILE_S = 60
ERRORS_SHOWN = 5  # of one header; the rest follows from them
# Headers with a job inside of another: lwIP includes these in its own order, typed.h is for a list.
NOT_ALONE = ("net/stack/lwip/", "gsp/hw/regs/typed.h")


def flags_of(kind):
    """The command line that the Makefile uses for the host, the kernel or the stub."""
    names = {"host": ("CC", "HOST_CPPFLAGS", "HOST_CFLAGS", "CC_WERROR"),
             "kernel": ("CC", "KERNEL_CPPFLAGS", "KERNEL_CFLAGS"),
             "stub": ("CLANG", "STUB_CPPFLAGS", "STUB_CFLAGS")}[kind]
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    words = []
    for name in names:
        done = subprocess.run(["make", "-s", f"print-{name}"], cwd=TOP, capture_output=True,
                              text=True, check=True, env=env, timeout=COMPILE_S)
        words += shlex.split(done.stdout)
    return words


def kind_of(path):
    if path.startswith("arch/x86_64/"):
        return "kernel"
    return "stub" if path.startswith("boot/stub/") else "host"


def main():
    headers = [p for p in files(".h") if not p.startswith(NOT_ALONE)]
    flags = {kind: flags_of(kind) for kind in {kind_of(p) for p in headers}}

    def compile_alone(path):
        text = f'#include "{path}"\n#include "{path}"\ntypedef int not_empty;\n'
        done = subprocess.run([*flags[kind_of(path)], "-Wno-unused", "-fsyntax-only", "-x", "c", "-"],
                              cwd=TOP, input=text, capture_output=True, text=True, check=False,
                              timeout=COMPILE_S)
        errors = [line for line in done.stderr.splitlines() if "error:" in line][:ERRORS_SHOWN]
        return "\n  ".join([f"{path}: does not compile alone:", *errors]) if done.returncode else None

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        faults = [fault for fault in pool.map(compile_alone, headers) if fault]
    return finish("headers compile alone", faults, f"{len(headers)} headers")


if __name__ == "__main__":
    sys.exit(main())
