# SPDX-License-Identifier: MIT
"""Traces of a bring-up in small, written here, and how tests run the trace tool on them."""
import contextlib
import io
import json
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True  # tests leave nothing beside the sources
import landmarks
import reading
import trace as stdlib_or_ours  # the standard library has a module of that name, too

if Path(stdlib_or_ours.__file__).resolve().parent != Path(__file__).resolve().parent:
    sys.exit("run the tests of tests/trace by their path, so that their own folder comes first")
trace = stdlib_or_ours

LIST = reading.TOP / "gsp/hw/regs/regs.def"
REGISTERS = reading.Registers(LIST, "GA10X")
MARKS = landmarks.Landmarks(REGISTERS)
FOLDER = tempfile.TemporaryDirectory(prefix="trace-")


def write(name, lines):
    path = Path(FOLDER.name) / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def run(*argv):
    """(exit status, standard output, standard error)"""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = trace.main([str(a) for a in argv])
        except SystemExit as e:
            status = e.code
    return status, out.getvalue(), err.getvalue()


def as_json(*argv):
    return json.loads(run("--json", *argv)[1])


def differences(*argv):
    """[(stage, kind, what)]"""
    return [(part["stage"], d["kind"], d["what"]) for part in as_json(*argv)["diff"]
            for d in part["differences"]]


def same(got, want):
    assert got == want, f"got {got!r}, expected {want!r}"


def at(name, engine=None):
    offset = REGISTERS.offset(name, engine)
    assert offset is not None, f"{name} is not in the list"
    return offset


# A bring-up in small: (kind, offset, value), one or two accesses per stage and a loop.
ENGINE, CPUCTL = "NV_PFALCON_FALCON_ENGINE", "NV_PFALCON_FALCON_CPUCTL"
BOOT_0, SCRATCH = at("NV_PMC_BOOT_0"), at("NV_PBUS_SW_SCRATCH")
OS, RISCV = at("NV_PFALCON_FALCON_OS", "gsp"), at("NV_PRISCV_RISCV_CPUCTL", "gsp")
DOORBELL, MAILBOX = at("NV_PGSP_QUEUE_HEAD", "gsp"), at("NV_PFALCON_FALCON_MAILBOX0", "gsp")
MOFFS, TRFCMD = at("NV_PFALCON_FALCON_DMATRFMOFFS", "gsp"), at("NV_PFALCON_FALCON_DMATRFCMD", "gsp")
SMALL = {
    "identify": [("R", BOOT_0, 0xb72000a1)],
    "devinit": [("R", at("NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_0_GFW_BOOT"), 0x3ff)],
    "vbios": [("R", reading.PROM_BASE, 0x55aa), ("R", reading.PROM_BASE + 4, 1)],
    "frts": [("W", at(ENGINE, "gsp"), 1), ("W", at(ENGINE, "gsp"), 0)] +
            [a for i in range(4) for a in (("W", MOFFS, 0x100 * i), ("W", TRFCMD, 0x614),
                                           ("R", TRFCMD, 2))] +
            [("W", at(CPUCTL, "gsp"), 2), ("R", at(CPUCTL, "gsp"), 0), ("R", at(CPUCTL, "gsp"), 16)],
    "gsp-reset": [("W", at(ENGINE, "gsp"), 1), ("W", at(ENGINE, "gsp"), 0)],
    "booter": [("W", at(ENGINE, "sec2"), 1), ("R", at(CPUCTL, "sec2"), 16)],
    "riscv": [("W", OS, 0), ("R", RISCV, 0x80), ("W", MAILBOX, 0), ("W", DOORBELL, 0)],
    "sequencer": [("W", SCRATCH, 5), ("W", at(ENGINE, "gsp"), 1), ("W", MAILBOX, 7)],
    "init-done": [("W", OS, 0), ("R", RISCV, 0x80)],
    "after": [("W", DOORBELL, 0), ("R", BOOT_0, 0xb72000a1)],
}


def flat(stages):
    return [a for part in stages.values() for a in part]


def model_line(kind, offset, value):
    name = REGISTERS.name(offset)
    if name == reading.PROM:
        return f"t=1.000001 {kind} PROM window"
    return f"t=1.000001 {kind} {name} 0x{offset:06x} = 0x{value:08x} FIELD=1(NAME)"


def model_lines(accesses):
    """As tests/model/books/trace.c writes: equal lines in a row are counted."""
    out, last, again = ["t=0.000000 # reset: power"], None, 0
    for a in [*accesses, None]:
        line = model_line(*a) if a else None
        if line == last:
            again += 1
            continue
        if again:
            out.append(f"    ... {again} more like this")
        if line:
            out.append(line)
        last, again = line, 0
    return out


def qemu_line(kind, offset, value, bar=0, size=4, device="0000:01:00.0", prefix=""):
    if kind == "W":
        return f"{prefix}vfio_region_write  ({device}:region{bar}+0x{offset:x}, 0x{value:x}, {size})"
    return f"{prefix}vfio_region_read  ({device}:region{bar}+0x{offset:x}, {size}) = 0x{value:x}"


def small_files():
    return (write("small.model", model_lines(flat(SMALL))),
            write("small.qemu", [qemu_line(*a, prefix="4711@1700000000.000042:")
                                 for a in flat(SMALL)]))


# What a driver hands over in memory and says to the GSP.
HANDED = ["t=0.000000 # reset: power", model_line("R", BOOT_0, 1),
          *("t=0.000002 # " + text for text in (
              "GspFwWprMeta.magic = 0xdc3aae21371a60b3", "GspFwWprMeta.fbSize = 0x5ff800000",
              "libos argument 0", "LibosMemoryRegionInitArgument.id8 = 0x4c4f47494e4954",
              "LibosMemoryRegionInitArgument.pa = 0x1000",
              "libos argument 1", "LibosMemoryRegionInitArgument.id8 = 0x4c4f47524d",
              "LibosMemoryRegionInitArgument.pa = 0x2000",
              "message from the driver: function 73 SET_REGISTRY, 16 bytes of payload",
              "registry.RMDevidCheckIgnore = 0x1 type 1",
              "message to the driver: function 0x1001 GSP_INIT_DONE result 0x0, 4 bytes of payload")),
          model_line("W", DOORBELL, 0),
          *("t=0.000003 # " + text for text in (
              "message from the driver: function 76 GSP_RM_CONTROL, 24 bytes of payload",
              "rpc_gsp_rm_control_v03_00.cmd = 0x20800a5c",
              "control NV2080_INTERNAL_INTR_GET_KERNEL_TABLE", "params.bytes = 4, sum 0x1",
              "message from the driver: function 103 GSP_RM_ALLOC, 36 bytes of payload",
              "rpc_gsp_rm_alloc_v03_00.hClass = 0xabcd", "class of an unknown number",
              "message from the driver: function 47 UNLOADING_GUEST_DRIVER, 8 bytes of payload")),
          model_line("W", SCRATCH, 1)]
