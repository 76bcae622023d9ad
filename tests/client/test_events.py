#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""firstlight events: what is kept, and the stream: its form, its ends, and what comes back after one."""
import json
import sys
import threading

from _standin import (DONE, NEEDS_TOKEN, REFUSED, UNREACHABLE, USAGE, Appliance, Running, main, problem, run)

KEPT = [
    {"id": 7, "event": "address", "at_ms": 12, "text": "address 10.0.2.15", "nic": 0, "address": "10.0.2.15"},
    {"id": 8, "event": "stage", "at_ms": 412, "gpu": 0, "text": "stage frts: ok", "stage": "frts",
     "state": "ok", "us": 3120},
    {"id": 9, "event": "xid", "at_ms": 61000, "gpu": 1, "text": "Xid 48\x1b[2J", "xid": 48, "count": 3,
     "meaning": "double bit ECC error", "action": "reset it"}]
LINES = ["[     0.012]        address  address 10.0.2.15\n",
         "[     0.412] GPU 0  stage    stage frts: ok\n",
         "[    61.000] GPU 1  xid      Xid 48\\x1b[2J (3 times); try: reset it\n"]
TYPE = "text/event-stream"


def sse(event, end="\n"):
    """One event as the appliance writes it."""
    rest = {k: v for k, v in event.items() if k not in ("id", "event")}
    lines = [f"id: {event['id']}"] if "id" in event else []
    return end.join([*lines, f"event: {event['event']}", f"data: {json.dumps(rest)}", "", ""]).encode()


def kept(a, events, path="/api/v1/events?format=json", lost=0):
    a.paths[path] = 200, "application/json", json.dumps(
        {"events": events, "next": 9, "lost": lost}).encode()


def streams(a, *bodies, path="/api/v1/events"):
    """Each listener gets the next of these bodies; the last one is for all that come later."""
    left = list(bodies)
    a.paths[path] = lambda: (200, TYPE, iter(left.pop(0) if len(left) > 1 else left[0]))


def once(t):
    with Appliance() as a:
        kept(a, KEPT)
        t.equal("once.lines", run("events", url=a.url).stdout, "".join(LINES))
        t.equal("once.once", run("events", "--once", url=a.url).stdout, "".join(LINES))
        out = run("events", "--json", url=a.url).stdout
        t.equal("once.json", [json.loads(line) for line in out.splitlines()], KEPT)
        t.equal("once.kind", run("events", "--kind", "xid", "--kind", "stage", url=a.url).stdout,
                "".join(LINES[1:]))
        t.equal("once.no-kind", run("events", "--kind", "note", url=a.url).stdout, "")
        a.methods["gpu.list"] = [{"index": i, "pci": f"0000:0{i}:00.0", "uuid": f"GPU-{i}"} for i in range(3)]
        t.equal("once.gpu", run("events", "--gpu", "GPU-1", url=a.url).stdout, LINES[2])
        t.equal("once.no-gpu", run("events", "--gpu", "2", url=a.url).stdout, "")
        t.ended("once.wrong-gpu", run("events", "--gpu", "5", url=a.url), REFUSED, "no GPU 5")
        kept(a, KEPT[2:], "/api/v1/events?format=json&after=8", 5)
        ended = run("events", "--after", "8", url=a.url)
        t.ok("once.after", ended.stdout == LINES[2] and "5 more had been forgotten" in ended.stderr, ended)
        for name, args, words in (("kind", ["--kind", "xdi"], "nearest: xid"),
                                  ("both", ["--follow", "--once"], "either"),
                                  ("after", ["--after", "-1"], "expected an id"),
                                  ("after-word", ["--after", "1x"], "expected an id"),
                                  ("after-large", ["--after", "9" * 17], "expected an id"),
                                  ("kinds", ["--kind", "xid"] * 17, "more than 16")):
            t.ended(f"once.usage-{name}", run("events", *args, url=a.url), USAGE, words)
        t.ended("once.elsewhere", run("boot", "--follow", url=a.url), USAGE, "-f has no place")
        kept(a, [5, None, {}, {"event": 5}, {"event": "note"}, {"event": "note", "at_ms": "x", "gpu": "y"}])
        t.ended("once.odd", run("events", url=a.url), DONE, "[         -]        note     {\"event\":\"note\"}")
        a.paths["/api/v1/events?format=json"] = 200, "application/json", b'{"events":5}'
        t.ended("once.none", run("events", url=a.url), UNREACHABLE, "tells of none")
        a.paths["/api/v1/events?format=json"] = 401, "application/problem+json", problem(401, "no")
        t.ended("once.token", run("events", url=a.url), NEEDS_TOKEN, "try ")


def followed(a, count, *args):
    """So many lines of a stream, and how it ended then."""
    running = Running("events", "--follow", *args, url=a.url)
    lines = [running.line() for _ in range(count)]
    running.interrupt()
    return lines, running.end()


def forever(*pieces, hold):
    """These, and then nothing, but comments, until the test is over."""
    yield from pieces
    while not hold.wait(0.05):
        yield b": keep-alive\n\n"


def follow(t):
    hold = threading.Event()
    quiet = [{"event": "changed", "gpu": 0, "generation": 5}, {"event": "sensors", "gpu": 0, "samples": 1}]
    with Appliance() as a:
        all_of_them = [sse(e) for e in KEPT[:2] + quiet + KEPT[2:]]
        for name, pieces in (("whole", [b"retry: 2000\n\n", *all_of_them]),
                             ("bytes", [bytes([b]) for b in b"".join(all_of_them)]),
                             ("cr", [sse(e, "\r") for e in KEPT]), ("crlf", [sse(e, "\r\n") for e in KEPT]),
                             ("mark", [b"\xef\xbb\xbf", *(sse(e | {"id": e["id"]}).split(b"\n", 1)[1] for e in KEPT)]),
                             ("comments", [b": x\n", b":\n\n", *all_of_them]),
                             ("odd", [b"event: note\ndata: [5]\n\n", b"event: note\ndata: {\n\n", b"data\n\n",
                                      b"event: note\n\n", b"id: 1\n\nevent: a\xff\ndata: {}\n\n", *all_of_them])):
            streams(a, forever(*pieces, hold=hold))
            lines, end = followed(a, 3)
            t.ok(f"follow.{name}", lines == LINES and end.returncode == DONE and end.stderr == "",
                 f"{lines} {end}")
        streams(a, forever(*all_of_them, hold=hold))
        lines, end = followed(a, 2, "--json", "--kind", "sensors", "--kind", "xid")
        t.equal("follow.json", [json.loads(line) for line in lines], [quiet[1], KEPT[2]])
        # Lines of data belong together.
        streams(a, forever(b'id: 4\nevent: note\ndata: {"text":\ndata:"a"}\n\n', hold=hold))
        t.equal("follow.two-lines", followed(a, 1)[0], ["[         -]        note     a\n"])
        hold.set()


def comes_back(t):
    """It goes on behind the last id that it saw, over an end, a refusal and a silence of the appliance."""
    hold = threading.Event()
    gap = {"event": "gap", "first": 3, "lost": 2}
    with Appliance() as a:
        streams(a, [b"retry: 10\n\n", sse(KEPT[0])])
        second = [(503, "application/problem+json", problem(503, "busy")), (200, TYPE, iter([sse(gap), sse(KEPT[1])]))]
        a.paths["/api/v1/events?after=7"] = lambda: second.pop(0)
        streams(a, forever(sse(KEPT[2]), hold=hold), path="/api/v1/events?after=8")
        running = Running("events", "--follow", url=a.url)
        lines = [running.line() for _ in range(4)]
        running.interrupt()
        end = running.end()
        t.equal("back.lines", [lines[0], *lines[2:]], LINES)
        t.ok("back.gap", lines[1].startswith("[         -]        gap ") and '"lost":2' in lines[1], lines)
        t.equal("back.asked", a.gets, ["/api/v1/events", "/api/v1/events?after=7", "/api/v1/events?after=7",
                                       "/api/v1/events?after=8"])
        t.ok("back.said", end.returncode == DONE and end.stderr.count("listening again") == 2, end.stderr)
        # A token that is asked for later ends it.
        a.paths["/api/v1/events?after=7"] = 401, "application/problem+json", problem(401, "the token is wrong")
        t.ended("back.token", run("events", "--follow", url=a.url), NEEDS_TOKEN, "the token is wrong")
        hold.set()


def at_first(t):
    """Before anything came, a failure is told at once."""
    with Appliance() as a:
        for name, answer, status, words in (
                ("busy", (503, "application/problem+json", problem(503, "16 listen")), REFUSED, "16 listen"),
                ("token", (401, "application/problem+json", problem(401, "no")), NEEDS_TOKEN, "no"),
                ("html", (200, "text/html", b"<html>"), UNREACHABLE, "the stream ended"),
                ("refusal", (500, "text/html", b"x" * 9000), REFUSED, "HTTP status 500"),
                ("line", (200, TYPE, b"x" * 70000), UNREACHABLE, "longer than 64 KiB"),
                ("data", (200, TYPE, (b"data: " + b"x" * 40000 + b"\n") * 2), UNREACHABLE, "longer than 64 KiB"),
                ("retry", (200, TYPE, b"retry: x\nid: " + b"9" * 40 + b"\ndata: 5\n\n"), UNREACHABLE, "ended")):
            a.paths["/api/v1/events"] = answer
            t.ended(f"first.{name}", run("events", "--follow", url=a.url), status, words)
    t.ended("first.nobody", run("events", "--follow", url=a.url), UNREACHABLE, "cannot listen to")


if __name__ == "__main__":
    sys.exit(main("events", once, follow, comes_back, at_first))
