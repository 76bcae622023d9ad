#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""firstlight status: the table, its cells where something is not known, and what is below it."""
import json
import sys

from _standin import (DONE, REFUSED, UNREACHABLE, USAGE, Appliance, main, problem, run, run_on_terminal)
from _status import gpu, sensor, sensors, status

ERROR = {"stage": "riscv", "what": "NV_PRISCV_RISCV_CPUCTL", "kind": "timeout", "text": "it does not start",
         "seen": "0x80", "expected": "0x0", "waited_us": 2031000, "hint": "another slot",
         "site": "gsp/boot/x.c:12"}
WIDTH = 79
TABLE = """\
+-------------------------------+----------------------------+----------------+
| Firstlight 0.1.0   up 3 min 12 s   ok   {url:<35} |
|-------------------------------+----------------------------+----------------|
| GPU  Name                     | Bus-Id         Firmware    | State          |
|      Temp Perf Pwr:Usage/Cap  | Memory-Usage               | GPU-Util/Stage |
|===============================+============================+================|
|   0  NVIDIA GeForce RTX 3090  | 0000:01:00.0   570.144     | ready          |
|      42C  P8   31W / 350W     | 512MiB / 24576MiB          | 7%             |
+-------------------------------+----------------------------+----------------+
"""


def serve(a, value):
    a.paths["/api/v1/status"] = 200, "application/json", json.dumps(value).encode()


def shown(a, *gpus, **more):
    """What status says of these GPUs."""
    serve(a, status(*gpus, **more))
    return run("status", url=a.url).stdout


def table(t):
    with Appliance() as a:
        t.equal("table.whole", shown(a, gpu()), TABLE.format(url=a.url))
        empty = shown(a)
        t.ok("table.no-gpu", "no GPU was found" in empty, empty)
        # Nothing but what the oldest appliance says: all else is N/A.
        bare = shown(a, {"index": 0, "state": "ready"})
        t.ok("table.bare", "|      N/A  N/A  N/A / N/A      | N/A / N/A                  | N/A " in bare and
             "|   0  -    " in bare and "| -              N/A         | ready" in bare, bare)
        for name, value, words in (
                ("null-sensors", gpu(sensors=None), "|      N/A  N/A  N/A / N/A "),
                ("chip", gpu(name=""), "|   0  ga102 "),
                ("vram", gpu(nvidia_smi=None), "| N/A / 24576MiB "),
                ("long", gpu(name="x" * 50), "|   0  " + "x" * 24 + " | 0000:"),
                ("wide", gpu(name="é" * 50), "|   0  " + "é" * 24 + " | 0000:"),
                ("harmless", gpu(name="a\x1b[2J\n\u202e"), "|   0  a\\x1b[2J\\x0a\\u202e      "),
                ("word", gpu(sensors=sensors() | {"values": {"pstate": {"value": "8"}}}), "|      N/A  N/A "),
                ("stage", gpu(state="booting", stages=[{"name": "vbios", "state": "ok"},
                                                       {"name": "frts", "state": "running"}]), "| frts "),
                ("failed", gpu(state="failed", error=ERROR), "| riscv ")):
            text = shown(a, value)
            t.ok(f"table.{name}", words in text and all(len(line) == WIDTH for line in text.splitlines()
                                                        if line.startswith(("+", "|"))), text)
        limits = {"power_limit_requested": sensor(200000, "milliwatts", "power")}
        for name, watts in (("power_gpu_now", 10), ("power_gpu", 20), ("power_module_now", 30),
                            ("power_module", 40)):  # the later ones are preferred
            limits[name] = sensor(watts * 1000, "milliwatts", "power")
            text = shown(a, gpu(sensors={"values": limits}))
            t.ok(f"table.{name}", f" {watts}W / 200W " in text, text)
        for ms, words in ((0, "up 0 s"), (59999, "up 59 s"), (60000, "up 1 min 0 s"), (3600e3, "up 1 h 0 min"),
                          (90061e3, "up 1 d 1 h"), (-1, "up -"), ("1", "up -")):
            t.ok(f"table.up-{ms}", f" {words} " in shown(a, uptime_ms=ms), words)


def trouble(t):
    with Appliance() as a:
        text = shown(a, gpu(), gpu(1, state="failed", error=ERROR, attempt=3,
                                   health={"state": "failed", "reasons": ["GPU 1 failed"]}))
        t.ok("trouble.failed", "   failed   http" in text and text.endswith(
            "\nGPU 1 failed, attempt 3:\n  stage     riscv\n  step      NV_PRISCV_RISCV_CPUCTL\n"
            "  kind      timeout\n  text      it does not start\n  seen      0x80\n  expected  0x0\n"
            "  try       another slot\n  source    gsp/boot/x.c:12\n  waited    2.031 s\n"), text)
        text = shown(a, gpu(health={"state": "degraded", "reasons": ["Xid 48\nx", "slow"]}))
        t.ok("trouble.degraded", "   degraded   http" in text and
             text.endswith("\nGPU 0 is degraded:\n  Xid 48\\x0ax\n  slow\n"), text)
        text = shown(a, gpu(health={"state": "failed", "reasons": []}), gpu(1, health={"state": "degraded"}))
        t.ok("trouble.worst", "   failed   http" in text, text)
        text = shown(a, gpu(error=ERROR))  # ready again: nothing is below
        t.ok("trouble.none", text.endswith("-+\n"), text)


def forms(t):
    with Appliance() as a:
        value = status(gpu(), gpu(1))
        serve(a, value)
        ended = run("status", "--json", url=a.url)
        t.ok("forms.json", json.loads(ended.stdout) == value and ended.stdout.count("\n") == 1, ended.stdout)
        for text in ("1", "GPU-1-2", "0000:02:00.0", "02:00.0"):
            ended = run("status", "--json", "--gpu", text, url=a.url)
            t.equal(f"forms.gpu-{text}", json.loads(ended.stdout), value["gpus"][1])
        ended = run("status", "--gpu", "1", url=a.url)
        t.ok("forms.gpu-table", "|   1  " in ended.stdout and "|   0  " not in ended.stdout, ended.stdout)
        t.ended("forms.no-gpu", run("status", "--gpu", "7", url=a.url), REFUSED, "no GPU 7; the machine has 2")
        a.paths["/api/v1/status?format=nvidia-smi"] = 200, "text/plain", b"==NVSMI LOG==\n\x1b\tx\n"
        t.equal("forms.query", run("status", "-q", url=a.url).stdout, "==NVSMI LOG==\n\\x1b\tx\n")
        t.ended("forms.query-json", run("status", "-q", "--json", url=a.url), USAGE, "without --json")
        t.ended("forms.query-gpu", run("status", "-q", "--gpu", "0", url=a.url), USAGE, "without --json")
        t.ended("forms.query-elsewhere", run("boot", "-q", url=a.url), USAGE, "-q has no place")
        t.equal("forms.terminal", run_on_terminal("status", url=a.url)[0], DONE)


def check(t):
    """As a plugin: one line on standard output, nothing else, and their exit statuses."""
    whole = ("FIRSTLIGHT OK - 1 of 1 GPUs ready|ready=1;;;0;1 gpu0_temperature=41.6 gpu0_power=31.4 "
             "gpu0_utilization=7%;;;0;100 gpu0_memory=512MB;;;0;24576\n")
    ok, slow = {"state": "ok", "reasons": []}, {"state": "degraded", "reasons": ["Xid 48|\nx", "slow"]}
    bad = {"state": "failed", "reasons": ["failed: riscv: it does not start"]}
    with Appliance() as a:
        def line(name, status_expected, begin, *gpus, args=()):
            serve(a, status(*gpus))
            ended = run("status", "--check", *args, url=a.url)
            t.ok(f"check.{name}", ended.returncode == status_expected and ended.stdout.startswith(f"FIRSTLIGHT {begin}") and
                 ended.stdout.count("\n") == 1 and ended.stdout.count("|") <= 1 and not ended.stderr, f"{ended}")
            return ended.stdout

        a.paths["/healthz"] = 200, "text/plain", b"ok\n"
        t.equal("check.whole", line("ok", 0, "OK", gpu()), whole)
        line("degraded", 1, "WARNING - GPU 1: Xid 48/\\x0ax, slow|ready=2;;;0;2 ", gpu(), gpu(1, health=slow))
        line("booting", 1, "WARNING - GPU 0: is booting", gpu(state="booting", health=bad | {"reasons": ["is booting"]}))
        line("failed", 2, "CRITICAL - GPU 0: failed: riscv: it does not start|ready=0;;;0;1 ",
             gpu(state="failed", health=bad))
        line("worst", 2, "CRITICAL - GPU 0: failed", gpu(state="failed", health=bad), gpu(1, health=slow), gpu(2, health=5))
        line("unloaded", 2, "CRITICAL - GPU 0: is unloaded|", gpu(state="unloaded", health=bad | {"reasons": []}))
        line("odd", 3, "UNKNOWN - GPU 0: is ready|", gpu(health=None))
        line("none", 2, "CRITICAL - no GPU was found|ready=0;;;0;0\n")
        line("chosen", 0, "OK - 1 of 1 GPUs ready|", gpu(health=slow), gpu(1), args=("--gpu", "1"))
        line("no-such", 3, "UNKNOWN - there is no GPU 7; the machine has 1\n", gpu(), args=("--gpu", "7"))
        bare = line("bare", 0, "OK - ", {"index": 0, "state": "ready", "health": ok})
        t.equal("check.bare-figures", bare.split("|")[1], "ready=1;;;0;1\n")
        a.paths["/healthz"] = 503, "text/plain", b"1 of 2 expected GPUs\nmore"
        line("missing", 2, "CRITICAL - 1 of 2 expected GPUs|ready=1", gpu())
        for option in ("--json", "-q"):
            t.ended(f"check.with{option}", run("status", "--check", option, url=a.url), USAGE, "without -q and --json")
        t.ended("check.elsewhere", run("boot", "--check", url=a.url), USAGE, "--check has no place")
        a.paths["/api/v1/status"] = 401, "application/problem+json", problem(401, "needs the token")
        ended = run("status", "--check", url=a.url)
        t.ok("check.token", ended.returncode == 3 and ended.stdout.startswith("FIRSTLIGHT UNKNOWN - ") and not ended.stderr, ended)
        url = a.url
    ended = run("status", "--check", url=url)
    t.ok("check.gone", ended.returncode == 3 and ended.stdout.startswith("FIRSTLIGHT UNKNOWN - ") and not ended.stderr, ended)


def not_a_status(t):
    with Appliance() as a:
        for name, body, words in (("array", b"[]", "no object"), ("html", b"<html>", "not JSON"),
                                  ("no-gpus", b"{}", "tells of no GPUs"), ("gpus", b'{"gpus":5}', "no GPUs"),
                                  ("twice", b'{"gpus":[],"gpus":[]}', "duplicate"), ("empty", b"", "not JSON")):
            a.paths["/api/v1/status"] = 200, "application/json", body
            t.ended(f"none.{name}", run("status", url=a.url), UNREACHABLE, words)
        for name, body in (("gpu", {"gpus": [5, None, [], {}]}), ("health", {"gpus": [{"health": 5}]}),
                           ("appliance", {"appliance": [], "gpus": []}),
                           ("error", {"gpus": [{"state": "failed", "error": 5, "health": {"reasons": [{}]}}]})):
            serve(a, body)
            t.ended(f"none.odd-{name}", run("status", url=a.url), DONE, "Firstlight -")
        for path, args in (("/api/v1/status", []), ("/api/v1/status?format=nvidia-smi", ["-q"])):
            a.paths[path] = 503, "application/problem+json", problem(503, "no memory for it")
            t.ended(f"none.busy{''.join(args)}", run("status", *args, url=a.url), REFUSED, "no memory for it")


if __name__ == "__main__":
    sys.exit(main("status", table, trouble, forms, check, not_a_status))
