#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The fault campaign on a chip of each family, and its table in docs/campaign.md.

    campaign.py [--chips tu102,...] [--jobs N] [--page]     --page writes the table
    campaign.py --most 20                                   a sample, as `make test` takes
"""
import argparse
import collections
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
PROGRAM = TOP / "build/host/tests/campaign/campaign"
PAGE = TOP / "docs/campaign.md"
CHIPS = "tu102,ga102,ad102,gh100,gb202"
LIMIT_S = 3600
WHAT = {
    "read-all-ones": "a read gives 0xffffffff", "read-zero": "a read gives 0",
    "read-pri-error": "a read gives 0xbadf1100", "read-bit": "a bit of a read is flipped",
    "read-before": "a read gives the value of the one before",
    "write-lost": "a write is lost", "write-bit": "a bit of a write is flipped",
    "dma-refused": "a transfer is refused",
    "message-lost": "a message of the GSP is lost", "message-twice": "one comes twice",
    "message-late": "one comes 700 ms late", "message-changed": "a bit of one is flipped",
    "command-lost": "a command is lost", "command-twice": "one arrives twice",
    "command-changed": "a bit of one is flipped", "interrupt-lost": "an interrupt is lost", "no-interrupts": "no interrupt ever comes",
}
HEAD = """<!-- SPDX-License-Identifier: MIT -->
# One thing wrong at a time

What `make campaign` found, when this page was made of it: on a chip of each family every register read of a boot and an
unload once with each of some wrong values, every write lost or changed, transfers of the GPU refused, every message and
command lost, doubled and changed word by word. Each life has to end ready, or failed in a named stage within that stage's
deadline, with nothing left running; then the next boot has to be ready.

`tests/campaign/campaign.c` says how; `build/host/tests/campaign/campaign CHIP` runs one chip. A fault in the table can be
asked of the model too: `gpu-model --fault SPEC`. "Longest" is virtual time in the stage that failed.

"Cause right": of the boots that failed, those in which the first likely cause (`causes` in the status) was what had been
hit: `rom` for a read of the ROM, `card` for one of a register, `memory-access` for a transfer, `gsp-firmware` for messages and
commands. For a write that is lost or changed there is no such word; it is not judged.
"""


def run(chip, part, parts, most):
    """The lines of a part of one chip's campaign."""
    args = [str(PROGRAM), chip, "--part", f"{part}/{parts}"] + (["--most", str(most)] if most else [])
    done = subprocess.run(args, text=True, capture_output=True, timeout=LIMIT_S, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"{' '.join(args)}: status {done.returncode}: {done.stderr}")
    return done.stdout.splitlines()


def add_up(lines):
    """{kind: [lives, ready, failed, longest, judged, right]}, {kind: {stage: count}}, lines of bad lives."""
    rows, stages, bad = {}, collections.defaultdict(collections.Counter), []
    for line in lines:
        words = line.split()
        if words[0] == "row":
            new = [int(w) for w in words[2:]]
            old = rows.get(words[1], [0] * 6)
            rows[words[1]] = [a + b for a, b in zip(old, new)]
            rows[words[1]][3] = max(old[3], new[3])
        elif words[0] == "stage":
            stages[words[1]][words[2]] += int(words[3])
        elif words[0] == "bad":
            bad.append(line)
    return rows, stages, bad


def table(chip, rows, stages):
    text = [f"\n## {chip}\n", "| fault | lives | ready | failed | longest, ms | cause right | in |",
            "|---|---|---|---|---|---|---|"]
    for kind, (lives, ready, failed, longest, judged, right) in rows.items():
        where = ", ".join(f"{stage} {count}" for stage, count in stages[kind].most_common())
        rate = f"{100 * right / judged:.0f} %" if judged else ""
        text.append(f"| {WHAT[kind]} | {lives} | {ready} | {failed} | {longest / 1000:.0f} | {rate} | {where} |")
    total = [sum(r[i] for r in rows.values()) for i in range(6)]
    rate = f"{100 * total[5] / total[4]:.0f} % of {total[4]}" if total[4] else ""
    text.append(f"| **all** | **{total[0]}** | **{total[1]}** | **{total[2]}** | | {rate} | |")
    return "\n".join(text) + "\n"


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--chips", default=CHIPS)
    ap.add_argument("--jobs", type=int, default=os.cpu_count())
    ap.add_argument("--most", type=int, default=0, help="of each kind of fault; default: all")
    ap.add_argument("--page", action="store_true", help=f"write {PAGE.relative_to(TOP)}")
    args = ap.parse_args()
    faults, text = 0, HEAD
    judged = right = 0
    with ThreadPoolExecutor(args.jobs) as pool:
        for chip in args.chips.split(","):
            parts = [pool.submit(run, chip, i, args.jobs, args.most) for i in range(args.jobs)]
            rows, stages, bad = add_up([line for p in parts for line in p.result()])
            for line in bad:
                print(line)
            lives = sum(r[0] for r in rows.values())
            failed = sum(r[2] for r in rows.values())
            faults += len(bad)
            judged += sum(r[4] for r in rows.values())
            right += sum(r[5] for r in rows.values())
            text += table(chip, rows, stages)
            print(f"{'not ok' if bad else 'ok'} campaign.{chip}: {lives} lives, {failed} boots or unloads failed by name, "
                  f"{len(bad)} bad", flush=True)
    print(f"the first cause was what had been hit in {right} of {judged} failed boots "
          f"({100 * right / max(judged, 1):.0f} %)")
    if args.page:
        PAGE.write_text(text, encoding="utf-8")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
