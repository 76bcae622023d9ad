# SPDX-License-Identifier: MIT
"""A QEMU that boots a kernel and an initramfs with one GPU model in it, and what came out of it."""
import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "images"))
import launch  # noqa: E402
import processes  # noqa: E402

MODEL_READY_S = 30
RUN_S = 240  # deadline of a whole run: for hangs, not for speed
MEMORY_MIB = 2048
# "quiet" until the driver is loaded; nothing else touches the GPU. Mitigations cost time in an
# emulator and protect nothing here.
CMDLINE = "console=ttyS0,115200 quiet loglevel=3 mitigations=off panic=-1 rdinit=/init"


class Result:
    """serial: the text; model_status: 0 when no rule was broken; report: the model's words."""

    def __init__(self, serial, model_status, report, seconds, ended, trace, errors, samples):
        self.serial, self.model_status, self.report = serial, model_status, report
        self.seconds, self.ended, self.trace, self.errors = seconds, ended, trace, errors
        self.samples = samples  # of the model's process, one after each round

    def marks(self, word):
        """What followed "FL:word" on the serial line, line by line."""
        return re.findall(rf"^FL:{word}(?: (.*))?$", self.serial, re.M)

    def driver_lines(self, pattern=r"nouveau|NovaCore|nova|DRM|drm"):
        """Kernel messages of the driver: everything from the loading on."""
        start = self.serial.find("FL:round 1")
        return [line for line in self.serial[max(start, 0):].splitlines()
                if re.match(r"\[ *\d+\.\d+\]", line) and re.search(pattern, line)]


class Sample:
    """What a process holds: resident bytes and open files."""

    def __init__(self, pid):
        status = Path(f"/proc/{pid}/status").read_text()
        self.rss = int(re.search(r"^RssAnon:\s+(\d+) kB", status, re.M)[1]) << 10
        self.files = len(os.listdir(f"/proc/{pid}/fd"))


def read_all(stream, into, echo, model, samples, progress):
    """Reads the serial line to its end; looks at the model whenever a round is over."""
    seen = 0
    while data := os.read(stream.fileno(), 4096):
        into.extend(data)
        while (end := into.find(b"\n", seen)) >= 0:
            if into.startswith(b"FL:unloaded ", seen) and model.poll() is None:
                samples.append(Sample(model.pid))
                progress(len(samples))
            seen = end + 1
        if echo:
            sys.stderr.buffer.write(data)
            sys.stderr.buffer.flush()


def run(kernel, initramfs, *, chip, firmware, model_args=(), record, trace=False, echo=False,
        deadline_s=RUN_S, qemu_args=(), cmdline="", cpu=0, progress=lambda rounds: None):
    """Boots until the guest switches the machine off. Keeps the logs in the directory record. cpu: which
    of our processors it runs on, counted from 0. progress: called after each round, with their number."""
    deps = launch.read_deps()
    record = Path(record)
    record.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="firstlight-"))
    mine = os.sched_getaffinity(0)
    model = qemu = None
    begin = time.monotonic()
    try:
        # QEMU and the model on one CPU: a register read then costs 13 us instead of 14 to 100.
        os.sched_setaffinity(0, {sorted(mine)[cpu % len(mine)]})
        ready, ready_child = os.pipe()
        args = [launch.MODEL, "--chip", chip, "--socket", work / "gpu.sock", "--strict",
                "--ready-fd", ready_child, "--report", record / "model.report",
                "--firmware", firmware, *model_args]
        args += ["--trace", record / "model.trace"] if trace else []
        model = processes.Child("model", args, work, stdout=subprocess.DEVNULL,
                                pass_fds=(ready_child,))
        os.close(ready_child)
        seen, _, _ = select.select([ready], [], [], MODEL_READY_S)
        if not seen or not os.read(ready, 16):
            raise launch.MachineError(f"the GPU model did not get ready\n{model.last_words()}")
        memory = f"{MEMORY_MIB}M"
        device = {"driver": "vfio-user-pci", "bus": "port0",
                  "socket": {"path": str(work / "gpu.sock"), "type": "unix"}}
        qemu = processes.Child("qemu", [
            deps["QEMU"], "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot",
            "-machine", "q35,accel=tcg,memory-backend=mem0", "-cpu", "max", "-m", memory,
            "-object", f"memory-backend-memfd,id=mem0,size={memory},share=on",
            "-kernel", Path(kernel) / "vmlinuz", "-initrd", initramfs,
            "-append", f"{CMDLINE} {cmdline}".strip(),
            "-device", "pcie-root-port,id=port0,bus=pcie.0,chassis=1,slot=1",
            "-device", json.dumps(device), *qemu_args], work, stdout=subprocess.PIPE)
        os.sched_setaffinity(0, mine)
        serial, samples = bytearray(), []
        reader = threading.Thread(target=read_all,
                                  args=(qemu.process.stdout, serial, echo, model.process, samples,
                                        progress))
        reader.start()
        ended = "power off"
        try:
            if qemu.process.wait(deadline_s) != 0:
                ended = f"QEMU {qemu.status_text()}: {qemu.last_words()}"
        except subprocess.TimeoutExpired:
            ended = f"still running after {deadline_s} s"
        qemu.end()
        reader.join()
        if model.process.poll() is not None:
            ended = f"the GPU model {model.status_text()}: {model.last_words()}"
        status = model.end()
        text = re.sub(r"\x1b\[[0-9;=?]*[A-Za-z]", "", serial.decode("utf-8", "replace"))
        text = re.sub(r"\r+\n?", "\n", text)
        (record / "serial.log").write_text(text)
        report = (record / "model.report").read_text(errors="replace")
        return Result(text, status, report, time.monotonic() - begin, ended,
                      record / "model.trace", qemu.errors.read_text(errors="replace"), samples)
    finally:
        os.sched_setaffinity(0, mine)
        for child in (qemu, model):
            if child:
                child.end()
        shutil.rmtree(work)
