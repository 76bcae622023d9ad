#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A machine without a GPU and a stick without a config: the appliance is there, healthy and quiet."""
import time

from _harness import Test, image

IDLE_S = 3.0
# A core that polls uses all of a CPU. Halted, QEMU needs a few per cent; the rest is room for noise.
IDLE_MAX = 0.4

with Test("nogpu") as test:
    disk = image("noconf", conf=None)
    with test.machine(disk, chips=[]) as m:
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
        time.sleep(0.5)
        cpu, wall = m.cpu_seconds(), time.monotonic()
        time.sleep(IDLE_S)
        share = (m.cpu_seconds() - cpu) / (time.monotonic() - wall)
        test.note(f"idle: QEMU uses {share * 100:.1f} % of a CPU")
        test.ok("idle", share < IDLE_MAX, f"{share * 100:.1f} % of a CPU while nothing happens")
        test.equal("still-there", m.get("/healthz")[0], 200)
