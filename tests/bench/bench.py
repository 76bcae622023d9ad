#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The bench: boots the appliance under QEMU, with and without a GPU, and brings GPUs up natively; prints a
table for people and writes build/bench.json: a list of objects with name, value, unit, against, ratio.

Times are the emulator's. What counts is the ratio to the line's own yardstick, named in `against`."""
import argparse
import http.client
import json
import os
import re
import socket
import ssl
import statistics
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TOP / "images"), str(TOP / "tests/linux")]
import checks  # noqa: E402
import guest  # noqa: E402
import initramfs  # noqa: E402
from launch import Machine, built, free_port, make_image, read_deps  # noqa: E402

OUT = TOP / "build/bench.json"
LOAD = TOP / "build/host/tests/bench/http_load"
NATIVE = TOP / "build/host/tests/bench"
KERNEL = built()[0] / "kernel.stripped.elf"
STICK = TOP / "build/image/bench.img"

GOAL_FIRST_ANSWER_MS = 60
GOAL_KERNEL_BYTES = 400_000
GOAL_GPU_STAGES_MS = 105
FAMILIES = ("tu102", "ga102", "ad102", "gh100", "gb202")  # a chip of each
GOAL_REQUESTS_PER_S = 9000
# nginx on Linux with a file of 22 bytes in this QEMU, measured once: requests a second on one connection.
NGINX_PER_S = 1430
GOAL_STATUS_PER_S, GOAL_METRICS_PER_S = 5 * NGINX_PER_S, 4 * NGINX_PER_S
GOAL_EXTRA_LATENCY_MS = 100
GOAL_NATIVE_PER_S = 200
GOAL_NATIVE_MS = 5
GOAL_FLOODED_CALL_MS = 110  # a call with a time-out of 100 ms while the GSP sends without end
GOAL_FLOODED_OTHER_MS = 10  # the longest that another fiber waits meanwhile
LINUX_NGINX_MS = 7000  # the same set-up with a Linux kernel and nginx, measured once by the toolchain study
# A register read with a bare vfio-user server under QEMU takes 12 to 30 us, as the machine is; the model may
# add a tenth.
BARE_READ_US = (12, 30)
GOAL_OWN_READ_US = BARE_READ_US[0] / 10
GOAL_READ_US = BARE_READ_US[1] * 1.1
READER = TOP / "build/linux/read_cost"
LIBCS = ("picolibc", "newlib")
BUILD_S = 900
# Linux 7.2's gpu_buddy on the same situations: in user space, 16 GiB, without zones; the better of its figures, in
# the row's unit, measured once on a shared VM of two cores.
LINUX_BUDDY = {
    "alloc_4k": 110, "free_in_order_4k": 31, "free_random_4k": 2100,
    "alloc_64k": 115, "free_in_order_64k": 33, "free_random_64k": 880,
    "alloc_2m": 46, "free_in_order_2m": 12, "free_random_2m": 270,
    "alloc_and_free_half_full_4k": 27 + 620, "alloc_and_free_90_full_4k": 29 + 740,
    "alloc_and_free_half_full_64k": 23 + 275, "alloc_and_free_half_full_2m": 25 + 22,
    "fragment_alloc_8k_at_64k": 85, "fragment_free_two_colours": 30,
    "fragment_alloc_64k": 16, "fragment_free_64k": 12,
    "scattered_block_checkerboard_4k": 180, "in_vain_slowest_4k_16g": 172_000,
    # A heap object of 88 bytes per node, two nodes per page when all is split.
    "meta_per_gib_16g": 44 * 2**20,
}
# The same where its heap was shuffled before, as after some hours of use: the other end of what was measured.
LINUX_BUDDY_SHUFFLED = {"alloc_4k": 360, "alloc_64k": 375, "alloc_2m": 190}
GOAL_BUDDY_SLOWEST_US = 10
GOAL_BUDDY_META = 2**30 // 1000  # a thousandth of the memory
RPC_SECONDS = 2
RPC_BATCH = 32
FILE_COPIES = 1.0      # the read from the stick itself

results = []


def record(name, value, unit, against, yardstick):
    ratio = round(value / yardstick, 4) if yardstick else None
    results.append({"name": name, "value": round(value, 4), "unit": unit, "against": against, "ratio": ratio})


def show(out):
    """The table for people, and the file for programs."""
    width = max(len(r["name"]) for r in results)
    print(f"\n{'':{width}}  {'value':>14}          ratio  against")
    for r in results:
        ratio = f"{r['ratio']:9.3f}" if r["ratio"] is not None else " " * 9
        print(f"{r['name']:{width}}  {r['value']:14,.2f} {r['unit']:8} {ratio}  {r['against']}")
    out.write_text(json.dumps(results, indent=1) + "\n")
    print(f"\n{len(results)} figures in {out.relative_to(TOP)}")
    print(f"ok bench: {len(results)} figures")


def load(port, path, *args, timeout_s=120):
    done = subprocess.run([str(LOAD), str(port), path, *map(str, args)], text=True, capture_output=True,
                          timeout=timeout_s, check=False)
    if done.returncode != 0:
        sys.exit(f"http_load {path}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def ready_ms(status):
    """Clock at the end of the last stage, counted from EFI entry."""
    stages = [s for s in status["gpus"][0]["stages"] if s["state"] == "ok"]
    end_us = max(s["start_us"] + s["us"] for s in stages)
    return status["appliance"]["efi_entry_to_handoff_ms"] + end_us / 1000


def boots(image, count, chips, model_args=()):
    found = []
    for _ in range(count):
        with Machine(image, chips=chips, model_args=model_args) as m:
            load(m.http_port, "/healthz", "--first", 60)
            status = m.wait_gpu() if chips else m.json("/api/v1/status")
            if chips and status["gpus"][0]["state"] != "ready":
                sys.exit(f"the GPU is not ready: {json.dumps(status['gpus'][0]['error'])}")
            found.append(status)
    return found


def median(values):
    return statistics.median(values)


def stages_ms(status):
    """(all stages of a GPU's bring-up, the driver's own share: what is no wait for NVIDIA's programs)"""
    stages = status["gpus"][0]["stages"]
    took, waited = (sum(s[key] for s in stages) / 1000 for key in ("us", "waited_us"))
    return took, took - waited


def bench_own_share(count):
    image = make_image(STICK.with_name("bench-families.img"), chips=FAMILIES)
    for chip in FAMILIES:
        took, own = zip(*map(stages_ms, boots(image, count, [chip])))
        record(f"gpu_own_share_{chip}", median(own), "ms", "all stages of the same bring-ups", median(took))


def bench_prom(image, count, trapped):
    """The bring-up with the PROM mapped; and with a VBIOS of a board's size, both ways. trapped: ms, of the small one."""
    def stages(*args):
        return median(stages_ms(s)[0] for s in boots(image, count, ["ga102"], args))
    record("gpu_stages_prom_mapped", stages("--map-prom"), "ms", "the PROM trapped", trapped)
    real = stages("--vbios", "real")
    record("gpu_stages_real_vbios", real, "ms", "the small VBIOS", trapped)
    record("gpu_stages_real_vbios_prom_mapped", stages("--vbios", "real", "--map-prom"), "ms", "the PROM trapped", real)


def bench_start(image, count):
    bare, gpu = boots(image, count, []), boots(image, count, ["ga102"])
    first = lambda s: s["appliance"]["handoff_to_first_answer_ms"]  # noqa: E731
    no_gpu = median([first(s) for s in bare])
    record("handoff_to_first_answer_no_gpu", no_gpu, "ms", "goal: 60 ms", GOAL_FIRST_ANSWER_MS)
    record("handoff_to_first_answer_gpu", median([first(s) for s in gpu]), "ms", "the same without a GPU", no_gpu)
    record("efi_entry_to_first_answer", median([s["appliance"]["boot_ms"] for s in gpu]), "ms",
           "Linux + nginx on this set-up, 7000 ms", LINUX_NGINX_MS)
    record("efi_entry_to_gpu_ready", median([ready_ms(s) for s in gpu]), "ms", "EFI entry to first answer",
           median([s["appliance"]["boot_ms"] for s in gpu]))
    whole = median(stages_ms(s)[0] for s in gpu)
    record("gpu_stages", whole, "ms", "goal: 105 ms", GOAL_GPU_STAGES_MS)
    bench_prom(image, count, whole)
    last = gpu[-1]["gpus"][0]
    total = last["registers"]["reads"]
    record("register_reads", total, "reads", "writes of the same bring-up", last["registers"]["writes"])
    for stage in last["stages"]:
        if stage["reads"] or stage["writes"]:
            name = stage["name"].replace("-", "_")
            record(f"register_reads_{name}", stage["reads"], "reads", "all reads of the bring-up", total)
            record(f"register_writes_{name}", stage["writes"], "writes", "all writes of the bring-up",
                   last["registers"]["writes"])
    copied = last["firmware"]["copied_bytes"] / last["firmware"]["bytes"] if last["firmware"]["bytes"] else 0
    record("bytes_copied_per_firmware_byte", FILE_COPIES + copied, "bytes", "1.0: the read of the file itself",
           FILE_COPIES)
    memory = gpu[-1]["appliance"]["memory"]
    record("ram_without_firmware", memory["used_bytes"] / 2**20, "MiB", "RAM of the machine",
           memory["total_bytes"] / 2**20)


def bench_network(image):
    with Machine(image, chips=["ga102"]) as m:
        load(m.http_port, "/healthz", "--first", 60)
        busy = load(m.http_port, "/healthz", "--rate", 100, "--seconds", 3)
        m.wait_gpu()
        time.sleep(0.5)
        idle = load(m.http_port, "/healthz", "--rate", 100, "--seconds", 3)
        for q in ("p50", "p99", "max"):
            record(f"healthz_{q}_during_bringup", busy[f"{q}_us"] / 1000, "ms", "the same on the idle appliance",
                   idle[f"{q}_us"] / 1000)
        record("healthz_extra_wait_max", max(0.0, (busy["max_us"] - idle["max_us"]) / 1000), "ms", "goal: 100 ms",
               GOAL_EXTRA_LATENCY_MS)
        before, start = m.cpu_seconds(), time.monotonic()
        time.sleep(3)
        record("idle_cpu_share", (m.cpu_seconds() - before) / (time.monotonic() - start), "cores", "one core", 1)
    with Machine(image, chips=["ga102"]) as m:
        m.wait_gpu()
        for name, path, goal in (("status", "/api/v1/status", GOAL_STATUS_PER_S), ("metrics", "/metrics", GOAL_METRICS_PER_S)):
            runs = [load(m.http_port, path, "--requests", 2000) for _ in range(3)]
            record(f"{name}_requests_per_second", median(r["per_second"] for r in runs), "1/s",
                   f"goal: {goal} on one connection, with a GPU", goal)
    # Without a GPU: with one, QEMU and the model are pinned to one CPU for the sake of register reads, and the
    # emulated CPU would share it with QEMU's network.
    with Machine(image, chips=[]) as m:
        load(m.http_port, "/healthz", "--first", 60)
        runs = [load(m.http_port, "/healthz", "--requests", 5000) for _ in range(9)]
        record("keepalive_requests_per_second", median(r["per_second"] for r in runs), "1/s",
               "goal: 9000 on one connection", GOAL_REQUESTS_PER_S)
        record("keepalive_p50", median(r["p50_us"] for r in runs), "us",
               "9000 requests a second", 1e6 / GOAL_REQUESTS_PER_S)


class Caller:
    """JSON-RPC on one connection, and plain requests on it for comparison."""

    def __init__(self, machine):
        self.connection = http.client.HTTPConnection("127.0.0.1", machine.http_port, timeout=30)
        self.headers = {"Content-Type": "application/json", "Authorization": f"Bearer {machine.token()}"}

    def plain(self):
        self.connection.request("GET", "/healthz")
        return self.connection.getresponse().read()

    def rpc(self, body):
        self.connection.request("POST", "/rpc", body, self.headers)
        answer = json.loads(self.connection.getresponse().read())
        bad = [a for a in (answer if isinstance(answer, list) else [answer]) if "result" not in a]
        if bad:
            sys.exit(f"bench: /rpc: {bad[0]}")
        return answer


def per_second(call):
    count, begin = 0, time.monotonic()
    while time.monotonic() - begin < RPC_SECONDS:
        call()
        count += 1
    return count / (time.monotonic() - begin)


def bench_rpc(image):
    """Calls a second, against plain requests by the same client in the same run."""
    def body(method, count=1, **params):
        calls = [{"jsonrpc": "2.0", "method": method, "params": params, "id": i} for i in range(count)]
        return json.dumps(calls if count > 1 else calls[0])
    read = {"register": "NV_PMC_BOOT_0"}
    control = {"control": "NV2080_CTRL_CMD_GSP_GET_FEATURES"}
    with Machine(image, chips=["ga102"]) as m:
        m.wait_gpu()
        caller = Caller(m)
        plain = median(per_second(caller.plain) for _ in range(3))
        against = "plain requests of the same client"
        record("rpc_plain_requests_per_second", plain, "1/s", against, plain)
        for name, text, calls in (("registers_read", body("registers.read", **read), 1),
                                  ("registers_read_batch_of_32", body("registers.read", RPC_BATCH, **read), RPC_BATCH),
                                  ("rm_control", body("rm.control", **control), 1)):
            rate = median(calls * per_second(lambda sent=text: caller.rpc(sent)) for _ in range(3))
            record(f"rpc_{name}_calls_per_second", rate, "1/s", against, plain)
        one_ms = 1000 / per_second(lambda: caller.rpc(body("rm.control", **control)))
        history = caller.rpc(body("rpc.history"))["result"]["records"]
        gpu_ms = median(r["us"] / 1000 for r in history if r["function"] == "GSP_RM_CONTROL")
        record("rpc_rm_control_in_the_gsp", gpu_ms, "ms", "the whole call", one_ms)


def ask(connection, count):
    """Requests in turn on one connection; their times in us."""
    took = []
    for _ in range(count):
        begin = time.monotonic()
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 10.0.2.15\r\n\r\n")
        answer = b""
        while not answer.endswith(b"ok\n"):
            answer += connection.recv(4096)
        took.append((time.monotonic() - begin) * 1e6)
    return took


def bench_tls():
    """Requests through TLS beside plain ones: the same client, by turns; and handshakes in turn."""
    conf = STICK.with_name("bench-tls.conf")
    conf.write_text("tls = yes\n")
    context = ssl._create_unverified_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with Machine(make_image(STICK.with_name("bench-tls.img"), conf=conf), chips=[], https_port=free_port()) as m:
        m.wait_http()
        m.wait_serial("TLS certificate SHA-256")
        plain, secure, shaken = [], [], []
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", m.http_port)) as s:
                plain += ask(s, 1000)
            with context.wrap_socket(socket.create_connection(("127.0.0.1", m.https_port))) as s:
                secure += ask(s, 1000)
            for _ in range(20):
                begin = time.monotonic()
                with context.wrap_socket(socket.create_connection(("127.0.0.1", m.https_port))):
                    shaken.append((time.monotonic() - begin) * 1000)
        record("tls_keepalive_p50", median(secure), "us", "the same without TLS", median(plain))
        record("tls_handshake_p50", median(shaken), "ms", "a plain request", median(plain) / 1000)


def bench_register_read():
    """In a Linux guest that does nothing else; the appliance's own figures have its parsing in them."""
    kernel, firmware = checks.prepare([READER])
    archive = TOP / "build/test-images/read_cost.cpio"
    archive.parent.mkdir(parents=True, exist_ok=True)
    with open(archive, "wb") as out:
        cpio = initramfs.Cpio(out)
        cpio.directory("dev")
        cpio.device("dev/console", 5, 1)
        cpio.file("init", READER.read_bytes(), executable=True)
        cpio.end()
    result = guest.run(kernel, archive, chip="ga102", firmware=firmware,
                       record=TOP / "build/test-results/read_cost")
    reads = [float(r) for r in re.findall(r"^register_read ([\d.]+)", result.serial, re.M)]
    if not reads:
        sys.exit(f"read_cost: {result.ended}: {result.serial[-500:]}")
    record("register_read", median(reads), "us", "a bare vfio-user server, 30 us at most, + 10 %", GOAL_READ_US)


def heap_bytes(machine, libc):
    """What malloc has taken of its region: the first word of `libc` in arch/x86_64/libc.c."""
    symbols = subprocess.run(["nm", str(built(libc)[0] / "kernel.elf")], text=True, capture_output=True,
                             check=True).stdout
    address = re.search(r"^([0-9a-f]+) b libc$", symbols, re.M)[1]
    return int(machine.qmp("human-monitor-command", command_line=f"x /1gx 0x{address}").split()[-1], 16)


def bench_libc(count):
    """The appliance with newlib against the one with picolibc: both from the sources as they are, by turns."""
    newlib = read_deps().get("NEWLIB_DIR")
    if not newlib or not Path(newlib).is_dir():
        print("bench: newlib against picolibc: left out; run make LIBC=newlib once, then make bench", flush=True)
        return
    print(f"bench: newlib against picolibc, {2 * count} boots", flush=True)
    seen = {libc: {"first": [], "ram": [], "heap": [], "p50": []} for libc in LIBCS}
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    for libc in LIBCS:
        done = subprocess.run(["make", "--no-print-directory", "efi"], cwd=TOP, env=dict(env, LIBC=libc),
                              text=True, capture_output=True, timeout=BUILD_S, check=False)
        if done.returncode != 0:
            sys.exit(f"make LIBC={libc} efi: {done.stdout}{done.stderr}")
    for _ in range(count):
        for libc in LIBCS:
            image = make_image(STICK.with_name(f"bench-{libc}.img"), efi=built(libc)[1] / "BOOTX64.EFI")
            with Machine(image, chips=[]) as m:
                load(m.http_port, "/healthz", "--first", 60)
                runs = [load(m.http_port, "/healthz", "--requests", 5000) for _ in range(3)]
                appliance = m.json("/api/v1/status")["appliance"]
                memory = appliance["memory"]
                seen[libc]["first"].append(appliance["handoff_to_first_answer_ms"])
                seen[libc]["ram"].append(m.memory_mib - (memory["total_bytes"] - memory["used_bytes"]) / 2**20)
                seen[libc]["heap"].append(heap_bytes(m, libc))
                seen[libc]["p50"] += [r["p50_us"] for r in runs]
    # The least of all: what other work on this machine adds to a time is never negative.
    old, new = ({name: min(values) for name, values in seen[libc].items()} for libc in LIBCS)
    sizes = [(built(libc)[0] / "kernel.stripped.elf").stat().st_size for libc in LIBCS]
    record("newlib_kernel_image", sizes[1], "bytes", "the same with picolibc", sizes[0])
    for name, key, unit in (("ram_not_free", "ram", "MiB"), ("heap", "heap", "bytes"),
                            ("handoff_to_first_answer", "first", "ms"), ("keepalive_p50", "p50", "us")):
        record(f"newlib_{name}", new[key], unit, "the same with picolibc", old[key])


def bench_native():
    """What the native benches print: lines of name, value, unit."""
    costs = {}
    for name in ("bench_bringup", "bench_vram", "bench_fiber", "bench_buddy", "bench_tables", "bench_bind", "bench_vfio",
                 "bench_flood", "bench_tls", "bench_api"):
        done = subprocess.run([str(NATIVE / name)], text=True, capture_output=True, timeout=300, check=False)
        if done.returncode != 0:
            sys.exit(f"{name}: status {done.returncode}: {done.stdout}{done.stderr}")
        for line in done.stdout.splitlines():
            parts = line.split()
            if len(parts) == 3:
                value = costs[parts[0]] = float(parts[1])
                if parts[0] == "bringup_rate":
                    record("native_bringups_per_second", value, "1/s", "goal: 200 in one process",
                           GOAL_NATIVE_PER_S)
                    record("native_bringup", 1000 / value, "ms", "goal: 5 ms", GOAL_NATIVE_MS)
                elif re.fullmatch(r"flood_.*_call", parts[0]):
                    record(parts[0], value, "ms", "goal: 110 ms", GOAL_FLOODED_CALL_MS)
                elif re.fullmatch(r"flood_.*_other_waits", parts[0]):
                    record(parts[0], value, "ms", "goal: 10 ms", GOAL_FLOODED_OTHER_MS)
                elif parts[0].removeprefix("buddy_") in LINUX_BUDDY:
                    situation = parts[0].removeprefix("buddy_")
                    yardstick = LINUX_BUDDY[situation]
                    record(f"native_{parts[0]}", value, parts[2],
                           f"Linux's gpu_buddy at its best, {yardstick:,} {parts[2]} measured once", yardstick)
                    if situation in LINUX_BUDDY_SHUFFLED:
                        yardstick = LINUX_BUDDY_SHUFFLED[situation]
                        record(f"native_{parts[0]}_beside_a_used_heap", value, parts[2],
                               f"the same after its heap was shuffled, {yardstick} {parts[2]}", yardstick)
                elif re.match(r"buddy_\w+_slowest_", parts[0]):
                    record(f"native_{parts[0]}", value, parts[2], "goal: 10 us", GOAL_BUDDY_SLOWEST_US)
                elif re.fullmatch(r"api_(status|metrics|openmetrics)(_built)?", parts[0]):
                    record(f"native_{parts[0]}", value, parts[2], "/healthz, natively", costs["api_healthz"])
                elif parts[0].startswith("buddy_meta_"):
                    record(f"native_{parts[0]}", value, parts[2], "goal: a thousandth", GOAL_BUDDY_META)
                elif re.fullmatch(r"tables_map_2m_by_.*", parts[0]):
                    record(f"native_{parts[0]}", value, parts[2], "a memset and a copy of the same entries",
                           costs[parts[0].replace("_map_", "_least_")])
                else:
                    record(f"native_{parts[0]}", value, parts[2], "", 0)
    for kind in ("register", "prom"):
        record(f"model_own_{kind}_read", costs[f"vfio_read_{kind}"] - costs["vfio_read_bare"], "us",
               "a tenth of a bare server's read under QEMU, 1.2 us at least", GOAL_OWN_READ_US)


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--boots", type=int, default=3, help="boots per figure (default 3)")
    args = ap.parse_args()
    record("kernel_image", KERNEL.stat().st_size, "bytes", "goal: 400 KB", GOAL_KERNEL_BYTES)
    print("bench: native", flush=True)
    bench_native()
    image = make_image(STICK)
    print(f"bench: {2 * args.boots} boots", flush=True)
    bench_start(image, args.boots)
    print(f"bench: a chip of each family, {len(FAMILIES) * args.boots} boots", flush=True)
    bench_own_share(args.boots)
    print("bench: register reads", flush=True)
    bench_register_read()
    print("bench: network", flush=True)
    bench_network(image)
    print("bench: JSON-RPC", flush=True)
    bench_rpc(image)
    bench_tls()
    bench_libc(args.boots)
    show(OUT)


if __name__ == "__main__":
    main()
