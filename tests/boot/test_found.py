#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Found without being told, with Linux and Debian's avahi as judges: the appliance's name and services by
mDNS, its addresses of both families, and another name when somebody has the first. In a network of its
own (_namespace.py), which needs root; skipped without.

    test_found.py [virtio|e1000e]...     only on these cards
"""
import http.client
import json
import re
import subprocess
import sys

from _harness import Test, image
from _namespace import HERE, TAP, THERE, Network, enter, run, wait

NAME = "firstlight-123456"  # QEMU's first card is 52:54:00:12:34:56
LINK_LOCAL = "fe80::5054:ff:fe12:3456"
CONF = f"ip = {THERE}/24\ngateway = {HERE}\ntls = yes\ntoken = t0ken\n"
BOOT_S, FOUND_S, HTTP_S = 120, 60, 30


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
            t.ok(f"{nic}-{kind}-{family}", address in (THERE, LINK_LOCAL) and texts == ["path=/", "txtvers=1"],
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
    t.ok(f"{nic}-ip6-large", len(get(scoped, "/", f"[{LINK_LOCAL}]")[1]) > 10000)
    t.holds(f"{nic}-neighbour", run("ip", "-6", "neigh", "show", "dev", TAP), LINK_LOCAL,
            "52:54:00:12:34:56")


def main():
    cards = sys.argv[1:] or ["virtio", "e1000e"]
    enter(__file__, "found", "avahi-daemon", "avahi-browse", "avahi-resolve", "avahi-publish", "dbus-daemon")
    with Test("found") as t, Network() as net:
        net.avahi()
        disk = image("found", CONF)
        for nic in cards:
            name = NAME
            if nic == "e1000e":  # somebody has the name already
                net.start("avahi-publish", "-a", "-R", f"{NAME}.local", "10.9.0.77")
                wait("the other one", lambda: "10.9.0.77" in run(
                    "avahi-resolve", "-4", "-n", f"{NAME}.local", check=False), FOUND_S)
                name = f"{NAME}-2"
            with t.machine(disk, chips=[], nic=nic, netdev=net.netdev) as m:
                wait("the appliance", lambda: m.check() or answers(), BOOT_S)
                judge(t, nic, name)
                judge_ip6(t, nic)
                t.holds(f"{nic}-log", m.serial, f"found as {name}.local", f"address {LINK_LOCAL}")


if __name__ == "__main__":
    main()
