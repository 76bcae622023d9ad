# SPDX-License-Identifier: MIT
"""Reads register traces: accesses, with names of the register list, run by run (trace.py)."""
import re
from collections import Counter
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
STRING = r'"(?:[^"\\]|\\.)*"'
REG_LINE = re.compile(rf"REG\((\w+), (\w+), (\w+), (\w+), (\w+), (\w+), ([^,]+), {STRING}, {STRING}\)")

# Windows of BAR0. Source: gsp/hw/regs/regs.h and regs.c (nova nouv OG).
ENGINES = {"gsp": 0x110000, "sec2": 0x840000}
ENGINE_SPAN = 0x4000
MIRROR_BASE, MIRROR_BASE_FSP, MIRROR_SPAN = 0x088000, 0x092000, 0x1000
PROM_BASE, PRAMIN_BASE, WINDOW_SPAN = 0x300000, 0x700000, 0x100000
FALCON_BOOT = {"TU", "GA100", "GA10X", "AD10X"}
FSP = {"GH100", "GB10X", "GB20X"}

# Families by the beginning of a chip's name; the longest that fits.
FAMILY_OF = {"tu": "TU", "ga100": "GA100", "ga": "GA10X", "ad": "AD10X", "gh100": "GH100",
             "gb10": "GB10X", "gb20": "GB20X"}
PROM, PRAMIN, TIMER = "PROM window", "PRAMIN", "NV_PTIMER_TIME_"


class TraceError(Exception):
    pass


def family_of(chip):
    fits = [prefix for prefix in FAMILY_OF if chip.startswith(prefix)]
    if not fits:
        raise TraceError(f"{chip}: no family is known for a chip of this name")
    return FAMILY_OF[max(fits, key=len)]


# --- names ----------------------------------------------------------------------------------------
class Registers:
    """The register list for one family, looked up as reg_find() of gsp/hw/regs/regs.c does."""

    def __init__(self, path, family):
        self.family, self.rows = family, []
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            if m := REG_LINE.match(line):
                families = set()
                for word in m[7].replace("F_", "").replace(" ", "").split("|"):
                    families |= {"ALL": FALCON_BOOT | FSP, "FALCON_BOOT": FALCON_BOOT,
                                 "FSP": FSP}.get(word, {word})
                if family in families:
                    self.rows.append((m[1], m[2], int(m[3], 0), int(m[4], 0), int(m[5], 0)))
        if not self.rows:
            raise TraceError(f"{path}: no register of family {family}")
        self.cache = {}

    def offset(self, name, engine=None):
        """Where a register lies in BAR0; None when the family has none of that name."""
        for row, _, offset, _, _ in self.rows:
            if row == name:
                return offset + (ENGINES[engine] if engine else 0)
        return None

    def window(self, offset):
        for engine, base in ENGINES.items():
            if base <= offset < base + ENGINE_SPAN:
                return "FALCON", base, "@" + engine
        mirror = MIRROR_BASE_FSP if self.family in FSP else MIRROR_BASE
        return ("MIRROR", mirror, "") if mirror <= offset < mirror + MIRROR_SPAN else (None, 0, "")

    def name(self, offset):
        if offset not in self.cache:
            self.cache[offset] = self.find(offset)
        return self.cache[offset]

    def find(self, offset):
        space, base, suffix = self.window(offset)
        best = None
        for name, where, start, stride, count in self.rows:
            if where not in ("BAR0", space):
                continue
            at = offset - start - (0 if where == "BAR0" else base)
            tail = "" if where == "BAR0" else suffix
            if stride == 0 and at == 0:
                return name + tail
            if stride and at >= 0 and at % stride == 0 and at // stride < count and not best:
                best = f"{name}({at // stride}){tail}"
        if best:
            return best
        if PROM_BASE <= offset < PROM_BASE + WINDOW_SPAN:
            return PROM
        if PRAMIN_BASE <= offset < PRAMIN_BASE + WINDOW_SPAN:
            return PRAMIN
        return f"0x{offset:06x}"


# --- reading --------------------------------------------------------------------------------------
class Access:
    """One or more equal accesses in a row. offset and value are None where a trace does not say."""
    __slots__ = ("kind", "name", "offset", "value", "count", "line")

    def __init__(self, kind, name, offset, value, line):
        self.kind, self.name, self.offset, self.value = kind, name, offset, value
        self.count, self.line = 1, line

    def key(self):
        return f"{self.kind} {self.name}"


class Run:
    """What happened between two resets."""

    def __init__(self):
        self.accesses, self.rules, self.other_bars, self.unknown_lines = [], [], Counter(), 0
        self.remarks = []  # (number of accesses before it, line, text); only of the model's traces

    def total(self):
        return sum(a.count for a in self.accesses)


MODEL_LINE = re.compile(r"^t=\d+\.\d+ (?:([RW]) (.*)|# ?(.*))$")
MODEL_ACCESS = re.compile(r"^(?:PROM window|(\S+) 0x([0-9a-f]+) = 0x([0-9a-f]+)\b.*)$")
MODEL_AGAIN = re.compile(r"^ +\.\.\. (\d+) more like this$")
QEMU_LINE = re.compile(
    r"vfio_region_(?:write\s+\((?P<wdev>.*):region(?P<wbar>\d+)\+0x(?P<woff>[0-9a-f]+), "
    r"0x(?P<wval>[0-9a-f]+), (?P<wsize>\d+)\)"
    r"|read\s+\((?P<rdev>.*):region(?P<rbar>\d+)\+0x(?P<roff>[0-9a-f]+), "
    r"(?P<rsize>\d+)\) = 0x(?P<rval>[0-9a-f]+))")


def add_qemu(run, m, registers, number):
    kind = "W" if m["wdev"] is not None else "R"
    bar, offset, value, size = (
        int(m[kind.lower() + part], base)
        for part, base in (("bar", 10), ("off", 16), ("val", 16), ("size", 10)))
    if bar != 0:
        run.other_bars[bar] += 1
        return
    for at in range(0, max(size, 1), 4):  # a 64-bit access is two registers
        word = offset + at
        name = registers.name(word & ~3)
        if size < 4 and name not in (PROM, PRAMIN):
            name += f"[{word & 3}:{size}]"
        run.accesses.append(Access(kind, name, word, value >> 8 * at & 0xffffffff, number))


def add_model(run, m, registers, number):
    """Returns the access that a following "more like this" counts, or None for a remark."""
    if m[1] is None:
        run.remarks.append((len(run.accesses), number, m[3]))
        if m[3].startswith("RULE "):
            run.rules.append({"line": number, "words": m[3][len("RULE "):]})
        return None
    detail = MODEL_ACCESS.match(m[2])
    if not detail:
        run.unknown_lines += 1
        return None
    if detail[1] is None:
        access = Access(m[1], PROM, None, None, number)
    else:
        offset = int(detail[2], 16)
        access = Access(m[1], registers.name(offset), offset, int(detail[3], 16), number)
    run.accesses.append(access)
    return access


def read_trace(path, registers, device=None):
    """All runs of a file that touch a register."""
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as e:
        raise TraceError(f"{path}: {e.strerror}") from e
    runs, last, devices = [Run()], None, set()
    for number, line in enumerate(lines, 1):
        if m := MODEL_LINE.match(line):
            if m[3] is not None and m[3].startswith("reset: ") and runs[-1].accesses:
                runs.append(Run())
            last = add_model(runs[-1], m, registers, number)
        elif m := MODEL_AGAIN.match(line):
            if last:
                last.count += int(m[1])
        elif m := QEMU_LINE.search(line):
            name = m["wdev"] or m["rdev"] or ""
            if device is None or device in name:
                devices.add(name)
                add_qemu(runs[-1], m, registers, number)
        elif "vfio_" not in line and line.strip():
            runs[-1].unknown_lines += 1
    if len(devices) > 1:
        raise TraceError(f"{path}: several devices ({', '.join(sorted(devices))}): use --device")
    runs = [run for run in runs if run.accesses]
    if not runs:
        raise TraceError(f"{path}: no register access in {len(lines)} lines")
    return runs
