#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Do the tests notice? Changes the code in one place at a time and runs the unit tests on it.

    mutants.py FILE.c... | --room ROOM...  [--count N | --all] [--seed TEXT] [--every] [--list]

A mutant that no test notices is a missing test, or another way to write the same program: those
have a reason in equivalent.list. What the kinds of mutants are: sites.py. Nothing is written outside
build/mutants/. The last line is "N mutants, K killed, A survived with a reason, S without: P %
noticed": of those that can be noticed, K of K + S."""
import argparse
import collections
import concurrent.futures
import os
import queue
import subprocess
import sys
from pathlib import Path

import sites
from build import Failed, Tree, firstlight, tracked

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
COUNT = 40
JOBS = min(2, os.cpu_count() or 1)
UNCOUNTED = {"invalid": "does not compile", "same": "compiles to the same"}


# --- the lists ------------------------------------------------------------------------------------------
def read_rooms(path):
    """{prefix of a path: test programs, the likeliest first}"""
    rooms = {}
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            prefix, names = line.split(":", 1)
            rooms[prefix.strip()] = names.split()
    return rooms


def read_accepted(path):
    """{key of a site: why its survival is right}. An entry:
        FILE FUNCTION KIND
        - before
        + after
        = reason
    A "*" as before and after stands for all of that kind in that function.
    """
    accepted, entry = {}, []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        entry.append(line)
        signs = [text[:2] for text in entry[1:]]
        if signs != ["- ", "+ ", "= "][:len(signs)]:
            raise Failed(f"{path}:{number}: expected a file, '- before', '+ after', '= reason'")
        if len(entry) == 4:
            place, before, after, reason = entry[0].split(), *(text[2:].strip() for text in entry[1:])
            if len(place) != 3 or place[2] not in sites.KINDS or not reason:
                raise Failed(f"{path}:{number - 3}: expected FILE FUNCTION KIND, and a reason below")
            accepted[(*place, before, after)] = reason
            entry = []
    if entry:
        raise Failed(f"{path}: the last entry is not complete")
    return accepted


def reason_of(accepted, site):
    key = site.key()
    return accepted.get(key) or accepted.get((*key[:3], "*", "*"))


def order(project, rooms, path, every):
    """The test programs for a file: of its name, those listed for it and for its room; with `every`
    also the others that hold it, the quickest first."""
    prefixes = sorted((p for p in rooms if path.startswith(p)), key=len, reverse=True)
    listed = [f"test_{Path(path).stem}", *(n for p in prefixes for n in rooms[p])]
    never = rooms.get("never", [])
    holding = [n for n in project.holding(path) if n not in never]
    first = [n for n in dict.fromkeys(listed) if n in holding]
    rest = sorted((n for n in holding if n not in first), key=project.known_time)
    return first + rest if every or not first else first


# --- the work -------------------------------------------------------------------------------------------
class Outcome:
    def __init__(self):
        self.killed, self.survived, self.accepted = [], [], []
        self.uncounted = dict.fromkeys(UNCOUNTED, 0)

    def counted(self):
        return len(self.killed) + len(self.survived) + len(self.accepted)

    def last_line(self):
        n, killed = self.counted(), len(self.killed)
        left = len(self.survived)
        return (f"{n} mutants, {killed} killed, {len(self.accepted)} survived with a reason, "
                f"{left} without: "
                f"{100 * killed // (killed + left) if killed + left else 0} % noticed")


def copies(project):
    """Trees to work in, one for each worker."""
    trees = [Tree(project, i) for i in range(JOBS)]
    listed = tracked(project.top)
    for tree in trees:
        tree.sync(listed)
    return trees


def sites_of(project, path):
    return sites.find(path, project.top, project.read_flags, cache=project.state / "sites")


def choose(project, files, seed):
    """The mutants of the files, in random order."""
    found = [s for path in files for s in sites_of(project, path)]
    return sorted(found, key=lambda s: s.rank(seed))


def work(trees, chosen, count, names_of, accepted, say, per_file=None):
    """Judges mutants in their order until `count` of them are counted; names_of: the tests of a path;
    per_file: at most so many of each file."""
    outcome, left, taken = Outcome(), list(chosen), collections.Counter()
    free = queue.SimpleQueue()
    for tree in trees:
        free.put(tree)

    def judge(site):
        tree = free.get()
        try:
            return (site, *tree.judge(site, names_of(site.path)))
        finally:
            free.put(tree)

    def take(done):
        site, verdict, what = done
        if verdict in UNCOUNTED:
            outcome.uncounted[verdict] += 1
            taken[site.path] -= 1
            return
        if verdict == "killed":
            outcome.killed.append(site)
        elif reason := reason_of(accepted, site):
            outcome.accepted.append((site, reason))
        else:
            outcome.survived.append((site, what))
        say(f"  {outcome.counted():4} {verdict:8} {site.kind:8} {site.path}:{site.line} "
            f"{site.function}  {what if verdict == 'killed' else ''}".rstrip())

    def next_site():
        for i, site in enumerate(left):
            if per_file is None or taken[site.path] < per_file:
                taken[site.path] += 1
                return left.pop(i)
        return None

    with concurrent.futures.ThreadPoolExecutor(len(trees)) as pool:
        running = set()
        while True:
            while len(running) < min(len(trees), count - outcome.counted()):
                site = next_site()
                if site is None:
                    break
                running.add(pool.submit(judge, site))
            if not running:
                return outcome
            done, running = concurrent.futures.wait(
                running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                take(future.result())


def show(outcome, project, say):
    for site, what in outcome.survived:
        say(f"\nSURVIVED {site.path}:{site.line}\n{site.path} {site.function} {site.kind}\n"
            f"- {site.before}\n+ {site.after}\n  ran: {what}")
    for site, reason in outcome.accepted:
        say(f"\naccepted {site.path}:{site.line} {site.function} {site.kind}\n"
            f"- {site.before}\n+ {site.after}\n= {reason}")
    for name in sorted(project.unfit):
        say(f"\n{name} fails without any mutant and was left out")
    parts = [f"{n} {UNCOUNTED[k]}" for k, n in outcome.uncounted.items() if n]
    say(f"\nnot counted: {', '.join(parts) or 'none'}"
        + (f"; {len(outcome.accepted)} of the survivors accepted" if outcome.accepted else ""))
    say(outcome.last_line())


def stale(project, accepted, sources):
    """Entries of the list that fit no place any more."""
    known = set()
    for path in sorted({key[0] for key in accepted} & set(sources)):
        for site in sites_of(project, path):
            known |= {site.key(), (*site.key()[:3], "*", "*")}
    return [key for key in accepted if key not in known]


def select(args, sources):
    if args.file and args.room:
        raise Failed("files or rooms, not both")
    files = []
    for name in args.file:
        name = os.path.relpath(name, TOP) if os.path.isabs(name) else os.path.normpath(name)
        if name not in sources:
            raise Failed(f"{name}: no source of the host library, the model or the synthetic files: "
                         "no unit test reaches it")
        files.append(name)
    for room in args.room:
        files += [s for s in sources if s.startswith(room.rstrip("/") + "/")]
    if not files:
        raise Failed("nothing to mutate: FILE=gsp/rpc/queue.c or ROOM=gsp")
    return files


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="*", help="sources, from the top of the tree")
    parser.add_argument("--room", nargs="*", default=[], help="all sources below a folder")
    parser.add_argument("--count", type=int, default=COUNT, help=f"mutants, default {COUNT}")
    parser.add_argument("--seed", default="1", help="which ones")
    parser.add_argument("--all", action="store_true", help="every mutant there is")
    parser.add_argument("--kind", choices=sites.KINDS, action="append", help="these kinds only")
    parser.add_argument("--line", type=int, action="append", help="these lines only")
    parser.add_argument("--every", action="store_true",
                        help="all tests that hold the file, not only those of rooms.list")
    parser.add_argument("--list", action="store_true", help="show the mutants, run nothing")
    return parser.parse_args()


def main():
    args = parse()
    say = lambda text: print(text, flush=True)  # noqa: E731
    try:
        project, sources = firstlight(TOP)
        files = select(args, sources)
        rooms = read_rooms(HERE / "rooms.list")
        accepted = read_accepted(HERE / "equivalent.list")
        chosen = [s for s in choose(project, files, args.seed)
                  if (not args.kind or s.kind in args.kind) and (not args.line or s.line in args.line)]
        if args.list:
            for s in sorted(chosen, key=lambda s: (s.path, s.start)):
                say(f"{s.path}:{s.line} {s.function} {s.kind}\n- {s.before}\n+ {s.after}")
            return 0
        names = {path: order(project, rooms, path, args.every) for path in files}
        for path in [path for path in files if not names[path]]:
            out = sum(site.path == path for site in chosen)
            say(f"  {path}: no unit test has it in its program, {out} mutants left out")
        chosen = [site for site in chosen if names[site.path]]
        trees = copies(project)
        outcome = work(trees, chosen, len(chosen) if args.all else args.count, names.__getitem__,
                       accepted, say)
    except (Failed, ValueError, subprocess.TimeoutExpired) as e:
        sys.exit(f"mutants: {e}")
    show(outcome, project, say)
    return 0


if __name__ == "__main__":
    sys.exit(main())
