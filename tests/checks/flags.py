#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The flags that protect are in force: a probe, compiled as each variant compiles, shows what a flag
does, and without the flag does not. A flag that a compiler ignores, or that a later one on the same
line undoes, is noticed."""
import os
import re
import shlex
import subprocess
import sys

from _tree import TOP, finish

TOOL_S = 60
VARIANTS = {"host": "CC HOST_CFLAGS host_INSTR", "asan": "CC HOST_CFLAGS asan_INSTR",
            "fuzz": "CLANG HOST_CFLAGS fuzz_INSTR", "kernel": "CC KERNEL_CFLAGS",
            "stub": "CLANG STUB_CFLAGS"}
FRAME_LIMIT, FRAME_VARIANTS = 4096, ("kernel", "stub")
HEAD = "void use(void *p);\nvoid probe(unsigned long n);\n"
# what: source of the probe, what its assembly shows, a flag that undoes it, variants
# Nothing else is stored on the stack of this one.
UNSET = "__attribute__((no_stack_protector)) void probe(unsigned long n) { (void)n; long x[1]; use(x); }"
STORE = r"\bmov[lq]\s+(?:\$0|%\w+), ?-?\d*\(%\w+\)"
PROBES = {
    "variables are zero": (UNSET, STORE, "-ftrivial-auto-var-init=uninitialized",
                           ("host", "kernel", "stub")),
    "variables have a pattern": (UNSET, r"\$-?(72340172838076674|6148914691236517206|0x[aA]{16})\b|0xAAAAAAAA",
                                 "-ftrivial-auto-var-init=uninitialized", ("asan", "fuzz")),
    "large frames are probed": ("void probe(unsigned long n) { use(__builtin_alloca(n)); }",
                                r"\bor[lq]\s+\$0, ?[-\w]*\(%rsp", "-fno-stack-clash-protection", ("kernel",)),
    "stacks have a guard": ("void probe(unsigned long n) { (void)n; char x[64]; use(x); }",
                            r"__stack_chk_guard\(%rip\)", "-fno-stack-protector", ("kernel",)),
}


def flags():
    names = list(dict.fromkeys(name for words in VARIANTS.values() for name in words.split()))
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    done = subprocess.run(["make", "-s", *(f"print-{n}" for n in names)], cwd=TOP, capture_output=True,
                          text=True, check=True, env=env, timeout=TOOL_S)
    values = dict(zip(names, done.stdout.splitlines()[-len(names):]))  # a set-up may have spoken before
    return {v: [w for n in words.split() for w in shlex.split(values[n])] for v, words in VARIANTS.items()}


def assembly(command, text):
    """(what the compiler makes of it, its complaints)"""
    done = subprocess.run([*command, "-S", "-x", "c", "-o", "-", "-"], cwd=TOP, input=f"{HEAD}{text}\n",
                          capture_output=True, text=True, check=False, timeout=TOOL_S)
    body = re.search(r"^probe:(.*?)^\s*(?:\.size|# -- End function)", done.stdout, re.M | re.S)
    return body[1] if body else "", done.stderr


def frame_faults(variant, command):
    """A frame above the limit is refused, one below is not."""
    for size, refused in ((FRAME_LIMIT - 512, False), (FRAME_LIMIT + 512, True)):
        text = f"void probe(unsigned long n) {{ (void)n; char x[{size}]; use(x); }}"
        _, complaints = assembly(command, text)
        if ("frame" in complaints) != refused:
            yield f"{variant}: a frame of {size} bytes is {'not ' if refused else ''}refused: {complaints}"


def main():
    faults, count, commands = [], 0, flags()
    for what, (text, shows, undo, variants) in PROBES.items():
        for variant in variants:
            count += 1
            body, complaints = assembly(commands[variant], text)
            if not re.search(shows, body):
                faults.append(f"{variant}: not so: {what}: {complaints or body}")
            body, complaints = assembly([*commands[variant], undo], text)
            if not body or re.search(shows, body):
                faults.append(f"{variant}: this probe cannot fail: {what}: {complaints or body}")
    for variant in FRAME_VARIANTS:
        count += 1
        faults += frame_faults(variant, commands[variant])
    return finish("the flags that protect are in force", faults, f"{count} probes")


if __name__ == "__main__":
    sys.exit(main())
