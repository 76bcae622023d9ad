#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""firstlight discover: a responder on 127.0.0.1 answers in the network's place (FIRSTLIGHT_MDNS)."""
import json
import socket
import struct
import sys
import threading

from _standin import DONE, TOKEN, UNREACHABLE, USAGE, Appliance, main, run

SERVICE = "_http._tcp.local"
QUERY = b"\0\0\0\0\0\1\0\0\0\0\0\0\x05_http\x04_tcp\x05local\0\0\x0c\x80\x01"
A, PTR, TXT, SRV = 1, 12, 16, 33
QUICK = ("--timeout", "0.5")


def name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".")) + b"\0"


def record(owner, kind, data):
    return name(owner) + struct.pack("!HHIH", kind, 0x8001, 10, len(data)) + data


def answer(instance, port, *more, host=None, address="127.0.0.1", flags=0x8400):
    """What an appliance says; without an address: no record of it."""
    host = host or f"{instance}.local"
    records = [record(SERVICE, PTR, name(f"{instance}.{SERVICE}")),
               record(f"{instance}.{SERVICE}", SRV, struct.pack("!HHH", 0, 0, port) + name(host)), *more]
    if address:
        records.append(record(host, A, socket.inet_aton(address)))
    return struct.pack("!HHHHHH", 0, flags, 0, len(records), 0, 0) + b"".join(records)


class Responder:
    """Answers every question with all of these messages."""

    def __init__(self, *messages):
        self.messages, self.asked = messages, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.where = f"127.0.0.1:{self.socket.getsockname()[1]}"

    def __enter__(self):
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.socket.sendto(b"", self.socket.getsockname())  # ends serve()

    def serve(self):
        while True:
            data, peer = self.socket.recvfrom(9000)
            if not data:
                break
            self.asked.append(data)
            for message in self.messages:
                self.socket.sendto(message, peer)

    def discover(self, *args, **more):
        return run("discover", *QUICK, *args, env={"FIRSTLIGHT_MDNS": self.where}, **more)


def found(t):
    with Appliance() as a, Appliance() as b:
        port, other = a.server.server_port, b.server.server_port
        a.paths["/healthz"] = 200, "text/plain", b"degraded: Xid 48\x1b[2J\nmore"
        b.paths["/healthz"] = 503, "text/plain", b"GPU 0 failed\n"
        product = record(f"bench-7.{SERVICE}", TXT, b"\6path=/\x12product=Firstlight")
        messages = [answer("firstlight-0a0b0c", port), answer("firstlight-0a0b0c", port),
                    answer("bench-7", other, product, address=None), answer("printer", 9), b"\0" * 40, b"\xff" * 9000,
                    answer("firstlight-q", 7, flags=0)]
        with Responder(*messages) as r:
            ended = r.discover("--json", token=TOKEN)
            t.ended("found.status", ended, DONE)
            t.equal("found.json", json.loads(ended.stdout), [
                {"name": "firstlight-0a0b0c.local", "address": "127.0.0.1", "url": a.url,
                 "state": "degraded: Xid 48\\x1b[2J"},
                {"name": "bench-7.local", "address": "127.0.0.1", "url": b.url, "state": "GPU 0 failed"}])
            t.equal("found.query", set(r.asked), {QUERY})
            t.ok("found.no-token", all("Authorization" not in h for h in a.headers + b.headers), a.headers)
            lines = r.discover().stdout.splitlines()
            t.equal("found.lines", [line.split() for line in lines], [
                ["firstlight-0a0b0c.local", "127.0.0.1", a.url, "degraded:", "Xid", "48\\x1b[2J"],
                ["bench-7.local", "127.0.0.1", b.url, "GPU", "0", "failed"]])
        del a.paths["/healthz"]
        with socket.create_server(("127.0.0.1", 0)) as listener:
            free = listener.getsockname()[1]
        with Responder(answer("firstlight-x\x1b", port), answer("FirstLight", free)) as r:
            t.equal("found.states", [(x["name"], x["state"]) for x in json.loads(r.discover("--json").stdout)],
                    [("firstlight-x\\027.local", "no appliance answers there"),
                     ("FirstLight.local", "cannot be reached")])
        # Port 80 is not named, and there are 64 at most.
        with Responder(answer("firstlight", 80, address="127.0.0.9")) as r:
            t.equal("found.port", json.loads(r.discover("--json").stdout)[0]["url"], "http://127.0.0.9")
        with Responder(*[answer("firstlight", free, address=f"127.0.1.{i}") for i in range(70)]) as r:
            t.equal("found.most", len(json.loads(r.discover("--json").stdout)), 64)


def nobody(t):
    with Responder() as r:
        t.ended("nobody.silent", r.discover(), UNREACHABLE, "no appliance answers on this network within 0.5 s")
    with Responder(answer("printer", 80)) as r:
        t.ended("nobody.printer", r.discover(), UNREACHABLE, "no appliance answers")
    for where in ("x", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:5x", "[::1]:5", "300.0.0.1:5"):
        t.ended(f"nobody.usage-{where}", run("discover", *QUICK, env={"FIRSTLIGHT_MDNS": where}), USAGE,
                "expected ADDRESS:PORT")


if __name__ == "__main__":
    sys.exit(main("discover", found, nobody))
