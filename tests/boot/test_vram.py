#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The GPU's memory from the network, with the client on the host: allocated, mapped at three page sizes,
written and read back in three ways, one address walked, unmapped; a read then is a fault with a name.
One chip of each format of page tables.

    test_vram.py [CHIP]...
"""
import base64
import random
import sys

from _client import Client
from _harness import Test, image

CHIPS = sys.argv[1:] or ["ga102", "gh100", "gb202"]
BOOT_S = 120
MIB = 1 << 20
OBJECT_BYTES = 64 * MIB
PAGES = {"4K": 1 << 12, "64K": 1 << 16, "2M": 1 << 21}
# Where a pattern is written: the ends, and across windows and pages of every size.
PLACES = (0, 2 * MIB - 100, OBJECT_BYTES - 300)


def pattern(seed, n=300):
    return random.Random(seed).randbytes(n)


def write_and_read(test, client, name, where, session, vm, obj, va):
    for i, place in enumerate(PLACES):
        data = pattern(f"{name}{i}")
        client.rpc("memory.write", session=session, vm=vm, va=va + place, data=base64.b64encode(data).decode())
        got = {"va": client.rpc("memory.read", session=session, vm=vm, va=va + place, bytes=len(data))}
        for way in ("bar1", "pramin"):
            got[way] = client.rpc("memory.read", session=session, object=obj, offset=place, bytes=len(data),
                                  through=way)
        wrong = [k for k, v in got.items() if base64.b64decode(v["data"]) != data]
        if not test.ok(f"{name}.{where}.{place:#x}", not wrong, f"read through {wrong} is not what was written"):
            return


def walk(test, client, name, session, vm, va, page, address):
    w = client.rpc("vm.walk", session=session, vm=vm, va=va)
    test.equal(f"{name}.walk", (w["end"], w["page"], w["address"], w["shadow_agrees"]),
               ("mapped", page, hex(address), True))
    levels = [level["name"] for level in w["levels"]]
    last = {"4K": "PT4K", "64K": "PT64K", "2M": "PD0"}[page]
    test.ok(f"{name}.levels", levels[-1] == last and len(levels) >= 4 and
            all(int(level["entry"][0], 16) | int(level["entry"][-1], 16) for level in w["levels"]), w["levels"])


def lookup(extents, offset):
    for e in extents:
        if offset < e["bytes"]:
            return int(e["address"], 16) + offset
        offset -= e["bytes"]
    raise AssertionError(f"{offset:#x} is not in {extents}")


def managed(test, chip, m):
    client = Client(m)
    session = client.rpc("session.open")["session"]
    before = client.rpc("memory.stats")
    obj = client.rpc("memory.alloc", session=session, bytes=OBJECT_BYTES, align="0x200000", contiguous=True)
    test.equal(f"{chip}.alloc", (obj["bytes"], obj["extent_count"]), (OBJECT_BYTES, 1))
    for kind in ("engines", "bar1"):
        more = {"bytes": 80 * MIB} if kind == "bar1" else {}
        vm = client.rpc("vm.create", session=session, kind=kind, **more)["vm"]
        for page in PAGES:
            name = f"{chip}.{kind}.{page}"
            mapped = client.rpc("vm.map", session=session, vm=vm, object=obj["object"], bytes=OBJECT_BYTES, page=page)
            va = int(mapped["va"], 16)
            write_and_read(test, client, name, "at", session, vm, obj["object"], va)
            walk(test, client, name, session, vm, va + 5 * MIB + 12345, page,
                 lookup(obj["extents"], 5 * MIB + 12345))
            runs = client.rpc("vm.dump", session=session, vm=vm)
            test.ok(f"{name}.dump", runs["complete"] and any(
                r["va"] == mapped["va"] and int(r["bytes"], 16) == OBJECT_BYTES and r["page"] == page
                for r in runs["runs"]), runs)
            client.rpc("vm.unmap", session=session, vm=vm, va=va, bytes=OBJECT_BYTES)
            w = client.rpc("vm.walk", session=session, vm=vm, va=va)
            test.ok(f"{name}.unmapped", w["end"] == "unmapped" and w["reason"], w)
        if kind == "engines":  # of BAR1 the GPU is asked, which breaks a rule of the model: see faults()
            said = client.error("memory.read", session=session, vm=vm, va=va, bytes=4)
            test.holds(f"{chip}.{kind}.fault", said, f"read of {va:#x}", "MMU fault")
    client.rpc("session.close", session=session)
    client.rpc("session.open")
    after = client.rpc("memory.stats")
    test.equal(f"{chip}.balanced", (after["objects"], after["address_spaces"]), (0, 0))
    test.note(f"{chip}: {before['managed']} {after}")
    test.equal(f"{chip}.inversions", m.json("/api/v1/status")["appliance"]["scheduler"]["lock_inversions"], 0)


def faults(test, m):
    """BAR1 where nothing is mapped: the GPU faults, and says so to its driver."""
    client = Client(m)
    session = client.rpc("session.open")["session"]
    vm = client.rpc("vm.create", session=session, kind="bar1", bytes=2 * MIB)
    said = client.error("memory.read", session=session, vm=vm["vm"], va=vm["base"], bytes=4)
    test.holds("fault.named", said, "MMU fault", f"read of {vm['base']}", "at PD")
    records = client.rpc("rpc.history")["records"]
    test.ok("fault.event", any(r["event"] and "MMU_FAULT" in r["function"] for r in records),
            [r["function"] for r in records if r["event"]])
    test.equal("fault.served", m.get("/healthz")[0], 200)


with Test("vram") as test:
    disk = image(f"vram-{len(CHIPS)}", "", chips=CHIPS)
    for chip in CHIPS:
        with test.machine(disk, chips=[chip], model_args=["--strict"]) as m:
            test.equal(f"{chip}.ready", m.wait_gpu(deadline_s=BOOT_S)["gpus"][0]["state"], "ready")
            managed(test, chip, m)
            ended = m.stop()
            test.ok(f"{chip}.strict", ended["gpu0"] == 0,
                    f"the model ended with status {ended['gpu0']}: {m.reports[0][:600]}")
    with test.machine(disk, chips=[CHIPS[0]]) as m:
        test.equal("fault.ready", m.wait_gpu(deadline_s=BOOT_S)["gpus"][0]["state"], "ready")
        faults(test, m)
