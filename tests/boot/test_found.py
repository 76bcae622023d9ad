#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Found without being told, with Linux and Debian's avahi as judges: the appliance's name and services by
mDNS, its addresses of both families, and another name when somebody has the first; the time from an NTP server,
and the log at a syslog server. In a network of its
own (_namespace.py), which needs root; skipped without.

    test_found.py [virtio|e1000e]...     only on these cards
"""
import http.client
import json
import re
import socket
import struct
import sys
import threading

from _harness import Test, image
from _namespace import HERE, TAP, THERE, Network, enter, run, wait

NAME = "firstlight-123456"  # QEMU's first card is 52:54:00:12:34:56
LINK_LOCAL = "fe80::5054:ff:fe12:3456"
SYSLOG_PORT = 5514
CONF = (f"ip = {THERE}/24\ngateway = {HERE}\ntls = yes\ntoken = t0ken\nntp = {HERE}\n"
        f"syslog = {HERE}:{SYSLOG_PORT}\n")
NTP_PORT, NTP_BYTES, NTP_1900_S = 123, 48, 2208988800  # RFC 4330
NOW_S = 1800000000  # what our time server says: 2027-01-15T08:00:00Z
# RFC 5424, 6: HEADER and the structured data that we send (none).
SYSLOG = re.compile(r"<(\d{1,3})>1 (-|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) ([!-~]{1,255}) ([!-~]{1,48}) "
                    r"([!-~]{1,128}) ([!-~]{1,32}) -(?: (.*))?")
BOOT_S, FOUND_S, HTTP_S, POLL_S = 120, 60, 30, 0.2


def services(kind):
    """What avahi-browse resolves: {(family of the wire, name, host, port): (address, texts)}."""
    found = {}
    for line in run("avahi-browse", "-rpt", kind, check=False).splitlines():
        part = line.split(";")
        if part[0] == "=" and part[1] == TAP:
            found[part[2], part[3], part[6], int(part[8])] = part[7], sorted(re.findall(r'"([^"]*)"', part[9]))
    return found


def get(address, path, host=None):
    connection = http.client.HTTPConnection(address, 80, timeout=HTTP_S)
    try:
        connection.request("GET", path, headers={"Host": host} if host else {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def answers():
    try:
        return get(THERE, "/healthz")[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def judge(t, nic, name):
    """Names and services, as avahi sees them over both families."""
    for kind, port in (("_http._tcp", 80), ("_https._tcp", 443)):
        for family in ("IPv4", "IPv6"):
            address, texts = wait(f"{name} by {family} in avahi-browse {kind}", lambda f=family, k=kind, p=port:
                                  services(k).get((f, name, f"{name}.local", p)), FOUND_S)
            t.ok(f"{nic}-{kind}-{family}", address in (THERE, LINK_LOCAL) and texts == ["path=/", "product=Firstlight", "txtvers=1"],
                 f"{address} {texts}")
    t.holds(f"{nic}-resolves-6", run("avahi-resolve", "-6", "-n", f"{name}.local"), LINK_LOCAL)
    t.holds(f"{nic}-resolves", run("avahi-resolve", "-4", "-n", f"{name}.local"), THERE)
    t.equal(f"{nic}-host", get(THERE, "/healthz", f"{name}.local")[0], 200)
    t.equal(f"{nic}-host-of-another", get(THERE, "/healthz", "another.local")[0], 421)
    card = json.loads(get(THERE, "/api/v1/status")[1])["network"][0]
    t.equal(f"{nic}-status", (card["name"], card["addresses"]), (f"{name}.local", [THERE, LINK_LOCAL]))


def judge_ip6(t, nic):
    """The kernel's IPv6 reaches it: neighbour discovery, TCP, large answers, echoes."""
    scoped = f"{LINK_LOCAL}%{TAP}"
    t.equal(f"{nic}-ip6", get(scoped, "/healthz", f"[{LINK_LOCAL}]")[0], 200)
    t.equal(f"{nic}-ip6-large", len(get(scoped, "/api/v1/speed?bytes=100000", f"[{LINK_LOCAL}]")[1]), 100000)
    t.holds(f"{nic}-neighbour", run("ip", "-6", "neigh", "show", "dev", TAP), LINK_LOCAL,
            "52:54:00:12:34:56")


def serve_time(stop):
    """A time server that is right about NOW_S."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((HERE, NTP_PORT))
        s.settimeout(POLL_S)
        while not stop.is_set():
            try:
                question, peer = s.recvfrom(NTP_BYTES)
            except TimeoutError:
                continue
            stamp = struct.pack(">II", NOW_S + NTP_1900_S, 0)
            s.sendto(struct.pack(">BBbbII4s", 4 << 3 | 4, 1, 6, -20, 0, 0, b"TEST") + stamp + question[40:48] +
                     stamp * 2, peer)


def take_log(stop, messages):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((HERE, SYSLOG_PORT))
        s.settimeout(POLL_S)
        while not stop.is_set():
            try:
                messages.append(s.recv(65535).decode())
            except TimeoutError:
                pass


def judge_services(t, nic, messages):
    """The time that our server said, and the log as messages that the grammar takes."""
    state = wait("the time", lambda: (s := json.loads(get(THERE, "/api/v1/status")[1]))["time"]["syncs"] and s,
                 FOUND_S)
    t.ok(f"{nic}-time", 0 <= state["appliance"]["unix_time"] - NOW_S < FOUND_S + BOOT_S, state["time"])
    t.equal(f"{nic}-time-server", state["time"]["server"], HERE)
    wait("the log", lambda: any("time 2027-01-15T08:00:" in m for m in messages), FOUND_S)
    parsed = [SYSLOG.fullmatch(m) for m in messages]
    t.ok(f"{nic}-syslog-grammar", all(parsed), [m for m, p in zip(messages, parsed) if not p][:1])
    t.ok(f"{nic}-syslog-from-the-start", any(p and p[7].startswith("Firstlight ") for p in parsed), messages[:1])
    t.ok(f"{nic}-syslog-no-token", not any("t0ken" in m for m in messages))
    target = json.loads(get(THERE, "/api/v1/sd")[1])
    t.equal(f"{nic}-http-sd", [g["targets"] for g in target], [[f"{THERE}:80"]])


def main():
    cards = sys.argv[1:] or ["virtio", "e1000e"]
    enter(__file__, "found", "avahi-daemon", "avahi-browse", "avahi-resolve", "avahi-publish", "dbus-daemon")
    with Test("found") as t, Network() as net:
        net.avahi()
        disk = image("found", CONF)
        stop, messages = threading.Event(), []
        for service in ((serve_time, stop), (take_log, stop, messages)):
            threading.Thread(target=service[0], args=service[1:], daemon=True).start()
        for nic in cards:
            name = NAME
            messages.clear()
            if nic == "e1000e":  # somebody has the name already
                net.start("avahi-publish", "-a", "-R", f"{NAME}.local", "10.9.0.77")
                wait("the other one", lambda: "10.9.0.77" in run(
                    "avahi-resolve", "-4", "-n", f"{NAME}.local", check=False), FOUND_S)
                name = f"{NAME}-2"
            with t.machine(disk, chips=[], nic=nic, netdev=net.netdev) as m:
                wait("the appliance", lambda: m.check() or answers(), BOOT_S)
                judge(t, nic, name)
                judge_ip6(t, nic)
                judge_services(t, nic, messages)
                t.holds(f"{nic}-log", m.serial, f"found as {name}.local", f"address {LINK_LOCAL}")


if __name__ == "__main__":
    main()
