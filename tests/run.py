#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the tests. The last line is "N passed, N failed"; the exit status is 0 when none failed.

    run.py [--only GROUP[,GROUP]] [--no-build] [--match TEXT] [--fuzz-seconds N] [--target NAME]

The groups, in order: build; checks (tests/checks/*.py); unit (the cmocka programs, with ASan and
UBSan); client (tests/client/test_*.py: firstlight against a server in the appliance's place); msan (the
model's tests once more, with MemorySanitizer); mutants (tests/mutants/test_*.py: do the unit tests
notice a change?); campaign (a sample of the fault campaign, tests/campaign/); fuzz (each target for a few seconds); boot (tests/boot/test_*.py:
QEMU, OVMF, the model); linux (tests/linux/test_*.py: Linux's drivers on the model).

One protocol for every child: a line "ok NAME" or "not ok NAME: reason" per test (TAP's numbers and
plan are understood, "# SKIP" counts as skipped). A child that dies, overruns its deadline, runs
fewer tests than it planned or none at all has failed. What a failed child printed is shown in full.
"""
import argparse
import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
GROUPS = ("build", "checks", "unit", "client", "msan", "mutants", "campaign", "fuzz", "boot", "linux")
JOBS = os.cpu_count() or 1
FUZZ_SECONDS = 5
# Deadlines of one child, in seconds. A hang is a failure like any other.
BUILD_S, CHECK_S, UNIT_S, FUZZ_EXTRA_S, BOOT_S, LINUX_S, NOVA_S = 1800, 300, 300, 120, 900, 1200, 2400
MUTANTS_S = 900

RESULT = re.compile(r"^(not )?ok\b(?:\s+\d+)?(?:\s+-)?\s*(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)\s*$")
SKIP = re.compile(r"#\s*SKIP", re.I)


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.skips = []  # what was not run, and why

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.skips += other.skips

    def __str__(self):
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def say(text):
    print(text, flush=True)


def run_child(args, deadline_s, env=None):
    """(output, status, what went wrong outside the tests or None). Ends the whole process group."""
    full = dict(os.environ, **(env or {}))
    try:
        child = subprocess.Popen([str(a) for a in args], cwd=TOP, env=full, text=True,
                                 errors="replace", stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 start_new_session=True)
    except OSError as e:
        return "", 127, f"could not be started: {e}"
    try:
        output, _ = child.communicate(timeout=deadline_s)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        output, _ = child.communicate()
        return output, 124, f"not finished after {deadline_s} s, ended"
    if child.returncode < 0:
        return output, child.returncode, f"died of {signal.Signals(-child.returncode).name}"
    return output, child.returncode, None


def read_results(output, status, trouble):
    """Counts the result lines of a child and adds what it did not say itself."""
    tally, plan, reasons = Tally(), None, []
    for line in output.splitlines():
        if match := PLAN.match(line):
            plan = int(match.group(1)) + (plan or 0)
        elif match := RESULT.match(line):
            if SKIP.search(line):  # cmocka writes "not ok 3 # SKIP name"
                tally.skipped += 1
                tally.skips.append(match.group(2))
            elif match.group(1):
                tally.failed += 1
                reasons.append(match.group(2))
            else:
                tally.passed += 1
    ran = tally.passed + tally.failed + tally.skipped
    if not trouble and status != 0 and not tally.failed:
        trouble = f"exit status {status} although no test failed"
    if not trouble and plan is not None and ran < plan:
        trouble = f"planned {plan} tests, ran {ran}"
    if not trouble and ran == 0:
        trouble = "ran no test"
    if trouble:
        tally.failed += 1
        reasons.append(trouble)
    return tally, reasons


def report(name, tally, reasons, output, seconds):
    say(f"  {name}: {tally} ({seconds:.1f} s)")
    for text in tally.skips:
        say(f"  SKIPPED {name}: {text}")
    if reasons:
        say("".join(f"  | {line}\n" for line in output.splitlines()).rstrip("\n") or "  | (silent)")
        for reason in reasons:
            say(f"  FAILED {name}: {reason}")


def run_tests(commands, deadline_s, jobs, env=None):
    """Runs children (name, command), several at a time; returns their common tally."""
    total = Tally()

    def one(command):
        begin = time.monotonic()
        result = run_child(command, deadline_s, env)
        return *result, time.monotonic() - begin

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = [(name, pool.submit(one, command)) for name, command in commands]
        for name, future in futures:
            output, status, trouble, seconds = future.result()
            tally, reasons = read_results(output, status, trouble)
            report(name, tally, reasons, output, seconds)
            total.add(tally)
    return total


# --- make ---------------------------------------------------------------------------------------------
def make_env():
    """Our own make, not a part of the one that started us (its job server is not handed on)."""
    return {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}


def make(*args, deadline_s=BUILD_S, show=False):
    kind = None if show else subprocess.PIPE
    try:
        return subprocess.run(["make", "--no-print-directory", *args], cwd=TOP, env=make_env(),
                              text=True, errors="replace", stdout=kind, timeout=deadline_s,
                              stderr=subprocess.STDOUT if not show else None,
                              stdin=subprocess.DEVNULL, check=False)
    except subprocess.TimeoutExpired:
        say(f"  make {' '.join(args)}: not finished after {deadline_s} s")
        return subprocess.CompletedProcess(args, 124, "", "")


def make_variable(name):
    done = make("-s", f"print-{name}", deadline_s=120)
    if done.returncode != 0:
        sys.exit(f"run.py: make print-{name} failed:\n{done.stdout}")
    return done.stdout.split()


# --- the groups -----------------------------------------------------------------------------------------
def group_build(groups, _args):
    goals = {"checks": ["gen", "efi", "boot-trace"], "unit": ["units"],
             "client": ["client", "client-asan", "gpu-model"], "msan": ["msan-units"],
             "mutants": ["units"], "campaign": ["benches"], "fuzz": ["fuzzers"], "boot": ["all", "test-kernels"],
             "linux": ["gpu-model", "linux-tools"]}
    wanted = sorted({goal for group in groups for goal in goals.get(group, [])})
    if set(GROUPS) <= set(groups):
        wanted.append("benches")  # they build, too
    tally = Tally()
    done = make(f"-j{JOBS}", "-k", *wanted, show=True)  # -k: all errors at once
    if done.returncode == 0:
        tally.passed = 1
    else:
        tally.failed = 1
        say(f"  FAILED build: make ended with status {done.returncode}")
    return tally


def scripts(folder, pattern, args):
    """The Python test programs of a folder; a name with "_" in front is a part of others."""
    return [(str(path.relative_to(TOP)), [sys.executable, path])
            for path in sorted((TOP / folder).glob(pattern))
            if args.match in path.name and not path.name.startswith("_")]


def group_checks(_groups, args):
    return run_tests(scripts("tests/checks", "*.py", args), CHECK_S, JOBS, deps_env())


SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1",
              "UBSAN_OPTIONS": "print_stacktrace=1"}


def group_unit(_groups, args):
    env = dict(deps_env(), **SANITIZERS, CMOCKA_MESSAGE_OUTPUT="TAP")
    programs = [(p.removeprefix("build/asan/"), [TOP / p])
                for p in make_variable("UNIT_PROGRAMS") if args.match in p]
    return run_tests(programs, UNIT_S, JOBS, env)


def group_client(_groups, args):
    # A server in the appliance's place, no machine: that one is tests/boot/test_client.py.
    return run_tests(scripts("tests/client", "test_*.py", args), UNIT_S, JOBS, SANITIZERS)


def group_msan(_groups, args):
    programs = [(p.removeprefix("build/"), [TOP / p])
                for p in make_variable("MSAN_PROGRAMS") if args.match in p]
    return run_tests(programs, UNIT_S, JOBS, deps_env())


def group_mutants(_groups, args):
    # One program at a time: it runs tests on every processor.
    return run_tests(scripts("tests/mutants", "test_*.py", args), MUTANTS_S, 1)


def group_campaign(_groups, args):
    return run_tests(scripts("tests/campaign", "test_*.py", args), UNIT_S, 1)


def group_fuzz(_groups, args):
    """libFuzzer says nothing in TAP: its exit status is the result."""
    seconds = args.fuzz_seconds
    names = [p for p in make_variable("FUZZ_PROGRAMS")
             if args.match in p and args.target in ("", Path(p).name, Path(p).name[len("fuzz_"):])]
    artifacts = TOP / "build/fuzz/artifacts"
    artifacts.mkdir(parents=True, exist_ok=True)

    def one(program):
        name = Path(program).name
        corpus = TOP / "build/fuzz/corpus" / name
        corpus.mkdir(parents=True, exist_ok=True)
        seeds = TOP / "tests/fuzz/corpus" / name  # inputs that once failed, and good examples
        words = TOP / "tests/fuzz" / f"{name}.dict"
        begin = time.monotonic()
        output, status, trouble = run_child(
            [TOP / program, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048",
             "-print_final_stats=1", f"-artifact_prefix={artifacts}/{name}-"] +
            ([f"-dict={words}"] if words.exists() else []) +
            [corpus] + ([seeds] if seeds.is_dir() else []),
            seconds + FUZZ_EXTRA_S, SANITIZERS)
        return name, output, status, trouble, time.monotonic() - begin

    total = Tally()
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for name, output, status, trouble, took in pool.map(one, names):
            runs = re.search(r"stat::number_of_executed_units:\s*(\d+)", output)
            tally, reasons = Tally(), []
            if status == 0 and runs and int(runs.group(1)) > 0:
                tally.passed = 1
            else:
                tally.failed = 1
                reasons = [trouble or f"exit status {status}; the input lies in {artifacts}"]
            label = f"{name} ({runs.group(1)} inputs)" if runs else name
            report(label, tally, reasons, output, took)
            total.add(tally)
    return total


def deps_env():
    """Where the set-up put QEMU, OVMF and the firmware."""
    path = TOP / "build/deps.env"
    text = path.read_text() if path.exists() else ""
    values = dict(line.split("=", 1) for line in text.splitlines()
                  if "=" in line and not line.startswith("#"))
    if os.environ.get("FIRMWARE"):
        values["FIRMWARE_DIR"] = os.environ["FIRMWARE"]
    return values


def group_boot(_groups, args):
    # One at a time: a virtual machine needs both cores of a small machine.
    return run_tests(scripts("tests/boot", "test_*.py", args), BOOT_S, 1, deps_env())


def group_linux(_groups, args):
    """Linux's drivers. nova-core is built first (once, minutes: shown as it goes)."""
    total = Tally()
    if args.match in "test_nova.py":
        nova = subprocess.run([sys.executable, TOP / "tests/linux/nova.py", "--try"], cwd=TOP, check=False,
                              stdin=subprocess.DEVNULL, timeout=NOVA_S, env=dict(os.environ, **deps_env()))
        if nova.returncode != 0:
            total.failed += 1
            say(f"  FAILED tests/linux/nova.py: status {nova.returncode}")
    # One program at a time: it runs a machine on every processor.
    total.add(run_tests(scripts("tests/linux", "test_*.py", args), LINUX_S, 1, deps_env()))
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="groups, with commas between")
    parser.add_argument("--no-build", action="store_true", help="test what is built already")
    parser.add_argument("--match", default="", help="only tests whose name has this in it")
    parser.add_argument("--target", default="", help="one fuzz target")
    parser.add_argument("--fuzz-seconds", type=int,
                        default=int(os.environ.get("FUZZ_SECONDS") or FUZZ_SECONDS))
    args = parser.parse_args()
    groups = args.only.split(",") if args.only else list(GROUPS)
    unknown = set(groups) - set(GROUPS)
    if unknown:
        parser.error(f"unknown group {' '.join(unknown)}; there is {' '.join(GROUPS)}")
    if "build" not in groups:
        groups.insert(0, "build")
    if args.no_build:
        groups.remove("build")

    total, begin = Tally(), time.monotonic()
    for group in groups:
        start = time.monotonic()
        say(f"{group}:")
        tally = globals()[f"group_{group}"](groups, args)
        total.add(tally)
        say(f"{group}: {tally} in {time.monotonic() - start:.1f} s\n")
        if group == "build" and tally.failed:
            break
    if total.skipped:
        say(f"{total.skipped} skipped")
    say(f"all in {time.monotonic() - begin:.0f} s")
    if total.passed + total.failed == 0:
        say("no test ran")
        total.failed = 1
    say(f"{total.passed} passed, {total.failed} failed")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
