#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The bare machine (arch/x86_64), by a kernel of its own (tests/boot/machine): memory, page tables,
fibers, interrupts, DMA and the clock on a rich and on a poor machine; and every way to end in a halt,
with what the report must show: the exception by name, the registers, a backtrace that addr2line can
read."""
import concurrent.futures
import os
import re
import subprocess
import time

import _screen
from _harness import RESULTS, Test, image, launch

EFI = launch.built()[1] / "machine-test.efi"
ELF = launch.built()[0] / "machine-test.elf"
# edu: QEMU's device for exercises; its DMA reaches 256 MiB unless told otherwise.
EDU = ["-device", "edu,dma_mask=0xffffffff"]
POOR = ["-machine", "acpi=off", "-cpu", "max,-x2apic,-rdrand,-rdseed,-pdpe1gb"]
MEMORY_MIB = 256
CASE_S, TOOL_S = 60, 30  # deadlines for hangs, not for speed
LAST_WORDS = re.compile(r"machine halted|the machine is still on$", re.M)
HALT_S = 5  # from the last word to the halt itself
RFLAGS_IF = 0x200

# case: headline, what the report says further, fiber, functions that the backtrace shows in this
# order (the last words after "..." may come from the words on the stack: gcc leaves out the frame of
# a function that calls nobody)
FATAL = {
    "write-text": (r"page fault \(#PF, vector 14\) at 0x\w+, error code 0x3\b",
                   r"writing 0xffffffff8\w+: not allowed there", "victim",
                   ["provoke_write_text", "..."]),
    "execute-data": (r"page fault \(#PF, vector 14\) at 0x\w+, error code 0x11\b",
                     r"executing 0xffffffff8\w+: not allowed there", "victim",
                     ["...", "provoke_execute_data"]),
    "null": (r"page fault \(#PF, vector 14\) at 0x\w+, error code 0x0\b",
             r"reading 0x0000000000000018: nothing is mapped there \(null pointer\)", "victim",
             ["provoke_null", "..."]),
    "invalid-opcode": (r"invalid opcode \(#UD, vector 6\)", r"fiber \"main\"", "main",
                       ["provoke_invalid_opcode", "...", "case_fatal", "kernel_main"]),
    "divide": (r"divide error \(#DE, vector 0\)", r"divide error", "main",
               ["provoke_divide", "...", "x86_irq"]),
    "protection": (r"general protection \(#GP, vector 13\)", r"error code 0x0\b", "victim",
                   ["provoke_protection", "..."]),
    "overflow": (r"page fault \(#PF, vector 14\) at 0x\w+, error code 0x2\b",
                 r"writing 0x\w+: stack overflow of a fiber", "victim",
                 ["provoke_overflow_step", "provoke_overflow_step", "..."]),
    # gcc's probe is an "or" with zero, whose read comes first
    "leap": (r"page fault \(#PF, vector 14\) at 0x\w+, error code 0x0\b",
             r"reading 0x\w+: stack overflow of a fiber", "victim", ["provoke_leap", "..."]),
    "double-fault": (r"double fault \(#DF, vector 8\)",
                     r"last page fault at 0xffffffff8\w+: what it was is lost", "victim",
                     ["provoke_null", "...", "provoke_double_fault"]),
    "panic": (r"panic: a panic for the test, 42", r"a panic", "main",
              ["machine_panic", "provoke_panic", "run_fatal", "x86_irq"]),
    "smash": (r"panic: a buffer on the stack was overrun", r"overrun", "victim",
              ["machine_panic", "__stack_chk_fail", "provoke_smash"]),
}
ANYWHERE = {"overflow": []}  # run_fatal lies too far down the stack there
REGISTERS = ("rip rsp rbp rflags rax rbx rcx rdx rsi rdi r8 r9 r10 r11 r12 r13 r14 r15 cr2 cr3 cs ss "
             "cr0 cr4").split()


def disk(case):
    return image(f"machine-{case}", f"case = {case}\n", efi=EFI, chips=(), firmware_dir="")


def machine(case, *qemu_args, screen=False):
    return launch.Machine(disk(case), chips=[], nic="none", memory_mib=MEMORY_MIB, screen=screen,
                          qemu_args=qemu_args, record=RESULTS / "machine" / case)


def alive(case, *qemu_args):
    """(serial log, it ended by itself) of a machine that runs all checks and switches itself off."""
    with machine(case, *qemu_args) as m:
        end = time.monotonic() + CASE_S
        while m.running() and time.monotonic() < end and not LAST_WORDS.search(m.serial):
            time.sleep(0.05)
        off = m.switched_off()
        m.stop()  # and the last of the serial line is read
        return m.serial, off


def at_rest(m):
    """The CPU halts for good: in HLT with interrupts off, says QEMU; else what it says."""
    end = time.monotonic() + HALT_S
    while True:
        text = m.qmp("human-monitor-command", command_line="info registers")
        halted = re.search(r"\bHLT=1\b", text)
        flags = re.search(r"\bRFL=([0-9a-f]+)", text)
        if halted and flags and not int(flags[1], 16) & RFLAGS_IF:
            return True, ""
        if time.monotonic() > end:
            return False, text
        time.sleep(0.05)


def fatal(case):
    """(serial log, (the CPU is at rest, its registers if not), lines on the screen, where there is one)"""
    with machine(case, screen=case == "panic") as m:
        m.wait_serial(r"machine halted|test: not ok|there is no case", CASE_S)
        rest = at_rest(m)
        m.check()
        return m.serial, rest, _screen.Picture(m).log() if m.screen else []


def functions(addresses):
    """The function of each address, by addr2line; [] for none."""
    if not addresses:
        return []
    done = subprocess.run(["addr2line", "-f", "-e", str(ELF), *addresses], capture_output=True,
                          text=True, check=True, timeout=TOOL_S)
    return done.stdout.splitlines()[::2]


def check_alive(t, case, result):
    serial, off = result
    results = re.findall(r"test: (not )?ok (\S+?)(?:: (.*))?$", serial, re.M)
    for bad, name, reason in results:
        t.ok(f"{case}.{name}", not bad, reason)
    done = re.search(r"test: done, (\d+) checks", serial)
    t.ok(f"{case}.all-ran", done and len(results) == int(done[1]),
         f"{len(results)} results, {done and done[0]}; the end: {serial[-500:]}")
    t.ok(f"{case}.own-line", re.search(r"^K$", serial, re.M) and
         re.search(r"^\[ *\d+\.\d{6}\] (info|warn) ", serial, re.M), serial[:600])
    t.holds(f"{case}.reports", serial, "interrupt on vector 0x77, which nobody allocated",
            "non-maskable interrupt number 1", "lock order inversion: fiber \"test\" takes "
            "\"test-outer\"", "(Q35 + ICH9", "lines lost)", "a line on stdout, 7")
    t.equal(f"{case}.unasked-once", serial.count("which nobody allocated"), 1)
    t.ok(f"{case}.no-panic", "***" not in serial, serial[-1500:])
    t.ok(f"{case}.switches-off", off, f"QEMU did not end by itself: {serial[-300:]}")


def check_ends(t, rich, poor):
    """One machine was powered off, the other has no ACPI for that and was reset."""
    t.ok("rich.power", "power: power off" in rich and "returned" not in rich and
         "power: reset" not in rich, rich[-400:])
    t.holds("poor.power", poor, "cannot power off: ACPI does not say how", "power off returned",
            "power: reset")
    t.ok("rich.x2apic", " x2APIC," in rich, rich[:800])
    t.ok("poor.xapic", " xAPIC," in poor, poor[:800])
    t.ok("rich.random", "; randomness from CPU and firmware;" in rich, rich[:800])
    t.ok("poor.random", "; randomness from nowhere;" in poor, poor[:800])
    t.ok("rich.reference", " by PM timer" in rich, rich[:800])
    t.ok("poor.reference", " by PIT" in poor, poor[:800])


def check_fatal(t, case, result):
    serial, rest, screen = result
    headline, detail, fiber, expected = FATAL[case]
    report = serial[serial.find("***"):] if "***" in serial else ""
    t.ok(f"{case}.named", re.match(rf"\*\*\* {headline}", report), serial[-600:])
    t.ok(f"{case}.detail", re.search(detail, report), report[:600])
    t.ok(f"{case}.where", re.search(rf'Firstlight \d+\.\d+\.\d+, fiber "{fiber}", \d+\.\d+ s after '
                                    "hand-off", report), report[:600])
    t.ok(f"{case}.log-first", f"about to do: {case}" in serial[:serial.find("***")], serial[-1500:])
    missing = [r for r in REGISTERS if not re.search(rf"\b{r} +[0-9a-f]{{4,16}}\b", report)]
    t.equal(f"{case}.registers", missing, [])

    trace = re.search(r"backtrace:\n((?: +0x\w+\n)*) +words on the stack[^\n]*\n((?: +rsp\S+ 0x\w+\n)*)",
                      report)
    frames = functions(re.findall(r"0x\w+", trace[1])) if trace else []
    words = functions(re.findall(r" (0x\w+)", trace[2])) if trace else []
    chain = expected[:expected.index("...")] if "..." in expected else expected
    later = expected[len(chain) + 1:]
    t.equal(f"{case}.backtrace", frames[:len(chain)], chain)
    somewhere = later + ANYWHERE.get(case, ["run_fatal"])
    t.equal(f"{case}.stack", [f for f in somewhere if f not in frames + words], [])
    t.ok(f"{case}.halts", report.count("***") == 2 and report.endswith("*** machine halted\n"),
         report[-300:])
    t.ok(f"{case}.rests", *rest)
    if case == "panic":
        # All of it, from top to bottom: the fixed part has made room.
        unseen = [line.strip() for line in report.splitlines() if line.strip() not in screen]
        t.ok(f"{case}.on-screen", report and not unseen, f"not on the screen: {unseen[:3]}; {screen[-5:]}")


with Test("machine") as test:
    with concurrent.futures.ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        rich_run = pool.submit(alive, "rich", *EDU)
        poor_run = pool.submit(alive, "poor", *EDU, *POOR)
        fatal_runs = {case: pool.submit(fatal, case) for case in FATAL}
        check_alive(test, "rich", rich_run.result())
        check_alive(test, "poor", poor_run.result())
        check_ends(test, rich_run.result()[0], poor_run.result()[0])
        for name, run in fatal_runs.items():
            check_fatal(test, name, run.result())
