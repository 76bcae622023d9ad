#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of trace.py on small traces written here; with --golden FILE also on the trace of a whole
bring-up of a GA102 (tests/unit/test_trace_tool.c records one and knows how many reads and writes it
made). Prints `ok NAME` or `not ok NAME: reason`; the exit status is 1 when one failed."""
import argparse
import contextlib
import io
import json
import re
import sys
import tempfile
import traceback
from pathlib import Path

sys.dont_write_bytecode = True  # tests leave nothing beside the sources
import trace as stdlib_or_ours  # the standard library has a module of that name, too

HERE = Path(__file__).resolve().parent
if Path(stdlib_or_ours.__file__).resolve().parent != HERE:
    sys.exit("test_trace.py: run it by its path, so that its own folder comes first")
trace = stdlib_or_ours

LIST = trace.TOP / "gsp/hw/regs/regs.def"
REGISTERS = trace.Registers(LIST, "GA10X")
MARKS = trace.Landmarks(REGISTERS)
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
    "vbios": [("R", trace.PROM_BASE, 0x55aa), ("R", trace.PROM_BASE + 4, 1)],
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
    if name == trace.PROM:
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


# --- tests ----------------------------------------------------------------------------------------
def test_names():
    text = LIST.read_text(encoding="utf-8")
    said = len(re.findall(r"^REG\(", text, re.M))
    same(len([1 for line in text.splitlines() if trace.REG_LINE.match(line)]), said)
    name = REGISTERS.name
    same(name(0), "NV_PMC_BOOT_0")
    same(name(0x110100), "NV_PFALCON_FALCON_CPUCTL@gsp")
    same(name(0x840100), "NV_PFALCON_FALCON_CPUCTL@sec2")
    same(name(0x1400 + 4 * 49), "NV_PBUS_SW_SCRATCH(49)")
    same(name(0x1438), "NV_PBUS_SW_SCRATCH_FRTS_ERR")  # a single register wins over its array
    same(name(0x88704), "NV_PCFG_MSI_REARM")
    same(name(0x300004), trace.PROM)
    same(name(0x7ffffc), trace.PRAMIN)
    same(name(0xabc000), "0xabc000")
    same(trace.Registers(LIST, "GH100").name(0x92704), "0x092704")  # the mirror moved, and is not ours
    same(trace.Registers(LIST, "TU").name(0x88704), "NV_PCFG_MSI_REARM")


def test_model_format():
    path = write("a", ["t=0.000001 # reset: power", "t=0.000002 R NV_PMC_BOOT_0 0x000000 = 0x00000011",
                       "    ... 6 more like this", "t=0.000003 R PROM window",
                       "    ... 99 more like this", "t=0.000004 # RULE dma.unmapped: words of it",
                       "    ... 3 more like this", "t=0.000005 W PRAMIN 0x700010 = 0x00000001",
                       "t=0.000006 R 0xabc000 0xabc000 = 0x00000000", "what is this"])
    status, out, _ = run("--summary", path)
    same(status, 0)
    got = as_json(path)["traces"][0]
    same(got["accesses"], 7 + 100 + 1 + 1)
    same([(s["name"], s["reads"], s["writes"]) for s in got["stages"]],
         [("identify", 7, 0), ("vbios", 101, 1)])
    same(got["rules"], [{"line": 6, "words": "dma.unmapped: words of it"}])
    same(got["unknown_lines"], 1)
    assert "rule broken: dma.unmapped" in out and "no trace lines" in out, out


def test_runs():
    lines = model_lines(flat(SMALL))
    path = write("a", ["t=0.000000 # reset: power", *model_lines([("R", BOOT_0, 1)]),
                       "t=0.100000 # reset: bus", *lines])
    got = as_json(path)["traces"][0]
    same((got["run"], got["runs"], got["accesses"]), (2, 2, len(flat(SMALL))))
    same(as_json("--run", 1, path)["traces"][0]["accesses"], 1)
    status, _, err = run("--run", 3, path)
    same(status, 2)
    assert "no run 3" in err, err


def test_qemu_format():
    path = write("a", [qemu_line("R", 0, 0x17), qemu_line("W", 0x1400, 0x8877665544332211, size=8),
                       qemu_line("R", 0x1403, 0x12, size=1), qemu_line("R", 0x20, 1, bar=1),
                       "vfio_region_mmap  Region x [0x0 - 0x1]"])
    got = as_json(path)["traces"][0]
    same(got["stages"][0]["list"],
         ["R NV_PMC_BOOT_0 = 0x00000017", "W NV_PBUS_SW_SCRATCH(0) = 0x44332211",
          "W NV_PBUS_SW_SCRATCH(1) = 0x88776655", "R NV_PBUS_SW_SCRATCH(0)[3:1] = 0x00000012"])
    same((got["other_bars"], got["unknown_lines"]), ({"1": 1}, 0))
    two = write("b", [qemu_line("R", 0, 1), qemu_line("R", 0, 2, device="0000:02:00.0")])
    status, _, err = run(two)
    same(status, 2)
    assert "several devices" in err and "--device" in err, err
    same(as_json("--device", "02:00", two)["traces"][0]["stages"][0]["list"],
         ["R NV_PMC_BOOT_0 = 0x00000002"])


def test_stages():
    for path in small_files():
        got = as_json(path)["traces"][0]["stages"]
        want = [(name, sum(a[0] == "R" for a in part), sum(a[0] == "W" for a in part))
                for name, part in SMALL.items()]
        same([(s["name"], s["reads"], s["writes"]) for s in got], want)
    same([s["name"] for s in as_json("--stage", "booter", path)["traces"][0]["stages"]], ["booter"])


def test_stages_not_entered():
    def names(*left_out):
        part = {k: v for k, v in SMALL.items() if k not in left_out}
        return [s["name"] for s in
                as_json(write("a", model_lines(flat(part))))["traces"][0]["stages"]]

    every = list(SMALL)
    same(names("frts"), [s for s in every if s != "frts"])  # a GA100 has none
    same(names(*every[every.index("booter"):]), every[:every.index("booter")])
    same(names(*every[every.index("gsp-reset"):]), every[:every.index("gsp-reset")])
    same(names(*every[every.index("init-done"):]), every[:every.index("init-done")])
    same(names("vbios"), [s for s in every if s != "vbios"])


def test_loops():
    got = {s["name"]: s["list"] for s in as_json(small_files()[0])["traces"][0]["stages"]}
    same(got["frts"], [
        "W NV_PFALCON_FALCON_ENGINE@gsp = 0x00000001, 0x00000000 x2",
        "{ W NV_PFALCON_FALCON_DMATRFMOFFS@gsp; W NV_PFALCON_FALCON_DMATRFCMD@gsp; "
        "R NV_PFALCON_FALCON_DMATRFCMD@gsp } x4",
        "W NV_PFALCON_FALCON_CPUCTL@gsp = 0x00000002",
        "R NV_PFALCON_FALCON_CPUCTL@gsp = 0x00000010 x2"])
    same(got["vbios"], ["R PROM window x2"])


def test_loops_that_poll():
    """A body that waits now longer, now shorter, is the same body."""
    body = [a for i in range(3) for a in [("W", MOFFS, i), *[("R", TRFCMD, 0)] * (i % 2 + 1),
                                          ("R", TRFCMD, 2)]]
    got = as_json(write("a", [qemu_line(*a) for a in body]))["traces"][0]
    same(got["stages"][0]["list"], ["{ W NV_PFALCON_FALCON_DMATRFMOFFS@gsp; "
                                    "R NV_PFALCON_FALCON_DMATRFCMD@gsp } x3"])
    same(got["accesses"], 3 + 4 + 3)


def test_formats_agree():
    status, out, _ = run(*small_files())
    same(status, 0)
    assert out.endswith("no difference\n"), out


def changed(stage, change):
    part = {k: list(v) for k, v in SMALL.items()}
    change(part[stage])
    return small_files()[0], write("changed", model_lines(flat(part)))


def test_only_one_does():
    a, b = changed("booter", lambda p: p.append(("R", SCRATCH + 8, 1)))
    same(differences(a, b), [("booter", "only-b", "R NV_PBUS_SW_SCRATCH(2) = 0x00000001")])
    same(differences(b, a), [("booter", "only-a", "R NV_PBUS_SW_SCRATCH(2) = 0x00000001")])
    same(run(a, b)[0], 1)
    same(run("--summary", a, b)[0], 1)
    same(run("--stage", "riscv", a, b)[0], 0)


def test_order():
    a, b = changed("sequencer", lambda p: p.append(p.pop(1)))  # the last two change places
    found = differences(a, b)
    same([(stage, kind) for stage, kind, _ in found], [("sequencer", "order")])
    assert found[0][2].startswith(("W NV_PFALCON_FALCON_MAILBOX0@gsp", "W NV_PFALCON_FALCON_ENGINE"))
    # A landmark that comes earlier takes its stage along: the read is now of the stage before.
    a, b = changed("after", lambda p: p.reverse())
    same(differences(a, b), [("init-done", "only-b", "R NV_PMC_BOOT_0 = 0xb72000a1"),
                             ("after", "only-a", "R NV_PMC_BOOT_0 = 0xb72000a1")])


def test_values():
    def other(part):
        part[0] = ("W", SCRATCH, 6)

    a, b = changed("sequencer", other)
    same(differences(a, b),
         [("sequencer", "value", "W NV_PBUS_SW_SCRATCH(0): 0x00000005 | 0x00000006")])
    same(differences("--ignore", "^NV_PBUS_SW_", a, b), [])


def test_loop_counts():
    def once_more(part):
        part[2:2] = [("W", MOFFS, 0), ("W", TRFCMD, 0x614), ("R", TRFCMD, 2)]

    def never_halts(part):
        part[-1] = ("R", at(CPUCTL, "gsp"), 0)

    a, b = changed("frts", once_more)
    found = differences("--ignore", "MOFFS", a, b)
    same([(s, k) for s, k, _ in found], [("frts", "times")])
    assert found[0][2].endswith("x4 | x5"), found
    # How long one waited says nothing; what was seen in the end does.
    a, b = changed("frts", lambda p: p.insert(-1, ("R", at(CPUCTL, "gsp"), 0)))
    same(differences(a, b), [])
    a, b = changed("frts", never_halts)
    same([(s, k) for s, k, _ in differences(a, b)], [("frts", "value")])


# --- what is handed over --------------------------------------------------------------------------
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


def handed_of(lines):
    run_ = trace.read_trace(write("handed", lines), REGISTERS)[0]
    return run_.remarks


def changed_line(words, other):
    """HANDED with the line that has these words changed, or left out."""
    where = [i for i, line in enumerate(HANDED) if words in line]
    assert where, words
    return HANDED[:where[0]] + ([HANDED[where[0]].replace(words, other)] if other else []) + \
        HANDED[where[0] + 1:]


def test_handed_is_read():
    structures, messages = trace.handed.read(handed_of(HANDED))
    same([s.name for s in structures],
         ["GspFwWprMeta", "LibosMemoryRegionInitArgument(LOGINIT)",
          "LibosMemoryRegionInitArgument(LOGRM)"])
    same(structures[0].fields["fbSize"], "0x5ff800000")
    same([(m.name, m.length, m.after) for m in messages],
         [("SET_REGISTRY", 16, False),
          ("GSP_RM_CONTROL NV2080_INTERNAL_INTR_GET_KERNEL_TABLE", 24, True),
          ("GSP_RM_ALLOC 0xabcd", 36, True), ("UNLOADING_GUEST_DRIVER", 8, True)])
    same(messages[0].fields(), {"length": "16", "registry.RMDevidCheckIgnore": "0x1 type 1"})


def test_handed_differs():
    same(trace.handed.diff(handed_of(HANDED), handed_of(HANDED)), [])
    same(trace.handed.diff(handed_of(HANDED), []), [])  # a log of QEMU tells nothing

    def found(words, other):
        return trace.handed.diff(handed_of(HANDED), handed_of(changed_line(words, other)))

    same(found("fbSize = 0x5ff800000", "fbSize = 0x1"),
         [("structures", [("value", "GspFwWprMeta.fbSize", "0x5ff800000", "0x1")])])
    same(found("fbSize = 0x5ff800000", None),
         [("structures", [("only-a", "GspFwWprMeta.fbSize", "0x5ff800000", None)])])
    same(found("0x1 type 1", "0x0 type 1"),
         [("messages", [("value", "SET_REGISTRY.registry.RMDevidCheckIgnore", "0x1 type 1",
                         "0x0 type 1")])])
    same(found("0xabcd", "0xabce"),
         [("messages-after", [("only-a", "GSP_RM_ALLOC 0xabcd", "", None),
                              ("only-b", "GSP_RM_ALLOC 0xabce", None, "")])])
    a, b = write("a", HANDED), write("b", changed_line("fbSize = 0x5ff800000", "fbSize = 0x1"))
    same(differences(a, b), [("structures", "value", "GspFwWprMeta.fbSize: 0x5ff800000 | 0x1")])
    same(run("--stage", "identify", a, b)[0], 0)


def test_handed_order():
    part = [line for line in HANDED if "LibosMemory" in line or "libos arg" in line]
    begin = HANDED.index(part[0])
    other = HANDED[:begin] + part[3:] + part[:3] + HANDED[begin + len(part):]
    found = trace.handed.diff(handed_of(HANDED), handed_of(other))
    same([(p, [k for k, *_ in rows]) for p, rows in found], [("structures", ["order"])])


def test_stages_by_messages():
    got = as_json(write("a", HANDED))["traces"][0]["stages"]
    same([(s["name"], s["reads"], s["writes"]) for s in got],
         [("identify", 1, 0), ("after", 0, 1), ("unload", 0, 1)])


def test_stages_of_the_fsp():
    fsp = trace.Registers(LIST, "GH100")

    def line(kind, name, value, engine=None):
        offset = fsp.offset(name, engine)
        return f"t=1.0 {kind} {name} 0x{offset:06x} = 0x{value:08x}"

    lines = ["t=0.000000 # reset: power", line("R", "NV_PMC_BOOT_0", 1),
             line("R", "NV_THERM_I2CS_SCRATCH_FSP_BOOT_COMPLETE", 0xff),
             line("W", "NV_PGSP_QUEUE_HEAD", 0, "gsp"), line("W", "NV_PFSP_EMEMC", 0),
             line("W", "NV_PFSP_QUEUE_HEAD", 0),
             line("R", "NV_PFALCON_FALCON_HWCFG2", 0, "gsp"),
             line("W", "NV_PFALCON_FALCON_OS", 0, "gsp"),
             line("R", "NV_PRISCV_RISCV_CPUCTL", 0x180, "gsp"),
             "t=2.0 # message to the driver: function 0x1001 GSP_INIT_DONE result 0x0, 4 bytes of payload",
             line("W", "NV_PGSP_QUEUE_HEAD", 0, "gsp")]
    got = as_json("--family", "GH100", write("a", lines))["traces"][0]["stages"]
    same([(s["name"], s["reads"], s["writes"]) for s in got],
         [("identify", 1, 0), ("devinit", 1, 1), ("fsp", 0, 2), ("lockdown", 1, 0), ("riscv", 1, 1),
          ("after", 0, 1)])


def test_families_of_chips():
    same([trace.family_of(c) for c in ("tu117", "ga100", "ga107", "ad104", "gh100", "gb102", "gb207")],
         ["TU", "GA100", "GA10X", "AD10X", "GH100", "GB10X", "GB20X"])
    try:
        trace.family_of("nv50")
    except trace.TraceError:
        return
    raise AssertionError("nv50 has a family")


def test_cost():
    timer = REGISTERS.offset("NV_PTIMER_TIME_0")
    part = [("R", trace.PROM_BASE, 0)] * 3 + [("R", BOOT_0, 0)] * 2 + \
        [("R", SCRATCH, 0), ("R", SCRATCH + 4, 0)] * 3 + [("W", SCRATCH, 1)] + \
        [("R", TRFCMD, 0), ("R", timer, 1)] * 5 + [("W", MOFFS, 1), ("R", TRFCMD, 2)] * 4
    run_ = trace.read_trace(write("a", [qemu_line(*a) for a in part]), REGISTERS)[0]
    same(trace.cost(run_.accesses), {"reads": 1 + 2 + 1 + 4, "writes": 1 + 4, "prom": 3, "timer": 5})


def load_differences():
    import differences as module
    return module


def test_differences_of_registers():
    d = load_differences()

    def stages(part):
        run_ = trace.read_trace(write("a", model_lines(flat(part))), REGISTERS)[0]
        return dict(trace.split_stages(run_.accesses, MARKS))

    other = {k: list(v) for k, v in SMALL.items()}
    same(d.compare_registers(stages(SMALL), stages(other)), [])
    other["booter"] = [("W", at(ENGINE, "sec2"), 1), ("W", SCRATCH + 8, 1), ("R", at(CPUCTL, "sec2"), 0)]
    other["frts"] = [*other["frts"], ("R", BOOT_0, 0xb72000a1)]
    other["sequencer"] = [("W", SCRATCH, 5), ("W", MAILBOX, 8), ("W", at(ENGINE, "gsp"), 1)]
    got = d.compare_registers(stages(SMALL), stages(other))
    same(sorted(x[:3] for x in got),
         [("boot", "where", "R NV_PMC_BOOT_0"), ("boot", "where", "W NV_PBUS_SW_SCRATCH(*)"),
          ("booter", "read", "R NV_PFALCON_FALCON_CPUCTL@sec2"),
          ("sequencer", "order", "W NV_PFALCON_FALCON_MAILBOX0@gsp"),
          ("sequencer", "written", "W NV_PFALCON_FALCON_MAILBOX0@gsp")])


def test_explanations():
    d = load_differences()
    path = write("explained", ["# words", "reason\tr1\tbecause", "row\t.*\tga.*\tbooter\tread\tR X\tr1"])
    e = d.Explained(path)
    same(e.find("nouveau", "ga102", "booter", "read", "R X"), "r1")
    same(e.find("nouveau", "tu102", "booter", "read", "R X"), None)
    same(e.find("nouveau", "ga102", "booter", "read", "R XY"), None)
    same(e.unused(["nouveau"]), [])
    e.used.clear()
    same(e.unused(["nouveau"]), [3])
    for bad in (["reason\tr1"], ["row\t.*\t.*\t.*\t.*\t.*\tr2"]):
        try:
            d.Explained(write("explained", bad))
        except SystemExit:
            continue
        raise AssertionError(f"{bad} was taken")


def test_errors():
    for argv, words in (((str(Path(FOLDER.name) / "missing"),), "No such file"),
                        ((write("empty", ["nothing", "here"]),), "no register access in 2 lines")):
        status, out, err = run(*argv)
        same((status, out), (2, ""))
        assert words in err, err
    a = small_files()[0]
    same(run(a, a, a)[0], 2)


# --- a whole bring-up -------------------------------------------------------------------------------
def golden_stages(args):
    got = as_json(args.golden)["traces"][0]
    same([s["name"] for s in got["stages"]],
         [s for s in trace.STAGES if s not in trace.FSP_STAGES])
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
            if m[1] != trace.PRAMIN:
                same(REGISTERS.name(int(m[2], 16)), m[1])
            checked += 1
    assert checked > 500, f"only {checked} names"


def test_stamp():
    """A page tells what it was made from: another input, an edited word, a line that is gone are told."""
    import stamp
    page = stamp.put(f"head\n{stamp.PLACE}\nbody\n", explanations="0" * 12, ours="1" * 12)
    same(stamp.faults(page, explanations="0" * 12, ours="1" * 12), [])
    same(stamp.faults(page, explanations="2" * 12, ours="1" * 12), ["explanations"])
    same(stamp.faults(page.replace("body", "Body"), explanations="0" * 12, ours="1" * 12), ["text"])
    same(stamp.faults(page, explanations="0" * 12), ["ours"])
    same(stamp.faults(page, explanations="0" * 12, ours="1" * 12, more="3" * 12), ["more"])
    same(stamp.faults("head\nbody\n"), ["no line says what it was made from"])


def golden_handed(args):
    """Every structure and message of a bring-up is there, named to the last field."""
    run_ = max(trace.read_trace(args.golden, REGISTERS), key=lambda r: r.total())
    structures, messages = trace.handed.read(run_.remarks)
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
    for run_ in trace.read_trace(args.golden, REGISTERS):
        for a in run_.accesses:
            offset = trace.PROM_BASE if a.offset is None else a.offset
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


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--golden")
    ap.add_argument("--reads", type=int)
    ap.add_argument("--writes", type=int)
    args = ap.parse_args()
    here = globals()
    tests = [(name, here[name], ()) for name in list(here) if name.startswith("test_")]
    if args.golden:
        tests = [(name, here[name], (args,)) for name in list(here) if name.startswith("golden_")
                 and name != "golden_lines"]
    failed = 0
    for name, function, argv in tests:
        try:
            function(*argv)
            print(f"ok trace {name}")
        except Exception as e:  # any trouble of a test is its failure
            failed += 1
            traceback.print_exc()
            print(f"not ok trace {name}: {str(e)[:600]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
