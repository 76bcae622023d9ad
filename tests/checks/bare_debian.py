#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make test-other-debian` says in words why it cannot be done, with exit status 2, and leaves nothing
behind: as a user who is not root, without debootstrap, with a mirror that does not answer."""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from _tree import TOP, finish

BARE = TOP / "tests/debian/bare.py"
CANNOT = 2
TOOL_S = 60
NOBODY = 65534
NO_MIRROR = "http://127.0.0.1:9/debian"  # the discard port: nobody listens


def run(cache, *args, **more_env):
    # It ends long before the deadline of timeout(1), whose SIGTERM lets it clean up.
    return subprocess.run(["timeout", "--signal=TERM", str(TOOL_S), sys.executable, *args], cwd=TOP,
                          capture_output=True, text=True, check=False,
                          env=dict(os.environ, XDG_CACHE_HOME=cache, **more_env))


def main():
    faults, skipped = [], []

    def expect(name, done, word):
        if done.returncode != CANNOT or word not in done.stderr or "[debian] cannot: " not in done.stderr:
            faults.append(f"{name}: status {done.returncode}, no word of '{word}': "
                          f"{done.stdout[-300:]}{done.stderr[-300:]}")

    with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryDirectory() as only_timeout:
        (Path(only_timeout) / "timeout").symlink_to(shutil.which("timeout"))
        root = os.geteuid() == 0
        if root:
            # Somebody else could not even read a tree in root's home, so the program only believes it.
            code = (f"import os, runpy; os.geteuid = lambda: {NOBODY}; "
                    f"runpy.run_path({str(BARE)!r}, run_name='__main__')")
            expect("not root", run(cache, "-c", code), "needs root")
            expect("no debootstrap", run(cache, BARE, PATH=only_timeout), "debootstrap")
        else:
            expect("not root", run(cache, BARE), "needs root")
        if root and shutil.which("debootstrap"):
            expect("no mirror", run(cache, BARE, "--mirror", NO_MIRROR), NO_MIRROR)
            left = [p.name for p in Path(cache).rglob("*") if p.name.startswith("root-")]
            if left:
                faults.append(f"it left {left}")
        else:
            skipped.append("a mirror that does not answer needs root and debootstrap")
    if not faults and skipped:
        print(f"ok bare Debian: no mirror # SKIP {skipped[0]}")
    return finish("test-other-debian says why it cannot", faults, f"{3 - len(skipped)} reasons")


if __name__ == "__main__":
    sys.exit(main())
