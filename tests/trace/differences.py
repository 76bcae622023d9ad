#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every difference between our driver and Linux's, explained: docs/differences.md.

    differences.py [--chips a,b] [--list] [--check]

Takes the traces that `make matrix` keeps in build/matrix/ and compares, chip by chip, Firstlight with each
other driver: register accesses stage by stage, structures in memory, messages. Each difference needs
a row of tests/trace/explained.tsv; one without ends the program with status 1, and so does a row
that fits nothing. --list prints every difference as it is looked up; --check writes nothing and says
whether the page is up to date.
"""
import argparse
import difflib
import gzip
import json
import re
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path.insert(0, str(HERE))
import handed  # noqa: E402
import landmarks  # noqa: E402
import reading  # noqa: E402
import stamp  # noqa: E402
import steps  # noqa: E402

STORE = TOP / "build/matrix"
PAGE = TOP / "docs/differences.md"
EXPLAINED = HERE / "explained.tsv"
V570, V535 = "570.144", "535.113.01"
# One chip of each family; the older firmware runs up to Ada.
CASES = {chip: (chip, V570) for chip in ("tu102", "ga100", "ga102", "ad102", "gh100", "gb100", "gb202")}
CASES |= {f"{chip}/535": (chip, V535) for chip in ("tu102", "ga100", "ga102", "ad102")}
OTHERS = ("nouveau", "nova")
TITLES = {"nouveau": "nouveau", "nova": "nova-core"}
VALUES_MAX = 6
INDEX = re.compile(r"\(\d+\)")
# What makes the page out of traces.
TOOLS = [HERE / f"{name}.py"
         for name in ("differences", "reading", "landmarks", "steps", "handed", "stamp")]
PHASES = {"boot": landmarks.UP_TO_INIT_DONE, "after": ["after"], "unload": ["unload"]}


# --- registers --------------------------------------------------------------------------------------
def plain(access):
    """The key of an access: elements of an array are one, so are the timer's halves."""
    name = INDEX.sub("(*)", access.name)
    return f"{access.kind} {'NV_PTIMER_TIME' if name.startswith(reading.TIMER) else name}"


def by_key(accesses):
    """{key: [accesses]} in the order of the first."""
    out = defaultdict(list)
    for a in accesses:
        out[plain(a)].append(a)
    return out


def shown(values):
    text = ", ".join(f"0x{v:x}" for v in values[:VALUES_MAX])
    return text + (f", ... ({len(values)})" if len(values) > VALUES_MAX else "")


def compare_key(key, ours, theirs):
    """(kind, ours, theirs) of a key that both have in a stage; None: the same."""
    if key.endswith(reading.PROM):
        a, b = sum(x.count for x in ours), sum(x.count for x in theirs)
        return ("times", str(a), str(b)) if a != b else None
    if key.startswith("W "):
        a, b = ([x.value for x in side for _ in range(x.count)] for side in (ours, theirs))
        return ("written", shown(a), shown(b)) if a != b else None
    a, b = ours[-1].value, theirs[-1].value
    return ("read", shown([a]), shown([b])) if a != b else None


def compare_order(ours, theirs):
    """Keys written by both for the first time in another order."""
    one = [k for k in ours if k.startswith("W ") and k in theirs]
    two = [k for k in theirs if k.startswith("W ") and k in ours]
    matcher = difflib.SequenceMatcher(None, one, two, autojunk=False)
    return [k for op, a0, a1, _, _ in matcher.get_opcodes() if op in ("delete", "replace")
            for k in one[a0:a1]]


def compare_registers(ours, theirs):
    """[(stage, kind, what, ours, theirs)]. ours, theirs: {stage: accesses}."""
    out = []
    for phase, stages in PHASES.items():
        a = {s: by_key(ours[s]) for s in stages if s in ours}
        b = {s: by_key(theirs[s]) for s in stages if s in theirs}
        where = defaultdict(lambda: ([], []))
        for side, tables in ((0, a), (1, b)):
            for stage in stages:
                for key in tables.get(stage, ()):
                    where[key][side].append(stage)
        for key, (in_a, in_b) in where.items():
            if not in_b:
                out.append((" ".join(in_a), "only-ours", key, "", ""))
            elif not in_a:
                out.append((" ".join(in_b), "only-theirs", key, "", ""))
            elif in_a != in_b:
                out.append((phase, "where", key, " ".join(in_a), " ".join(in_b)))
            for stage in in_a:
                if stage in in_b and (found := compare_key(key, a[stage][key], b[stage][key])):
                    out.append((stage, found[0], key, *found[1:]))
        for stage in stages:
            if stage in a and stage in b:
                out += [(stage, "order", key, "", "") for key in compare_order(a[stage], b[stage])]
    return out


def compare_handed(run_a, run_b):
    kinds = {"only-a": "only-ours", "only-b": "only-theirs"}
    return [(part, kinds.get(kind, kind), what, a or "", b or "")
            for part, found in handed.diff(run_a.remarks, run_b.remarks)
            for kind, what, a, b in found]


def read(path, chip):
    """(run, {stage: accesses}) of a trace."""
    registers = reading.Registers(TOP / "gsp/hw/regs/regs.def", reading.family_of(chip))
    run = max(reading.read_trace(path, registers), key=lambda r: r.total())
    return run, dict(landmarks.split_stages(run.accesses, landmarks.Landmarks(registers), run.remarks))


def load(case, driver):
    """The same of what make matrix keeps; None when it was not recorded or did not come up."""
    chip, version = CASES[case]
    packed = STORE / f"{chip}.{driver}.{version}.trace.gz"
    cell = STORE / f"{chip}.{driver}.{version}.json"
    if not packed.exists() or json.loads(cell.read_text())["state"] != "ready":
        return None
    with tempfile.NamedTemporaryFile(suffix=".trace") as plain_file:
        plain_file.write(gzip.decompress(packed.read_bytes()))
        plain_file.flush()
        return read(plain_file.name, chip)


def what_is_done(stages):
    """What our driver does, as far as it is the same in every run: stage by stage which registers, in
    which order. Values are left out, most of them are addresses."""
    return "".join(f"{stage} {plain(a)}\n" for stage, accesses in stages.items()
                   for a, _ in steps.merge_equal(accesses)).encode("utf-8")


def inputs(ours):
    """For stamp.py. ours: {case: what_is_done}."""
    return {"explanations": stamp.of_files(EXPLAINED), "tools": stamp.of_files(*TOOLS),
            "ours": stamp.of_bytes(*(ours[case] for case in CASES))}


# --- explanations -----------------------------------------------------------------------------------
class Explained:
    """tests/trace/explained.tsv: lines "reason ID TEXT" and "row DRIVER CHIP STAGE KIND WHAT ID"; driver
    to what are regular expressions that must fit the whole text. The first row that fits counts."""

    def __init__(self, path):
        self.reasons, self.rows, self.used = {}, [], set()
        for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
            parts = line.split("\t")
            if not line or line.startswith("#"):
                continue
            if parts[0] == "reason" and len(parts) == 3:
                self.reasons[parts[1]] = parts[2]
            elif parts[0] == "row" and len(parts) == 7:
                self.rows.append((number, [re.compile(p) for p in parts[1:6]], parts[6]))
            else:
                sys.exit(f"{path}:{number}: neither a reason nor a row")
        lost = {identity for _, _, identity in self.rows} - set(self.reasons)
        if lost:
            sys.exit(f"{path}: no reason {' '.join(sorted(lost))}")

    def find(self, driver, chip, stage, kind, what):
        for number, patterns, identity in self.rows:
            if all(p.fullmatch(text) for p, text in zip(patterns, (driver, chip, stage, kind, what))):
                self.used.add(number)
                return identity
        return None

    def unused(self, drivers):
        """Rows that fit nothing, among those for a driver that was compared."""
        return [number for number, patterns, _ in self.rows if number not in self.used and
                any(patterns[0].fullmatch(d) for d in drivers)]


# --- the page ---------------------------------------------------------------------------------------
HEAD = """<!-- SPDX-License-Identifier: MIT -->
<!-- Written by `make differences` (tests/trace/differences.py). Do not edit: explanations are in
     tests/trace/explained.tsv. -->
<!-- made from -->
# What we do differently

Our driver beside Linux's, on the same GPU model with the same firmware files ({versions}): every register access,
every field of every structure in memory, every message. The other drivers run on real GPUs, so
where all agree is what is known to work; each difference is explained below, or `make differences` fails.
`make matrix` records the traces, `tests/trace/trace.py A B` shows two of them side by side.

Compared: {compared}.

How: the stages begin at landmarks that every driver passes. Within a stage, of each register (elements of an array
taken together): who touches it (`only-ours`, `only-theirs`), in which stage (`where`), every value that is written
(`written`), the last value that is read (`read`), the order of first writes (`order`); reads of the VBIOS
and what it took of them (`times`). Of structures and messages: who has them, order, every field (`value`).

"""


TABLE = "| what | kind | stage | ours | theirs | chips |\n|---|---|---|---|---|---|\n"


def merge(rows):
    """Rows of several chips that say the same become one: {(kind, what, ours, theirs): (stages, chips)}."""
    out = {}
    for chip, stage, kind, what, ours, theirs, hide in rows:
        key = (kind, what, "" if hide else ours, "" if hide else theirs)
        stages, chips = out.setdefault(key, ([], []))
        stages += [s for s in stage.split() if s not in stages]
        chips += [chip] if chip not in chips else []
    return out


def cell(text):
    return text.replace("|", "\\|")


def page(found, explained, compared):
    """found: {(driver, reason): [(chip, stage, kind, what, ours, theirs, hide)]}."""
    out = [HEAD.format(versions=f"{V570}, {V535}", compared="; ".join(
        f"{TITLES[d]} on {', '.join(chips)}" for d, chips in compared.items() if chips))]
    for driver, chips in compared.items():
        if not chips:
            continue
        total = sum(len(merge(rows)) for (d, _), rows in found.items() if d == driver)
        out.append(f"## {TITLES[driver]}: {total} differences\n")
        for identity, reason in explained.reasons.items():
            rows = found.get((driver, identity))
            if not rows:
                continue
            out.append(f"\n### {identity}\n\n{reason}\n\n{TABLE}")
            for (kind, what, ours, theirs), (stages, where) in merge(rows).items():
                on = "all" if set(where) == set(chips) else " ".join(where)
                row = (f"`{cell(what)}`", kind, " ".join(stages), cell(ours), cell(theirs), on)
                out.append(f"| {' | '.join(row)} |\n")
        out.append("\n")
    return "".join(out)


def main():
    ap = argparse.ArgumentParser(description=__doc__,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--chips", type=lambda t: t.split(","), default=list(CASES),
                    help=f"of {','.join(CASES)}")
    ap.add_argument("--list", action="store_true")
    ap.add_argument("--check", action="store_true")
    args = ap.parse_args()
    explained = Explained(EXPLAINED)
    found, compared, bare, count, done = defaultdict(list), {d: [] for d in OTHERS}, [], 0, {}
    if lost := set(args.chips) - set(CASES):
        ap.error(f"no {' '.join(sorted(lost))} among {' '.join(CASES)}")
    for chip in args.chips:
        ours = load(chip, "firstlight")
        done[chip] = what_is_done(ours[1]) if ours else b""
        for driver in OTHERS:
            theirs = load(chip, driver)
            if not ours or not theirs:
                continue
            compared[driver].append(chip)
            rows = compare_registers(ours[1], theirs[1]) + compare_handed(ours[0], theirs[0])
            for stage, kind, what, mine, other in rows:
                count += 1
                identity = explained.find(driver, chip, stage, kind, what)
                if args.list:
                    print(driver, chip, stage, kind, what, mine, other, identity or "?", sep="\t")
                if identity is None:
                    bare.append((driver, chip, stage, kind, what, mine, other))
                else:
                    found[driver, identity].append((chip, stage, kind, what, mine, other,
                                                    identity.startswith("addr")))
    seen = [d for d in OTHERS if compared[d]]
    print(f"{count} differences: " + ", ".join(f"{TITLES[d]} on {' '.join(compared[d])}" for d in seen))
    if not seen:
        sys.exit("no traces: run make matrix")
    for row in bare:
        print("not explained: " + "  ".join(row))
    dead = explained.unused(seen) if len(args.chips) == len(CASES) else []
    for number in dead:
        print(f"{EXPLAINED.relative_to(TOP)}:{number}: fits no difference")
    if bare or dead:
        print(f"{len(bare)} not explained, {len(dead)} explanations too many")
        return 1
    if len(args.chips) < len(CASES):
        return 0
    text = stamp.put(page(found, explained, compared), **inputs(done))
    if args.check:
        same = PAGE.exists() and PAGE.read_text(encoding="utf-8") == text
        print("docs/differences.md is up to date" if same else "docs/differences.md is not up to date")
        return 0 if same else 1
    PAGE.write_text(text, encoding="utf-8")
    print(f"wrote {PAGE.relative_to(TOP)}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
