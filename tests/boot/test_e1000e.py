#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The other network card, with a GPU next to it; and a transfer that takes many frames."""
import re

from _harness import Test, image

with Test("e1000e") as test:
    disk = image("plain", "")
    with test.machine(disk, nic="e1000e", model_args=["--strict"]) as m:
        status = m.wait_gpu()
        test.equal("state", status["gpus"][0]["state"], "ready")
        test.ok("card-named", re.search(r"e1000e", m.get("/api/v1/log")[1] + str(status)), "no e1000e")
        sizes = []
        for log in ("init", "intr", "rm"):
            code, headers, body = m.request("GET", f"/api/v1/gpus/0/logs/{log}")
            sizes.append(len(body))
            test.equal(f"length-{log}", (code, len(body)), (200, int(headers["Content-Length"])))
        test.ok("many-frames", max(sizes) > 20 * 1460, sizes)
        test.ok("many-connections", all(m.get("/healthz")[0] == 200 for _ in range(40)))
