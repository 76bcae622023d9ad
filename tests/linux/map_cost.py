#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What one more mapping costs in accesses to the GPU: Debian's unmodified nouveau beside our driver,
on the same model.

    map_cost.py [--chip CHIP ...]

nouveau makes objects in video memory (maps.c), each of which it maps. Between the TLB invalidates
of its client's address space the model's trace has all that it does for one of them; the least of
those of one size, whose tables are there, and the mean of all. Ours: tests/bench/bench_vram.c, the same sizes by the same pages.
"""
import argparse
import collections
import re
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
import checks  # noqa: E402
import guest  # noqa: E402
import initramfs  # noqa: E402
from checks import IMAGES, NAME, RESULTS, TOP  # noqa: E402

MAPS = TOP / "build/linux/maps"
BENCH = TOP / "build/host/tests/bench/bench_vram"
FIRMWARE = "570.144"
SIZES = (2 << 20, 1 << 20, 32 << 10)  # maps.c, EACH of each in this order
EACH = 20
PAGES = {2 << 20: "2m_by_2m", 1 << 20: "1m_by_64k", 32 << 10: "32k_by_4k"}
INVALIDATE, ALL_PDB = "NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE", 2


def kind(line):
    """What a line of the trace counts as; None: nothing that crosses the bus from the CPU."""
    m = re.match(r"t=\S+ # ([RW]) (BAR[12]) ", line)
    if m:
        return f"{m[2]} {'reads' if m[1] == 'R' else 'writes'}"
    m = re.match(r"t=\S+ ([RW]) (\S+)", line)
    if not m:
        return None
    what = "PRAMIN" if m[2] == "PRAMIN" else "registers"
    return f"{what} {'reads' if m[1] == 'R' else 'writes'}"


def intervals(trace):
    """Of each address space (by the root that is invalidated): what lies between its invalidates."""
    of_root, now, root = collections.defaultdict(list), collections.Counter(), None
    for line in trace:
        k = kind(line)
        if k is None:
            continue
        now[k] += 1
        m = re.match(rf"t=\S+ W {INVALIDATE}_PDB \S+ = (\S+)", line)
        root = m[1] if m else root
        m = re.match(rf"t=\S+ W {INVALIDATE} \S+ = (\S+)", line)
        if m and not int(m[1], 16) & ALL_PDB:
            of_root[root].append(now)
            now = collections.Counter()
    return of_root


def theirs(kernel, firmware, chip):
    name = f"{NAME}.maps-{chip}"
    IMAGES.mkdir(parents=True, exist_ok=True)
    image = IMAGES / f"{name}.cpio"
    initramfs.build(image, kernel, firmware, chip=chip, versions=[FIRMWARE], params="", rounds=1,
                    work="maps", wpr2=None, extra=[("bin/maps", MAPS.read_bytes())])
    result = guest.run(kernel, image, chip=chip, firmware=firmware, record=RESULTS / name, trace=True,
                       model_args=["--trace-bars"])
    image.unlink(missing_ok=True)
    made = [int(x.split()[0]) for x in result.marks("map")]
    if made != [s for s in SIZES for _ in range(EACH)]:
        sys.exit(f"{chip}: nouveau made {len(made)} objects\n{result.serial[-1500:]}")
    with open(result.trace, encoding="ascii") as f:
        found = max(intervals(f).values(), key=len)
    return found


def of_sizes(found):
    """Each size's intervals, but those at the change from one size to the next."""
    every = len(SIZES) * EACH
    if len(found) != 2 * every:  # each is mapped once, and unmapped once at the end
        sys.exit(f"{len(found)} invalidates of the client's address space, expected {2 * every}")
    return {size: found[i * EACH + 2:(i + 1) * EACH] for i, size in enumerate(SIZES)}


def told(some):
    """Least and mean, and what the least consists of."""
    least = min(some, key=lambda c: sum(c.values()))
    mean = sum(sum(c.values()) for c in some) // len(some)
    return sum(least.values()), mean, ", ".join(f"{v} {k}" for k, v in sorted(least.items()))


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--chip", nargs="*", default=["ga102"])
    opt = args.parse_args()
    kernel, firmware = checks.prepare([MAPS])
    ours = dict(re.findall(r"vram_(\S+_one_more_\S+) (\d+) accesses",
                           subprocess.run([BENCH], capture_output=True, text=True, check=True).stdout))
    for chip in opt.chip:
        for size, some in of_sizes(theirs(kernel, firmware, chip)).items():
            least, mean, parts = told(some)
            mine = [ours[f"{chip}_one_more_{PAGES[size]}_{x}"] for x in ("least", "mean")]
            print(f"one more {PAGES[size]} on {chip}: nouveau {least} accesses ({parts}), mean {mean};"
                  f" ours {mine[0]}, mean {mine[1]}")


if __name__ == "__main__":
    main()
