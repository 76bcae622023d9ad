#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""firstlight logs, report and decode: files, and archives that may be anything."""
import io
import json
import os
import sys
import tarfile
import tempfile
from pathlib import Path

from _standin import (DONE, REFUSED, UNREACHABLE, USAGE, Appliance, main, problem, run, run_on_terminal)

BLOCK = 512
RAW = bytes(range(256)) * 3
ERROR = {"stage": "riscv", "what": "NV_PRISCV_RISCV_CPUCTL", "kind": "timeout", "text": "it does not start",
         "seen": "0x80", "expected": "0x0", "waited_us": 2031000, "hint": "another slot",
         "site": "gsp/boot/x.c:12"}
GPU = {"index": 0, "name": "GeForce", "chip": "ga102", "uuid": "GPU-1-2", "state": "failed",
       "pci": {"address": "0000:01:00.0"}, "gsp": {"version": "570.144"}, "error": ERROR}
ATTEMPTS = {"total": 1, "last": [{"number": 1, "us": 5, "result": "timeout", "reset_before": None,
                                  "error": ERROR}]}


def record(number, **more):
    return {"number": number, "us": 1500, "function": "GSP_RM_CONTROL", "cmd": f"0x{number:08x}",
            "event": False, "result": 0, "nv_status": "NV_OK", "end": "answered"} | more


HISTORY = {"next": 20, "records": [
    record(1), record(2, end="timed out"), record(3, nv_status="NV_ERR_INVALID_ARGUMENT"),
    record(4, result=0x55), record(5, end="event", event=True), record(6, end="cancelled"),
    record(7, end="failed"), record(8, end="running"), record(9, end="posted")]}
MEMBERS = {"status.json": json.dumps(GPU), "attempts.json": json.dumps(ATTEMPTS),
           "history.json": json.dumps(HISTORY), "flight.txt": "".join(f"line {i}.\n" for i in range(100)),
           "appliance.log": "log\n", "logs/rm.bin": "x" * 600, "pci.json": "{}"}


def archive(members, **options):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=options.get("format", tarfile.USTAR_FORMAT)) as tar:
        for name, text in members.items():
            data = text if isinstance(text, bytes) else text.encode()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def logs(t):
    with Appliance() as a, tempfile.TemporaryDirectory() as folder:
        for name in ("init", "intr", "rm"):
            a.paths[f"/api/v1/gpus/0/logs/{name}"] = 200, "application/octet-stream", RAW
            ended = run("logs", name, url=a.url, text=False)
            t.ok(f"logs.{name}", ended.returncode == DONE and ended.stdout == RAW, ended.stderr)
        a.paths["/api/v1/log"] = 200, "text/plain", b"one\x1b[2J\ntwo\t\xff\n"
        for args in (["logs"], ["logs", "appliance"]):
            ended = run(*args, url=a.url, text=False)
            t.ok(f"{'-'.join(args)}.pipe", ended.stdout == b"one\x1b[2J\ntwo\t\xff\n", ended.stdout)
        status, got = run_on_terminal("logs", url=a.url)
        t.ok("logs.terminal", status == DONE and got == b"one\\x1b[2J\r\ntwo\t\\xff\r\n", got)
        # Longer than need be, a half of a pair, beyond the last, cut off: RFC 3629, section 3.
        for name, bad in (("long", b"\xc0\x9b"), ("long-3", b"\xe0\x82\x9b"), ("half", b"\xed\xa0\x80"),
                          ("beyond", b"\xf4\x90\x80\x80"), ("cut", b"\xe2\x80"), ("loose", b"\x9b")):
            a.paths["/api/v1/log"] = 200, "text/plain", bad
            shown = "".join(f"\\x{byte:02x}" for byte in bad).encode()
            t.equal(f"logs.utf8-{name}", run_on_terminal("logs", url=a.url)[1], shown)
        good = "é€🚀 ".encode()
        a.paths["/api/v1/log"] = 200, "text/plain", good
        t.equal("logs.utf8-good", run_on_terminal("logs", url=a.url)[1], good)
        status, got = run_on_terminal("logs", "rm", url=a.url)
        t.ok("logs.raw-terminal", status == USAGE and b"garble" in got and b"\x00" not in got, got)
        path = Path(folder) / "rm.bin"
        path.write_bytes(b"x" * 5000)
        t.ended("logs.file", run("logs", "rm", "-o", path, url=a.url), DONE, "rm.bin", "768 bytes")
        t.ok("logs.file-bytes", path.read_bytes() == RAW)
        ended = run("logs", "rm", "--json", "--output", path, url=a.url)
        t.equal("logs.json", json.loads(ended.stdout), {"file": str(path), "bytes": 768})
        link = Path(folder) / "link"
        link.symlink_to(path)
        t.ended("logs.link", run("logs", "init", "-o", link, url=a.url), REFUSED, "symbolic link")
        t.ended("logs.no-folder", run("logs", "init", "-o", "/nowhere/x", url=a.url), REFUSED, "/nowhere/x",
                "No such file")
        t.ended("logs.full", run("logs", "init", "-o", "/dev/full", url=a.url), REFUSED, "No space left")
        a.paths["/api/v1/gpus/0/logs/rm"] = 503, "application/problem+json", problem(503,
                                                                                     "no memory for answers")
        t.ended("logs.refused", run("logs", "rm", "-o", path, url=a.url), REFUSED, "no memory for answers")
        t.ok("logs.refused-keeps", path.read_bytes() == RAW)
        a.paths["/api/v1/log"] = 500, "text/html", b"<html>"
        t.ended("logs.no-problem", run("logs", url=a.url), REFUSED, "HTTP status 500")
        a.paths["/api/v1/log"] = 200, "text/plain", b""
        t.ended("logs.empty", run("logs", url=a.url), DONE)


def which_gpu(t):
    with Appliance() as a:
        a.methods["gpu.list"] = [{"index": i, "pci": f"0000:0{i + 1}:00.0",
                                  "uuid": f"GPU-{i}"} for i in range(2)]
        for i in range(2):
            a.paths[f"/api/v1/gpus/{i}/logs/rm"] = 200, "application/octet-stream", f"of {i}".encode()
        t.ended("gpu.which", run("logs", "rm", url=a.url), REFUSED, "has 2 GPUs", "--gpu")
        for name, text in (("index", "1"), ("uuid", "gpu-1"), ("pci", "0000:02:00.0"), ("short", "02:00.0")):
            t.ended(f"gpu.{name}", run("logs", "rm", "--gpu", text, url=a.url), DONE, "of 1")
        t.ended("gpu.none", run("logs", "rm", "--gpu", "7", url=a.url), REFUSED,
                "no GPU 7; the machine has 2")
        a.methods["gpu.list"] = []
        t.ended("gpu.empty", run("report", url=a.url), REFUSED, "has 0 GPUs")
        a.methods["gpu.list"] = [{"index": -1}]
        t.ended("gpu.negative", run("report", url=a.url), REFUSED)
        a.methods["gpu.list"] = {"index": 0}
        t.ended("gpu.no-list", run("report", url=a.url), REFUSED)


def report(t):
    tar = archive(MEMBERS)
    with Appliance() as a, tempfile.TemporaryDirectory() as folder:
        a.paths["/api/v1/gpus/0/report"] = 200, "application/x-tar", tar
        own = "firstlight-gpu0-GPU-1-2"
        t.ended("report", run("report", url=a.url, cwd=folder), DONE, f"{own}.tar")
        t.ok("report.bytes", (Path(folder) / f"{own}.tar").read_bytes() == tar)
        (Path(folder) / f"{own}.tar").write_bytes(b"older")
        ended = run("report", "--json", url=a.url, cwd=folder)
        t.equal("report.again", json.loads(ended.stdout), {"file": f"{own}-2.tar", "bytes": len(tar)})
        t.ok("report.older-stays", (Path(folder) / f"{own}.tar").read_bytes() == b"older")
        for name, gpu, file in (("pci", {"index": 0, "pci": "0000:01:00.0", "uuid": ""},
                                 "firstlight-gpu0-0000-01-00.0.tar"),
                                ("path", {"index": 0, "uuid": "../../x/\x1b"},
                                 "firstlight-gpu0-..-..-x--.tar"),
                                ("nothing", {"index": 0}, "firstlight-gpu0-unknown.tar")):
            a.methods["gpu.list"] = [gpu]
            t.ended(f"report.{name}", run("report", url=a.url, cwd=folder), DONE, file)
            t.ok(f"report.{name}-there", (Path(folder) / file).is_file(), os.listdir(folder))
        path = Path(folder) / "mine.tar"
        t.ended("report.file", run("report", "-o", path, url=a.url), DONE, "mine.tar")
        t.ok("report.pipe", run("report", "-o", "-", url=a.url, text=False).stdout == tar)
        t.ended("report.json-pipe", run("report", "--json", "-o", "-", url=a.url), USAGE, "not among JSON")
        status, got = run_on_terminal("report", "-o", "-", url=a.url)
        t.ok("report.terminal", status == USAGE and b"into a file" in got, got)
        before = sorted(os.listdir(folder))
        a.paths["/api/v1/gpus/0/report"] = 200, "text/html", b"<html>" + bytes(2000)
        t.ended("report.no-tar", run("report", url=a.url, cwd=folder), UNREACHABLE, "no report")
        a.paths["/api/v1/gpus/0/report"] = 200, "application/x-tar", b""
        t.ended("report.empty", run("report", url=a.url, cwd=folder), UNREACHABLE, "no report")
        del a.paths["/api/v1/gpus/0/report"]
        t.ended("report.none", run("report", url=a.url, cwd=folder), REFUSED, "not '/api/v1/gpus/0/report'")
        t.equal("report.nothing-left", sorted(os.listdir(folder)), before)


def decode(t):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.tar"

        def ended(data, *args):
            path.write_bytes(data)
            return run("decode", *args, path)

        good = archive(MEMBERS)
        text = ended(good)
        t.ended("decode", text, DONE, "chip      ga102", "pci       0000:01:00.0", "firmware  570.144",
                "First failure", "seen      0x80", "try       another slot", "waited    2.031 s",
                "ended badly: 6 of 8", "NV_ERR_INVALID_ARGUMENT", "timed out", "logs/rm.bin", "its last 40 lines",
                "line 60.", "line 99.")
        t.ok("decode.tail", "line 59." not in text.stdout, text.stdout)
        t.ok("decode.good-calls", "0x00000001" not in text.stdout and "0x00000009" not in text.stdout,
             text.stdout)
        digest = json.loads(ended(good, "--json").stdout)
        t.equal("decode.json", [r["number"] for r in digest["bad_calls"]["last"]], [2, 3, 4, 6, 7, 8])
        t.equal("decode.json-failure", digest["first_failure"], ERROR)
        t.equal("decode.json-members", [m["name"] for m in digest["members"]], list(MEMBERS))
        t.equal("decode.json-tail", digest["flight_tail"], [f"line {i}." for i in range(60, 100)])
        t.equal("decode.json-problems", digest["problems"], [])
        digest = json.loads(ended(archive(MEMBERS | {"history.json": "{}"}), "--json").stdout)
        t.equal("decode.no-history", digest["bad_calls"], None)
        whole = MEMBERS | {"status.json": json.dumps({"appliance": {}, "gpus": [GPU]})}
        t.ended("decode.whole-status", ended(archive(whole)), DONE, "ga102")
        well = MEMBERS | {"status.json": json.dumps(GPU | {"error": None}),
                          "history.json": json.dumps({"records": [record(1)]})}
        t.ended("decode.well", ended(archive(well)), DONE, "First failure none".replace(" none", "\n  none"),
                "ended badly: 0 of 1")
        many = {"records": [record(i, end="failed") for i in range(30)]}
        digest = json.loads(ended(archive(MEMBERS | {"history.json": json.dumps(many)}), "--json").stdout)
        t.equal("decode.last-ten", [r["number"] for r in digest["bad_calls"]["last"]], list(range(20, 30)))
        t.ended("decode.gnu", ended(archive(MEMBERS, format=tarfile.GNU_FORMAT)), DONE, "ga102")
        t.ended("decode.pax", ended(archive(MEMBERS | {"é" * 90: "x"}, format=tarfile.PAX_FORMAT)), DONE,
                "ga102")
        long = "/".join(["d" * 50] * 3)
        t.ended("decode.prefix", ended(archive(MEMBERS | {long: "x"})), DONE, long)
        hostile = {"\x1b[2Jname": "x", "flight.txt": b"\x1b[2J\xff\n" + b"y" * 3000 + b"\n\n\n"}
        text = ended(archive(MEMBERS | hostile))
        t.ended("decode.escapes", text, DONE, "\\x1b[2Jname", "\\x1b[2J\\xff", "y" * 1024)
        t.ok("decode.clean", "\x1b" not in text.stdout and "y" * 1025 not in text.stdout)
        t.ended("decode.one-line", ended(archive(MEMBERS | {"flight.txt": "no end of line"})), DONE,
                "last 1 lines", "no end of line")
        t.ended("decode.no-lines", ended(archive(MEMBERS | {"flight.txt": "\n\n"})), DONE)


def damaged(t):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.tar"

        def damage(name, data, *words):
            path.write_bytes(data)
            t.ended(f"damaged.{name}", run("decode", path), REFUSED, *words)

        def header(**fields):
            """An archive whose first header has these bytes at these offsets, with the sum that fits unless
            it is one of them."""
            data = bytearray(archive(MEMBERS))
            for at, value in fields.get("at", {}).items():
                data[at:at + len(value)] = value
            if not fields.get("keep_sum"):
                data[148:156] = b" " * 8
                data[148:156] = f"{sum(data[:BLOCK]):06o}\0 ".encode()
            return bytes(data)

        good = archive(MEMBERS)
        first_end = 2 * BLOCK  # status.json fits into a block
        damage("empty", b"", "no end", "status.json: is not in it")
        damage("text", b"hello" * 400, "no header")
        damage("no-end", good[:first_end], "it has no end", "attempts.json: is not in it")
        damage("cut-in-member", good[:first_end - 1], "in the middle of a member")
        damage("cut-in-header", good[:first_end + 100], "it has no end")
        damage("sum", header(at={0: b"S"}, keep_sum=True), "no header")
        damage("magic", header(at={257: b"USTAR"}), "no header")
        for name, size in (("nothing", b" " * 12), ("letters", b"00000000012x"), ("eight", b"000000000008"),
                           ("minus", b"-00000000001")):
            damage(f"size-{name}", header(at={124: size}), "size is no number")
        damage("size-most", header(at={124: b"777777777777"}), "in the middle of a member")
        damage("size-base-256", header(at={124: b"\x80" + b"\xff" * 11}), "size is no number")
        damage("json", archive(MEMBERS | {"status.json": '{"a":'}), "status.json: ")
        damage("json-twice", archive(MEMBERS | {"status.json": '{"a":1,"a":2}'}), "status.json: duplicate")
        damage("json-array", archive(MEMBERS | {"history.json": "[]"}), "history.json: is no object")
        damage("json-deep", archive(MEMBERS | {"status.json": "[" * 100000}), "status.json: ")
        damage("json-large", archive(MEMBERS | {"status.json": " " * (9 << 20)}),
               "status.json: is longer than 8 MiB")
        damage("members", archive({f"{i}": "" for i in range(1001)}), "more than 1000 members")
        # GNU tar has times where others have the beginning of a name.
        path.write_bytes(header(at={257: b"ustar  \0", 345: b"12345670123"}))
        t.ended("gnu-times", run("decode", path), DONE, "ga102")
        blanks = f"{len(MEMBERS['status.json']):11o}\0".encode()
        path.write_bytes(header(at={124: blanks}))
        t.ended("size-blanks", run("decode", path), DONE, "ga102")
        # What is no regular file is none, whatever its name is.
        for kind in b"12345679gxL":
            path.write_bytes(header(at={156: bytes([kind])}))
            t.ended(f"type-{chr(kind)}", run("decode", path), REFUSED, "status.json: is not in it")
        path.write_bytes(header(at={156: b"\0"}))
        t.ended("type-old", run("decode", path), DONE, "ga102")
        odd = {"status.json": json.dumps({"gpus": 5, "error": "x", "pci": 3}),
               "attempts.json": json.dumps({"last": [5, None, {"error": 1}]}),
               "history.json": json.dumps({"records": [None, 5,
                                                       {"end": 7, "result": "x"}]}), "flight.txt": ""}
        path.write_bytes(archive(odd))
        t.ended("odd-types", run("decode", path), DONE)
        t.ended("odd-types-json", run("decode", "--json", path), DONE)
        first = archive({"status.json": json.dumps(GPU)})[:-10240 + 2 * BLOCK]
        path.write_bytes(first + archive(MEMBERS | {"status.json": json.dumps(GPU | {"chip": "second"})}))
        t.ended("first-counts", run("decode", path), DONE, "ga102")
        with open(path, "wb") as f:
            f.truncate((64 << 20) + 1)
        t.ended("damaged.large", run("decode", path), REFUSED, "longer than 64 MiB")
        t.ended("damaged.missing", run("decode", "/nowhere/x.tar"), REFUSED, "/nowhere/x.tar", "No such file")
        t.ended("damaged.folder", run("decode", folder), REFUSED, "Is a directory")


METRICS = b"""# HELP DCGM_FI_DEV_GPU_TEMP GPU temperature (in C).
# TYPE DCGM_FI_DEV_GPU_TEMP gauge
DCGM_FI_DEV_GPU_TEMP{gpu="0",name="power"} 41
# TYPE firstlight_power_watts gauge
# UNIT firstlight_power_watts watts
firstlight_power_watts 3.5
# a comment on power
# EOF
"""


def metrics(t):
    with Appliance() as a, tempfile.TemporaryDirectory() as folder:
        a.paths["/metrics"] = 200, "text/plain; version=0.0.4", METRICS
        lines = METRICS.decode().splitlines(keepends=True)
        t.equal("metrics.all", run("metrics", url=a.url).stdout, METRICS.decode())
        t.equal("metrics.match", run("metrics", "POWER", url=a.url).stdout, "".join(lines[3:6]))
        t.equal("metrics.name", run("metrics", "gpu_temp", url=a.url).stdout, "".join(lines[:3]))
        # A value, a label, a word of help and a line without an end are no names.
        t.ended("metrics.none", run("metrics", "gauge", url=a.url), REFUSED, "no metric has 'gauge' in it")
        t.ended("metrics.comment", run("metrics", "#", url=a.url), REFUSED, "no metric has '#' in it")
        a.paths["/metrics"] = 200, "text/plain", b"x\ny 5"
        t.equal("metrics.no-end", run("metrics", "y", url=a.url).stdout, "y 5")
        path = Path(folder) / "m"
        t.ended("metrics.file", run("metrics", "x", "-o", path, url=a.url), DONE, "2 bytes")
        t.ended("metrics.json", run("metrics", "--json", url=a.url), USAGE, "--json needs -o")
        a.paths["/metrics"] = 200, "text/plain", b""
        t.equal("metrics.empty", run("metrics", url=a.url).stdout, "")
        t.ended("metrics.empty-match", run("metrics", "x", url=a.url), REFUSED, "no metric has")
        a.paths["/metrics"] = 503, "application/problem+json", problem(503, "no memory for it")
        t.ended("metrics.busy", run("metrics", url=a.url), REFUSED, "no memory for it")


def flight(t):
    with Appliance() as a, tempfile.TemporaryDirectory() as folder:
        for name, body, count, shown in (("all", "a\nb\nc\n", None, "a\nb\nc\n"), ("one", "a\nb\nc\n", 1, "c\n"),
                                         ("two", "a\nb\nc\n", 2, "b\nc\n"), ("more", "a\nb\nc\n", 9, "a\nb\nc\n"),
                                         ("exact", "a\nb\nc\n", 3, "a\nb\nc\n"), ("no-end", "a\nb", 1, "b"),
                                         ("blank", "a\n\n", 1, "\n"), ("empty", "", 1, "")):
            a.paths["/api/v1/gpus/0/flight"] = 200, "text/plain", body.encode()
            args = [] if count is None else ["-n", str(count)]
            t.equal(f"flight.{name}", run("flight", *args, url=a.url).stdout, shown)
        path = Path(folder) / "f"
        a.paths["/api/v1/gpus/0/flight"] = 200, "text/plain", b"a\nb\n"
        t.ended("flight.file", run("flight", "--lines", "1", "-o", path, url=a.url), DONE, "2 bytes")
        t.equal("flight.file-bytes", path.read_bytes(), b"b\n")
        for value in ("0", "-1", "x", ""):
            t.ended(f"flight.lines-{value}", run("flight", "-n", value, url=a.url), USAGE, "1 or more")
        t.ended("flight.json", run("flight", "--json", url=a.url), USAGE, "--json needs -o")
        t.ended("flight.elsewhere", run("metrics", "-n", "1", url=a.url), USAGE, "-n has no place")
        t.ended("flight.gpu", run("flight", "--gpu", "7", url=a.url), REFUSED, "no GPU 7")


if __name__ == "__main__":
    sys.exit(main("files", metrics, flight, logs, which_gpu, report, decode, damaged))
