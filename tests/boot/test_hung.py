#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A GSP that hangs after it was ready: by the config it is brought up again, or stays failed, and is told."""
import json
import time

from _harness import Test, image

ASKED = 12  # commands that it answers: the boot's, and the first rounds of sensors
WITHIN_S = 45  # watch.h says 30
CONF = """registry = RMPcieLinkSpeed=0x800002aa
when_hung = boot
attempts[0] = 2
when_hung[1] = stay
"""


def wait(m, index, done):
    """The GPU as soon as it is so; else as it is last."""
    end = time.monotonic() + WITHIN_S
    while True:
        gpu = json.loads(m.get("/api/v1/status")[1])["gpus"][index]
        if done(gpu) or time.monotonic() > end:
            return gpu
        time.sleep(0.5)


with Test("hung") as test:
    with test.machine(image("hung", CONF), chips=["ga102", "ga102"], memory_mib=1536,
                      model_args=["--fault", f"stuck=command:n={ASKED}"]) as m:
        test.equal("ready", [m.wait_gpu(index=i)["gpus"][i]["state"] for i in (0, 1)], ["ready"] * 2)
        gpu = wait(m, 1, lambda g: g["state"] == "failed")
        error = gpu["error"] or {}
        test.equal("stays", (gpu["gsp"]["boots"], gpu["state"], error.get("stage")), (1, "failed", "ready"))
        test.holds("stays-says-what-to-try", error.get("hint", ""), "when_hung = boot")
        code, text = m.get("/healthz")
        test.ok("stays-health", code == 503 and "hangs" in text, f"status {code}: {text}")
        gpu = wait(m, 0, lambda g: g["gsp"]["boots"] == 2 and g["state"] == "ready")
        test.equal("brought-up-again", (gpu["gsp"]["boots"], gpu["state"]), (2, "ready"))
        test.holds("serial", m.serial, "the GSP hangs: no answer and no event for 20 s", "brought up again, 1 of 3")
        test.holds("xid-counted", m.get("/metrics")[1], 'xid="119"')
        test.equal("options-shown", gpu["options"], {
            "firmware": None, "attempts": 2, "when_hung": "boot", "link_speed": None, "aspm": "keep",
            "registry": [{"name": "RMPcieLinkSpeed", "value": 0x800002aa}]})
