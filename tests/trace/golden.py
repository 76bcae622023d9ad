# SPDX-License-Identifier: MIT
"""Tests of the trace tool on the trace of a whole bring-up of a GA102. Run by test_trace.py --golden."""
import re
from pathlib import Path

import handed
import landmarks
import reading
from small import REGISTERS, as_json, differences, qemu_line, same, write


def golden_stages(args):
    got = as_json(args.golden)["traces"][0]
    same([s["name"] for s in got["stages"]],
         [s for s in landmarks.STAGES if s not in landmarks.FSP_STAGES])
    same(sum(s["reads"] for s in got["stages"]), args.reads)
    same(sum(s["writes"] for s in got["stages"]), args.writes)
    same((got["rules"], got["unknown_lines"]), ([], 0))
    by = {s["name"]: "\n".join(s["list"]) for s in got["stages"]}
    for stage, words in (("identify", "R NV_PMC_BOOT_42"), ("frts", "DMATRFCMD@gsp } x"),
                         ("booter", "DMATRFCMD@sec2 } x"), ("booter", "W NV_PFALCON_FALCON_CPUCTL@sec2"),
                         ("sequencer", "W NV_PFALCON_FALCON_CPUCTL@sec2"),
                         ("riscv", "NV_PRISCV_RISCV_CPUCTL@gsp"), ("after", "NV_PGSP_QUEUE_HEAD")):
        assert words in by[stage], f"no {words} in stage {stage}"
    assert len(by["vbios"].splitlines()) < 100, "the reads of the PROM are not folded"


def golden_lines(args):
    return Path(args.golden).read_text(encoding="utf-8").splitlines()


def golden_names(args):
    """The model names registers with the C code of the same list."""
    checked = 0
    for line in golden_lines(args):
        if m := re.match(r"t=\S+ [RW] (\S+) 0x([0-9a-f]+) = ", line):
            if m[1] != reading.PRAMIN:
                same(REGISTERS.name(int(m[2], 16)), m[1])
            checked += 1
    assert checked > 500, f"only {checked} names"


def golden_handed(args):
    """Every structure and message of a bring-up is there, named to the last field."""
    run_ = max(reading.read_trace(args.golden, REGISTERS), key=lambda r: r.total())
    structures, messages = handed.read(run_.remarks)
    names = {s.name for s in structures}
    for name in ("GspFwWprMeta", "GSP_ARGUMENTS_CACHED", "msgqTxHeader", "radix3", "FWSEC", "log",
                 "LibosMemoryRegionInitArgument(LOGINIT)", "LibosMemoryRegionInitArgument(RMARGS)"):
        assert name in names, f"no {name} in {names}"
    meta = next(s for s in structures if s.name == "GspFwWprMeta").fields
    same((meta["magic"], meta["revision"]), ("0xdc3aae21371a60b3", "0x1"))
    assert len(meta) > 35, meta
    same([m.name for m in messages[:3]],
         ["GSP_SET_SYSTEM_INFO", "SET_REGISTRY", "GET_GSP_STATIC_INFO"])
    same(messages[-1].name, "UNLOADING_GUEST_DRIVER")
    assert not [m.name for m in messages if re.search(r"function|0x", m.name)], "a message has no name"
    assert "registry.RMDevidCheckIgnore" in messages[1].fields(), messages[1].fields()
    lines = golden_lines(args)
    where = next(i for i, line in enumerate(lines) if "GspSystemInfo.maxUserVa" in line)
    other = re.sub(r"= 0x\w+", "= 0x1000", lines[where])
    found = differences(args.golden, write("other", lines[:where] + [other] + lines[where + 1:]))
    same([(s, k) for s, k, _ in found], [("messages", "value")])


def golden_through_qemu(args):
    """The same accesses as QEMU would log them: no difference."""
    out = []
    for run_ in reading.read_trace(args.golden, REGISTERS):
        for a in run_.accesses:
            offset = reading.PROM_BASE if a.offset is None else a.offset
            out += [qemu_line(a.kind, offset, a.value or 0)] * a.count
    same(differences(args.golden, write("golden.qemu", out)), [])


def golden_one_line(args):
    """A line that is left out, a value that changes: exactly this is found."""
    lines = golden_lines(args)
    where = next(i for i, line in enumerate(lines) if " W NV_PFALCON_FALCON_BOOTVEC@sec2 " in line)
    found = differences(args.golden, write("less", lines[:where] + lines[where + 1:]))
    same([(s, k) for s, k, _ in found], [("booter", "only-a")])
    assert "BOOTVEC@sec2" in found[0][2], found
    other = re.sub(r"= 0x\w+", "= 0x0000abcd", lines[where])
    found = differences(args.golden, write("other", lines[:where] + [other] + lines[where + 1:]))
    same([(s, k) for s, k, _ in found], [("booter", "value")])
