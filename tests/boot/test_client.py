#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""firstlight, the client on the host, with a real appliance: every command, what it shows held against the
API's JSON; the token, a GPU that does not come up."""
import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path

from _client import DONE, NEEDS_TOKEN, PROGRAM, REFUSED, UNREACHABLE, Client
from _harness import Test, image

CRITICAL, UNKNOWN = 2, 3  # of status --check
ENDS_S = 30  # for hangs


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


def follow(client, *args):
    """The program as it goes on, until it is told to end."""
    env = os.environ | {"FIRSTLIGHT_HOST": client.host, "FIRSTLIGHT_TOKEN": client.token}
    return subprocess.Popen([PROGRAM, *args], env=env, stdout=subprocess.PIPE, text=True)


def shows(test, m):
    """What only asks, against the API's own words."""
    client = Client(m)
    with follow(client, "events", "--follow", "--kind", "sensors", "--json") as child:
        sensors = json.loads(child.stdout.readline())
        child.send_signal(signal.SIGINT)
    test.ok("sensors-live", child.returncode == DONE and sensors["values"]["temperature_gpu"]["value"] > 0, sensors)
    status = m.json("/api/v1/status")
    gpu = status["gpus"][0]
    table = client("status")
    ended(test, "status", table, DONE, status["appliance"]["version"], gpu["name"], gpu["pci"]["address"],
          gpu["gsp"]["version"], "| ready ", f"http://{client.host}")
    test.equal("status-json", client.result("status", "--gpu", "0")["uuid"], gpu["uuid"])
    ended(test, "status-query", client("status", "-q"), DONE, "NVSMI LOG", gpu["uuid"])
    check = client("status", "--check")
    test.ok("check", check.returncode == 0 and check.stdout.count("\n") == 1 and
            check.stdout.startswith("FIRSTLIGHT OK - 1 of 1 GPUs ready|ready=1;;;0;1 gpu0_temperature="), check)
    kept = json.loads(m.get("/api/v1/events?format=json")[1])["events"]
    lines = [json.loads(line) for line in client("events", "--json").stdout.splitlines()]
    test.equal("events", [e["id"] for e in lines[:len(kept)]], [e["id"] for e in kept])
    states = client("events", "--kind", "state").stdout.splitlines()
    wanted = [e["text"] for e in kept if e["event"] == "state"]
    test.ok("events-kind", len(states) >= len(wanted) > 1 and all(w in s for w, s in zip(wanted, states)), states)
    names = {line.split("{")[0].split(" ")[0] for line in m.get("/metrics")[1].splitlines()
             if "power" in line.lower() and not line.startswith("#")}
    said = client("metrics", "power")
    test.ok("metrics", said.returncode == DONE and names and all(n in said.stdout for n in names if "power" in n.lower()) and
            "temperature" not in said.stdout.lower(), f"{names} {said.stdout[:300]}")
    ended(test, "metrics-none", client("metrics", "no_such_metric"), REFUSED)
    flight = client("flight", "-n", "5")
    test.ok("flight", flight.returncode == DONE and len(flight.stdout.splitlines()) == 5, flight)
    session = client.rpc("session.open")["session"]
    obj = client.rpc("memory.alloc", session=session, bytes=65536, contiguous=True)
    vm = client.rpc("vm.create", session=session, kind="engines")["vm"]
    va = client.rpc("vm.map", session=session, vm=vm, object=obj["object"], bytes=65536, page="4K")["va"]
    walk = client.rpc("vm.walk", session=session, vm=vm, va=va)
    test.equal("vm-walk", (walk["end"], walk["address"]), ("mapped", obj["extents"][0]["address"]))
    test.equal("memory-list", [o["object"] for o in client.rpc("memory.list")], [obj["object"]])
    stats = client.rpc("memory.stats")
    test.ok("memory-stats", stats["total_bytes"] > stats["free_bytes"] > 0 and stats["objects"] == 1, stats)
    client.rpc("session.close", session=session)
    test.equal("memory-given-back", client.rpc("memory.stats")["objects"], 0)


def goes_on(test, m):
    """watch and events --follow tell of an unload as it happens, until they are told to end."""
    client = Client(m)
    for name, args, first, then in (("watch", ("watch",), "GPU 0  ready", "GPU 0  unloaded"),
                                    ("follow", ("events", "--follow", "--kind", "state"), "ready", "unloaded")):
        with follow(client, *args) as child:
            began = any(first in line for line in iter(child.stdout.readline, ""))
            client.result("unload")
            told = any(then in line for line in iter(child.stdout.readline, ""))
            child.send_signal(signal.SIGINT)
            status = child.wait(timeout=ENDS_S)
        test.equal(f"{name}-live", (began, told, status), (True, True, DONE))
        client.result("boot")


def found(test, m):
    """User networking passes no multicast on: nobody is found, which is no failure of the appliance. The
    question and its answers on a wire are tests/boot/test_found.py's and tests/client/test_discover.py's."""
    ended(test, "discover-nobody", Client(m)("discover", "--timeout", "0.5"), UNREACHABLE, "no appliance answers")


def fails(test, m):
    test.equal("fails", m.wait_gpu(deadline_s=120)["gpus"][0]["state"], "failed")
    client = Client(m)
    check = client("status", "--check")
    test.ok("fails.check", check.returncode == CRITICAL and check.stdout.startswith("FIRSTLIGHT CRITICAL - GPU 0: failed: riscv"), check)
    ended(test, "fails.status", client("status"), DONE, "| failed ", "| riscv ", "GPU 0 failed, attempt 1")
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
        shows(test, m)
        goes_on(test, m)
        found(test, m)
        works(test, m)
        client = Client(m)
    ended(test, "gone", client("boot", "--json"), UNREACHABLE, "Connection refused", client.host)
    gone = client("status", "--check")
    test.ok("gone.check", gone.returncode == UNKNOWN and gone.stdout.startswith("FIRSTLIGHT UNKNOWN - ") and not gone.stderr, gone)
    with test.machine(image("client", "log_level = debug\nattempts = 1\n"),
                      model_args=["--fault", "stuck=riscv"]) as m:
        fails(test, m)
