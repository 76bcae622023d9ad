#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Firstlight beside Debian's Linux with nginx: the same QEMU, firmware, stick and network card, by turns in one run.

    beside_nginx.py [--rounds N] [--seconds S]

From the firmware's hand-off ("BdsDxe: starting" on the serial line) to the first byte of an answer, requests a
second on 1 and 8 connections, and bytes a second of a large object (nginx: sendfile). The goals are against nginx with
a file of three bytes, whatever is asked of us; beside it stands nginx with a file as long as our answer. The page comes
as browsers get it, compressed. What is slow is the emulator: ratios count."""
import argparse
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TOP / "images"), str(TOP / "images/toolroot"), str(Path(__file__).parent)]
import bench  # noqa: E402
import nginx  # noqa: E402
from cache import SetupError  # noqa: E402
from launch import Machine, make_image  # noqa: E402

OUT = TOP / "build/bench-nginx.json"
HAND_OFF = b"BdsDxe: starting"
MEMORY_MIB = 512
FIRST_S = 100
CONNECTIONS = (1, 8)
LARGE = f"/api/v1/speed?bytes={nginx.LARGE_MIB << 20}"
OURS = ("/healthz", "/api/v1/status", "/", "/metrics")
# What is asked for: times as many requests as nginx's, on 1 and on 8 connections.
GOALS = {"/healthz": (8, 12), "/api/v1/status": (5, 5), "/": (5, 5), "/metrics": (4, 4)}
GOAL_FIRST, GOAL_LARGE = 150, 1.5
NAMES = {"/": "page", "/healthz": "healthz", "/api/v1/status": "status", "/metrics": "metrics"}


class Watch:
    """Notes when the firmware hands over; takes the serial line as it comes."""
    def __init__(self):
        self.seen, self.at_s = b"", None

    def write(self, data):
        now_s = time.monotonic()
        self.seen = (self.seen + data)[-4096:]
        if self.at_s is None and HAND_OFF in self.seen:
            self.at_s = now_s

    def flush(self):
        pass


def boot(image, work):
    """ms from the hand-off to the first answer, and what work(machine) gives."""
    watch = Watch()
    with Machine(image, chips=[], memory_mib=MEMORY_MIB, echo=watch) as m:
        while watch.at_s is None:  # the firmware alone takes seconds: no need to look more often
            m.check()
            time.sleep(0.005)
        begin_s = watch.at_s
        begun_s = time.monotonic()
        first = bench.load(m.http_port, "/healthz", "--first", FIRST_S)
        first_ms = 1000 * (begun_s - begin_s + first["seconds"])
        return first_ms, work(m)


def rates(port, path, seconds):
    """Requests a second for each number of connections; bytes of one answer's body."""
    done = [bench.load(port, path, "--seconds", seconds, "--connections", n) for n in CONNECTIONS]
    return [d["per_second"] for d in done], done[0]["bytes"] // done[0]["ok"]


def megabytes(port, path, seconds):
    done = bench.load(port, path, "--seconds", seconds)
    return done["bytes"] / done["seconds"] / 1e6


def linux(seconds, sizes):
    """sizes: bytes of our answers, by path."""
    def work(m):
        m.wait_serial("FL:serving", FIRST_S)
        small, _ = rates(m.http_port, nginx.SMALL, seconds)
        same = {path: rates(m.http_port, nginx.sized(size), seconds)[0] for path, size in sizes.items()}
        return small, same, megabytes(m.http_port, nginx.LARGE, seconds)
    return work


def firstlight(seconds):
    def work(m):
        return ({path: rates(m.http_port, path, seconds) for path in OURS}, megabytes(m.http_port, LARGE, seconds))
    return work


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2, help="of each load")
    args = parser.parse_args()
    try:
        theirs = nginx.image()
    except SetupError as e:
        sys.exit(f"beside_nginx: {e}")
    ours = make_image(bench.STICK, chips=["ga102"])
    first = {"linux": [], "firstlight": []}
    small, same, large, answers, sent = [], [], [], [], []
    for n in range(args.rounds):
        print(f"round {n + 1} of {args.rounds} ...", file=sys.stderr, flush=True)
        ms, (got, rate) = boot(ours, firstlight(args.seconds))
        first["firstlight"].append(ms)
        answers.append({path: r for path, (r, _) in got.items()})
        sent.append(rate)
        sizes = {path: size for path, (_, size) in got.items() if path != nginx.SMALL}
        ms, (got, alike, rate) = boot(theirs, linux(args.seconds, sizes))
        first["linux"].append(ms)
        small.append(got)
        same.append(alike)
        large.append(rate)
    linux_ms, ours_ms = bench.median(first["linux"]), bench.median(first["firstlight"])
    bench.record("first_answer_nginx", linux_ms, "ms", "Firstlight's", ours_ms)
    bench.record("first_answer_times_sooner", linux_ms / ours_ms, "times", f"goal: {GOAL_FIRST}", GOAL_FIRST)
    bench.record("first_answer_firstlight", ours_ms, "ms", "nginx on Linux", linux_ms)
    for k, n in enumerate(CONNECTIONS):
        base = bench.median(r[k] for r in small)
        bench.record(f"nginx_requests_per_second_{n}", base, "1/s", "itself", base)
        for path in OURS:
            rate = bench.median(a[path][k] for a in answers)
            goal = GOALS[path][k]
            bench.record(f"{NAMES[path]}_requests_per_second_{n}", rate, "1/s", f"nginx; goal: {goal} times", base)
            if path in sizes:
                alike = bench.median(s[path][k] for s in same)
                bench.record(f"{NAMES[path]}_like_for_like_{n}", rate, "1/s",
                             f"nginx with a file of {sizes[path] >> 10} KiB", alike)
    base = bench.median(large)
    bench.record("large_megabytes_per_second", bench.median(sent), "MB/s",
                 f"nginx with sendfile; goal: {GOAL_LARGE} times", base)
    bench.show(OUT)


if __name__ == "__main__":
    main()
