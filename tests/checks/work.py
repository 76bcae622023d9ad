#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What helps while working on it (mk/work.mk) works: the editor's index, make t, make backtrace, the
groups of make help."""
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from _tree import TOP, files

TOOL_S = 200
# One file of each kind, and the word of its flags that no other kind has.
KINDS = {"boot/kmain.c": "-DFL_KERNEL=1", "arch/x86_64/irq.c": "-mno-red-zone",
         "boot/stub/main.c": "-DFL_STUB=1", "gsp/rpc/queue.c": "-DFL_HOST=1",
         "arch/host/clock.c": "-DFL_HOST=1", "tests/model/gsp/gsp.c": "-DFL_HOST=1",
         "tests/unit/test_queue.c": "-fsanitize=address,undefined",
         "tests/fuzz/fuzz_queue.c": "-fsanitize=fuzzer-no-link,address,undefined"}
# Compiled for a guest by rules of their own; with LIBC=newlib only.
NOT_LISTED = {"tests/bench/read_cost.c", "tests/linux/job.c", "tests/linux/maps.c",
              "arch/x86_64/libc_newlib.c"}
# What each group of make help has to have.
GROUPS = {"To use it": {"run", "image", "setup", "help"},
          "For the developer of a driver": {"gpu-model", "test-linux", "matrix"},
          "To work on it": {"all", "test", "check", "t", "mutants", "compdb", "gdb", "backtrace"}}

results = []


def ok(name, good, reason=""):
    results.append(bool(good))
    print(f"ok {name}" if good else f"{reason}\nnot ok {name}")


def run(args, text=None):
    env = {k: v for k, v in os.environ.items()
           if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "LOG", "T")}
    return subprocess.run([str(a) for a in args], cwd=TOP, env=env, input=text or "", text=True,
                          capture_output=True, check=False, timeout=TOOL_S)


def compdb():
    done = run(["make", "-s", "compdb"])
    path = TOP / "build/compile_commands.json"
    ok("compdb: is made", done.returncode == 0 and path.exists(), done.stdout + done.stderr)
    listed = {e["file"]: e for e in json.loads(path.read_text())}
    missing = [p for p in files(".c") if p not in listed and p not in NOT_LISTED]
    ok("compdb: every file is in it", not missing, f"missing: {missing}")
    for name, word in KINDS.items():
        args = listed[name]["arguments"] if name in listed else ["", "-o", "", ""]
        ok(f"compdb: {name} has the flags of its kind", word in args, args)
        # As an editor's clang sees it: what gcc alone warns of is not its business.
        clang = ["clang", *(a for a in args[1:-1] if a not in ("-c", "-Werror", "-MMD", "-MP")),
                 "-w", "-fsyntax-only", args[-1]]
        at = clang.index("-o")
        seen = run(clang[:at] + clang[at + 2:])
        ok(f"compdb: clang reads {name}", seen.returncode == 0, seen.stderr[:2000])


def one_test():
    done = run(["make", "-n", "t", "T=queue"])
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
    ok("t: runs the test", done.returncode == 0 and
       last.endswith("build/asan/tests/unit/test_queue"), done.stdout[-500:] + done.stderr)
    done = run(["make", "-n", "t", "T=test_queue"])
    ok("t: takes the file's name too", "build/asan/tests/unit/test_queue" in done.stdout, done.stderr)
    done = run(["make", "t", "T=queu"])
    ok("t: names what is meant", done.returncode != 0 and "T=queu is no unit test" in done.stderr and
       re.search(r"there is: .*\bqueue\b", done.stderr) and "json" not in done.stderr, done.stderr)


KERNEL = r"""
int other(int n);
static inline __attribute__((always_inline)) int inner(int n) { return other(n) + 1; }
__attribute__((noinline)) int other(int n) { return n * 3; }
__attribute__((noinline)) int outer(int n)
{
    return inner(n) + 2;
}
void _start(void) { for (;;) outer(1); }
"""


def report(rip, call, stack):
    return (f"\x1b[2J[    1.000000] info  gsp: as usual\r\n\r\n"
            f"*** page fault (#PF, vector 14) at 0x{rip:016x}, error code 0x2\r\n"
            f'    Firstlight 0.1.0, fiber "gpu0", 1.000001 s after hand-off\r\n'
            f"    rip {rip:016x}  rsp 00000000007fff00  rbp 00000000007fff20  rflags 00010046\r\n"
            f"    backtrace:\r\n      0x{rip:016x}\r\n      0x{call:016x}\r\n"
            f"    words on the stack that point into the text:\r\n      rsp+0x018 0x{stack:016x}\r\n"
            "*** machine halted\r\nafterwards\r\n")


def backtrace(folder):
    """A program that lies where the kernel lies, and a report with addresses in it."""
    (folder / "k.c").write_text(KERNEL)
    made = run(["gcc", "-g", "-O1", "-ffreestanding", "-nostdlib", "-static", "-no-pie", "-fno-pie",
                "-mcmodel=kernel", "-Wl,-Ttext=0xffffffff80000000", "-Wl,--build-id=none", "-o",
                folder / "k.elf", folder / "k.c"])
    ok("backtrace: the program is made", made.returncode == 0, made.stderr)
    names = {f[2]: int(f[0], 16) for f in map(str.split, run(["nm", folder / "k.elf"]).stdout.splitlines())}
    code = run(["objdump", "-d", "--no-show-raw-insn", folder / "k.elf"]).stdout
    outer = code[code.index("<outer>:"):]
    call = int(re.search(r"^\s*([0-9a-f]+):\s+call\s+\S+ <other>", outer, re.M)[1], 16)
    behind = int(re.search(rf"{call:x}:.*\n\s*([0-9a-f]+):", outer)[1], 16)
    text = report(names["other"], behind - 1, behind)
    tool = [sys.executable, TOP / "mk/backtrace.py", "--elf", folder / "k.elf"]
    (folder / "serial.log").write_text(text)
    for how, done in (("a log", run([*tool, folder / "serial.log"])), ("standard input", run(tool, text))):
        lines = done.stdout.splitlines()
        ok(f"backtrace: {how}: begins at the report and ends with it",
           done.returncode == 0 and lines[0].startswith("*** page fault") and
           lines[-1] == "*** machine halted", done.stdout + done.stderr)
        frame = lines[lines.index(f"      0x{behind - 1:016x}") + 1:]
        ok(f"backtrace: {how}: what is inlined, and in what",
           re.match(r"\s+inner at .*/k\.c:3\b", frame[0]) and
           re.match(r"\s+inlined in outer at .*/k\.c:7\b", frame[1]), done.stdout)
        ok(f"backtrace: {how}: the headline", re.match(r"\s+other at .*k\.c:4\b", lines[1]), done.stdout)
        word = lines[lines.index(f"      rsp+0x018 0x{behind:016x}") + 1]
        ok(f"backtrace: {how}: a return address is that of its call", "inner at" in word, done.stdout)
    done = run(tool, report(0x1000, 0xffffffff81234567, names["other"]))
    ok("backtrace: what is not of this kernel is said to be so", "nothing of this kernel" in done.stdout,
       done.stdout)
    done = run(tool, text[:text.index("    words")])
    ok("backtrace: a log that ends early", done.returncode == 0 and "inlined in outer" in done.stdout,
       done.stdout)
    done = run(tool, "[    1.000000] info  gsp: as usual\n")
    ok("backtrace: nothing to show is an error", done.returncode != 0 and "no panic" in done.stderr,
       done.stderr)
    done = run([*tool, folder / "missing.log"])
    ok("backtrace: a log that is missing", done.returncode != 0 and "missing.log" in done.stderr,
       done.stderr)
    os.utime(folder / "serial.log", (0, 0))
    done = run([*tool, folder / "serial.log"])
    ok("backtrace: an older log is told", "is newer than" in done.stderr, done.stderr)


def help_groups():
    text = run(["make", "help"]).stdout
    found = {m[1]: set(re.findall(r"^  make (\S+)", m[2], re.M))
             for m in re.finditer(r"^(\w[^\n]*):\n((?:  make [^\n]*\n)+)", text, re.M)}
    ok("help: the groups", list(found) == list(GROUPS), text)
    for name, wanted in GROUPS.items():
        ok(f"help: {name}", wanted <= found.get(name, set()), text)
    makefiles = [TOP / "Makefile", *(TOP / p for p in files(".mk"))]
    said = {m for path in makefiles for m in re.findall(r"^([a-z][a-z-]*):.*## ", path.read_text(), re.M)}
    shown = [g for group in found.values() for g in group]
    ok("help: every goal once", sorted(shown) == sorted(said),
       f"only said: {said - set(shown)}, shown {sorted(shown)}")
    ok("help: no mark is left", not re.search(r"(user|driver): |##", text.split("Choices")[0]), text)


def main():
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(BrokenPipeError):
        compdb()
        one_test()
        backtrace(Path(folder))
        help_groups()
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
