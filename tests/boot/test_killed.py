#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The machine is killed while its GPUs run and started again: what the first run left up in them is
found, named and taken down, by a function level reset or, on a board without one, by a reset of the bus;
and they come up. Then the machine is reset from outside, and they come up once more."""
import re

from _harness import Test, image

CHIPS = ["ga102", "tu104", "gb202"]
BOARDS = [[], ["--board", "t4"], []]  # a T4 has no function level reset
LEFT = ["WPR2 is up from an earlier boot", "WPR2 is up from an earlier boot",
        "the GSP still runs from an earlier boot"]
RESET = ["function level reset", "bus reset", "function level reset"]


def states(m):
    for i in range(len(CHIPS)):
        status = m.wait_gpu(index=i)
    return [(g["chip"], g["state"], (g["error"] or {}).get("text")) for g in status["gpus"]]


READY = [(chip, "ready", None) for chip in CHIPS]

with Test("killed") as test:
    disk = image("killed", "", chips=CHIPS)
    with test.machine(disk, chips=CHIPS, memory_mib=2048, model_args=["--strict", "--stay-powered"],
                      gpu_args=BOARDS, qemu_args=["-action", "reboot=reset"]) as m:
        test.equal("first", states(m), READY)
        test.ok("first-finds-nothing", "earlier boot" not in m.serial, m.serial[-600:])
        m.kill_and_start_again()
        test.equal("second", states(m), READY)
        resets = re.findall(r"pci: 0000:([0-9a-f]+):00.0: (\S.*?) done in", m.serial)
        test.equal("resets", [kind for _, kind in sorted(resets)], RESET)
        for i, words in enumerate(LEFT):
            test.ok(f"names-{CHIPS[i]}", re.search(rf"gpu{i}: {words}", m.serial), m.serial[-900:])
        m.qmp("system_reset")  # to QEMU's devices, and so to the model, a reset of the bus
        m.wait_serial(r"gpu2: gb202 is ready(?s:.*)gpu2: gb202 is ready")
        test.equal("after-reset", states(m), READY)
        ended = m.stop()
        test.equal("strict", [ended[f"gpu{i}"] for i in range(len(CHIPS))], [0] * len(CHIPS))
        test.ok("three-boots", all("3 boots" in r or "boots 3" in r for r in m.reports),
                [r[:300] for r in m.reports])
