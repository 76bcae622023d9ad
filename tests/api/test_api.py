#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The appliance's descriptions, judged by programs of others (README.md)."""
import json
import sys

from _npm import HERE, MODULES, TOP, WORK, prepare, run

sys.path[:0] = [str(TOP / "tests/boot")]
from _harness import Test, image  # noqa: E402

prepare()
(WORK / ".spectral.yaml").write_text('extends: ["spectral:oas"]\n')
TOOLS = MODULES / ".bin"
with Test("api") as test:
    with test.machine(image("debug", "log_level = debug\n")) as m:
        m.wait_gpu(deadline_s=60)
        status, text = run(["node", HERE / "page.mjs"])
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
