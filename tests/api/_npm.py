# SPDX-License-Identifier: MIT
"""What the programs here share: the tools of package.json, installed once into build/api, and running them."""
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
WORK = TOP / "build/api"
MODULES = WORK / "node_modules"
INSTALL_S, TOOL_S = 600, 120


def run(command, timeout_s=TOOL_S, cwd=WORK):
    """(exit status, what it printed)"""
    done = subprocess.run([str(c) for c in command], cwd=cwd, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=timeout_s, check=False)
    return done.returncode, done.stdout


def prepare():
    """Installs what package.json lists, unless it is there. Ends the program where that cannot be."""
    if not shutil.which("npm"):
        sys.exit("this needs node and npm; Debian: apt install npm")
    WORK.mkdir(parents=True, exist_ok=True)
    wanted = (HERE / "package.json").read_text()
    if MODULES.is_dir() and (WORK / "package.json").exists() and (WORK / "package.json").read_text() == wanted:
        return
    (WORK / "package.json").write_text(wanted)
    print("# installing the tools of package.json: a minute or two", flush=True)
    status, text = run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"], INSTALL_S)
    if status != 0:
        (WORK / "package.json").unlink()
        sys.exit(f"npm install failed: {text[-1000:]}")
