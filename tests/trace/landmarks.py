# SPDX-License-Identifier: MIT
"""Where the stages of a bring-up begin in a trace: landmarks that every driver for these GPUs passes
(trace.py). A stage that nobody entered is left out."""
import re

from reading import ENGINE_SPAN, ENGINES, MIRROR_BASE, PROM

STAGES = ["identify", "devinit", "vbios", "frts", "gsp-reset", "booter", "fsp", "lockdown", "riscv",
          "sequencer", "init-done", "after", "unload"]
UP_TO_INIT_DONE = STAGES[:STAGES.index("after")]
FSP_STAGES = ["fsp", "lockdown"]  # in the place of frts, gsp-reset, booter, sequencer, init-done
RESET_BIT = 1      # NV_PFALCON_FALCON_ENGINE.RESET
START_BIT = 2      # NV_PFALCON_FALCON_CPUCTL.STARTCPU


class Landmarks:
    def __init__(self, registers):
        where = registers.offset
        gsp = {name: where(f"NV_PFALCON_FALCON_{name}", "gsp")
               for name in ("ENGINE", "CPUCTL", "OS", "MAILBOX0", "MAILBOX1", "IRQSCLR")}
        self.engine, self.cpuctl, self.os = gsp["ENGINE"], gsp["CPUCTL"], gsp["OS"]
        self.riscv = where("NV_PRISCV_RISCV_CPUCTL", "gsp")
        self.devinit = {where("NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_PRIV_LEVEL_MASK"),
                        where("NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_0_GFW_BOOT"),
                        where("NV_THERM_I2CS_SCRATCH_FSP_BOOT_COMPLETE"),
                        where("NV_THERM_I2CS_SCRATCH_FSP_BOOT_COMPLETE_GB20X")} - {None}
        self.doorbell = where("NV_PGSP_QUEUE_HEAD", "gsp")
        fsp = [row for row in registers.rows if row[0].startswith("NV_PFSP_")]
        self.fsp = {offset + i * stride for _, _, offset, stride, count in fsp
                    for i in range(max(count, 1))}
        self.mailboxes = (gsp["MAILBOX0"], gsp["MAILBOX1"])
        # Writes of a driver that only waits: acknowledgements and what it hands to the GSP.
        self.quiet = {self.os, gsp["MAILBOX0"], gsp["MAILBOX1"], gsp["IRQSCLR"], MIRROR_BASE +
                      (where("NV_PCFG_MSI_REARM") or 0)}
        self.interrupts = range(where("NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_TOP") & ~0xfff,
                                (where("NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_TOP") & ~0xfff) + 0x1000)

    @staticmethod
    def sec2(a):
        return a.offset is not None and 0 <= a.offset - ENGINES["sec2"] < ENGINE_SPAN

    def resets_gsp(self, a):
        return a.kind == "W" and a.offset == self.engine and a.value & RESET_BIT

    def loud(self, a):
        return a.kind == "W" and a.offset is not None and a.offset not in self.quiet and \
            a.offset not in self.interrupts


FROM_DRIVER, TO_DRIVER = "message from the driver: function ", "message to the driver: function "
FUNCTION_UNLOADING, FUNCTION_INIT_DONE = 47, 0x1001  # spec of the RPC numbers: gsp/rpc/rpc.h


def after_message(remarks, begin, prefix, function):
    """Index of the first access after a message; None when the trace does not tell."""
    return next((at for at, _, text in remarks if at > begin and text.startswith(prefix) and
                 int(re.split(r"[ ,]", text[len(prefix):])[0], 0) == function), None)


def find_landmarks(accesses, marks, remarks=()):
    """Index of the access that begins each stage that was entered. remarks: of the model's trace; they
    say when INIT_DONE came and when unloading began, which registers show less exactly."""
    found = registers_landmarks(accesses, marks)
    up = after_message(remarks, 0, TO_DRIVER, FUNCTION_INIT_DONE)
    if up is not None:
        found.pop("after", None)
        begin = max(up, max(found.values()))  # sent already, but the driver may not have looked
        after = next((i for i in range(begin, len(accesses)) if accesses[i].kind == "W" and
                      accesses[i].offset not in (marks.os, *marks.mailboxes)), None)
        if after is not None:
            found["after"] = after
    down = after_message(remarks, up or 0, FROM_DRIVER, FUNCTION_UNLOADING)
    if down is not None:
        # The GSP may see a message before its doorbell rings, when something else made it look.
        rung = down < len(accesses) and accesses[down].kind == "W" and accesses[down].offset == marks.doorbell
        found["unload"] = down + rung
    return {stage: i for stage, i in found.items() if i < len(accesses)}


def registers_landmarks(accesses, marks):
    found = {"identify": 0}
    n = len(accesses)

    def first(stage, after, test):
        begin = max(found.values()) if after is None else found.get(after)
        if begin is not None:
            for i in range(begin, n):
                if test(accesses[i]):
                    found[stage] = i
                    return

    first("devinit", None, lambda a: a.offset in marks.devinit)
    first("vbios", None, lambda a: a.name == PROM)
    if marks.fsp:
        return fsp_landmarks(found, first, marks)
    booter = next((i for i, a in enumerate(accesses) if marks.sec2(a)), None)
    # The GSP's engine is reset for FWSEC-FRTS and again for its RISC-V core. Where the falcon was
    # never started there is no FRTS, and the last reset before SEC2's turn is the second one.
    begin, end = max(found.values()), n if booter is None else booter
    resets = [i for i in range(begin, end) if marks.resets_gsp(accesses[i])]
    start = next((i for i in range(begin, end) if accesses[i].kind == "W" and
                  accesses[i].offset == marks.cpuctl and accesses[i].value & START_BIT), None)
    if resets and (start is not None or booter is None):
        found["frts"] = resets[0]
        second = [i for i in resets if start is not None and i > start]
        if second:
            found["gsp-reset"] = second[0]
    elif resets:
        found["gsp-reset"] = resets[-1]
    if booter is None:
        return found
    found["booter"] = booter
    first("riscv", "booter", lambda a: a.offset == marks.riscv or
          (a.kind == "W" and a.offset == marks.os))
    first("sequencer", "riscv", lambda a: marks.loud(a) and a.offset != marks.doorbell)
    # The script ends by resuming the core: the version is written once more, then the core looked at.
    first("init-done", "sequencer", lambda a: a.kind == "W" and a.offset == marks.os)
    first("after", "init-done", marks.loud)
    return found


def fsp_landmarks(found, first, marks):
    """Hopper, Blackwell: no falcon program and no script, only a wait before and after the message."""
    first("fsp", None, lambda a: a.offset in marks.fsp)
    first("lockdown", "fsp", lambda a: a.kind == "R" and a.offset is not None and
          0 <= a.offset - ENGINES["gsp"] < ENGINE_SPAN)
    first("riscv", "lockdown", lambda a: a.offset == marks.riscv or
          (a.kind == "W" and a.offset == marks.os))
    first("after", "riscv", lambda a: marks.loud(a) and a.offset != marks.doorbell)
    return found


def split_stages(accesses, marks, remarks=()):
    """[(stage, accesses)] in the order of STAGES."""
    found = sorted(find_landmarks(accesses, marks, remarks).items(),
                   key=lambda item: (item[1], STAGES.index(item[0])))
    ends = [begin for _, begin in found[1:]] + [len(accesses)]
    return [(stage, accesses[begin:end]) for (stage, begin), end in zip(found, ends) if end > begin]
