#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The live page in a headless Chromium: against a stand-in in all its scenes, then against the appliance
with two GPUs of which one fails. test_page.py [--no-live]"""
import sys

from _npm import HERE, MODULES, TOP, prepare, run

sys.path[:0] = [str(TOP / "tests/boot")]
from _harness import Test, image  # noqa: E402

BROWSER_S = 900
CHIPS, HANGS = ["ga102", "ad102"], 1


def browse(test, name, command):
    """The cases of one program; the reasons of those that failed."""
    status, text = run(["node", *command], BROWSER_S)
    if text.startswith("skipped"):
        test.note(text.strip())
    else:
        test.note(text.strip().splitlines()[-1] if text.strip() else "it printed nothing")
        test.ok(name, status == 0, text)


prepare()
with Test("page") as test:
    status, text = run(["node", HERE / "page.mjs"])
    test.ok("script", status == 0, text)
    browse(test, "browser", [HERE / "page_browser.mjs", MODULES / "axe-core/axe.min.js"])
    if "--no-live" not in sys.argv:
        with test.machine(image("page", "attempts = 1\nhostname = bench-7\n", chips=CHIPS), chips=CHIPS, memory_mib=2048,
                          gpu_args=[["--fault", "gsp-hang"] if i == HANGS else [] for i in range(len(CHIPS))]) as m:
            m.wait_http()
            browse(test, "live", [HERE / "page_live.mjs", f"http://127.0.0.1:{m.http_port}/", m.token()])
