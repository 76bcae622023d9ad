#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make backtrace`: the addresses of a panic or an exception, as functions and lines.

    backtrace.py [LOG] [--elf FILE]

Reads a serial log (default: standard input) and prints every report of arch/x86_64/trap.c in it, with
what the kernel says of each address. The kernel has to be the one that ran."""
import argparse
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
ELF = TOP / "build/kernel/kernel.elf"
TOOL_S = 60
# The report, line by line: arch/x86_64/trap.c.
BEGIN = re.compile(r"^\*\*\* (?!machine halted|another)")
END = "*** machine halted"
HEADLINE = re.compile(r"^(\*\*\* .* at )(0x[0-9a-f]{8,})(.*)$")
ADDRESS = re.compile(r"^\s+(?:rsp\+0x[0-9a-f]+ )?(0x[0-9a-f]{16})$")
# A return address on the stack lies behind its call, which may be the end of another function.
ON_STACK = re.compile(r"^\s+rsp\+0x")
CONTROL = re.compile(r"\x1b\[[0-9;=?]*[A-Za-z]")


def reports(text):
    """The lines of each report."""
    found = None
    for line in CONTROL.sub("", text).replace("\r", "").splitlines():
        line = line.rstrip()
        if found is None and BEGIN.match(line):
            found = []
        if found is not None:
            found.append(line)
            if line.startswith(END):
                yield found
                found = None
    if found:
        yield found  # the log ends in the middle of it


def resolve(elf, addresses):
    """{address: lines of addr2line}: the innermost inlined function first."""
    if not addresses:
        return {}
    done = subprocess.run(["addr2line", "-a", "-i", "-f", "-p", "-C", "-e", elf,
                           *(hex(a) for a in addresses)], capture_output=True, text=True, check=False,
                          timeout=TOOL_S)
    if done.returncode != 0:
        sys.exit(f"backtrace: addr2line says: {done.stderr.strip()}")
    places, current = {}, None
    for line in done.stdout.splitlines():
        if match := re.match(r"^(0x[0-9a-f]+): (.*)$", line):
            current = places.setdefault(int(match[1], 16), [])
            line = match[2]
        current.append(line.strip().replace("(inlined by) ", "inlined in "))
    return places


def address_of(line):
    """(as written, what to look up) of a line of the report, or None."""
    if match := HEADLINE.match(line):
        return match[2], int(match[2], 16)
    if match := ADDRESS.match(line):
        return match[1], int(match[1], 16) - (1 if ON_STACK.match(line) else 0)
    return None


def show(lines, elf):
    looked_up = [address_of(line) for line in lines]
    places = resolve(elf, sorted({found[1] for found in looked_up if found}))
    for line, found in zip(lines, looked_up):
        print(line)
        if found:
            for place in places.get(found[1], []):
                print(f"          {place if not place.startswith('??') else 'nothing of this kernel'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log", nargs="?", type=Path)
    parser.add_argument("--elf", type=Path, default=ELF)
    args = parser.parse_args()
    try:
        text = args.log.read_text(errors="replace") if args.log else sys.stdin.read()
    except OSError as e:
        sys.exit(f"backtrace: {args.log}: {e.strerror}")
    if not args.elf.is_file():
        sys.exit(f"backtrace: {args.elf} is missing: run make kernel")
    if args.log and args.elf.stat().st_mtime > args.log.stat().st_mtime:
        print(f"backtrace: {args.elf.name} is newer than {args.log}: the lines are right only if it is "
              "still the same kernel", file=sys.stderr)
    count = 0
    for report in reports(text):
        show(report, args.elf)
        count += 1
    if count == 0:
        sys.exit(f"backtrace: no panic and no exception in {args.log or 'what was read'}: expected a "
                 "line that begins with '*** '")


if __name__ == "__main__":
    main()
