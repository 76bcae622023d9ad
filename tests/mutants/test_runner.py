#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The runner of the mutants itself, on a small project of two files and four tests: one that looks,
one that does not, one that fails anyway, one with a stand-in for the file."""
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import build
import mutants
import sites

THING_H = "int sum(const int *v, int n);\nint ring(void (*write)(int reg, int v), int n);\n"
THING_C = r"""
#include "room/thing.h"
#define TWICE(x) ((x) + (x))
#define LIMIT 4
static int count; /* if (never) { return; } */

int sum(const int *v, int n)
{
    int total = 0;
    for (int i = 0; i < n; i++) {
        total += v[i];
    }
    return total;
}

int ring(void (*write)(int reg, int v), int n)
{
    if (n < 0 || n >= LIMIT) {
        return -1;
    }
    write(1, TWICE(n));
    write(2, n == 3 ? 7 : 8);
    count++;
    if (TWICE(n) > LIMIT && n != 3)
        write(3, 0);
    else {
        count = n;
    }
    return count;
}
"""
SEES_C = r"""
#include "room/thing.h"
static int log[8], used;
static void write(int reg, int v)
{
    log[used++] = 10 * reg + v;
}
int main(void)
{
    static const int v[] = {1, 2, 4, 100};
    int got = ring(write, 1);
    return !(sum(v, 3) == 7 && got == 1 && used == 2 && log[0] == 12 && log[1] == 28 &&
             ring(write, -1) == -1 && ring(write, 4) == -1 && used == 2);
}
"""
BLIND_C = r"""
#include "room/thing.h"
static void write(int reg, int v)
{
    (void)reg;
    (void)v;
}
int main(void)
{
    static const int v[] = {1, 2, 4, 100};
    (void)sum(v, 3);
    (void)ring(write, 1);
    return 0;
}
"""
FAILS_C = '#include "room/thing.h"\nint main(void) { return sum(0, 0) + 1; }\n'
# Has a thing of its own in the place of the file's.
OTHER_C = """
int sum(const int *v, int n);
int sum(const int *v, int n) { return v[0] + n; }
int main(void) { static const int v[] = {1}; return sum(v, 1) - 2; }
"""
FLAGS = ["-I.", "-std=c17", "-Wall", "-Wextra", "-Werror", "-O1"]

# What is found in THING_C, in the order of the text.
EXPECTED = """
sum 9 const | int total = 0; | int total = (0 + 1);
sum 10 const | for (int i = 0; i < n; i++) { | for (int i = (0 + 1); i < n; i++) {
sum 10 negate | for (int i = 0; i < n; i++) { | for (int i = 0; !(i < n); i++) {
sum 10 bound | for (int i = 0; i < n; i++) { | for (int i = 0; i <= n; i++) {
sum 11 assign | total += v[i]; | {}
ring 18 guard | if (n < 0 || n >= LIMIT) { return -1; } | {}
ring 18 swap | if (n < 0 || n >= LIMIT) { return -1; } write(1, TWICE(n)); | write(1, TWICE(n)); if (n < 0 || n >= LIMIT) { return -1; }
ring 18 negate | if (n < 0 || n >= LIMIT) { | if (!(n < 0 || n >= LIMIT)) {
ring 18 operand | if (n < 0 || n >= LIMIT) { | if (n < 0) {
ring 18 operand | if (n < 0 || n >= LIMIT) { | if (n >= LIMIT) {
ring 18 bound | if (n < 0 || n >= LIMIT) { | if (n <= 0 || n >= LIMIT) {
ring 18 const | if (n < 0 || n >= LIMIT) { | if (n < (0 + 1) || n >= LIMIT) {
ring 18 bound | if (n < 0 || n >= LIMIT) { | if (n < 0 || n > LIMIT) {
ring 19 const | return -1; | return -(1 + 1);
ring 21 call | write(1, TWICE(n)); | {}
ring 21 swap | write(1, TWICE(n)); write(2, n == 3 ? 7 : 8); | write(2, n == 3 ? 7 : 8); write(1, TWICE(n));
ring 21 const | write(1, TWICE(n)); | write((1 + 1), TWICE(n));
ring 22 call | write(2, n == 3 ? 7 : 8); | {}
ring 22 swap | write(2, n == 3 ? 7 : 8); count++; | count++; write(2, n == 3 ? 7 : 8);
ring 22 const | write(2, n == 3 ? 7 : 8); | write((2 + 1), n == 3 ? 7 : 8);
ring 22 negate | write(2, n == 3 ? 7 : 8); | write(2, !(n == 3) ? 7 : 8);
ring 22 const | write(2, n == 3 ? 7 : 8); | write(2, n == (3 + 1) ? 7 : 8);
ring 22 const | write(2, n == 3 ? 7 : 8); | write(2, n == 3 ? (7 + 1) : 8);
ring 22 const | write(2, n == 3 ? 7 : 8); | write(2, n == 3 ? 7 : (8 + 1));
ring 23 assign | count++; | {}
ring 23 swap | count++; if (TWICE(n) > LIMIT && n != 3) write(3, 0); else { count = n; } | if (TWICE(n) > LIMIT && n != 3) write(3, 0); else { count = n; } count++;
ring 24 negate | if (TWICE(n) > LIMIT && n != 3) | if (!(TWICE(n) > LIMIT && n != 3))
ring 24 operand | if (TWICE(n) > LIMIT && n != 3) | if (TWICE(n) > LIMIT)
ring 24 operand | if (TWICE(n) > LIMIT && n != 3) | if (n != 3)
ring 24 bound | if (TWICE(n) > LIMIT && n != 3) | if (TWICE(n) >= LIMIT && n != 3)
ring 24 negate | if (TWICE(n) > LIMIT && n != 3) | if (TWICE(n) > LIMIT && n == 3)
ring 24 const | if (TWICE(n) > LIMIT && n != 3) | if (TWICE(n) > LIMIT && n != (3 + 1))
ring 25 const | write(3, 0); | write((3 + 1), 0);
ring 25 const | write(3, 0); | write(3, (0 + 1));
ring 27 assign | count = n; | {}
"""


class Bench:
    """The small project, built in a folder of its own."""

    def __init__(self, folder):
        self.top = folder / "top"
        tests = {"test_sees": SEES_C, "test_blind": BLIND_C, "test_fails": FAILS_C,
                 "test_other": OTHER_C}
        files = {"room/thing.h": THING_H, "room/thing.c": THING_C,
                 **{f"{n}.c": text for n, text in tests.items()}}
        for name, text in files.items():
            (self.top / name).parent.mkdir(parents=True, exist_ok=True)
            (self.top / name).write_text(text)
        made = folder / "made"
        (made / "room").mkdir(parents=True)
        self.cc("-c", "-o", made / "room/thing.o", "room/thing.c")
        self.cc("-c", "-o", made / "other.o", "-x", "c", "/dev/null")
        subprocess.run(["ar", "rcs", made / "lib.a", made / "room/thing.o"], check=True)
        for name in tests:
            self.cc("-c", "-o", made / f"{name}.o", f"{name}.c")
            self.cc("-o", made / name, made / f"{name}.o", made / "lib.a")
        self.project = build.Project(
            self.top, folder / "state", cc="gcc", flags=FLAGS, read_flags=["-I.", "-std=c17"],
            check=["-O2"], instrument=[], libs=[made / "lib.a"], objects=made, programs=made,
            names=list(tests), env={})
        self.trees = [build.Tree(self.project, i) for i in range(2)]
        for tree in self.trees:
            tree.sync(list(files))
        self.sites = sites.find("room/thing.c", self.top, ["-I.", "-std=c17"])

    def cc(self, *args):
        subprocess.run(["gcc", *FLAGS, *args], cwd=self.top, check=True)

    def judge(self, after, *names):
        site, = (s for s in self.sites if s.after == after)
        return self.trees[0].judge(site, names)


def test_places(bench):
    got = [f"{s.function} {s.line} {s.kind} | {s.before} | {s.after}" for s in bench.sites]
    assert got == EXPECTED.strip().splitlines(), "\n".join(["found:", *got])


def test_a_log_line_is_left_alone(bench):
    text = ('void log_line(int, const char *, ...);\n#define log_warn(...) log_line(1, __VA_ARGS__)\n'
            'int f(int n);\nint f(int n)\n{\n    log_warn("%d", n > 3 ? 4 : 5);\n'
            '    log_line(1, "x");\n    return n;\n}\n')
    (bench.top / "room/log.c").write_text(text)
    found = sites.find("room/log.c", bench.top, ["-std=c17"])
    assert not found, [s.after for s in found]


def test_directives_stay(bench):
    text = "int f(int n);\nint f(int n)\n{\n    n++;\n#if 1\n    n--;\n#endif\n    return n;\n}\n"
    (bench.top / "room/directive.c").write_text(text)
    kinds = [s.kind for s in sites.find("room/directive.c", bench.top, ["-std=c17"])]
    assert kinds == ["assign", "assign"], kinds


def test_headers_are_left(bench):
    """Whose name a header's macro writes is the file's all the same."""
    head = "static inline int theirs(int n)\n{\n    n++;\n    return n;\n}\n"
    text = ('#include "room/head.h"\nint a(int n);\nint a(int n)\n{\n    n++;\n    return n;\n}\n'
            '#include "room/head2.h"\nNAMED\n{\n    n--;\n    return n;\n}\n'
            'int c(int n);\nint c(int n)\n{\n    n -= n;\n    return n;\n}\n')
    (bench.top / "room/head.h").write_text(head)
    (bench.top / "room/head2.h").write_text(
        head.replace("theirs", "others") + "int b(int n);\n#define NAMED int b(int n)\n")
    (bench.top / "room/ours.c").write_text(text)
    found = [(s.function, s.before) for s in sites.find("room/ours.c", bench.top, FLAGS[:2])]
    assert found == [("a", "n++;"), ("b", "n--;"), ("c", "n -= n;")], found


def test_lines_stay(bench):
    for site in bench.sites:
        assert site.apply(THING_C).count("\n") == THING_C.count("\n"), site.after


def test_unreadable(bench):
    (bench.top / "room/broken.c").write_text("int f(\n")
    try:
        sites.find("room/broken.c", bench.top, ["-std=c17"])
    except ValueError as e:
        assert "room/broken.c" in str(e)
    else:
        raise AssertionError("a broken file was read")


def test_killed_by_the_test_that_sees(bench):
    assert bench.judge("write(2, n == 3 ? 7 : (8 + 1));", "test_blind", "test_sees") == \
        ("killed", "test_sees: status 1")


def test_survives_the_blind(bench):
    assert bench.judge("write(2, n == 3 ? 7 : (8 + 1));", "test_blind") == ("survived", "test_blind")


def test_order_of_effects(bench):
    after = "write(2, n == 3 ? 7 : 8); write(1, TWICE(n));"
    assert bench.judge(after, "test_sees")[0] == "killed"


def test_a_hang_is_killed(bench):
    text = "int f(int n);\nint f(int n)\n{\n    while (n > 5) {\n    }\n    return n;\n}\n"
    spin = bench.top / "spin"
    spin.mkdir()
    (spin / "room").mkdir()
    (spin / "room/spin.c").write_text(text)
    # The mutant of a loop that ends, by hand: what matters is how a program that spins is ended.
    (spin / "spin.c").write_text("int main(void) { for (volatile int i = 0;; i++) { } }\n")
    bench.cc("-o", spin / "spin", "spin/spin.c")
    passed, _, _, how = build.run(spin / "spin", bench.top, None, 1, 60)
    assert (passed, how) == (False, "hangs")
    (spin / "sleep.c").write_text("#include <unistd.h>\nint main(void) { return (int)sleep(600); }\n")
    bench.cc("-D_GNU_SOURCE", "-o", spin / "sleep", "spin/sleep.c")
    passed, _, _, how = build.run(spin / "sleep", bench.top, None, 60, 1)
    assert (passed, how) == (False, "hangs")
    # Who is ended by somebody else has noticed nothing.
    (spin / "ended.c").write_text("#include <signal.h>\nint main(void) { return raise(SIGKILL); }\n")
    bench.cc("-D_GNU_SOURCE", "-o", spin / "ended", "spin/ended.c")
    try:
        build.run(spin / "ended", bench.top, None, 60, 60)
    except build.Failed as e:
        assert "ended from outside" in str(e)
    else:
        raise AssertionError("somebody else's signal counts")


def test_not_compiled_is_not_counted(bench):
    text = "int g(void);\nint g(void)\n{\n    int n;\n    n = 3;\n    return n;\n}\n"
    (bench.top / "room/bad.c").write_text(text)
    for tree in bench.trees:
        (tree.path / "room/bad.c").write_text(text)
    site = [s for s in sites.find("room/bad.c", bench.top, ["-std=c17"]) if s.kind == "assign"][0]
    assert bench.trees[0].judge(site, ["test_sees"]) == ("invalid", "")


def test_the_same_program_is_not_counted(bench):
    # Dropping the increment is no change where it is overwritten.
    text = "int g(int n);\nint g(int n)\n{\n    int m = n;\n    m++;\n    m = n * 3;\n    return m;\n}\n"
    for tree in bench.trees:
        (tree.path / "room/same.c").write_text(text)
    (bench.top / "room/same.c").write_text(text)
    site = [s for s in sites.find("room/same.c", bench.top, ["-std=c17"]) if s.before == "m++;"][0]
    assert bench.trees[0].judge(site, ["test_sees"]) == ("same", "")


def test_a_failing_test_kills_nothing(bench):
    try:
        verdict = bench.judge("write(2, n == 3 ? 7 : (8 + 1));", "test_fails")
    except build.Failed as e:
        assert "no test could be run" in str(e)
    else:
        raise AssertionError(verdict)
    assert bench.project.unfit == {"test_fails"}


def test_the_tree_stays(bench):
    for tree in bench.trees:
        assert (tree.path / "room/thing.c").read_text() == THING_C
    assert (bench.top / "room/thing.c").read_text() == THING_C


def test_who_holds_the_file(bench):
    assert bench.project.holding("room/thing.c") == ["test_sees", "test_blind", "test_fails"]
    rooms = {"room/": ["test_other", "test_blind"], "room/thing": ["test_sees"],
             "never": ["test_fails"]}
    assert mutants.order(bench.project, rooms, "room/thing.c", False) == ["test_sees", "test_blind"]
    assert mutants.order(bench.project, {"room/": ["test_blind"]}, "room/thing.c", True)[0] == \
        "test_blind"
    assert len(mutants.order(bench.project, {}, "room/thing.c", False)) == 3


def test_the_count(bench):
    accepted = {("room/thing.c", "ring", "const", "*", "*"): "a number"}
    said = []
    chosen = sorted(bench.sites, key=lambda s: s.rank("1"))
    outcome = mutants.work(bench.trees, chosen, len(chosen), lambda _: ["test_sees"], accepted,
                           said.append)
    total = len(EXPECTED.strip().splitlines())
    assert outcome.counted() + sum(outcome.uncounted.values()) == total
    survived = {s.after for s, _ in outcome.survived}
    # What test_sees leaves open: n is 1 in all that it looks at, and count is n in the end.
    assert {"if (TWICE(n) > LIMIT)", "if (TWICE(n) > LIMIT && n == 3)"} <= survived, survived
    assert all(s.kind == "const" for s, _ in outcome.accepted) and outcome.accepted
    n, killed = outcome.counted(), len(outcome.killed)
    assert killed >= 15, [s.after for s in outcome.killed]
    assert "write(1, TWICE(n));" in {s.before for s in outcome.killed if s.kind == "call"}
    excused, left = len(outcome.accepted), len(outcome.survived)
    assert n == killed + excused + left
    assert outcome.last_line() == (
        f"{n} mutants, {killed} killed, {excused} survived with a reason, {left} without: "
        f"{100 * killed // (killed + left)} % noticed")
    few = mutants.work(bench.trees, chosen, 5, lambda _: ["test_sees"], {}, said.append)
    assert few.counted() == 5
    one = mutants.work(bench.trees, chosen, 5, lambda _: ["test_sees"], {}, said.append, per_file=1)
    assert one.counted() == 1


def test_a_sample_is_stable(bench):
    before = sorted(bench.sites, key=lambda s: s.rank("7"))[:10]
    changed = THING_C.replace("static int count;", "static int count;\nint more(void) { return 1; }\n")
    (bench.top / "room/thing.c").write_text(changed)
    after = sites.find("room/thing.c", bench.top, ["-I.", "-std=c17"])
    (bench.top / "room/thing.c").write_text(THING_C)
    after = sorted((s for s in after if s.function != "more"), key=lambda s: s.rank("7"))[:10]
    assert [s.key() for s in before] == [s.key() for s in after]
    assert [s.key() for s in before] != [s.key() for s in sorted(
        bench.sites, key=lambda s: s.rank("8"))[:10]]


def test_what_was_found_before(bench):
    cache, flags = bench.top / "found", ["-I.", "-std=c17"]

    def look(**more):
        return sites.find("room/thing.c", bench.top, flags, cache=cache, **more)

    first, again = look(), look()
    assert [(s.key(), s.line, s.apply(THING_C)) for s in first] == \
        [(s.key(), s.line, s.apply(THING_C)) for s in again] and len(first) == len(bench.sites)
    assert len(list(cache.iterdir())) == 1
    kept, = cache.iterdir()
    kept.write_text("[]")
    assert look() == []  # it is what is read
    (bench.top / "room/thing.c").write_text(THING_C + "\n")
    assert len(look()) == len(first) and len(list(cache.iterdir())) == 2
    (bench.top / "room/thing.c").write_text(THING_C)
    flags.append("-DMORE")
    try:
        look(clang="false")
    except ValueError:
        return
    raise AssertionError("clang's failure was not seen")


def test_one_run_at_a_time(bench):
    p = bench.project
    try:
        build.Project(p.top, p.state, cc="", flags=[], read_flags=[], check=[], instrument=[], libs=[],
                      objects=p.objects, programs=p.programs, names=[], env={})
    except build.Failed as e:
        assert "another run is under way" in str(e)
    else:
        raise AssertionError("two runs in one folder")


def test_the_list_of_the_accepted(bench):
    path = bench.top / "list"
    path.write_text("# comment\nroom/thing.c sum assign\n- total += v[i];\n+ {}\n= a reason\n\n"
                    "room/thing.c gone assign\n- x = 1;\n+ {}\n= a reason\n\n"
                    "room/thing.c ring swap\n- *\n+ *\n= all of them\n")
    accepted = mutants.read_accepted(path)
    first = {s.kind: s for s in reversed(bench.sites)}
    assert mutants.reason_of(accepted, first["assign"]) == "a reason"
    assert mutants.reason_of(accepted, first["swap"]) == "all of them"
    assert mutants.reason_of(accepted, first["call"]) is None
    assert mutants.stale(bench.project, accepted, ["room/thing.c"]) == \
        [("room/thing.c", "gone", "assign", "x = 1;", "{}")]
    for bad in ("room/thing.c sum assign\n- a\n+ b\n", "room/thing.c sum assign\n+ a\n- b\n= c\n",
                "room/thing.c sum nonsense\n- a\n+ b\n= c\n", "room/thing.c sum assign\n- a\n+ b\n= \n"):
        path.write_text(bad)
        try:
            mutants.read_accepted(path)
        except build.Failed:
            continue
        raise AssertionError(f"accepted: {bad}")


def main():
    tests = [(n, f) for n, f in globals().items() if n.startswith("test_")]
    print(f"1..{len(tests)}")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder).resolve())
        for name, test in tests:
            try:
                test(bench)
                print(f"ok {name}")
            except AssertionError as e:
                failed += 1
                line = traceback.extract_tb(e.__traceback__)[-1]
                print(f"{line.line}\nnot ok {name}: line {line.lineno}: {e}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
