#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of trace.py on small traces written here; with --golden FILE also on the trace of a whole
bring-up of a GA102 (tests/unit/test_trace_tool.c records one and knows how many reads and writes it
made). Prints `ok NAME` or `not ok NAME: reason`; the exit status is 1 when one failed."""
import argparse
import re
import sys
import traceback
from pathlib import Path

sys.dont_write_bytecode = True  # tests leave nothing beside the sources
import golden
import reading
import steps
import test_handed
from small import (BOOT_0, CPUCTL, FOLDER, HANDED, LIST, MOFFS, REGISTERS, SCRATCH, SMALL, TRFCMD, as_json,
                   at, differences, flat, model_line, model_lines, qemu_line, run, same, small_files, write)


def test_names():
    text = LIST.read_text(encoding="utf-8")
    said = len(re.findall(r"^REG\(", text, re.M))
    same(len([1 for line in text.splitlines() if reading.REG_LINE.match(line)]), said)
    name = REGISTERS.name
    same(name(0), "NV_PMC_BOOT_0")
    same(name(0x110100), "NV_PFALCON_FALCON_CPUCTL@gsp")
    same(name(0x840100), "NV_PFALCON_FALCON_CPUCTL@sec2")
    same(name(0x1400 + 4 * 49), "NV_PBUS_SW_SCRATCH(49)")
    same(name(0x1438), "NV_PBUS_SW_SCRATCH_FRTS_ERR")  # a single register wins over its array
    same(name(0x88704), "NV_PCFG_MSI_REARM")
    same(name(0x300004), reading.PROM)
    same(name(0x7ffffc), reading.PRAMIN)
    same(name(0xabc000), "0xabc000")
    same(reading.Registers(LIST, "GH100").name(0x92704), "0x092704")  # the mirror moved, and is not ours
    same(reading.Registers(LIST, "TU").name(0x88704), "NV_PCFG_MSI_REARM")


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


def test_stages_by_messages():
    got = as_json(write("a", HANDED))["traces"][0]["stages"]
    same([(s["name"], s["reads"], s["writes"]) for s in got],
         [("identify", 1, 0), ("after", 0, 1), ("unload", 0, 1)])


def test_a_doorbell_behind_its_message():
    """The GSP had seen it before: the ring belongs to what came before the unload all the same."""
    doorbell = model_line("W", REGISTERS.offset("NV_PGSP_QUEUE_HEAD", "gsp"), 0)
    where = max(i for i, line in enumerate(HANDED) if "function 47 " in line)
    with_ring = HANDED[:where + 1] + [doorbell] + HANDED[where + 1:]
    got = as_json(write("a", with_ring))["traces"][0]["stages"]
    same([(s["name"], s["reads"], s["writes"]) for s in got],
         [("identify", 1, 0), ("after", 0, 2), ("unload", 0, 1)])


def test_stages_of_the_fsp():
    fsp = reading.Registers(LIST, "GH100")

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
    same([reading.family_of(c) for c in ("tu117", "ga100", "ga107", "ad104", "gh100", "gb102", "gb207")],
         ["TU", "GA100", "GA10X", "AD10X", "GH100", "GB10X", "GB20X"])
    try:
        reading.family_of("nv50")
    except reading.TraceError:
        return
    raise AssertionError("nv50 has a family")


def test_cost():
    timer = REGISTERS.offset("NV_PTIMER_TIME_0")
    part = [("R", reading.PROM_BASE, 0)] * 3 + [("R", BOOT_0, 0)] * 2 + \
        [("R", SCRATCH, 0), ("R", SCRATCH + 4, 0)] * 3 + [("W", SCRATCH, 1)] + \
        [("R", TRFCMD, 0), ("R", timer, 1)] * 5 + [("W", MOFFS, 1), ("R", TRFCMD, 2)] * 4
    run_ = reading.read_trace(write("a", [qemu_line(*a) for a in part]), REGISTERS)[0]
    same(steps.cost(run_.accesses), {"reads": 1 + 2 + 1 + 4, "writes": 1 + 4, "prom": 3, "timer": 5})


def test_errors():
    for argv, words in (((str(Path(FOLDER.name) / "missing"),), "No such file"),
                        ((write("empty", ["nothing", "here"]),), "no register access in 2 lines")):
        status, out, err = run(*argv)
        same((status, out), (2, ""))
        assert words in err, err
    a = small_files()[0]
    same(run(a, a, a)[0], 2)


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--golden")
    ap.add_argument("--reads", type=int)
    ap.add_argument("--writes", type=int)
    args = ap.parse_args()
    here = {**globals(), **vars(test_handed)}
    tests = [(name, here[name], ()) for name in here if name.startswith("test_") and callable(here[name])]
    if args.golden:
        tests = [(name, test, (args,)) for name, test in vars(golden).items()
                 if name.startswith("golden_") and name != "golden_lines"]
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
