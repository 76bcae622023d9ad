#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The whole way: from a USB stick to a GPU that is up, with NVIDIA's real files, over HTTP."""
import base64
import gzip
import hashlib
import re
import time

from _harness import FW_VERSION, Test, image

NAME = "Bench Board 42"
VRAM = 12 << 30  # not the board's own size, so that a built-in answer would show
VRAM_TAKEN_MAX = 64 << 20  # a board's usable memory is up to 61 MiB less (measured.md section 3)
STAGES = ["identify", "devinit", "firmware", "vbios", "fb-layout", "frts", "booter", "riscv",
          "init-done", "static-info"]  # in this order, others between them
COPIED_MAX = 1 << 20  # of a 63 MB image: signatures and boot loaders, never the image itself
SENSOR_GROUPS = {"temperature", "power", "clocks", "utilization", "pstate", "throttle", "pcie"}
SENSORS_S = 60  # until all of them are there: some seconds, on a machine that is not busy
# It loads nothing, asks this machine only, and no other page may frame it or take its form.
PAGE_POLICY = ("default-src 'none'", "connect-src 'self'", "form-action 'none'", "base-uri 'none'",
               "frame-ancestors 'none'")


def serial(t, m):
    text = m.serial
    t.ok("stub-greets", re.search(r"Firstlight \d+\.\d+\.\d+", text), text[-600:])
    t.ok("stub-names-chip", re.search(r"GPU 10de:2204 at [0-9a-f:.]+: ga102", text), text[-600:])
    steps = ["GPU 10de:", f"gsp-{FW_VERSION}.bin", "[#", *(f"stage {s}: ok" for s in STAGES)]
    at, order = 0, []
    for step in steps:
        found = text.find(step, at)
        order.append((step, found >= 0))
        at = found if found >= 0 else at
    missing = [step for step, there in order if not there]
    t.ok("serial-order", not missing, f"not there, or not in order: {missing}")


def status(t, m):
    s = m.wait_gpu()
    gpu = s["gpus"][0]
    t.equal("state", gpu["state"], "ready")
    if gpu["state"] != "ready":
        t.note(f"error: {gpu['error']}")
    t.equal("one-gpu", len(s["gpus"]), 1)
    t.equal("chip", gpu["chip"], "ga102")
    t.equal("vendor", gpu["pci"]["vendor"], "0x10de")
    t.equal("version", gpu["gsp"]["version"], FW_VERSION)
    t.equal("board-name", gpu["name"], NAME)
    vram = gpu["vram"]["bytes"]
    t.ok("vram", VRAM - VRAM_TAKEN_MAX <= vram <= VRAM, f"{vram} bytes with --vram {VRAM}")
    t.equal("no-error", gpu["error"], None)
    names = [stage["name"] for stage in gpu["stages"]]
    t.equal("stage-order", [n for n in names if n in STAGES], STAGES)
    t.equal("stages-ok", [x["name"] for x in gpu["stages"] if x["state"] not in ("ok", "skipped")], [])
    starts = [x["start_us"] for x in gpu["stages"] if x["state"] == "ok"]
    t.equal("stages-in-time", starts, sorted(starts))
    fw = gpu["firmware"]
    t.ok("image-in-place", fw["bytes"] > 60_000_000 and fw["copied_bytes"] < COPIED_MAX, fw)
    t.equal("lock-order", s["appliance"]["scheduler"]["lock_inversions"], 0)
    t.note(f"hand-off to first answer {s['appliance']['handoff_to_first_answer_ms']} ms, EFI entry to "
           f"hand-off {s['appliance']['efi_entry_to_handoff_ms']} ms, longest run "
           f"{s['appliance']['scheduler']['longest_run_us']} us")
    return vram


def sensors(t, m):
    """What the model's board measures, through the page that the GSP fills."""
    end = time.monotonic() + SENSORS_S
    groups = set()
    while not SENSOR_GROUPS <= groups and time.monotonic() < end:
        time.sleep(0.2)
        s = m.json("/api/v1/status")["gpus"][0]["sensors"]
        groups = {v["group"] for v in s["values"].values()}
    t.ok("sensors", SENSOR_GROUPS <= groups, f"not known: {SENSOR_GROUPS - groups}: {s}")
    t.equal("sensors-source", s["source"], "shared page")
    t.equal("sensors-limit", s["values"].get("power_limit_enforced", {}).get("value"), 350_000)
    # An RTX 3090 without ECC refuses these; nothing else is refused.
    t.ok("sensors-refused", {r["cmd"] for r in s["refused"]} <= {"0x20803400", "0x20803401", "0x20801344"},
         s["refused"])


def endpoints(t, m, vram):
    t.equal("healthz", m.get("/healthz"), (200, "ok\n"))
    code, text = m.get("/metrics")
    t.equal("metrics-status", code, 200)
    t.ok("metrics-ready", re.search(r"^firstlight_gpu_ready\{[^}]*\} 1$", text, re.M), text[:400])
    total = re.search(r"^DCGM_FI_DEV_FB_TOTAL\{[^}]*\} (\d+)$", text, re.M)
    t.ok("metrics-vram", total and int(total[1]) == vram >> 20, f"{total and total[0]}")
    for log in ("init", "rm"):
        code, _, body = m.request("GET", f"/api/v1/gpus/0/logs/{log}")
        t.ok(f"log-{log}", code == 200 and len(body) >= 4096, f"status {code}, {len(body)} bytes")
    code, text = m.get("/api/v1/gpus/0/flight")
    t.ok("flight", code == 200 and "NV_" in text, f"status {code}: {text[:200]}")
    code, text = m.get("/api/v1/log")
    t.ok("log", code == 200 and "ga102 is ready" in text, f"status {code}: {text[-200:]}")
    code, headers, body = m.request("GET", "/")
    text = body.decode()
    t.ok("page", code == 200 and "<html" in text.lower() and "Firstlight" in text,
         f"status {code}: {text[:100]}")
    policy = headers.get("Content-Security-Policy", "")
    missing = [rule for rule in PAGE_POLICY if rule not in policy.split("; ")]
    t.ok("page-policy", not missing and "http" not in policy and "*" not in policy,
         f"without {missing}: {policy}")
    code, headers, body = m.request("GET", "/", headers={"Accept-Encoding": "gzip"})
    page = gzip.decompress(body).decode() if headers.get("Content-Encoding") == "gzip" else ""
    script = re.search(r"<script>(.*?)</script>", page, re.S)
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode() if script else None
    t.ok("page-runs", digest and f"script-src 'sha256-{digest}'" in headers.get("Content-Security-Policy", ""),
         f"status {code}, {len(page)} bytes, script of {digest}: {policy}")
    t.equal("unknown-path", m.get("/nowhere")[0], 404)
    t.equal("unknown-gpu", m.get("/api/v1/gpus/7/flight")[0], 404)
    code, _, _ = m.request("POST", "/api/v1/status", body=b"{}")
    t.ok("wrong-method", code == 405, f"status {code}")


with Test("boot") as test:
    disk = image("debug", "log_level = debug\n")
    with test.machine(disk, model_args=["--strict", "--name", NAME, "--vram", "12G"]) as machine:
        endpoints(test, machine, status(test, machine))
        sensors(test, machine)
        serial(test, machine)
        statuses = machine.stop()
    test.ok("model-content", statuses["gpu0"] == 0,
            f"the model ended with status {statuses['gpu0']}: {machine.reports[0][:800]}")
