#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""firstlight against a server in the appliance's place: the command line, what is sent, what is shown, how
it ends."""
import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _standin import (DONE, NEEDS_TOKEN, PROGRAM, REFUSED, TOKEN, UNREACHABLE, USAGE, Appliance, error, main,
                      problem, run,
                      run_on_terminal)

READY = {"state": "ready", "attempts": {"total": 3, "last": [
    {"number": 1, "us": 5, "result": "of an earlier boot", "reset_before": None, "error": None},
    {"number": 1, "us": 1234567, "result": "timeout", "reset_before": None,
     "error": {"stage": "riscv", "text": "it does not start"}},
    {"number": 2, "us": 950, "result": "ok", "reset_before": "function", "error": None}]}}
FAILURE = {"stage": "riscv", "what": "NV_PRISCV_RISCV_CPUCTL", "kind": "timeout", "text": "it does not start",
           "seen": "0x80", "expected": "0x0", "waited_us": 2031000, "hint": "another slot",
            "site": "gsp/boot/x.c:12"}
BOOT0 = {"name": "NV_PMC_BOOT_0", "offset": "0x000000", "value": "0xb72000a1", "fields": {"MINOR_REVISION": 1,
                                                                                    "ARCHITECTURE": 23}}


# name, arguments, words that must be said
USAGE_CASES = (
    ("none", [], "which command"),
    ("command", ["bot"], "nearest: boot"),
    ("far-command", ["xyzzy"], "no command 'xyzzy'"),
    ("swapped", ["rcp", "x"], "nearest: rpc"),
    ("option", ["--jsn", "boot"], "nearest: --json"),
    ("option-value", ["--tokn=s", "boot"], "nearest: --token"),
    ("short", ["-z", "boot"], "unknown option -z"),
    ("no-value", ["boot", "--gpu"], "--gpu needs a value"),
    ("more", ["boot", "x"], "too many arguments"),
    ("less", ["registers"], "too few arguments"),
    ("no-file", ["-o", "x", "boot"], "-o has no place"),
    ("timeout", ["--timeout", "0", "boot"], "0.1 to 600"),
    ("timeout-word", ["--timeout", "5s", "boot"], "0.1 to 600"),
    ("nan", ["--timeout", "nan", "boot"], "0.1 to 600"),
    ("long", ["--timeout", "601", "boot"], "0.1 to 600"),
    ("reset", ["reset", "bsu"], "nearest: bus"),
    ("log", ["logs", "ntr"], "nearest: intr"),
    ("registers", ["registers", "wirte", "x"], "nearest: write"),
    ("list", ["registers", "list", "a", "b"], "one MATCH"),
    ("read", ["registers", "read"], "which registers"),
    ("write", ["registers", "write", "A"], "what to write"),
    ("write-word", ["registers", "write", "A", "on"], "32 bits"),
    ("write-large", ["registers", "write", "A", "0x100000000"], "32 bits"),
    ("write-0x", ["registers", "write", "A", "0x"], "32 bits"),
    ("write-two", ["registers", "write", "A", "1", "2"], "FIELD=VALUE"),
    ("write-twice", ["registers", "write", "A", "F=1", "F=2"], "each field once"),
    ("write-field", ["registers", "write", "A", "F=x"], "FIELD=VALUE"),
    ("write-no-name", ["registers", "write", "A", "=1"], "FIELD=VALUE"),
    ("rpc-word", ["rpc", "m", "word"], "JSON"),
    ("rpc-json", ["rpc", "m", "{x"], "not JSON"),
    ("rpc-twice", ["rpc", "m", "a=1", "a=2"], "'a' is there twice"),
    ("rpc-key-twice", ["rpc", "m", '{"a":1,"a":2}'], "not JSON"),
    ("rpc-no-name", ["rpc", "m", "=2"], "NAME=VALUE"),
    ("rpc-array-gpu", ["--gpu", "1", "rpc", "m", "[1]"], "by position"),
    ("both-tokens", ["--token", "a", "--token-file", "b", "boot"], "either --token or"),
    ("token", ["--token", "with\nline", "boot"], "visible characters"),
    ("token-empty", ["--token", "", "boot"], "visible"),
    ("token-long", ["--token", "x" * 128, "boot"], "visible"),
    ("token-file", ["--token-file", "/nowhere/t", "boot"], "/nowhere/t"),
    ("utf8", ["rpc", b"m", b"a=\xff"], "not UTF-8"),
    ("utf8-gpu", [b"--gpu", b"\xff", "boot"], "not UTF-8"),
    ("json-log", ["--json", "logs"], "--json needs -o"),
)
HOST_CASES = (
    ("scheme", "ftp://x", "http"),
    ("user", "http://u@x", "a user has"),
    ("password", "u:sesame@x", "has no place"),
    ("query", "x/?a=b", "a query"),
    ("ipv6", "::1", "brackets"),
    ("blank", "a b", "expected URL"),
)


def command_line(t):
    """What makes no sense ends with 2 and asks nobody; the nearest name is told."""
    with Appliance() as a:
        for name, args, words in USAGE_CASES:
            t.ended(f"usage.{name}", run(*args, url=a.url), USAGE, words)
        for name, host, words in HOST_CASES:
            ended = run("--host", host, "boot")
            t.ended(f"usage.host-{name}", ended, USAGE, words)
            t.ok(f"usage.host-{name}-not-shown", "sesame" not in ended.stderr)
        t.ok("usage.far-is-not-near", "nearest" not in run("xyzzy", url=a.url).stderr)
        t.equal("usage.nobody-asked", a.asked, [])
    for name, args in (("all", ["--help"]), ("help", ["help"]), ("short", ["-h"])):
        t.ended(f"help.{name}", run(*args), DONE, "boot", "registers", "decode", "FIRSTLIGHT_TOKEN",
                "Exit status")
    for name in ("rpc", "boot", "unload", "reset", "logs", "registers", "report", "decode"):
        for args in ([name, "--help"], ["--help", name], ["help", name]):
            t.ended(f"help.{'-'.join(args)}", run(*args), DONE, f"usage: firstlight [OPTION...] {name}",
                    "--timeout")
    t.ended("help.unknown", run("help", "bot"), USAGE, "no command 'bot'")
    t.ended("version", run("--version"), DONE, "firstlight 0.")


def rpc(t):
    with Appliance() as a:
        a.methods["m"] = {"a": [1, 2], "text": "\x1b[2J\u202eé"}
        ended = run("--json", "rpc", "m", "n=5", "s=word", "hex=0x10", "l=[1,true,null]", "e=", "q=a=b",
                    "big=18446744073709551615",
                    url=a.url)
        t.ended("rpc.named", ended, DONE)
        t.equal("rpc.named-sent", a.params(),
                {"n": 5, "s": "word", "hex": "0x10", "l": [1, True, None], "e": "", "q": "a=b",
                 "big": "18446744073709551615"})
        t.equal("rpc.json", json.loads(ended.stdout), a.methods["m"])
        t.equal("rpc.one-line", ended.stdout.count("\n"), 1)
        t.ok("rpc.ascii", ended.stdout.isascii() and "\x1b" not in ended.stdout, ended.stdout)
        t.equal("rpc.type", a.headers[-1]["Content-Type"], "application/json")
        t.ok("rpc.no-token", "Authorization" not in a.headers[-1], a.headers[-1])
        run("rpc", "m", '{"a": {"b": 1}}', url=a.url)
        t.equal("rpc.object", a.params(), {"a": {"b": 1}})
        run("rpc", "m", "[1, 2]", url=a.url)
        t.equal("rpc.array", a.params(), [1, 2])
        run("rpc", "m", "--gpu", "01:00.0", "x=1", url=a.url)
        t.equal("rpc.gpu", a.params(), {"gpu": "01:00.0", "x": 1})
        run("rpc", "m", "--gpu", "1", "gpu=2", url=a.url)
        t.equal("rpc.own-gpu", a.params(), {"gpu": 2})
        ended = run("rpc", "m", url=a.url)
        t.ok("rpc.people", "\n  \"a\": [" in ended.stdout and "\x1b" not in ended.stdout, ended.stdout)
        run("--host", a.url.removeprefix("http://"), "rpc", "m")
        t.equal("rpc.host-port", len(a.asked), 7)
        a.methods["m"] = None
        t.ended("rpc.null", run("rpc", "m", url=a.url), DONE, "null")
        t.ended("rpc.unknown", run("rpc", "gpu.bot", url=a.url), REFUSED, "there is no method 'gpu.bot'")
        a.methods["big"] = "x" * (9 << 20)
        t.ended("rpc.large", run("rpc", "big", url=a.url), UNREACHABLE, "longer than 8192 KiB")


def orders(t):
    with Appliance() as a:
        a.methods["gpu.boot"] = READY
        ended = run("boot", url=a.url)
        t.ended("boot", ended, DONE, "ready", "1.235 s", "950 us", "riscv: it does not start", "function")
        t.equal("boot.sent", a.params(), {"timeout_ms": 120000})
        t.ok("boot.no-error", "-: -" not in ended.stdout, ended.stdout)
        t.ok("boot.this-one", "earlier boot" not in ended.stdout, ended.stdout)
        columns = [max(line.find("timeout"), line.find("ok")) for line in ended.stdout.splitlines()[2:4]]
        t.ok("boot.aligned", len(set(columns)) == 1, ended.stdout)
        ended = run("boot", "--json", "--gpu", "GPU-1-2", "--timeout", "3.5", url=a.url)
        t.equal("boot.json", json.loads(ended.stdout), READY)
        t.equal("boot.json-sent", a.params(), {"gpu": "GPU-1-2", "timeout_ms": 3500})
        a.methods["gpu.boot"] = READY | {"state": "failed"}
        t.ended("boot.not-ready", run("boot", url=a.url), REFUSED, "the GPU is failed, expected ready")
        a.methods["gpu.boot"] = error(-32000, "the RISC-V core does not start", **FAILURE)
        t.ended("boot.failed", run("boot", url=a.url), REFUSED, "the RISC-V core does not start",
                "stage     riscv", "seen      0x80",
                "expected  0x0", "waited    2.031 s", "try       another slot", "source    gsp/boot/x.c:12")
        ended = run("boot", "--json", url=a.url)
        t.ended("boot.failed-json", ended, REFUSED)
        t.equal("boot.failed-object", json.loads(ended.stdout),
                {"code": -32000, "message": "the RISC-V core does not start", "data": FAILURE})
        t.equal("boot.failed-silent", ended.stderr, "")
        a.methods["gpu.boot"] = error(-32000, "\x1b]0;owned\x07 \x9b \u202e",
                                      **(FAILURE | {"hint": "\x1b[2J"}))
        ended = run("boot", url=a.url)
        t.ended("boot.hostile-words", ended, REFUSED, "\\x1b]0;owned\\x07 \\x9b \\u202e", "\\x1b[2J")
        t.ok("boot.hostile-clean", "\x1b" not in ended.stderr and "\x9b" not in ended.stderr, ended.stderr)
        a.methods["gpu.boot"] = error(-32000, "ready already", **(FAILURE | {"stage": "", "hint": ""}))
        ended = run("boot", url=a.url)
        t.ok("boot.empty-left-out", "stage" not in ended.stderr and "try" not in ended.stderr, ended.stderr)
        a.methods["gpu.unload"] = a.methods["gpu.reset"] = {"state": "unloaded",
                                                            "attempts": {"total": 0, "last": []}}
        t.ended("unload", run("unload", url=a.url), DONE, "unloaded")
        t.equal("unload.method", a.asked[-1]["method"], "gpu.unload")
        t.ended("reset", run("reset", url=a.url), DONE, "unloaded")
        t.equal("reset.sent", a.params(), {"timeout_ms": 120000})
        run("reset", "bus", url=a.url)
        t.equal("reset.kind", a.params()["kind"], "bus")
        a.methods["gpu.unload"] = error(-32003, "too many requests wait for this GPU; try again")
        t.ended("busy", run("unload", url=a.url), REFUSED, "try again")


def registers(t):
    with Appliance() as a:
        a.methods["registers.list"] = [
            {"name": "NV_PMC_BOOT_0", "offset": "0x000000", "readable": True, "writable": False,
             "fields": {"ARCHITECTURE": "28:24", "X": "3:0"}},
            {"name": "NV_PBUS_SW_SCRATCH", "offset": "0x001400", "count": 64, "stride": 4, "readable": True,
             "writable": True, "fields": {}}]
        ended = run("registers", "list", "nv_p", url=a.url)
        t.ended("registers.list", ended, DONE, "NV_PBUS_SW_SCRATCH(0..63)", "ARCHITECTURE[28:24] X[3:0]")
        t.equal("registers.list-sent", a.params(), {"match": "nv_p"})
        t.ok("registers.aligned",
             ended.stdout.splitlines()[0].index(" r ") == ended.stdout.splitlines()[1].index(" rw "),
             ended.stdout)
        t.equal("registers.list-json", json.loads(run("registers", "list", "--json", url=a.url).stdout),
                a.methods["registers.list"])
        a.methods["registers.list"] = []
        t.ended("registers.none", run("registers", "list", "zz", url=a.url), DONE, "no register has 'zz'")
        bad = error(-32602, "there is no register 'BAD'")
        a.methods["registers.read"] = lambda p: bad if p["register"] == "BAD" else BOOT0
        t.ended("registers.read", run("registers", "read", "NV_PMC_BOOT_0", url=a.url), DONE,
                "NV_PMC_BOOT_0  0xb72000a1  at 0x000000",
                "MINOR_REVISION  0x1", "ARCHITECTURE    0x17  23")
        t.ended("registers.index", run("registers", "read", "NV_PMC_BOOT_0(3)", url=a.url), DONE,
                "NV_PMC_BOOT_0(3)  0xb72000a1")
        t.ended("registers.name", run("registers", "read", "0x0", url=a.url), DONE, "NV_PMC_BOOT_0  0xb")
        run("registers", "read", "NV_PMC_BOOT_0", url=a.url)
        t.equal("registers.read-sent", a.params(), {"register": "NV_PMC_BOOT_0"})
        t.equal("registers.one-json", json.loads(run("--json", "registers", "read", "A", url=a.url).stdout),
                BOOT0)
        t.equal("registers.two-json",
                json.loads(run("--json", "registers", "read", "A", "B", url=a.url).stdout), [BOOT0, BOOT0])
        t.ended("registers.bad", run("registers", "read", "A", "BAD", "C", url=a.url), REFUSED, "0xb72000a1",
                "no register 'BAD'")
        t.equal("registers.stops-there", a.params(), {"register": "BAD"})
        ended = run("--json", "registers", "read", "A", "BAD", url=a.url)
        t.equal("registers.bad-json", json.loads(ended.stdout)["code"], -32602)
        a.methods["registers.read"] = BOOT0 | {"name": None}
        t.ended("registers.offset", run("registers", "read", "0x0", url=a.url), DONE, "0x000000  0xb72000a1")
        a.methods["registers.write"] = BOOT0
        for args, sent in ((["0x1f"], {"value": 31}), (["4294967295"], {"value": 4294967295}),
                           (["A=1", "B=0x10"], {"fields": {"A": 1, "B": 16}})):
            t.ended(f"registers.write-{args[0]}", run("registers", "write", "R", *args, url=a.url), DONE,
                    "0xb72000a1")
            t.equal(f"registers.write-{args[0]}-sent", a.params(), {"register": "R"} | sent)
        t.equal("registers.write-json",
                json.loads(run("--json", "registers", "write", "R", "1", url=a.url).stdout), BOOT0)


def token(t):
    with Appliance(token=TOKEN) as a, tempfile.TemporaryDirectory() as folder:
        a.methods["gpu.boot"] = READY
        path = Path(folder) / "token"
        path.write_text(TOKEN + "\r\nsecond line\n")
        t.ended("token.none", run("boot", url=a.url), NEEDS_TOKEN, "needs the token", "--token-file",
                "serial line")
        t.ended("token.wrong", run("boot", url=a.url, token="wrong-wrong-wrong"), NEEDS_TOKEN)
        ended = run("boot", "--json", url=a.url)
        t.ok("token.json", ended.returncode == NEEDS_TOKEN and json.loads(ended.stdout)["code"] == -32001,
             ended.stdout)
        t.ended("token.environment", run("boot", url=a.url, token=TOKEN), DONE, "ready")
        t.ended("token.option", run("boot", "--token", TOKEN, url=a.url), DONE, "ready")
        t.ended("token.equals", run(f"--token={TOKEN}", "boot", url=a.url, token="wrong-wrong-wrong"), DONE,
                "ready")
        t.ended("token.file", run("boot", "--token-file", path, url=a.url), DONE, "ready")
        path.write_bytes(b"")
        t.ended("token.empty-file", run("boot", "--token-file", path, url=a.url), USAGE, "1 to 127")
        # A problem of HTTP, not an error of JSON-RPC: a server that wants it for everything.
        a.paths["/api/v1/log"] = 401, "application/problem+json", problem(401, "the token is wrong")
        t.ended("token.problem", run("logs", url=a.url), NEEDS_TOKEN, "the token is wrong",
                "try       the token is in")
        a.paths["/api/v1/log"] = 200, "text/plain", f"it is {TOKEN}, or {TOKEN[:-1]}".encode()
        status, got = run_on_terminal("logs", url=a.url, token=TOKEN)
        t.ok("token.echoed", status == DONE and got.strip() == f"it is <token>, or {TOKEN[:-1]}".encode(),
             got)
        a.methods["gpu.boot"] = error(-32000, f"no {TOKEN}")
        t.ended("token.echoed-error", run("boot", url=a.url, token=TOKEN), REFUSED, "no <token>")
        t.ended("token.echoed-json", run("boot", "--json", url=a.url, token=TOKEN), REFUSED, "no <token>")


def token_not_in_arguments(t):
    """/proc/PID/cmdline shows no token once the program is at work."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        child = subprocess.Popen([PROGRAM, "--host", f"127.0.0.1:{listener.getsockname()[1]}", "--token",
                                  TOKEN, "boot"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        connection, _ = listener.accept()
        seen = Path(f"/proc/{child.pid}/cmdline").read_bytes()
        request = connection.recv(65536)
        connection.close()
        t.ok("token.arguments", TOKEN.encode() not in seen and b"--token" in seen, seen)
        t.ok("token.sent", b"Authorization: Bearer " + TOKEN.encode() in request, request)
        t.equal("token.closed", child.wait(60), UNREACHABLE)


def unreachable(t):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    ended = run("boot", url=f"http://127.0.0.1:{free}")
    t.ended("unreachable.refused", ended, UNREACHABLE, f"http://127.0.0.1:{free}", "Connection refused",
            "try ", "--host")
    ended = run("boot", "--json", url=f"127.0.0.1:{free}")
    t.ok("unreachable.json",
         ended.returncode == UNREACHABLE and json.loads(ended.stdout)["url"] == f"http://127.0.0.1:{free}",
         ended.stdout)
    t.ended("unreachable.name", run("boot", url="no-such-host.invalid"), UNREACHABLE,
            "cannot reach http://no-such-host.invalid")
    # A proxy of the environment is not asked: the appliance stands on the bench.
    with Appliance() as a:
        a.methods["m"] = 1
        proxy = f"http://127.0.0.1:{free}"
        t.ended("unreachable.no-proxy",
                run("rpc", "m", url=a.url, env={"http_proxy": proxy, "ALL_PROXY": proxy}), DONE)


def silent(t):
    """A server that takes the request and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        begin = time.monotonic()
        ended = run("--timeout", "0.3", "rpc", "m", url=url)
        t.ended("silent", ended, UNREACHABLE, "no answer to m within 0.3 s", "goes on there")
        t.ok("silent.waits", time.monotonic() - begin >= 0.3)
        t.ended("silent.of-the-call", run("rpc", "m", "timeout_ms=100", url=url), UNREACHABLE, "within 5.1 s")
        ended = run("rpc", "m", '{"timeout_ms": 0}', "--timeout", "0.2", url=url)
        t.ended("silent.own-timeout", ended, UNREACHABLE, "within 0.2 s")


def full(t):
    with Appliance() as a, open("/dev/full", "w", encoding="ascii") as out:
        a.methods["m"] = 1
        ended = subprocess.run([PROGRAM, "--host", a.url, "rpc", "m"], stdout=out, stderr=subprocess.PIPE,
                               text=True,
                               check=False, timeout=60)
        t.ok("full", ended.returncode == REFUSED and "No space left" in ended.stderr, ended.stderr)


if __name__ == "__main__":
    sys.exit(main("client", command_line, rpc, orders, registers, token, token_not_in_arguments, unreachable,
                  silent, full))
