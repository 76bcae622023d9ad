# SPDX-License-Identifier: MIT
"""Builds a mutant and runs the tests on it, in a copy of the tree.

Nothing is built by make here: the mutated file is compiled with make's flags and linked in front of
make's libraries, which then have nothing left to give of that file. So a mutant costs one compiler
run and one link per test program.
"""
import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

TOOL_S = 300       # a compiler, a linker
CPU_MIN_S = 5      # of a test with a mutant, and so many times what it takes without:
CPU_TIMES = 10
WALL_MIN_S = 120   # only for a test that sleeps: a hang usually burns its CPU time
WALL_TIMES = 10
MEMORY_MIB = 6144  # resident, more than any test takes
FILE_BYTES = 1 << 28
TRIES = 3          # of a test that somebody else ended
SANITIZERS = {"ASAN_OPTIONS": f"detect_leaks=1:strict_string_checks=1:hard_rss_limit_mb={MEMORY_MIB}",
              "UBSAN_OPTIONS": "print_stacktrace=1", "CMOCKA_MESSAGE_OUTPUT": "TAP"}


class Failed(Exception):
    """The work cannot be done; the text says why."""


def tool(args, cwd):
    return subprocess.run([str(a) for a in args], cwd=cwd, capture_output=True, text=True,
                          errors="replace", stdin=subprocess.DEVNULL, check=False, timeout=TOOL_S)


def globals_of(path):
    """The names that an object or program defines for others."""
    done = tool(["nm", "-g", "--defined-only", path], None)
    return {fields[-1] for fields in map(str.split, done.stdout.splitlines()) if len(fields) == 3}


# The limits of a test with a mutant: processor time, no core dump, size of a file in 512 bytes.
LIMITED = 'ulimit -c 0; ulimit -S -t "$1"; ulimit -f "$2"; exec "$3"'


def run(program, cwd, env, cpu_s, wall_s):
    """(passed, CPU seconds, wall seconds, how it ended). Ends the whole process group. Raises Failed
    when somebody else ends it, who says nothing of the program: a machine without memory does that."""
    for _ in range(TRIES):
        begin, overdue = time.monotonic(), threading.Event()
        child = subprocess.Popen(
            ["sh", "-c", LIMITED, "sh", str(cpu_s), str(FILE_BYTES // 512), program], cwd=cwd, env=env,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)

        def reap(pid=child.pid, overdue=overdue):
            overdue.set()
            os.killpg(pid, signal.SIGKILL)

        reaper = threading.Timer(wall_s, reap)
        reaper.start()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        reaper.cancel()
        os.killpg(child.pid, signal.SIGKILL)  # what it left behind, while the number is still its own
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        times = used.ru_utime + used.ru_stime, time.monotonic() - begin
        if overdue.is_set() or child.returncode == -signal.SIGXCPU:
            return False, *times, "hangs"
        if child.returncode in (-signal.SIGKILL, -signal.SIGTERM):
            continue
        how = signal.Signals(-child.returncode).name if child.returncode < 0 else \
            f"status {child.returncode}" if child.returncode else ""
        return child.returncode == 0, *times, how
    raise Failed(f"{program} was ended from outside {TRIES} times: is there enough memory?")


class Project:
    """What is tested, and how it is built. state: a folder for what is made here. flags: the
    compiler's, with `instrument` for what the tests link, with `check` for an object that shows
    whether a mutant is another program at all; read_flags: clang's, to read the text. libs: what comes
    behind the objects on the linker's line. objects, programs: make's folders; names: the test
    programs, without their folder; env: what they need."""

    def __init__(self, top, state, *, cc, flags, read_flags, check, instrument, libs, objects,
                 programs, names, env):
        self.top, self.state = top, state
        self.cc, self.flags, self.read_flags = cc, flags, read_flags
        self.check, self.instrument, self.libs = check, instrument, libs
        self.objects, self.programs, self.names, self.env = objects, programs, names, env
        state.mkdir(parents=True, exist_ok=True)
        self.alone = open(state / "lock", "w", encoding="ascii")  # held until the program ends
        try:
            fcntl.flock(self.alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Failed(f"another run is under way in {state}") from None
        self.lock = threading.Lock()
        self.symbols = {}
        self.unfit = set()  # tests that fail without any mutant
        self.times_path = state / "times.json"
        try:
            self.times = json.loads(self.times_path.read_text())
        except (OSError, ValueError):
            self.times = {}

    def stamp(self, name):
        stat = (self.programs / name).stat()
        return f"{stat.st_size}.{stat.st_mtime_ns}"

    def holding(self, path):
        """The test programs that have this file in them: not those with a stand-in for it."""
        wanted = globals_of(self.objects / Path(path).with_suffix(".o"))
        with self.lock:
            for name in self.names:
                if name not in self.symbols:
                    own = globals_of(self.programs / f"{name}.o")
                    self.symbols[name] = globals_of(self.programs / name), own
            return [n for n, (all_of_it, own) in self.symbols.items()
                    if wanted & all_of_it and not wanted & own]

    def known_time(self, name):
        known = self.times.get(name)
        return known["cpu"] if known and known["stamp"] == self.stamp(name) else 0.0

    def baseline(self, name, tree):
        """The times of a test without any mutant; None when it does not pass even so."""
        with self.lock:
            if name in self.unfit:
                return None
            known = self.times.get(name)
            if not known or known["stamp"] != self.stamp(name) or not known["passed"]:
                passed, cpu, wall, _ = run(self.programs / name, tree.path, tree.env, TOOL_S, TOOL_S)
                known = {"stamp": self.stamp(name), "passed": passed, "cpu": cpu, "wall": wall}
                self.times[name] = known
                self.times_path.write_text(json.dumps(self.times, indent=1))
            if not known["passed"]:
                self.unfit.add(name)
        return known if known["passed"] else None


class Tree:
    """One copy of the tree, for one mutant at a time."""

    def __init__(self, project, number):
        self.project = project
        self.path = project.state / f"tree{number}"
        self.out = project.state / f"out{number}"
        shutil.rmtree(self.out, ignore_errors=True)
        (self.out / "tmp").mkdir(parents=True)
        self.env = dict(os.environ, **project.env, **SANITIZERS, TMPDIR=str(self.out / "tmp"))
        self.originals = {}

    def sync(self, files):
        """Makes the copy what the tree is: files are paths from the top."""
        wanted = set(files)
        if self.path.exists():
            for old in self.path.rglob("*"):
                if old.is_file() and not old.is_symlink() and \
                        str(old.relative_to(self.path)) not in wanted:
                    old.unlink()
        for name in files:
            source, target = self.project.top / name, self.path / name
            data = source.read_bytes()
            if not target.is_file() or target.read_bytes() != data:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
                shutil.copymode(source, target)
        build = self.path / "build"
        build.mkdir(parents=True, exist_ok=True)
        for name in ("gen", "deps.env"):
            link = build / name
            if (self.project.top / "build" / name).exists() and not link.is_symlink():
                link.symlink_to(self.project.top / "build" / name)

    def compile(self, path, output, flags):
        p = self.project
        return tool([p.cc, *p.flags, *flags, "-c", "-o", output, path], self.path)

    def original(self, path):
        """The object of the unchanged file, for the comparison."""
        if path not in self.originals:
            output = self.out / "original.o"
            done = self.compile(path, output, self.project.check)
            if done.returncode != 0:
                raise Failed(f"{path} does not compile:\n{done.stderr}")
            self.originals[path] = output.read_bytes()
        return self.originals[path]

    def link(self, name, mutant):
        p = self.project
        program = self.out / "program"
        done = tool([p.cc, *p.instrument, "-o", program, p.programs / f"{name}.o", mutant, *p.libs],
                    p.top)
        if done.returncode != 0:
            self.trouble = done.stderr
        return program if done.returncode == 0 else None

    def judge(self, site, names):
        """(verdict, what): "invalid" or "same": not counted; "killed" by a test; "survived": the tests
        that were run."""
        path, original = site.path, self.original(site.path)
        place, mutant = self.path / path, self.out / "mutant.o"
        source = place.read_bytes()
        try:
            place.write_bytes(site.apply(source.decode("latin-1")).encode("latin-1"))
            if self.compile(path, mutant, self.project.check).returncode != 0:
                return "invalid", ""
            if mutant.read_bytes() == original:
                return "same", ""
            if self.compile(path, mutant, self.project.instrument).returncode != 0:
                return "invalid", ""
        finally:
            place.write_bytes(source)
        tried, self.trouble = [], ""
        for name in names:
            usual = self.project.baseline(name, self)
            program = self.link(name, mutant) if usual else None
            if not program:
                continue
            passed, _, _, how = run(program, self.path, self.env,
                                    int(CPU_MIN_S + CPU_TIMES * usual["cpu"]),
                                    WALL_MIN_S + WALL_TIMES * usual["wall"])
            if not passed:
                return "killed", f"{name}: {how}"
            tried.append(name)
        if not tried:
            raise Failed(f"{path}: no test could be run (programs with it: {' '.join(names) or 'none'})"
                         f"\n{self.trouble[-1000:]}")
        return "survived", " ".join(tried)


# --- this project -------------------------------------------------------------------------------------
def make_env():
    """Our own make, not a part of the one that started us."""
    return {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}


def make_variables(top, names):
    done = subprocess.run(["make", "-s", "--no-print-directory", *(f"print-{n}" for n in names)],
                          cwd=top, env=make_env(), capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=TOOL_S)
    lines = done.stdout.splitlines()
    if done.returncode != 0 or len(lines) != len(names):
        raise Failed(f"make says nothing of its variables:\n{done.stdout}{done.stderr}")
    return dict(zip(names, lines))


def tracked(top):
    done = tool(["git", "ls-files", "-z", "-c", "-o", "--exclude-standard"], top)
    return sorted(p for p in done.stdout.split("\0") if p and (top / p).is_file())


def firstlight(top):
    """This tree, and the sources that its unit tests reach."""
    v = make_variables(top, ["asan_CC", "asan_INSTR", "HOST_CPPFLAGS", "HOST_CFLAGS", "COMMON_SRCS",
                             "HOST_SRCS", "MODEL_SRCS", "SYNTH_SRCS", "UNIT_PROGRAMS", "asan_LIBS"])
    cppflags = shlex.split(v["HOST_CPPFLAGS"])
    flags = cppflags + shlex.split(v["HOST_CFLAGS"])
    programs = top / "build/asan/tests/unit"
    deps = top / "build/deps.env"
    project = Project(
        top, top / "build/mutants", cc=v["asan_CC"], flags=flags,
        read_flags=cppflags + ["-std=c17", *(f for f in flags if f.startswith("-D"))],
        check=["-O2"], instrument=shlex.split(v["asan_INSTR"]),
        libs=["-fuse-ld=lld", "-Wl,--start-group", *v["asan_LIBS"].split(), "-Wl,--end-group",
              "-lcmocka", "-lm", "-lpthread"],
        objects=top / "build/asan", programs=programs,
        names=[Path(p).name for p in v["UNIT_PROGRAMS"].split()],
        env=dict(line.split("=", 1) for line in deps.read_text().splitlines()
                 if "=" in line and not line.startswith("#")) if deps.exists() else {})
    sources = [s for n in ("COMMON_SRCS", "HOST_SRCS", "MODEL_SRCS", "SYNTH_SRCS")
               for s in v[n].split() if not s.startswith("build/")]
    return project, sorted(set(sources))
