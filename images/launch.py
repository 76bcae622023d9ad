#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A machine to boot Firstlight in: GPU models, QEMU with OVMF, a USB stick, a network card.

As a program it is images/run.py (`make run`). As a module it is what the boot tests use:

    with Machine(image, chips=["ga102"]) as m:
        m.wait_http()
        status = m.json("/api/v1/status")

The models and QEMU are watched together: when one of them dies unexpectedly, check() says which and
with what last words. Only processes started here are ever ended, by their process id. Where QEMU and
the firmware lie is read from build/deps.env, which `make setup` writes.
"""
import hashlib
import http.client
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from processes import STOP_S, Child, MachineError, Qmp, free_port, port_is_free, ppm_to_png

TOP = Path(__file__).resolve().parent.parent
MODEL = TOP / "build/host/gpu-model"
# Each C library has its own kernel: LIBC of the environment, as make hands it on, says which.
LIBC = os.environ.get("LIBC") or "picolibc"


def built(libc=LIBC):
    """(where its kernels lie, where its EFI applications lie), as mk/flags.mk has it."""
    suffix = "" if libc == "picolibc" else f"-{libc}"
    return TOP / f"build/kernel{suffix}", TOP / f"build/boot{suffix}"


EFI = built()[1] / "BOOTX64.EFI"
CONF = TOP / "images/esp/firstlight.conf"

# Deadlines in seconds. Emulation on a busy machine is slow: they are for hangs, not for speed.
MODEL_READY_S = 30
HTTP_FIRST_S = 120
HTTP_ANSWER_S = 10
# User networking accepts before the guest listens and such a connection answers a second late: many
# short tries, then longer ones for a machine that is slow.
HTTP_POLL_FIRST_S, HTTP_POLL_MOST_S, HTTP_POLL_GROWTH = 0.2, 3.0, 1.05
IMAGE_S = 120
SOCKET_PATH_MAX = 107  # sun_path without its NUL
# Chips whose board shows all its VRAM in one BAR (128 GiB and more): OVMF gives 64-bit BARs 32 GiB
# unless it is told otherwise. Source: OVMF, PlatformPei, "opt/ovmf/X-PciMmio64Mb".
CHIPS_OF_LARGE_BARS = {"gh100", "gb100", "gb102"}
LARGE_BARS_MIB = 512 << 10
HTTP_PORT_IN_GUEST, HTTPS_PORT_IN_GUEST = 80, 443


def read_deps():
    """build/deps.env as a dictionary."""
    path = TOP / "build/deps.env"
    if not path.exists():
        raise MachineError(f"{path} is missing: run make setup")
    deps = dict(line.split("=", 1) for line in path.read_text().splitlines()
                if "=" in line and not line.startswith("#"))
    if os.environ.get("FIRMWARE_DIR"):
        deps["FIRMWARE_DIR"] = os.environ["FIRMWARE_DIR"]
    for name in ("QEMU", "OVMF_CODE", "OVMF_VARS"):
        if not Path(deps.get(name, "")).is_file():
            raise MachineError(f"{name} of {path} is missing: run make setup")
    return deps


def sha256(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while chunk := f.read(1 << 20):
            h.update(chunk)
    return h.hexdigest()


def make_image(out, *, efi=EFI, conf=CONF, chips=("ga102",), fw_versions=("570.144",),
               firmware_dir=None, more=()):
    """A disk image at out, by images/mkimage.py; kept when nothing that goes into it has changed
    (the firmware counts by its directory: a release never changes). conf=None: without a config."""
    out = Path(out)
    if firmware_dir is None:
        firmware_dir = read_deps().get("FIRMWARE_DIR", "")
    args = ["--efi", str(efi), "--chips", ",".join(sorted(set(chips))),
            "--fw-versions", ",".join(fw_versions), *map(str, more)]
    args += ["--conf", str(conf)] if conf else []
    args += ["--firmware-dir", str(firmware_dir)] if firmware_dir else []
    tool = TOP / "images/mkimage.py"
    extra = [str(b).rpartition(":")[0] for a, b in zip(more, more[1:]) if a == "--extra"]
    inputs = [Path(p) for p in (efi, conf, tool, *extra) if p]
    for path in inputs:
        if not path.is_file():
            raise MachineError(f"{path} is missing: run make efi")
    key = json.dumps([args, [sha256(path) for path in inputs]])
    stamp = Path(f"{out}.key")
    if out.exists() and stamp.exists() and stamp.read_text() == key:
        return out
    out.parent.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    done = subprocess.run([sys.executable, str(tool), "--out", str(out), *args], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=IMAGE_S, check=False)
    if done.returncode != 0:
        raise MachineError(f"the image cannot be made: {done.stdout.strip()}")
    stamp.write_text(key)
    return out


class Machine:
    """One virtual machine. start() .. stop(), or a with statement."""

    def __init__(self, image, *, chips=("ga102",), fw_version=None, firmware_dir=None, nic="virtio",
                 http_port=0, memory_mib=1024, model_args=(), qemu_args=(), screen=False,
                 record=None, echo=None, pin=True, gpu_args=(), netdev=None, https_port=None):
        self.image = Path(image)
        self.chips = list(chips)  # empty: no GPU
        self.fw_version, self.firmware_dir = fw_version, firmware_dir
        self.nic, self.memory_mib, self.screen = nic, memory_mib, screen
        self.netdev = netdev  # QEMU's back-end of the first card; None: user networking
        self.http_port = http_port or free_port()
        self.https_port = https_port  # None: no way to TLS
        self.model_args, self.qemu_args = list(model_args), list(qemu_args)
        self.gpu_args = [list(a) for a in gpu_args]  # for each model its own, behind model_args
        self.pin = pin
        self.record = Path(record) if record else None
        self.echo = echo
        self.models, self.qemu, self._qmp = [], None, None
        self.started_s = None
        self._serial, self._lock, self._reader = bytearray(), threading.Lock(), None
        self.work, self.reports = None, []

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    # --- start ---------------------------------------------------------------------------------

    def start(self):
        self.deps = read_deps()
        if not self.image.is_file():
            raise MachineError(f"the disk image {self.image} is missing")
        if not port_is_free(self.http_port):
            raise MachineError(f"port {self.http_port} of this machine is taken (HTTP_PORT=another)")
        if self.https_port and not port_is_free(self.https_port):
            raise MachineError(f"port {self.https_port} of this machine is taken (HTTPS_PORT=another)")
        self.work = Path(tempfile.mkdtemp(prefix="firstlight-"))
        if len(str(self.work / "gpu00.sock")) > SOCKET_PATH_MAX:
            raise MachineError(f"{self.work} is too long a path for a socket; set TMPDIR")
        mine = os.sched_getaffinity(0)
        try:
            if self.chips and self.pin:
                # QEMU and a model on one CPU: a register read then costs 13 us instead of 14 to 100.
                os.sched_setaffinity(0, {sorted(mine)[os.getpid() % len(mine)]})
            self._start_models()
            self._start_qemu()
        except BaseException:
            self.stop()
            raise
        finally:
            os.sched_setaffinity(0, mine)
        return self

    def _start_models(self):
        if self.chips and not MODEL.is_file():
            raise MachineError(f"{MODEL} is missing: run make gpu-model")
        firmware = self.firmware_dir or self.deps.get("FIRMWARE_DIR")
        for i, chip in enumerate(self.chips):
            ready, ready_child = os.pipe()
            args = [MODEL, "--chip", chip, "--socket", self._socket(i), "--ready-fd", ready_child,
                    "--report", self.report_path(i)]
            args += ["--firmware", firmware] if firmware else []
            args += ["--fw-version", self.fw_version] if self.fw_version else []
            args += self.model_args + (self.gpu_args[i] if i < len(self.gpu_args) else [])
            try:
                self.models.append(Child(f"gpu{i}", args, self.work, stdout=subprocess.DEVNULL,
                                         pass_fds=(ready_child,)))
                os.close(ready_child)
                seen, _, _ = select.select([ready], [], [], MODEL_READY_S)
                if not seen or not os.read(ready, 16):
                    raise MachineError(f"GPU model {i} ({chip}) did not get ready: it "
                                       f"{self.models[i].status_text()}\n"
                                       f"{self.models[i].last_words()}")
            finally:
                os.close(ready)

    def _start_qemu(self):
        variables = self.work / "vars.fd"  # the firmware writes to it: every run has its own
        shutil.copyfile(self.deps["OVMF_VARS"], variables)
        memory = f"{self.memory_mib}M"
        args = [self.deps["QEMU"], "-nodefaults", "-display", "none", "-serial", "stdio",
                "-no-reboot", "-machine", "q35,accel=tcg,memory-backend=mem0", "-cpu", "max",
                "-m", memory, "-object", f"memory-backend-memfd,id=mem0,size={memory},share=on",
                "-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={self.deps['OVMF_CODE']}",
                "-drive", f"if=pflash,format=raw,unit=1,file={variables}",
                "-qmp", f"unix:{self.work / 'qmp.sock'},server=on,wait=off",
                "-drive", f"file={self.image},format=raw,if=none,id=stick,snapshot=on",
                "-device", "qemu-xhci,id=usb",
                "-device", "usb-storage,drive=stick,bootindex=0"]
        args += self._nic_args()
        args += ["-device", "VGA"] if self.screen else []
        if CHIPS_OF_LARGE_BARS & set(self.chips):
            args += ["-fw_cfg", f"name=opt/ovmf/X-PciMmio64Mb,string={LARGE_BARS_MIB}"]
        for i in range(len(self.chips)):
            device = {"driver": "vfio-user-pci", "id": f"gpu{i}", "bus": f"port{i}",
                      "socket": {"path": str(self._socket(i)), "type": "unix"}}
            args += ["-device", f"pcie-root-port,id=port{i},bus=pcie.0,chassis={i + 1},slot={i + 1}",
                     "-device", json.dumps(device)]
        self.qemu = Child("qemu", args + self.qemu_args, self.work, stdout=subprocess.PIPE)
        self.started_s = time.monotonic()
        self._reader = threading.Thread(target=self._read_serial, daemon=True)
        self._reader.start()

    def _nic_args(self):
        forward = f"hostfwd=tcp:127.0.0.1:{self.http_port}-:{HTTP_PORT_IN_GUEST}"
        if self.https_port:
            forward += f",hostfwd=tcp:127.0.0.1:{self.https_port}-:{HTTPS_PORT_IN_GUEST}"
        first = {"virtio": "virtio-net-pci", "both": "virtio-net-pci", "e1000e": "e1000e"}
        if self.nic == "none":
            return []
        if self.nic not in first:
            raise MachineError(f"network card {self.nic}: expected virtio, e1000e, both or none")
        # An empty romfile: no boot from the network, which would cost seconds.
        args = ["-netdev", f"{self.netdev or 'user,' + forward},id=net0",
                "-device", f"{first[self.nic]},netdev=net0,romfile="]
        if self.nic == "both":
            args += ["-netdev", "user,id=net1,net=10.0.3.0/24", "-device",
                     "e1000e,netdev=net1,romfile="]
        return args

    def _socket(self, i):
        return self.work / f"gpu{i}.sock"

    def report_path(self, i=0):
        return self.work / f"gpu{i}.report"

    def _read_serial(self):
        stream = self.qemu.process.stdout
        while data := os.read(stream.fileno(), 4096):
            with self._lock:
                self._serial += data
            if self.echo:
                self.echo.write(data)
                self.echo.flush()

    # --- what goes on in it --------------------------------------------------------------------

    @property
    def serial(self):
        """All that came over the serial line: colours and cursor moves left out, '\\n' ends lines."""
        with self._lock:
            text = self._serial.decode("utf-8", "replace")
        text = re.sub(r"\x1b\[[0-9;=?]*[A-Za-z]", "", text)
        return re.sub(r"\r+\n?", "\n", text)

    def wait_serial(self, pattern, deadline_s=60):
        """The match of a pattern in the serial log."""
        end = time.monotonic() + deadline_s
        while True:
            if found := re.search(pattern, self.serial):
                return found
            self.check()
            if time.monotonic() > end:
                raise MachineError(f"nothing like '{pattern}' on the serial line within "
                                   f"{deadline_s} s; its end:\n{self.serial[-1500:]}")
            time.sleep(0.05)

    def running(self):
        return self.qemu is not None and self.qemu.process.poll() is None

    def switched_off(self):
        """The guest has switched the machine off or reset it: QEMU ended without an error."""
        return self.qemu is not None and self.qemu.process.poll() == 0

    def check(self):
        """Raises MachineError when QEMU or a model has died without being asked to."""
        if not self.running():
            raise MachineError(f"QEMU {self.qemu.status_text()}\n{self.qemu.last_words()}\n"
                               f"  end of the serial log:\n{self.serial[-1500:]}")
        for i, child in enumerate(self.models):
            if child.process.poll() is not None:
                raise MachineError(f"the GPU model {i} ({self.chips[i]}) {child.status_text()} while "
                                   f"the machine was running\n{child.last_words()}")

    def request(self, method, path, body=None, headers=None, timeout_s=HTTP_ANSWER_S):
        """(status, headers, body as bytes), over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=timeout_s)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def get(self, path, timeout_s=HTTP_ANSWER_S, token=None):
        """(status, body as text)"""
        headers = {"Authorization": f"Bearer {token}"} if token else None
        status, _, body = self.request("GET", path, headers=headers, timeout_s=timeout_s)
        return status, body.decode("utf-8", "replace")

    def json(self, path, timeout_s=HTTP_ANSWER_S):
        status, text = self.get(path, timeout_s)
        if status != 200:
            raise MachineError(f"GET {path}: status {status}, expected 200: {text[:300]}")
        return json.loads(text)

    def wait_http(self, deadline_s=HTTP_FIRST_S, progress=None):
        """Waits for the first answer of any status to GET /healthz; returns (status, text)."""
        start = time.monotonic()
        patience_s = HTTP_POLL_FIRST_S
        while True:
            self.check()
            try:
                return self.get("/healthz", patience_s)
            except (OSError, http.client.HTTPException) as e:
                trouble = e
            waited = time.monotonic() - start
            if waited > deadline_s:
                raise MachineError(f"no answer over HTTP within {deadline_s} s (last try: {trouble});"
                                   f" end of the serial log:\n{self.serial[-1500:]}")
            if progress:
                progress(waited)
            patience_s = min(patience_s * HTTP_POLL_GROWTH, HTTP_POLL_MOST_S)
            time.sleep(0.05)

    def wait_gpu(self, states=("ready", "failed"), index=0, deadline_s=HTTP_FIRST_S):
        """Waits until a GPU is in one of the states; returns the whole status."""
        end = time.monotonic() + deadline_s
        self.wait_http(deadline_s)
        while True:
            status = self.json("/api/v1/status")
            gpus = status["gpus"]
            if len(gpus) > index and gpus[index]["state"] in states:
                return status
            self.check()
            if time.monotonic() > end:
                raise MachineError(f"GPU {index} is in none of the states {'/'.join(states)} after "
                                   f"{deadline_s} s: {json.dumps(gpus)[:600]}")
            time.sleep(0.2)

    def token(self):
        """The access token that the appliance shows on the serial line; None when it shows none."""
        found = re.search(r"\btoken\b[^\n]*?[:= ]\s*([A-Za-z0-9_.~+/-]{16,}=*)", self.serial)
        return found[1] if found else None

    def pull_card(self, index=0):
        """Takes the GPU away: from its next access on the bus gives all ones."""
        self.models[index].process.send_signal(signal.SIGUSR1)

    def kill_and_start_again(self):
        """The machine dies without a word and another one is started on the same models (--stay-powered:
        with their GPUs as they are). The serial log begins anew."""
        self.qemu.end(signal.SIGKILL)
        self._reader.join(STOP_S)
        self.qemu.process.stdout.close()
        with self._lock:
            self._serial.clear()
        self._qmp = None
        (self.work / "qmp.sock").unlink(missing_ok=True)
        self._start_qemu()

    def qmp(self, command, /, **arguments):
        if self._qmp is None:
            self._qmp = Qmp(self.work / "qmp.sock")
        return self._qmp.command(command, **arguments)

    def screenshot(self, png):
        ppm = self.work / "screen.ppm"
        self.qmp("screendump", filename=str(ppm))
        ppm_to_png(ppm, png)

    def cpu_seconds(self):
        """CPU time that QEMU has used so far. Source: proc(5), fields 14 and 15 of stat."""
        fields = Path(f"/proc/{self.qemu.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    # --- stop ----------------------------------------------------------------------------------

    def stop(self):
        """Ends what is left, QEMU first so that the models see the whole run. Returns the exit
        statuses {"qemu": n, "gpu0": n, ...}. May be called twice."""
        statuses = {}
        if self.qemu:
            statuses["qemu"] = self.qemu.end()
            if self._reader:
                self._reader.join(STOP_S)
            self.qemu.process.stdout.close()
        for child in self.models:
            statuses[child.name] = child.end()
        if self.work and self.work.exists():
            if self.record:
                self._write_record(statuses)
            self.reports = [self.report_path(i).read_text(errors="replace")
                            if self.report_path(i).exists() else ""
                            for i in range(len(self.models))]
            shutil.rmtree(self.work)
        return statuses

    def _write_record(self, statuses):
        """What a verdict rests on: the logs, and the versions and hashes of all that took part."""
        self.record.mkdir(parents=True, exist_ok=True)
        (self.record / "serial.log").write_text(self.serial)
        for path in [*self.work.glob("*.report"), *self.work.glob("*.stderr")]:
            shutil.copyfile(path, self.record / path.name)
        files = {"image": self.image, "efi": EFI, "model": MODEL,
                 "ovmf_code": Path(self.deps["OVMF_CODE"])}
        record = {"chips": self.chips, "fw_version": self.fw_version, "nic": self.nic,
                  "memory_mib": self.memory_mib, "model_args": self.model_args,
                  "qemu_version": self.deps.get("QEMU_VERSION"), "exit": statuses,
                  "sha256": {k: sha256(v) for k, v in files.items() if v.is_file()}}
        (self.record / "tuple.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    from run import main
    sys.exit(main())
