#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""firstlight, the client on the host, with a real appliance: orders, registers, methods by name, logs, the
token, a GPU that does not come up."""
import tempfile
from pathlib import Path

from _client import DONE, NEEDS_TOKEN, REFUSED, UNREACHABLE, Client
from _harness import Test, image

def ended(test, name, done, status, *words):
    text = done.stdout + done.stderr
    test.ok(f"{name}.status", done.returncode == status, f"status {done.returncode}, expected {status}: {text}")
    test.holds(f"{name}.words", text, *words)


def works(test, m):
    client = Client(m)
    gpu = client.result("rpc", "gpu.list")[0]
    test.equal("list", (gpu["chip"], gpu["state"]), ("ga102", "ready"))
    ended(test, "no-token", client("unload", token=""), NEEDS_TOKEN, "needs the token")
    ended(test, "wrong-token", client("unload", token="0" * 32), NEEDS_TOKEN, "the token is wrong")
    ended(test, "ready-already", client("boot"), REFUSED, "ready already")
    test.equal("unload", client.result("unload")["state"], "unloaded")
    booted = client.result("boot", "--gpu", gpu["uuid"])
    test.equal("boot", (booted["state"], booted["attempts"]["last"][-1]["result"]), ("ready", "ok"))
    ended(test, "reset", client("reset", "function", "--gpu", gpu["pci"]), DONE, "unloaded")
    ended(test, "boot-people", client("boot", "--gpu", "0"), DONE, "ready\n", "attempt  result")
    ended(test, "read", client("registers", "read", "NV_PMC_BOOT_0"), DONE, "NV_PMC_BOOT_0  0xb72000a1")
    ended(test, "no-register", client("registers", "read", "NV_PMC_BOT_0"), REFUSED, "nearest: NV_PMC_BOOT_0")
    ended(test, "write", client("registers", "write", "NV_PBUS_SW_SCRATCH(3)", "0x12345678"), DONE, "0x12345678")
    test.equal("written", client.result("registers", "read", "NV_PBUS_SW_SCRATCH(3)")["value"], "0x12345678")
    ended(test, "list-registers", client("registers", "list", "pmc_boot"), DONE, "NV_PMC_BOOT_0", "ARCHITECTURE")
    ids = client.result("rpc", "pci.config.read", "offset=0", "width=2", "count=2")
    test.equal("rpc-numbers", ids["values"], ["0x10de", "0x2204"])
    ids = client.result("rpc", "pci.config.read", '{"offset": "0x2", "width": 2}')
    test.equal("rpc-json", ids["values"], ["0x2204"])
    features = client.result("rpc", "rm.control", "control=NV2080_CTRL_CMD_GSP_GET_FEATURES", "timeout_ms=20000")
    test.equal("rpc-control", features["params"]["firmwareVersion"], "570.144")
    test.ok("log", m.get("/api/v1/log")[1].splitlines()[0] in client("logs").stdout)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rm.bin"
        ended(test, "logs", client("logs", "rm", "-o", path), DONE, "rm.bin")
        raw = m.request("GET", "/api/v1/gpus/0/logs/rm")[2]
        test.ok("logs-bytes", path.read_bytes() == raw and len(raw) > 4096, f"{path.stat().st_size} bytes")
    test.ok("token-not-in-log", client.token not in m.get("/api/v1/log")[1])


def fails(test, m):
    test.equal("fails", m.wait_gpu(deadline_s=120)["gpus"][0]["state"], "failed")
    client = Client(m)
    ended(test, "fails.reset", client("reset"), DONE, "unloaded")
    done = client("boot")
    status = m.json("/api/v1/status")["gpus"][0]
    ended(test, "fails.boot", done, REFUSED, status["error"]["text"], status["error"]["stage"], status["error"]["hint"])
    ended(test, "fails.unload", client("unload"), REFUSED)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.tar"
        ended(test, "fails.report", client("report", "-o", path), DONE, "report.tar")
        ended(test, "fails.decode", client("decode", path), DONE, "failed", status["error"]["stage"], "attempt")
    test.equal("fails.serves", client.result("rpc", "gpu.list")[0]["state"], "failed")


with Test("client") as test:
    with test.machine(image("client", "log_level = debug\nattempts = 1\n")) as m:
        test.equal("ready", m.wait_gpu(deadline_s=60)["gpus"][0]["state"], "ready")
        works(test, m)
        client = Client(m)
    ended(test, "gone", client("boot", "--json"), UNREACHABLE, "Connection refused", client.host)
    with test.machine(image("client", "log_level = debug\nattempts = 1\n"),
                      model_args=["--fault", "stuck=riscv"]) as m:
        fails(test, m)
