#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""firstlight against a server that is none of ours, or means harm: what it says is bounded, checked and
never runs on the terminal."""
import json
import sys
import threading

from _standin import DONE, REFUSED, TOKEN, UNREACHABLE, Appliance, Raw, main, run, run_on_terminal

MIB = 1 << 20
LOTS = 70 * MIB
PROGRESS_S = 1.5  # seconds; it would be shown from 1 s on
LATE_S = 60


def http(body, status="200 OK", length=None, *more):
    head = [f"HTTP/1.1 {status}", *more] + ([] if length is None else [f"Content-Length: {length}"])
    return "\r\n".join([*head, "", ""]).encode() + body


def answer(body, status="200 OK"):
    return http(body, status, len(body))


def rpc(**members):
    return answer(json.dumps(members).encode())


OK = {"jsonrpc": "2.0", "id": 1}
# name, bytes of the answer, words that must be said
NOT_JSON_RPC = (
    ("garbage", b"\x00\xff" * 100, "cannot reach"),
    ("ssh", b"SSH-2.0-OpenSSH_9.2\r\n", "cannot reach"),
    ("nothing", b"", "cannot reach"),
    ("half-head", b"HTTP/1.1 200 OK\r\nContent-Le", "http://127.0.0.1"),
    ("html", answer(b"<html>"), "not JSON"),
    ("empty", answer(b""), "not JSON"),
    ("array", answer(b"[]"), "not JSON-RPC"),
    ("number", answer(b"5"), "not JSON"),
    ("no-version", rpc(id=1, result=1), "not JSON-RPC"),
    ("version", rpc(jsonrpc="1.0", id=1, result=1), "not JSON-RPC"),
    ("other-id", rpc(**(OK | {"id": 2}), result=1), "not JSON-RPC"),
    ("string-id", rpc(**(OK | {"id": "1"}), result=1), "not JSON-RPC"),
    ("neither", rpc(**OK), "not JSON-RPC"),
    ("both", rpc(**OK, result=1, error={"message": "x"}), "not JSON-RPC"),
    ("error", rpc(**OK, error=5), "not JSON-RPC"),
    ("message", rpc(**OK, error={"message": 5}), "not JSON-RPC"),
    ("twice", answer(b'{"jsonrpc":"2.0","id":1,"result":1,"result":2}'), "duplicate"),
    ("deep", answer(b"[" * 100000), "not JSON"),
    ("invalid-utf8", answer(b'{"jsonrpc":"2.0","id":1,"result":"\xff"}'), "not JSON"),
    ("nul", answer(b'{"jsonrpc":"2.0","id":1,"result":"\\u0000"}'), "not JSON"),
    ("short", http(b"{}", length=100), "cannot reach"),
    ("minus", http(b"{}", length=-1), "cannot reach"),
    ("chunks", http(b"zz\r\n{}\r\n", "200 OK", None, "Transfer-Encoding: chunked"), "cannot reach"),
    ("chunk-large", http(b"ffffffffffffffff\r\n{}", "200 OK", None, "Transfer-Encoding: chunked"),
     "cannot reach"),
)


def not_an_appliance(t):
    for name, data, words in NOT_JSON_RPC:
        with Raw(data) as server:
            t.ended(f"none.{name}", run("rpc", "m", url=server.url), UNREACHABLE, words)
    for name, data, words in (("forbidden", answer(b"", "403 Forbidden"), "HTTP status 403"),
                              ("problem", answer(b'{"detail":5}', "421 M"), "status 421"),
                              ("words", answer(b'{"detail":"\\u001b[2J"}', "421 M"), "\\x1b[2J")):
        with Raw(data) as server:
            t.ended(f"none.{name}", run("rpc", "m", url=server.url), REFUSED, words)
    # JSON-RPC has null as the id of what could not be read.
    with Raw(rpc(**(OK | {"id": None}), error={"code": -32700, "message": "parse error"})) as server:
        t.ended("none.null-id", run("rpc", "m", url=server.url), REFUSED, "parse error")


def redirect(t):
    """The token goes to nobody else."""
    with Appliance() as elsewhere:
        elsewhere.methods["m"] = 1
        for status in ("301 Moved", "302 Found", "307 Temporary", "308 Permanent"):
            with Raw(http(b"", status, 0, f"Location: {elsewhere.url}/rpc")) as server:
                t.ended(f"redirect.{status[:3]}", run("rpc", "m", url=server.url, token=TOKEN), REFUSED,
                        f"HTTP status {status[:3]}")
        t.equal("redirect.not-followed", (elsewhere.asked, elsewhere.headers), ([], []))


def sizes(t):
    """More than it may be is noticed while it comes, and never kept."""
    piece = b"x" * MIB
    chunk = b"%x\r\n" % MIB + piece + b"\r\n"
    for name, head, body in (("announced", http(b"", length=LOTS), piece), ("until-close", http(b""), piece),
                             ("chunked", http(b"", "200 OK", None, "Transfer-Encoding: chunked"), chunk)):
        with Raw(head, *[body] * 70) as server:
            t.ended(f"size.{name}", run("logs", url=server.url), UNREACHABLE, "longer than 65536 KiB")
        with Raw(head, *[body] * 10) as server:
            t.ended(f"size.{name}-json", run("rpc", "m", url=server.url), UNREACHABLE, "longer than 8192 KiB")
    with Raw(http(b""), *[piece] * 64) as server:
        ended = run("logs", url=server.url, text=False)
        t.ok("size.most", ended.returncode == DONE and len(ended.stdout) == 64 * MIB, ended.stderr)
    header = b"X-A: " + b"a" * 8000 + b"\r\n"
    with Raw(b"HTTP/1.1 200 OK\r\n", *[header] * 20) as server:
        t.ended("size.head", run("logs", url=server.url), UNREACHABLE,
                "the head of the answer is longer than 64 KiB")
    with Raw(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 5000) as server:
        t.ended("size.continue", run("logs", url=server.url), UNREACHABLE, "the head of the answer is longer")
    # What is packed stays packed: nothing was asked for, nothing is blown up.
    with Raw(http(b"\x1f\x8b" + b"x" * 20, "200 OK", 22, "Content-Encoding: gzip")) as server:
        ended = run("logs", url=server.url, text=False)
        t.ok("size.packed", ended.stdout == b"\x1f\x8b" + b"x" * 20, ended.stderr)


def slow(t):
    """An answer that begins and never ends."""
    with Raw(http(b"{", length=100), hold=True) as server:
        t.ended("slow.body", run("--timeout", "0.3", "rpc", "m", url=server.url), UNREACHABLE, "timed out")


def progress(t):
    """A terminal sees that it takes its time; a file sees nothing of it."""
    release = threading.Event()

    def late(_params):
        release.wait(LATE_S)
        return {"state": "ready", "attempts": {}}

    def seen(got):
        if b"gpu.boot ... " in got:
            release.set()

    with Appliance() as a:
        a.methods["gpu.boot"] = late
        status, got = run_on_terminal("boot", url=a.url, on_data=seen)
        t.ok("progress.shown", status == DONE and release.is_set() and got.endswith(b"\x1b[Kready\r\n"), got)
        t.equal("progress.quick", run_on_terminal("boot", url=a.url)[1], b"ready\r\n")
        release.clear()
        timer = threading.Timer(PROGRESS_S, release.set)
        a.methods["gpu.boot"] = lambda params: timer.start() or late(params)
        t.equal("progress.file", run("boot", url=a.url).stderr, "")


if __name__ == "__main__":
    sys.exit(main("hostile", not_an_appliance, redirect, sizes, slow, progress))
