#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A GSP image cut short on the stick: the stage, the file, both sizes are named; HTTP stays."""
import json

from _harness import FW_VERSION, Test, image

FILE = f"gsp-{FW_VERSION}.bin"
CUT, WHOLE = 1_000_000, 63_571_696  # bytes; the real file of ga102

with Test("truncated") as test:
    disk = image("truncated", more=["--truncate", f"{FILE}={CUT}"])
    with test.machine(disk) as m:
        status = m.wait_gpu()
        gpu = status["gpus"][0]
        test.equal("state", gpu["state"], "failed")
        error = gpu["error"] or {}
        test.equal("stage", error.get("stage"), "firmware")
        test.holds("failure-names-file", json.dumps(error), FILE, str(CUT))
        test.ok("stub-tells-sizes", any(FILE in n and str(CUT) in n and str(WHOLE) in n
                                        for n in status["appliance"]["notes"]),
                status["appliance"]["notes"])
        test.holds("failure-tells-whole-size", json.dumps(error), str(WHOLE))
        code, text = m.get("/healthz")
        test.ok("healthz", code == 503 and "firmware" in text, f"status {code}: {text}")
        test.ok("page-alive", all(m.get("/")[0] == 200 for _ in range(5)))
        test.holds("serial-tells", m.serial, FILE, str(WHOLE))
