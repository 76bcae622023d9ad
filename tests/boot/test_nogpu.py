#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A machine without a GPU and a stick without a config: the appliance is there, healthy and quiet."""
import time

import _screen
from _harness import Test, image

SCREEN_S = 30  # it is drawn when nothing else is to do; a deadline for hangs, not for speed
IDLE_S = 3.0
# A core that polls uses all of a CPU. Halted, QEMU needs a few per cent; the rest is room for noise.
IDLE_MAX = 0.4


def screen(t, m):
    """What the screen shows is what went out on the serial line, in letters of the font."""
    end = time.monotonic() + SCREEN_S
    while True:
        lines = [line for line in _screen.Picture(m).log() if line]
        unreadable = [line for line in lines if _screen.UNREADABLE in line]
        # All of it: the drawing starts at the top and may be on its way still.
        if not unreadable and any("first answer" in line for line in lines) or time.monotonic() > end:
            break
        time.sleep(0.2)
    t.ok("screen-readable", not unreadable, f"{len(unreadable)} lines are not, such as "
         f"{[line.replace(_screen.UNREADABLE, '?') for line in unreadable[:3]]}")
    other = [line for line in lines if line not in m.serial]
    t.ok("screen-shows-log", len(lines) > 5 and not other, f"{len(lines)} lines; not sent: {other[:3]}")


with Test("nogpu") as test:
    disk = image("noconf", conf=None)
    with test.machine(disk, chips=[], screen=True) as m:
        test.equal("healthz", (m.wait_http()[0], m.get("/healthz")[1]), (200, "ok\n"))
        status = m.json("/api/v1/status")
        test.equal("no-gpus", status["gpus"], [])
        test.ok("devices", len(status["devices"]) > 3, status["devices"])
        appliance = status["appliance"]
        first_ms = appliance["handoff_to_first_answer_ms"]
        test.ok("first-answer-known", 0 < first_ms <= appliance["uptime_ms"], appliance)
        test.note(f"hand-off to first answer {first_ms} ms, EFI entry to hand-off "
                  f"{appliance['efi_entry_to_handoff_ms']} ms")
        test.ok("no-config-told", any("firstlight.conf" in n for n in appliance["notes"]),
                appliance["notes"])
        test.ok("clock", appliance["unix_time"] > 1_600_000_000, appliance["unix_time"])
        test.ok("no-files-read", "gsp-" not in m.serial, m.serial[-600:])
        screen(test, m)
        time.sleep(0.5)
        cpu, wall = m.cpu_seconds(), time.monotonic()
        time.sleep(IDLE_S)
        share = (m.cpu_seconds() - cpu) / (time.monotonic() - wall)
        test.note(f"idle: QEMU uses {share * 100:.1f} % of a CPU")
        test.ok("idle", share < IDLE_MAX, f"{share * 100:.1f} % of a CPU while nothing happens")
        test.equal("still-there", m.get("/healthz")[0], 200)
