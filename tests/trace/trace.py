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
import json
import re
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from reading import FALCON_BOOT, FSP, TOP, Registers, TraceError, read_trace  # noqa: E402
from landmarks import STAGES, TO_DRIVER, Landmarks, split_stages  # noqa: E402
from steps import diff_handed, diff_traces, fold  # noqa: E402


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
