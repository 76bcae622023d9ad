#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The trace tool does what it says (tests/trace/trace.py). The part of its tests that needs the trace
of a bring-up is a unit test, tests/unit/test_trace_tool.c."""
import subprocess
import sys

from _tree import TOP

sys.exit(subprocess.run([sys.executable, TOP / "tests/trace/test_trace.py"], check=False).returncode)
