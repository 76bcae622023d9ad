#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Several GPUs of different families in one machine come up side by side; one whose firmware hangs
holds nobody up, is told apart, and its failure is its own."""
import re
import time

from _harness import Test, image

CHIPS = ["tu102", "ad102", "gb202"]
HANGS = 1  # of them
POLL_S, DEADLINE_S = 0.1, 120


def watch(m):
    """Every status until all have come to rest."""
    m.wait_http()
    seen, end = [], time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        m.check()
        seen.append(m.json("/api/v1/status")["gpus"])
        if len(seen[-1]) == len(CHIPS) and all(g["state"] in ("ready", "failed") for g in seen[-1]):
            break
        time.sleep(POLL_S)
    return seen


def span(gpu):
    """From when to when it was brought up, in microseconds since the hand-off."""
    done = [s for s in gpu["stages"] if s["state"] in ("ok", "failed")]
    return done[0]["start_us"], done[-1]["start_us"] + done[-1]["us"]


with Test("gpus") as test:
    with test.machine(image("gpus", "attempts = 1\n", chips=CHIPS), chips=CHIPS, memory_mib=2048,
                      model_args=["--strict"],
                      gpu_args=[["--fault", "gsp-hang"] if i == HANGS else [] for i in range(3)]) as m:
        seen = watch(m)
        gpus = seen[-1]
        test.equal("chips", [g["chip"] for g in gpus], CHIPS)
        test.equal("states", [g["state"] for g in gpus], ["ready", "failed", "ready"])
        error = gpus[HANGS]["error"] or {}
        test.ok("names-stage", error.get("stage") in ("sequencer", "init-done"), error)
        spans = [span(g) for g in gpus]
        test.ok("side-by-side", max(s[0] for s in spans) < min(s[1] for s in spans),
                f"from and to, microseconds: {spans}")
        test.ok("nobody-waited", any(g[HANGS]["state"] == "booting" and
                                     [g[0]["state"], g[2]["state"]] == ["ready"] * 2 for g in seen
                                     if len(g) == 3), "the others were not ready before it failed")
        code, text = m.get("/healthz")
        test.ok("healthz", code == 503 and "sequencer" in text, f"status {code}: {text}")
        code, text = m.get("/metrics")
        ready = re.findall(r'^firstlight_gpu_ready\{gpu="(\d)"[^}]*\} (\d)$', text, re.M)
        test.equal("metrics", ready, [("0", "1"), ("1", "0"), ("2", "1")])
        for i, chip in enumerate(CHIPS):
            code, text = m.get(f"/api/v1/gpus/{i}/flight")
            test.ok(f"flight-{chip}", code == 200 and "NV_" in text, f"status {code}: {text[:200]}")
            test.ok(f"serial-{chip}", re.search(rf"gpu{i}: {chip}, ", m.serial), m.serial[-600:])
        ended = m.stop()
        test.equal("strict", [ended[f"gpu{i}"] for i in range(len(CHIPS))], [0] * len(CHIPS))
        for i, (start, end) in enumerate(spans):
            test.note(f"{CHIPS[i]}: {(end - start) / 1000:.0f} ms")
