#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The power button: a press switches the machine off, and the serial line says why."""
import time

from _harness import Test, image

OFF_S = 30  # a deadline for hangs, not for speed

with Test("power") as test:
    with test.machine(image("noconf", conf=None), chips=[]) as m:
        m.wait_http()
        test.ok("stays-on", "power" not in m.serial and m.running(), m.serial[-600:])
        m.qmp("system_powerdown")
        end = time.monotonic() + OFF_S
        while m.running() and time.monotonic() < end:
            time.sleep(0.05)
        test.ok("switched-off", m.switched_off(), m.serial[-600:])
        test.holds("told", m.serial, "the power button was pressed", "power off")
        test.ok("once", "still on" not in m.serial, m.serial[-600:])
