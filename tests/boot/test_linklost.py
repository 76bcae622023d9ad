#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The GPU is pulled out while its firmware starts: that is noticed, named, and does not end HTTP."""
import json
import time

from _harness import Test, image

# The model's GSP says nothing, so that the appliance is surely waiting when the card is pulled; it
# would wait far longer for a GSP than for a link.
NOTICED_MAX_S = 10


def running_stage(m):
    gpus = m.json("/api/v1/status")["gpus"]
    return next((s["name"] for g in gpus for s in g["stages"] if s["state"] == "running"), None)


with Test("linklost") as test:
    disk = image("debug", "log_level = debug\n")
    with test.machine(disk, model_args=["--fault", "gsp-hang"]) as m:
        m.wait_serial(r"stage riscv: ok", 60)
        m.wait_http()
        before = running_stage(m)
        test.ok("mid-boot", before in ("sequencer", "init-done"), f"running: {before}")
        m.pull_card()
        begin = time.monotonic()
        status = m.wait_gpu(deadline_s=NOTICED_MAX_S * 3)
        took = time.monotonic() - begin
        gpu = status["gpus"][0]
        test.note(f"noticed after {took:.1f} s: {gpu['error']}")
        test.equal("state", gpu["state"], "failed")
        test.holds("link-lost", json.dumps(gpu["error"]).lower(), "link lost")
        test.ok("in-time", took < NOTICED_MAX_S, f"{took:.1f} s")
        test.equal("stage", (gpu["error"] or {}).get("stage"), before)
        code, text = m.get("/healthz")
        test.ok("healthz", code == 503, f"status {code}: {text}")
        test.ok("page-alive", all(m.get("/")[0] == 200 for _ in range(5)))
        test.equal("log-alive", m.get("/api/v1/log")[0], 200)
