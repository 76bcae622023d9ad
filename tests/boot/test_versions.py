#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Two firmware versions on one stick, the newer one incomplete: a GPU of each family up to Ada takes the
older one and says why; asked for the newer one, it names the file. All in one machine, side by side."""
import json

from _harness import Test, image

NEW, OLD = "570.144", "535.113.01"
CHIPS = ["tu102", "ga100", "ga102", "ad102"]  # each has the file in a directory of its own
GONE = f"booter_unload-{NEW}.bin"


def stick(name, conf):
    return image(name, conf, chips=CHIPS, fw_versions=(NEW, OLD), more=["--omit", GONE])


def gpus(t, m):
    """The states of all, once none is under way."""
    for i in range(len(CHIPS)):
        status = m.wait_gpu(index=i)
    t.equal("chips", [g["chip"] for g in status["gpus"]], CHIPS)
    return {g["chip"]: g for g in status["gpus"]}


with Test("versions") as test:
    with test.machine(stick("versions-any", ""), chips=CHIPS, memory_mib=2048,
                      model_args=["--strict"]) as m:
        for chip, gpu in gpus(test, m).items():
            test.equal(f"{chip}-takes-older", (gpu["state"], gpu["gsp"]["version"]), ("ready", OLD))
            test.holds(f"{chip}-says-why", json.dumps(gpu["firmware"]["passed_over"]),
                       f"nvidia/{chip}/gsp/{GONE}", "missing")
            test.holds(f"{chip}-serial", m.serial, f"nvidia/{chip}/gsp/{GONE}")
        ended = m.stop()
        test.equal("strict", [ended[f"gpu{i}"] for i in range(len(CHIPS))], [0] * len(CHIPS))
    with test.machine(stick("versions-new", f"firmware = {NEW}\n"), chips=CHIPS, memory_mib=2048,
                      model_args=["--strict"]) as m:
        for chip, gpu in gpus(test, m).items():
            error = gpu["error"] or {}
            test.equal(f"{chip}-forced", (gpu["state"], error.get("stage")), ("failed", "firmware"))
            test.holds(f"{chip}-names-file", json.dumps(error),
                       f"nvidia/{chip}/gsp/{GONE}", "missing")
        code, text = m.get("/healthz")
        test.ok("healthz", code == 503 and GONE in text, f"status {code}: {text}")
