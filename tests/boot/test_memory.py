#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whatever clients do to it, the appliance's memory is back where it was: thousands of connections in
turn, a corpus of requests that are none, downloads that nobody reads.

    test_memory.py [CONNECTIONS]      default 2000; the long form has 10000
"""
import json
import socket
import sys
import time

from _harness import TOP, Test, image

CONNECTIONS = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
DOWNLOADS = 64
PIPELINED = 40  # more than the sockets on the way can hold
BACK_S = 60       # for hangs, not for speed: closed connections linger for some seconds
ANSWER_S = 20
GET = b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n"
GROWTH = 1024  # bytes; of thousands of connections each's leak is more
LARGE = ("/api/v1/gpus/0/report", "/api/v1/gpus/0/flight", "/api/v1/log")
CORPUS = TOP / "tests/fuzz/corpus"


def malformed():
    """Requests that break a rule each, and what the fuzzers keep of theirs."""
    yield from (
        b"\r\n\r\n", b"GET", b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n", GET % (b"/" + b"a" * 9000, b""), GET % (b"/%00%ff%2e%2e/", b""),
        GET % (b"/", b"X: " + b"b" * 20000 + b"\r\n"), GET % (b"/", b"X: y\r\n" * 300),
        GET % (b"/", b"Host: other\r\n"), GET % (b"/", b" folded\r\n"), GET % (b"/", b"N\x00l: 1\r\n"),
        b"POST /rpc HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /rpc HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /rpc HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        b"POST /rpc HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n",
        b"POST /rpc HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"POST /rpc HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2000\r\n\r\n" + b"[" * 2000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), bytes(range(256)) * 8)
    for name in ("fuzz_http", "fuzz_rpc", "fuzz_tls"):
        for path in sorted((CORPUS / name).iterdir()):
            yield path.read_bytes()


def ask(port, request, read=True):
    """One connection; whatever comes is read to the end, or nothing is."""
    s = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S)
    try:
        s.sendall(request)
        s.shutdown(socket.SHUT_WR)
        while read and s.recv(65536):
            pass
    except OSError:
        pass  # it may hang up on us: that is an answer
    finally:
        s.close()


def books(m):
    """What is in use, of all that a connection takes."""
    status = json.loads(m.get("/api/v1/status")[1])
    memory = status["appliance"]["memory"]
    return {"memory": memory["used_bytes"], "heap": memory["heap_bytes"],
            "answers": status["appliance"]["http"]["memory_used"],
            "buffers": status["stack"]["buffers_used"]}


def settle(m):
    """Until all that comes by itself is there: the first round of sensors, a name, addresses of IPv6."""
    end = time.monotonic() + BACK_S
    while time.monotonic() < end:
        status = json.loads(m.get("/api/v1/status")[1])
        card = status["network"][0]
        if status["gpus"][0]["sensors"]["samples"] and card["name"] and len(card["addresses"]) > 1:
            return
        time.sleep(0.2)


def within(now, before):
    """Answers are kept for a moment, and their numbers get longer."""
    return all(now[k] <= before[k] + (GROWTH if k == "heap" else 0) for k in now)


def back(m, before):
    """The books once they are no more than before; they are looked at until then, or for BACK_S."""
    end = time.monotonic() + BACK_S
    while True:
        now = books(m)
        if within(now, before) or time.monotonic() > end:
            return now
        time.sleep(0.2)


with Test("memory") as test:
    with test.machine(image("memory", "")) as m:
        m.wait_http()
        m.wait_gpu()
        settle(m)
        for path in LARGE * 2:  # what is allocated once is there now
            m.request("GET", path)
        for request in malformed():
            ask(m.http_port, request)
        before = back(m, books(m))
        test.note(f"before: {before}")

        def balanced(name):
            now = back(m, before)
            test.ok(name, within(now, before), f"before {before}, now {now}")

        begin = time.monotonic()
        for _ in range(CONNECTIONS):
            ask(m.http_port, GET % (b"/healthz", b"Connection: close\r\n"))
        test.note(f"{CONNECTIONS} connections in {time.monotonic() - begin:.1f} s")
        balanced("in-turn")
        count = 0
        for request in malformed():
            ask(m.http_port, request)
            ask(m.http_port, request, read=False)
            count += 1
        test.ok("corpus", count > 30, count)
        balanced("malformed")
        readers = []
        for i in range(DOWNLOADS):
            s = socket.create_connection(("127.0.0.1", m.http_port), timeout=ANSWER_S)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.sendall(GET % (LARGE[i % len(LARGE)].encode(), b"") * PIPELINED)
            readers.append(s)
        held, end = books(m), time.monotonic() + ANSWER_S
        while held["answers"] == 0 and time.monotonic() < end:  # they are on their way
            held = books(m)
        test.note(f"with {DOWNLOADS} unread downloads: {held}")
        test.ok("held", held["heap"] > before["heap"] and held["answers"] > 0, held)
        test.equal("served-beside", m.get("/healthz")[0], 200)
        for s in readers:
            s.close()
        balanced("unread")
