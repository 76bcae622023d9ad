#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads register traces of a bring-up: what was touched in which stage, and how two bring-ups differ.

    trace.py FILE                 table of stages, then what each stage does, loops folded
    trace.py FILE FILE            both tables, then the differences stage by stage (exit status 1)
    --summary                     tables only
    --json                        the same as one JSON object
    --stage NAME                  only this stage (repeatable)
    --ignore REGEX                registers whose values are not compared (repeatable)
    --run N                       which run of a file with several resets; default: the longest
    --family NAME                 TU, GA100, GA10X (default), AD10X, GH100, GB10X, GB20X
    --device TEXT                 of a QEMU trace with several devices: the one whose name has TEXT

Two formats, told apart line by line: what `gpu-model --trace FILE` writes (tests/model/books/trace.c), and
the log of QEMU's `-trace 'vfio_region_*'` (QEMU: hw/vfio/trace-events), which also traces a real
board. Names come from the register list, gsp/hw/regs/regs.def.

Two traces of the model are compared in what they hand over, too: structures in memory and messages,
field by field (tests/trace/handed.py).

Stages begin at landmarks that every driver for these GPUs passes; a stage that nobody entered is
left out. Exit status: 0, 1 when two traces differ, 2 when a file cannot be read or holds no access.
"""
import argparse
import difflib
import json
import re
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import handed  # noqa: E402

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

STAGES = ["identify", "devinit", "vbios", "frts", "gsp-reset", "booter", "fsp", "lockdown", "riscv",
          "sequencer", "init-done", "after", "unload"]
UP_TO_INIT_DONE = STAGES[:STAGES.index("after")]
FSP_STAGES = ["fsp", "lockdown"]  # in the place of frts, gsp-reset, booter, sequencer, init-done
# Families by the beginning of a chip's name; the longest that fits.
FAMILY_OF = {"tu": "TU", "ga100": "GA100", "ga": "GA10X", "ad": "AD10X", "gh100": "GH100",
             "gb10": "GB10X", "gb20": "GB20X"}
PROM, PRAMIN, TIMER = "PROM window", "PRAMIN", "NV_PTIMER_TIME_"
RESET_BIT = 1      # NV_PFALCON_FALCON_ENGINE.RESET
START_BIT = 2      # NV_PFALCON_FALCON_CPUCTL.STARTCPU
VALUES_SHOWN_MAX = 4  # of a register that was written several times in a row
LOOP_BODY_MAX = 16  # accesses in the body of a loop that is folded
LOOP_TIMES_MIN = 3  # of a body of several accesses; a single access folds from 2 on


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


# --- stages ---------------------------------------------------------------------------------------
class Landmarks:
    def __init__(self, registers):
        where = registers.offset
        gsp = {name: where(f"NV_PFALCON_FALCON_{name}", "gsp")
               for name in ("ENGINE", "CPUCTL", "OS", "MAILBOX0", "MAILBOX1", "IRQSCLR")}
        self.engine, self.cpuctl, self.os = gsp["ENGINE"], gsp["CPUCTL"], gsp["OS"]
        self.riscv = where("NV_PRISCV_RISCV_CPUCTL", "gsp")
        self.devinit = {where("NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_PRIV_LEVEL_MASK"),
                        where("NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_0_GFW_BOOT"),
                        where("NV_THERM_I2CS_SCRATCH_FSP_BOOT_COMPLETE"),
                        where("NV_THERM_I2CS_SCRATCH_FSP_BOOT_COMPLETE_GB20X")} - {None}
        self.doorbell = where("NV_PGSP_QUEUE_HEAD", "gsp")
        fsp = [row for row in registers.rows if row[0].startswith("NV_PFSP_")]
        self.fsp = {offset + i * stride for _, _, offset, stride, count in fsp
                    for i in range(max(count, 1))}
        self.mailboxes = (gsp["MAILBOX0"], gsp["MAILBOX1"])
        # Writes of a driver that only waits: acknowledgements and what it hands to the GSP.
        self.quiet = {self.os, gsp["MAILBOX0"], gsp["MAILBOX1"], gsp["IRQSCLR"], MIRROR_BASE +
                      (where("NV_PCFG_MSI_REARM") or 0)}
        self.interrupts = range(where("NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_TOP") & ~0xfff,
                                (where("NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_TOP") & ~0xfff) + 0x1000)

    @staticmethod
    def sec2(a):
        return a.offset is not None and 0 <= a.offset - ENGINES["sec2"] < ENGINE_SPAN

    def resets_gsp(self, a):
        return a.kind == "W" and a.offset == self.engine and a.value & RESET_BIT

    def loud(self, a):
        return a.kind == "W" and a.offset is not None and a.offset not in self.quiet and \
            a.offset not in self.interrupts


FROM_DRIVER, TO_DRIVER = "message from the driver: function ", "message to the driver: function "
FUNCTION_UNLOADING, FUNCTION_INIT_DONE = 47, 0x1001  # spec of the RPC numbers: gsp/rpc/rpc.h


def after_message(remarks, begin, prefix, function):
    """Index of the first access after a message; None when the trace does not tell."""
    return next((at for at, _, text in remarks if at > begin and text.startswith(prefix) and
                 int(re.split(r"[ ,]", text[len(prefix):])[0], 0) == function), None)


def find_landmarks(accesses, marks, remarks=()):
    """Index of the access that begins each stage that was entered. remarks: of the model's trace; they
    say when INIT_DONE came and when unloading began, which registers show less exactly."""
    found = registers_landmarks(accesses, marks)
    up = after_message(remarks, 0, TO_DRIVER, FUNCTION_INIT_DONE)
    if up is not None:
        found.pop("after", None)
        begin = max(up, max(found.values()))  # sent already, but the driver may not have looked
        after = next((i for i in range(begin, len(accesses)) if accesses[i].kind == "W" and
                      accesses[i].offset not in (marks.os, *marks.mailboxes)), None)
        if after is not None:
            found["after"] = after
    down = after_message(remarks, up or 0, FROM_DRIVER, FUNCTION_UNLOADING)
    if down is not None:
        found["unload"] = down
    return {stage: i for stage, i in found.items() if i < len(accesses)}


def registers_landmarks(accesses, marks):
    found = {"identify": 0}
    n = len(accesses)

    def first(stage, after, test):
        begin = max(found.values()) if after is None else found.get(after)
        if begin is not None:
            for i in range(begin, n):
                if test(accesses[i]):
                    found[stage] = i
                    return

    first("devinit", None, lambda a: a.offset in marks.devinit)
    first("vbios", None, lambda a: a.name == PROM)
    if marks.fsp:
        return fsp_landmarks(found, first, marks)
    booter = next((i for i, a in enumerate(accesses) if marks.sec2(a)), None)
    # The GSP's engine is reset for FWSEC-FRTS and again for its RISC-V core. Where the falcon was
    # never started there is no FRTS, and the last reset before SEC2's turn is the second one.
    begin, end = max(found.values()), n if booter is None else booter
    resets = [i for i in range(begin, end) if marks.resets_gsp(accesses[i])]
    start = next((i for i in range(begin, end) if accesses[i].kind == "W" and
                  accesses[i].offset == marks.cpuctl and accesses[i].value & START_BIT), None)
    if resets and (start is not None or booter is None):
        found["frts"] = resets[0]
        second = [i for i in resets if start is not None and i > start]
        if second:
            found["gsp-reset"] = second[0]
    elif resets:
        found["gsp-reset"] = resets[-1]
    if booter is None:
        return found
    found["booter"] = booter
    first("riscv", "booter", lambda a: a.offset == marks.riscv or
          (a.kind == "W" and a.offset == marks.os))
    first("sequencer", "riscv", lambda a: marks.loud(a) and a.offset != marks.doorbell)
    # The script ends by resuming the core: the version is written once more, then the core looked at.
    first("init-done", "sequencer", lambda a: a.kind == "W" and a.offset == marks.os)
    first("after", "init-done", marks.loud)
    return found


def fsp_landmarks(found, first, marks):
    """Hopper, Blackwell: no falcon program and no script, only a wait before and after the message."""
    first("fsp", None, lambda a: a.offset in marks.fsp)
    first("lockdown", "fsp", lambda a: a.kind == "R" and a.offset is not None and
          0 <= a.offset - ENGINES["gsp"] < ENGINE_SPAN)
    first("riscv", "lockdown", lambda a: a.offset == marks.riscv or
          (a.kind == "W" and a.offset == marks.os))
    first("after", "riscv", lambda a: marks.loud(a) and a.offset != marks.doorbell)
    return found


def split_stages(accesses, marks, remarks=()):
    """[(stage, accesses)] in the order of STAGES."""
    found = sorted(find_landmarks(accesses, marks, remarks).items(),
                   key=lambda item: (item[1], STAGES.index(item[0])))
    ends = [begin for _, begin in found[1:]] + [len(accesses)]
    return [(stage, accesses[begin:end]) for (stage, begin), end in zip(found, ends) if end > begin]


# --- loops ----------------------------------------------------------------------------------------
class Step:
    """A body of accesses and how often it came in a row."""

    def __init__(self, body, times, accesses):
        self.body, self.times, self.accesses = body, times, accesses

    def text(self):
        body = self.body[0] if len(self.body) == 1 else "{ " + "; ".join(self.body) + " }"
        value, shown = "", [a.value for a in self.accesses if a.value is not None]
        if len(self.body) == 1 and shown:
            some = shown[-1:] if self.body[0].startswith("R ") else shown[:VALUES_SHOWN_MAX]
            value = " = " + ", ".join(f"0x{v:08x}" for v in some)
            value += ", ..." if len(shown) > len(some) > 1 else ""
        return body + value + (f" x{self.times}" if self.times > 1 else "")


def merge_equal(accesses):
    """Accesses of the same kind and register in a row become one: what a poll saw last counts."""
    out = []
    for a in accesses:
        if out and out[-1][0].key() == a.key() and a.kind == "R":
            out[-1] = (a, out[-1][1] + a.count)
        else:
            out.append((a, a.count))
    return out


def fold(accesses):
    merged = merge_equal(accesses)
    keys = [a.key() for a, _ in merged]
    steps, i = [], 0
    while i < len(keys):
        best, best_times = 1, 1
        for size in range(1, min(LOOP_BODY_MAX, (len(keys) - i) // 2) + 1):
            body, times = keys[i:i + size], 1
            while keys[i + times * size:i + (times + 1) * size] == body:
                times += 1
            enough = times >= (2 if size == 1 else LOOP_TIMES_MIN)
            if enough and times * size > best * best_times:
                best, best_times = size, times
        part = merged[i:i + best * best_times]
        times = part[0][1] if best * best_times == 1 else best_times
        if best == 1 and best_times > 1:
            times = sum(count for _, count in part)
        steps.append(Step(tuple(keys[i:i + best]), times, [a for a, _ in part]))
        i += best * best_times
    return steps


# --- cost -----------------------------------------------------------------------------------------
def cost(accesses):
    """What a stretch costs, told apart by what makes two drivers comparable: reads (a register that is
    read again and again, by itself or in a loop of reads, counts once: how often is a matter of
    time), writes, reads of the VBIOS, reads of the timer."""
    prom = sum(a.count for a in accesses if a.kind == "R" and a.name == PROM)
    timer = sum(a.count for a in accesses if a.name.startswith(TIMER))
    rest = [a for a in accesses if a.name != PROM and not a.name.startswith(TIMER)]
    reads = writes = 0
    for step in fold(rest):
        kinds = [key[0] for key in step.body]
        if "W" in kinds:
            reads += kinds.count("R") * step.times
            writes += kinds.count("W") * step.times
        else:
            reads += len(kinds)
    return {"reads": reads, "writes": writes, "prom": prom, "timer": timer}


# --- differences ----------------------------------------------------------------------------------
def compare_step(a, b, ignore):
    """What differs between two steps of the same body: [(kind, detail)]."""
    out = []
    polled = len(a.body) == 1 and a.body[0].startswith("R ")
    if a.times != b.times and not polled:  # how often a register was polled is a matter of time
        out.append(("times", f"x{a.times} | x{b.times}"))
    wrong = [(x, y) for x, y in zip(a.accesses, b.accesses) if x.value is not None and y.value is not None and
             x.value != y.value and not any(r.search(x.name) for r in ignore)]
    if wrong:
        x, y = wrong[0]
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        out.append(("value", f"{x.key()}: 0x{x.value:08x} | 0x{y.value:08x}{more}"))
    return out


def diff_stage(a, b, ignore):
    """Differences of one stage: [{kind, what, line_a, line_b}]. Steps that both have, in another
    order, are told apart from steps that only one has."""
    one, two = fold(a), fold(b)
    matcher = difflib.SequenceMatcher(None, [s.body for s in one], [s.body for s in two],
                                      autojunk=False)
    out, only_a, only_b = [], [], []
    for op, a0, a1, b0, b1 in matcher.get_opcodes():
        if op == "equal":
            for x, y in zip(one[a0:a1], two[b0:b1]):
                for kind, detail in compare_step(x, y, ignore):
                    what = detail if kind == "value" else f"{x.text()}: {detail}"
                    out.append({"kind": kind, "what": what, "line_a": x.accesses[0].line,
                                "line_b": y.accesses[0].line})
        else:
            only_a += one[a0:a1]
            only_b += two[b0:b1]
    for step in only_a:
        twin = next((s for s in only_b if s.body == step.body), None)
        if twin:
            only_b.remove(twin)
            out.append({"kind": "order", "what": step.text(), "line_a": step.accesses[0].line,
                        "line_b": twin.accesses[0].line})
            for kind, detail in compare_step(step, twin, ignore):
                out.append({"kind": kind, "what": detail, "line_a": step.accesses[0].line,
                            "line_b": twin.accesses[0].line})
        else:
            out.append({"kind": "only-a", "what": step.text(), "line_a": step.accesses[0].line,
                        "line_b": None})
    out += [{"kind": "only-b", "what": s.text(), "line_a": None, "line_b": s.accesses[0].line}
            for s in only_b]
    return out


def diff_traces(a, b, ignore):
    """a, b: [(stage, accesses)]. Only stages with differences."""
    left, right = dict(a), dict(b)
    out = []
    for stage in STAGES:
        if stage in left or stage in right:
            found = diff_stage(left.get(stage, []), right.get(stage, []), ignore)
            if found:
                out.append({"stage": stage, "differences": found})
    return out


def diff_handed(run_a, run_b, stages):
    """What the drivers hand over in memory, in the form of diff_traces; nothing when stages are chosen."""
    if stages:
        return []
    out = []
    for part, found in handed.diff(run_a.remarks, run_b.remarks):
        rows = [{"kind": kind, "what": what if kind == "order" or a is b is None else
                 f"{what}: {a} | {b}" if kind == "value" else f"{what} {a or b or ''}".rstrip(),
                 "line_a": None, "line_b": None} for kind, what, a, b in found]
        out.append({"stage": part, "differences": rows})
    return out


# --- output ---------------------------------------------------------------------------------------
def describe(path, run, number, runs, stages):
    rows = []
    for stage, accesses in stages:
        count = Counter()
        for a in accesses:
            count[a.kind] += a.count
        rows.append({"name": stage, "line": accesses[0].line, "reads": count["R"],
                     "writes": count["W"], "registers": len({a.name for a in accesses}),
                     "steps": len(fold(accesses))})
    return {"file": str(path), "run": number, "runs": runs, "accesses": run.total(),
            "stages": rows, "rules": run.rules, "unknown_lines": run.unknown_lines,
            "other_bars": {str(k): v for k, v in sorted(run.other_bars.items())}}


def print_table(d):
    print(f"{d['file']}: {d['accesses']} accesses" +
          (f", run {d['run']} of {d['runs']}" if d["runs"] > 1 else ""))
    print(f"  {'stage':<10} {'line':>7} {'reads':>8} {'writes':>8} {'registers':>9} {'steps':>6}")
    for row in d["stages"]:
        print(f"  {row['name']:<10} {row['line']:>7} {row['reads']:>8} {row['writes']:>8} "
              f"{row['registers']:>9} {row['steps']:>6}")
    total = [sum(row[k] for row in d["stages"]) for k in ("reads", "writes")]
    print(f"  {'all':<10} {'':>7} {total[0]:>8} {total[1]:>8}")
    for rule in d["rules"]:
        print(f"  line {rule['line']}: rule broken: {rule['words']}")
    for bar, count in d["other_bars"].items():
        print(f"  {count} accesses to region {bar} are left out")
    if d["unknown_lines"]:
        print(f"  {d['unknown_lines']} lines are no trace lines")


def print_diff(diff):
    if not diff:
        print("no difference")
    for part in diff:
        print(f"{part['stage']}:")
        for d in part["differences"]:
            where = "/".join(str(d[k]) if d[k] else "-" for k in ("line_a", "line_b"))
            print(f"  {d['kind']:<7} {where:>11}  {d['what']}")


def arguments(argv):
    ap = argparse.ArgumentParser(description=__doc__,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("files", nargs="+", metavar="FILE")
    ap.add_argument("--summary", action="store_true")
    ap.add_argument("--json", action="store_true")
    ap.add_argument("--stage", action="append", choices=STAGES, default=[])
    ap.add_argument("--ignore", action="append", type=re.compile, default=[], metavar="REGEX")
    ap.add_argument("--run", type=int, metavar="N")
    ap.add_argument("--family", default="GA10X", choices=sorted(FALCON_BOOT | FSP))
    ap.add_argument("--device")
    ap.add_argument("--list", default=TOP / "gsp/hw/regs/regs.def", help="the register list")
    args = ap.parse_args(argv)
    if len(args.files) > 2:
        ap.error("one trace, or two to compare")
    return args


def load(path, args, registers):
    """(path, run, its number, how many runs)"""
    runs = read_trace(path, registers, args.device)
    if args.run is not None and not 1 <= args.run <= len(runs):
        raise TraceError(f"{path}: no run {args.run}, it has {len(runs)}")
    number = args.run or max(range(len(runs)), key=lambda i: runs[i].total()) + 1
    return path, runs[number - 1], number, len(runs)


def stages_of(loaded, args, marks):
    """[(description, stages, run)]. Where one trace cannot tell about messages, none is asked."""
    told = all(any(text.startswith(TO_DRIVER) for _, _, text in run.remarks)
               for _, run, _, _ in loaded)
    out = []
    for path, run, number, runs in loaded:
        stages = [s for s in split_stages(run.accesses, marks, run.remarks if told else ())
                  if not args.stage or s[0] in args.stage]
        out.append((describe(path, run, number, runs, stages), stages, run))
    return out


def main(argv=None):
    args = arguments(argv)
    try:
        registers = Registers(args.list, args.family)
        marks = Landmarks(registers)
        loaded = stages_of([load(path, args, registers) for path in args.files], args, marks)
    except TraceError as e:
        print(f"trace.py: {e}", file=sys.stderr)
        return 2
    described = [d for d, _, _ in loaded]
    diff = None
    if len(loaded) == 2:
        diff = diff_traces(loaded[0][1], loaded[1][1], args.ignore)
        diff += diff_handed(loaded[0][2], loaded[1][2], args.stage)
    if args.json:
        if not args.summary:
            for d, stages, _ in loaded:
                for row, (_, accesses) in zip(d["stages"], stages):
                    row["list"] = [step.text() for step in fold(accesses)]
        print(json.dumps({"traces": described, "diff": diff}, indent=1))
        return 1 if diff else 0
    for d in described:
        print_table(d)
    if args.summary:
        return 1 if diff else 0
    if diff is not None:
        print_diff(diff)
        return 1 if diff else 0
    for stage, accesses in loaded[0][1]:
        print(f"{stage}:")
        for step in fold(accesses):
            print(f"  {step.text()}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:  # the reader, a pager, had enough
        sys.stderr.close()
        sys.exit(0)
