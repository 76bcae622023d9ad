#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each 61st life of the fault campaign on a chip of each family: none may be a bad one."""
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from campaign import CHIPS, PROGRAM, add_up

EACH = 61  # a prime: no kind of fault falls through a regular gap
SAMPLE_S = 120
FEWEST = 100  # lives of a chip in the sample


def sample(chip):
    done = subprocess.run([PROGRAM, chip, "--part", f"0/{EACH}"], text=True, capture_output=True,
                          timeout=SAMPLE_S, check=False)
    rows, _stages, bad = add_up(done.stdout.splitlines())
    lives = sum(row[0] for row in rows.values())
    if done.returncode == 0 and not bad and lives >= FEWEST:
        print(f"ok campaign.{chip}: {lives} lives", flush=True)
        return True
    print(f"not ok campaign.{chip}: status {done.returncode}, {lives} lives; {'; '.join(bad[:3])} {done.stderr}", flush=True)
    return False


if __name__ == "__main__":
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        sys.exit(0 if all(list(pool.map(sample, CHIPS.split(",")))) else 1)
