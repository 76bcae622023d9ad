#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""firstlight watch: it sees what changes, told or not, waits for an appliance that starts again, and ends in
good order."""
import json
import os
import pty
import queue
import signal
import subprocess
import sys
import threading

from _standin import (DONE, NEEDS_TOKEN, PROGRAM, RUN_S, UNREACHABLE, USAGE, Appliance, Running, main, problem,
                      run)
from _status import gpu, sensors, status

LINE = "GPU 0  {}  42C P8  31W / 350W  512MiB / 24576MiB  7%\n"
LONG = ("--interval", "600")  # nothing is seen but what is told
SHORT = ("--interval", "0.1")


class Changing:
    """A status that a test changes, and the stream that tells of it."""

    def __init__(self, appliance, tells=True):
        self.events, self.value = queue.Queue(), status(gpu())
        self.refused = None  # in the place of the status
        appliance.paths["/api/v1/status"] = lambda: self.refused or (
            200, "application/json", json.dumps(self.value).encode())
        if tells:
            appliance.paths["/api/v1/events"] = lambda: (200, "text/event-stream", iter(self.events.get, None))

    def set(self, *gpus, **more):
        self.value = status(*gpus, **more)
        self.events.put(b'event: changed\ndata: {"gpu":0,"generation":2}\n\n')


def lines(t):
    with Appliance() as a:
        changing = Changing(a)
        running = Running("watch", *LONG, url=a.url)
        t.equal("lines.first", running.line(), LINE.format("ready"))
        changing.set(gpu(state="booting", stages=[{"name": "frts", "state": "running"}]), gpu(1))
        t.equal("lines.told", running.line(), LINE.format("booting frts"))
        t.equal("lines.second", running.line(), LINE.format("ready").replace("0", "1", 1))
        changing.set(gpu(state="failed", error={"stage": "a\nb"}), gpu(1))
        t.equal("lines.only-changed", running.line(), LINE.format("failed a\\x0ab"))
        changing.set(gpu(sensors=None), gpu(1))
        t.equal("lines.no-sensors", running.line(), "GPU 0  ready  N/A N/A  N/A / N/A  512MiB / 24576MiB  N/A\n")
        running.interrupt()
        end = running.end()
        t.equal("lines.end", (end.returncode, end.stdout, end.stderr), (DONE, "", ""))
        changing = Changing(a)
        running = Running("watch", "--json", *LONG, url=a.url)
        t.equal("lines.json", json.loads(running.line()), changing.value)
        changing.set(gpu(), gpu(1))
        t.equal("lines.json-told", json.loads(running.line()), changing.value)
        running.child.send_signal(signal.SIGTERM)
        t.equal("lines.term", running.end().returncode, DONE)


def not_told(t):
    """An appliance without events is asked at the interval; a stream that breaks is opened again."""
    with Appliance() as a:
        changing = Changing(a, tells=False)
        running = Running("watch", *SHORT, url=a.url)
        running.line()
        changing.set(gpu(state="unloaded"))
        t.equal("asked.line", running.line(), LINE.format("unloaded"))
        running.interrupt()
        t.equal("asked.end", running.end().returncode, DONE)
        changing = Changing(a)
        running = Running("watch", *SHORT, url=a.url)
        running.line()
        changing.events.put(None)  # the end of the stream
        changing.set(gpu(state="unloaded"))
        t.equal("asked.broken", running.line(), LINE.format("unloaded"))
        while a.gets.count("/api/v1/events") < 4:  # two of them of the appliance above at least
            changing.set(gpu(sensors=sensors() | {"values": {}}))
            changing.events.put(None)
        running.interrupt()
        t.equal("asked.broken-end", running.end().returncode, DONE)


def restart(t):
    with Appliance() as a:
        changing = Changing(a)
        running = Running("watch", *SHORT, url=a.url)
        running.line()
        changing.refused = 503, "application/problem+json", problem(503, "starting")
        t.equal("restart.away", running.error_line(), "firstlight: starting; trying again\n")
        changing.value = status(gpu(state="booting"), uptime_ms=1000)
        changing.refused = None
        t.equal("restart.line", running.line(), LINE.format("booting"))
        t.equal("restart.said", running.error_line(), "firstlight: the appliance was started again, up 1 s\n")
        tries, enough = [], threading.Event()

        def busy():  # said once, however often it is tried
            tries.append(1)
            if len(tries) == 3:
                enough.set()
            return 503, "application/problem+json", problem(503, "busy")

        told, a.paths["/api/v1/status"] = a.paths["/api/v1/status"], busy
        running.error_line()
        enough.wait(RUN_S)
        a.paths["/api/v1/status"] = told
        t.equal("restart.back", running.error_line(), "firstlight: the appliance is back, up 1 s\n")
        changing.refused = 401, "application/problem+json", problem(401, "the token is wrong")
        t.ended("restart.token", running.end(), NEEDS_TOKEN, "the token is wrong")
        # Its server goes altogether, and Ctrl-C ends the waiting.
        changing.refused = None
        running = Running("watch", *SHORT, url=a.url)
        running.line()
        a.paths["/api/v1/status"] = lambda: 1 / 0  # ends the connection without an answer
        t.ok("restart.gone", "cannot reach" in (line := running.error_line()), line)
        running.interrupt()
        t.equal("restart.gone-end", running.end().returncode, DONE)


def at_first(t):
    t.ended("first.nobody", run("watch"), UNREACHABLE, "cannot reach")
    for value in ("0", "601", "x"):
        t.ended(f"first.interval-{value}", run("watch", "--interval", value), USAGE, "0.1 to 600")
    t.ended("first.elsewhere", run("boot", "--interval", "1"), USAGE, "--interval has no place")


def terminal(t):
    """Drawn in place on the second screen; afterwards the first is as it was, with the last state on it."""
    with Appliance() as a:
        changing = Changing(a)
        master, slave = pty.openpty()
        child = subprocess.Popen([PROGRAM, "--host", a.url, "watch", *LONG], stdin=slave, stdout=slave,
                                 stderr=slave)
        os.close(slave)
        got = b""

        def until(words):
            nonlocal got
            while words not in got:
                got += os.read(master, 65536)

        until(b"| ready ")
        until(b"\x1b[J")
        t.ok("terminal.enter", got.startswith(b"\x1b[?1049h\x1b[?25l\x1b[H+-") and b"|\x1b[K\r\n" in got, got)
        changing.set(gpu(name="\x1b[2J"), gpu(1, state="unloaded"))
        until(b"| unloaded ")
        t.ok("terminal.again", got.count(b"\x1b[H") == 2 and b"\\x1b[2J" in got and b"\x1b[2J" not in got, got)
        child.send_signal(signal.SIGINT)
        until(b"\x1b[?25h\x1b[?1049l")
        rest = got.split(b"\x1b[?1049l")[1]
        while data := read(master):
            rest += data
        t.equal("terminal.status", child.wait(RUN_S), DONE)
        t.ok("terminal.left", rest.startswith(b"+-") and b"| unloaded " in rest and b"\x1b" not in rest, rest)
        os.close(master)


def read(master):
    try:
        return os.read(master, 65536)
    except OSError:  # EIO: the other end is closed
        return b""


if __name__ == "__main__":
    sys.exit(main("watch", lines, not_told, restart, at_first, terminal))
