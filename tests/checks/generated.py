#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Generated documentation says what its source says."""
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
run = subprocess.run([sys.executable, "gsp/hw/regs/gen_docs.py", "--check"], cwd=TOP, capture_output=True, text=True)
if run.returncode == 0:
    print("ok docs/registers.md is what gsp/hw/regs/regs.def says")
else:
    print(f"not ok docs/registers.md: {run.stderr.strip()}")
    sys.exit(1)
