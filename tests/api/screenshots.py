#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Screenshots of the live page in all its scenes: screenshots.py FOLDER [NAME...]"""
import os
import subprocess
import sys

from _npm import HERE, MODULES, prepare

prepare()
os.environ["SHARP"] = str(MODULES / "sharp")
sys.exit(subprocess.run(["node", HERE / "screenshots.mjs", *sys.argv[1:]], check=False).returncode)
