# SPDX-License-Identifier: MIT
"""Tests of what traces say about structures and messages, of the page of differences and of its stamp.
Run by test_trace.py."""
import handed
import landmarks
import reading
import stamp
from small import (BOOT_0, CPUCTL, ENGINE, HANDED, MAILBOX, MARKS, REGISTERS, SCRATCH, SMALL, at,
                   differences, flat, model_lines, run, same, write)


def handed_of(lines):
    run_ = reading.read_trace(write("handed", lines), REGISTERS)[0]
    return run_.remarks


def changed_line(words, other):
    """HANDED with the line that has these words changed, or left out."""
    where = [i for i, line in enumerate(HANDED) if words in line]
    assert where, words
    return HANDED[:where[0]] + ([HANDED[where[0]].replace(words, other)] if other else []) + \
        HANDED[where[0] + 1:]


def test_handed_is_read():
    structures, messages = handed.read(handed_of(HANDED))
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
    same(handed.diff(handed_of(HANDED), handed_of(HANDED)), [])
    same(handed.diff(handed_of(HANDED), []), [])  # a log of QEMU tells nothing

    def found(words, other):
        return handed.diff(handed_of(HANDED), handed_of(changed_line(words, other)))

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
    found = handed.diff(handed_of(HANDED), handed_of(other))
    same([(p, [k for k, *_ in rows]) for p, rows in found], [("structures", ["order"])])


def load_differences():
    import differences as module
    return module


def test_differences_of_registers():
    d = load_differences()

    def stages(part):
        run_ = reading.read_trace(write("a", model_lines(flat(part))), REGISTERS)[0]
        return dict(landmarks.split_stages(run_.accesses, MARKS))

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


def test_stamp():
    """A page tells what it was made from: another input, an edited word, a line that is gone are told."""
    page = stamp.put(f"head\n{stamp.PLACE}\nbody\n", explanations="0" * 12, ours="1" * 12)
    same(stamp.faults(page, explanations="0" * 12, ours="1" * 12), [])
    same(stamp.faults(page, explanations="2" * 12, ours="1" * 12), ["explanations"])
    same(stamp.faults(page.replace("body", "Body"), explanations="0" * 12, ours="1" * 12), ["text"])
    same(stamp.faults(page, explanations="0" * 12), ["ours"])
    same(stamp.faults(page, explanations="0" * 12, ours="1" * 12, more="3" * 12), ["more"])
    same(stamp.faults("head\nbody\n"), ["no line says what it was made from"])
