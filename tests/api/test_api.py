#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The appliance's descriptions, judged by programs of others (README.md)."""
import json
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path[:0] = [str(TOP / "tests/boot")]
from _harness import Test, image  # noqa: E402

WORK = TOP / "build/api"
INSTALL_S, TOOL_S = 600, 120


def run(command, timeout_s=TOOL_S):
    """(exit status, what it printed)"""
    done = subprocess.run([str(c) for c in command], cwd=WORK, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=timeout_s, check=False)
    return done.returncode, done.stdout


def prepare():
    WORK.mkdir(parents=True, exist_ok=True)
    wanted = (HERE / "package.json").read_text()
    if not (WORK / "node_modules").is_dir() or (WORK / "package.json").read_text() != wanted:
        (WORK / "package.json").write_text(wanted)
        print("# installing the tools of package.json: a minute or two", flush=True)
        status, text = run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"], INSTALL_S)
        if status != 0:
            (WORK / "package.json").unlink()
            sys.exit(f"npm install failed: {text[-1000:]}")
    (WORK / ".spectral.yaml").write_text('extends: ["spectral:oas"]\n')


if not shutil.which("npm"):
    sys.exit("make test-api needs node and npm; Debian: apt install npm")
prepare()
TOOLS = WORK / "node_modules/.bin"
with Test("api") as test:
    with test.machine(image("debug", "log_level = debug\n")) as m:
        m.wait_gpu(deadline_s=60)
        status, text = run(["node", HERE / "page.mjs", TOP / "net/page/index.html"])
        test.ok("page", status == 0, text)
        (WORK / "openapi.json").write_text(m.get("/openapi.json")[1])
        _, _, body = m.request("POST", "/rpc", headers={"Content-Type": "application/json"},
                               body=json.dumps({"jsonrpc": "2.0", "method": "rpc.discover", "id": 1}))
        (WORK / "openrpc.json").write_text(json.dumps(json.loads(body)["result"]))
        for name, command in (("redocly", [TOOLS / "redocly", "lint", "openapi.json"]),
                              ("spectral", [TOOLS / "spectral", "lint", "-F", "hint", "openapi.json"]),
                              ("openrpc", ["node", HERE / "openrpc.mjs", "openrpc.json"])):
            status, text = run(command)
            test.ok(name, status == 0, text)
        status, text = run(["node", HERE / "events.mjs", f"http://127.0.0.1:{m.http_port}", m.token()])
        test.ok("events", status == 0, text)
        heard = json.loads(text.splitlines()[-1]) if status == 0 else {}
        test.ok("events.stages", heard.pop("stages", 0) >= 2 * 20, text)
        test.equal("events.heard", heard,
                   {"cuts": 2, "came_back": 2, "in_order": True, "all": True, "same": True, "changed": True,
                    "states": ["booting", "ready", "unloaded", "booting", "ready"]})
        status, text = run(["node", HERE / "client.mjs", f"http://127.0.0.1:{m.http_port}", m.token()])
        test.ok("client", status == 0, text)
        test.equal("calls", json.loads(text.splitlines()[-1]) if status == 0 else text,
                   {"health": "ok", "state": "ready", "register": "NV_PMC_BOOT_0"})
