#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Mistakes in the config file: each is named with its line, and the default is kept."""
import re

from _harness import Test, image

CONF = """# a comment
log_level = debug
hostname = -seven-
flavour = vanilla
ip = 10.0.2.300/24
this line has no equals sign
token = XYZZY PLUGH
"""

with Test("badconf") as test:
    disk = image("badconf", CONF)
    with test.machine(disk, chips=[]) as m:
        code, _ = m.wait_http()  # the bad address was not taken: DHCP still worked
        test.equal("healthz", code, 200)
        notes = m.json("/api/v1/status")["appliance"]["notes"]
        for line, word in ((3, "hostname"), (4, "flavour"), (5, "ip"), (6, ""), (7, "token")):
            test.ok(f"line-{line}", any(re.search(rf"firstlight\.conf:{line}\b", n) and word in n
                                        for n in notes), notes)
        log = m.get("/api/v1/log")[1]
        test.ok("good-line-taken", re.search(r"\] debug ", log), log[-400:])
        test.equal("no-more", len([n for n in notes if "firstlight.conf" in n]), 5)
        m.wait_serial(r"no NVIDIA GPU")  # the line comes after the first answer, and after these
        test.holds("serial-tells", m.serial, "firstlight.conf:3", "firstlight.conf:6")
        status = m.get("/api/v1/status")[1]
        for name, text in (("status", status), ("log", log), ("serial", m.serial)):
            test.ok(f"secret-not-in-{name}", "XYZZY" not in text and "PLUGH" not in text, text[-400:])
