# SPDX-License-Identifier: MIT
"""The user's cache, where all that the set-up fetches and builds lies: each thing is one directory, made
under a temporary name, moved into place when it is whole, and hashed. And how the set-up runs programs
and says what it is at."""
import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "firstlight"
UNPACK_S = 300
BUILD_S = 900


class SetupError(Exception):
    """What is missing, and what to do about it."""


# --- progress -------------------------------------------------------------------------------------
class Steps:
    def __init__(self, total):
        self.total = total
        self.started = 0
        self.lock = threading.Lock()

    def run(self, what, about, work):
        """One step: a line at the start, a line with the time taken at the end."""
        with self.lock:
            self.started += 1
            head = f"[setup {self.started}/{self.total}] {what}:"
            print(f"{head} {about}", flush=True)
        begin = time.monotonic()
        result, outcome = work()
        print(f"{head} {outcome} ({time.monotonic() - begin:.1f} s)", flush=True)
        return result


# --- small helpers ----------------------------------------------------------------------------------
def run(args, deadline_s, what, **kw):
    """Runs a command; its output is shown only when it fails."""
    try:
        done = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                              timeout=deadline_s, text=True, errors="replace", **kw)
    except FileNotFoundError as e:
        raise SetupError(f"{what}: the program {args[0]} is missing") from e
    except subprocess.TimeoutExpired as e:
        raise SetupError(f"{what}: not finished after {deadline_s} s, given up") from e
    if done.returncode != 0:
        tail = "\n".join("    " + line for line in done.stdout.splitlines()[-15:])
        raise SetupError(f"{what}: {args[0]} ended with status {done.returncode}:\n{tail}")
    return done.stdout


def sha256_file(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            h.update(block)
    return h.hexdigest()


TREE_FILE = ".tree"  # the hash of an entry of the cache, beside its files


def tree_hash(top):
    """One hash for names, kinds and contents of all files below a directory."""
    lines = []
    for folder, dirs, files in os.walk(top):
        for name in files + [d for d in dirs if os.path.islink(os.path.join(folder, d))]:
            path = os.path.join(folder, name)
            rel = os.path.relpath(path, top)
            if rel == TREE_FILE:
                continue
            what = f"-> {os.readlink(path)}" if os.path.islink(path) else sha256_file(path)
            lines.append(f"{rel} {what}\n")
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def is_whole(entry):
    try:
        return (entry / TREE_FILE).read_text().strip() == tree_hash(entry)
    except OSError:
        return False


def make_entry(entry, fill):
    """Makes an entry of the cache: fill(directory), then the hash, then the final name."""
    CACHE.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="new-", dir=CACHE))
    try:
        work.chmod(0o755)
        fill(work)
        (work / TREE_FILE).write_text(tree_hash(work) + "\n")
        if entry.exists():
            shutil.rmtree(entry)
        work.rename(entry)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def table(name):
    for line in (HERE / name).read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.split()
