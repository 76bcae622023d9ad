#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""JSON-RPC in a machine: the token, a GPU that fails and is brought up from the network, controls by
name on both firmware versions, a GSP that answers no more while everybody else is served."""
import io
import json
import statistics
import tarfile
import threading
import time

from _harness import Test, image

CONTROL = {"control": "NV2080_CTRL_CMD_GSP_GET_FEATURES"}
HANGS_MS = 6000
CALM_S = HANGS_MS / 1000 / 4  # who waited for the GSP would wait longer, on however slow a machine


class Rpc:
    def __init__(self, machine, token):
        self.machine, self.token, self.count = machine, token, 0

    def post(self, body, token=None, **headers):
        token = self.token if token is None else token
        headers = {"Content-Type": "application/json", **headers}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        status, _, text = self.machine.request("POST", "/rpc", body=json.dumps(body), headers=headers, timeout_s=60)
        return status, json.loads(text) if text else None

    def call(self, method, **params):
        self.count += 1
        _, answer = self.post({"jsonrpc": "2.0", "method": method, "params": params, "id": self.count})
        assert answer["id"] == self.count, answer
        return answer

    def result(self, method, **params):
        answer = self.call(method, **params)
        if "result" not in answer:
            raise AssertionError(f"{method} {params}: {answer['error']}")
        return answer["result"]


def access(test, m, rpc):
    power = {"jsonrpc": "2.0", "method": "appliance.power", "params": ["sideways"], "id": 1}
    test.equal("no-token", rpc.post(power, token="")[0], 401)
    test.equal("wrong-token", rpc.post(power, token="0" * 32)[0], 401)
    status, answer = rpc.post(power)
    test.equal("right-token", (status, answer["error"]["code"]), (200, -32602))
    test.equal("other-origin", rpc.post(power, Origin="http://evil.example")[0], 403)
    test.equal("other-host", rpc.post(power, Host="evil.example")[0], 421)
    test.ok("not-in-log", rpc.token not in m.get("/api/v1/log")[1])


def report(test, m, state):
    """The archive as Python's tarfile reads it."""
    status, headers, body = m.request("GET", "/api/v1/gpus/0/report", timeout_s=30)
    test.equal(f"report.{state}.status", (status, headers["Content-Type"]), (200, "application/x-tar"))
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        files = {i.name: archive.extractfile(i).read() for i in archive}
    test.equal(f"report.{state}.members", sorted(files), sorted(
        ["status.json", "attempts.json", "history.json", "events.json", "pci.json", "acpi.json", "flight.txt",
         "appliance.log", "logs/init.bin", "logs/intr.bin", "logs/rm.bin"]))
    test.ok(f"report.{state}.events", any(
        e["event"] == "state" and e["state"] == state for e in json.loads(files["events.json"])["events"]))
    test.equal(f"report.{state}.state", json.loads(files["status.json"])["state"], state)
    test.ok(f"report.{state}.json", all(json.loads(files[n]) for n in files if n.endswith(".json")))
    acpi = json.loads(files["acpi.json"])
    kinds = [table["signature"] for table in acpi["tables"]]
    test.ok(f"report.{state}.acpi", {"FACP", "APIC", "MCFG", "DSDT"} <= set(kinds) and
            acpi["ecam"][0]["bus_first"] == 0 and acpi["power_off"], acpi)
    test.holds(f"report.{state}.flight", files["flight.txt"].decode(), "stage identify")
    test.holds(f"report.{state}.log", files["appliance.log"].decode(), "stage identify")
    test.ok(f"report.{state}.whole", body[-1024:] == bytes(1024))


def drive(rpc, gpu, names):
    """What one client does with its GPU while another works on the other."""
    for _ in range(10):
        names.append(rpc.result("rm.control", gpu=gpu, **CONTROL)["params"]["firmwareVersion"])
    names.append(rpc.result("gpu.unload", gpu=gpu)["state"])
    names.append(rpc.result("gpu.boot", gpu=gpu)["state"])
    names.append(rpc.result("rm.control", gpu=gpu, **CONTROL)["params"]["firmwareVersion"])


def two_gpus(test, disk):
    with test.machine(disk, chips=("ga102", "ga102"), model_args=["--strict"]) as m:
        m.wait_gpu(deadline_s=120)
        seen = [[], []]
        clients = [threading.Thread(target=drive, args=(Rpc(m, m.token()), gpu, seen[gpu])) for gpu in (0, 1)]
        for c in clients:
            c.start()
        for c in clients:
            c.join()
        test.equal("two-gpus", seen, [["570.144"] * 10 + ["unloaded", "ready", "570.144"]] * 2)


def latencies(m, seconds):
    """p99 and the longest of /healthz, one after the other, on one connection each."""
    taken, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.monotonic()
        m.get("/healthz")
        taken.append(time.monotonic() - begin)
    return statistics.quantiles(taken, n=100)[98], max(taken)


with Test("rpc") as test:
    for version in ("535.113.01", "570.144"):
        disk = image(f"fw-{version}", f"log_level = debug\nfirmware = {version}\n",
                     fw_versions=(version,))
        with test.machine(disk, model_args=["--strict"], fw_version=version) as m:
            m.wait_gpu(deadline_s=120)
            rpc = Rpc(m, m.token())
            test.ok(f"{version}.token", len(rpc.token or "") == 32, f"token {rpc.token}")
            features = rpc.result("rm.control", **CONTROL)
            test.equal(f"{version}.control", features["params"]["firmwareVersion"], version)
            session = rpc.result("session.open")["session"]
            device = rpc.result("rm.alloc", session=session, **{"class": "NV01_DEVICE_0"})["object"]
            refused = rpc.call("rm.alloc", session=session, parent="0x5", **{"class": "NV20_SUBDEVICE_0"})
            test.ok(f"{version}.refused", refused["error"]["data"]["nv_status"].startswith("NV_ERR_"), str(refused))
            rpc.result("rm.free", session=session, object=device)
            rpc.result("session.close", session=session)
            boot0 = rpc.result("registers.read", register="NV_PMC_BOOT_0")
            test.ok(f"{version}.register", boot0["fields"], str(boot0))
            if version == "570.144":
                access(test, m, rpc)
                report(test, m, "ready")
                test.equal("unload", rpc.result("gpu.unload")["state"], "unloaded")
                test.equal("boot", rpc.result("gpu.boot")["state"], "ready")
                test.equal("reset", rpc.result("gpu.reset", kind="function")["state"], "unloaded")
                test.equal("boot-after-reset", rpc.result("gpu.boot")["state"], "ready")
                history = rpc.result("rpc.history")["records"]
                test.ok("history", any(r["function"] == "GSP_RM_CONTROL" for r in history))
    two_gpus(test, disk)
    once = image("once", "log_level = debug\nattempts = 1\n")
    with test.machine(once, model_args=["--fault", "stuck=riscv:n=1"]) as m:
        status = m.wait_gpu(deadline_s=120)
        test.equal("failed", status["gpus"][0]["state"], "failed")
        report(test, m, "failed")
        rpc = Rpc(m, m.token())
        rpc.result("gpu.reset")
        test.equal("recovered", rpc.result("gpu.boot")["state"], "ready")
    with test.machine(once, model_args=["--fault", "stuck=command:n=6"]) as m:
        m.wait_gpu(deadline_s=120)
        rpc = Rpc(m, m.token())
        idle = latencies(m, 3)
        hung = threading.Thread(target=lambda: rpc.call("rm.control", timeout_ms=HANGS_MS, **CONTROL))
        hung.start()
        busy = latencies(m, 3)
        test.ok("still-hung", hung.is_alive())
        hung.join()
        test.note(f"p99 of /healthz: idle {idle[0] * 1000:.1f} ms, beside a hung GSP {busy[0] * 1000:.1f} ms")
        test.ok("calm", busy[1] < CALM_S, f"one took {busy[1]:.3f} s")
