# SPDX-License-Identifier: MIT
"""What a stage does: loops folded, what it costs, and how two of them differ (trace.py)."""
import difflib

import handed
from reading import PROM, TIMER
from landmarks import STAGES

VALUES_SHOWN_MAX = 4  # of a register that was written several times in a row
LOOP_BODY_MAX = 16  # accesses in the body of a loop that is folded
LOOP_TIMES_MIN = 3  # of a body of several accesses; a single access folds from 2 on


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
