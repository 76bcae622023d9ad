#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A client that listens to /api/v1/events while the machine boots hears every stage as it happens, goes on where it was
after it was away, and hears that the card is pulled."""
import http.client
import json
import time

from _harness import Test, image

LISTEN_S = 90


def stream(m, last_id=None):
    """Events (id, name, data) of a new connection, for as long as it lasts."""
    client = http.client.HTTPConnection("127.0.0.1", m.http_port, timeout=20)  # longer than a keep-alive
    client.request("GET", "/api/v1/events", headers={"Last-Event-ID": str(last_id)} if last_id else {})
    answer = client.getresponse()
    assert answer.getheader("Content-Type") == "text/event-stream", answer.getheaders()
    event, end = {}, time.monotonic() + LISTEN_S
    while time.monotonic() < end:
        line = answer.readline().decode().rstrip("\n")
        if line:
            field, _, value = line.partition(": ")
            event[field] = value
        elif "data" in event:
            yield int(event.get("id", 0)), event["event"], json.loads(event["data"])
            event = {}
        else:
            event = {}


def until(events, heard, name, **wanted):
    """Adds what comes to heard; true once an event of this name has these members."""
    for event in events:
        heard.append(event)
        if event[1] == name and all(event[2].get(k) == v for k, v in wanted.items()):
            return True
    return False


with Test("events") as test, test.machine(image("plain")) as m:
    m.wait_http()
    heard = []
    test.ok("ready", until(stream(m), heard, "state", state="ready"))
    status = m.json("/api/v1/status")
    ended = [e[2] for e in heard if e[1] == "stage" and e[2]["state"] != "running"]
    test.equal("stages", [(e["stage"], e["state"], e["us"]) for e in ended],
               [(s["name"], s["state"], s["us"]) for s in status["gpus"][0]["stages"]])
    test.ok("address", any(e[1] == "address" and e[2]["address"] == "10.0.2.15" for e in heard), heard[:5])
    card = "fe80::5054:ff:fe12:3456"  # QEMU's first one is 52:54:00:12:34:56
    test.ok("address6", until(stream(m), [], "address", address=card, lost=None))
    kept = [e for e in heard if e[0]]
    ids = [e[0] for e in kept]
    test.equal("ids", ids, list(range(ids[0], ids[0] + len(ids))))
    test.ok("clock", abs(ids[0] / 1000 - time.time()) < 24 * 3600, f"{ids[0]} at {time.time()}")

    cut = len(kept) // 2  # as if it had been cut off there
    again = []
    test.ok("resumed", until(stream(m, ids[cut]), again, "state", state="ready"))
    test.equal("nothing-twice", [e for e in again if e[0]], kept[cut + 1:])

    m.pull_card()
    pulled = []
    test.ok("failed", until(stream(m, ids[-1]), pulled, "state", state="failed"), pulled)
    test.ok("xid", any(e[1] == "xid" and e[2]["xid"] == 79 and "fallen off the bus" in e[2]["meaning"] for e in pulled), pulled)
    test.ok("link", any(e[1] == "link" and e[2]["up"] is False and e[2]["gpu"] == 0 for e in pulled), pulled)
    xids = m.json("/api/v1/status")["gpus"][0]["xid"]["numbers"]
    test.equal("counted", [(x["xid"], x["count"]) for x in xids], [(79, 1)])
