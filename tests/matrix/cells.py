# SPDX-License-Identifier: MIT
"""One cell of the matrix: a chip, a driver, a firmware version; how it was run, what came out.

Cells lie in build/matrix/: CHIP.DRIVER.VERSION.json and the trace beside it, compressed. A cell is
valid as long as what made it is the same: the model (or the program with the model in it), the
driver's kernel, the firmware package, and this file.
"""
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
TRACE = TOP / "tests/trace"
sys.path[:0] = [str(TOP / "tests/linux"), str(TOP / "images")]
sys.path.append(str(TRACE))  # last: it has a trace.py, and so has the standard library
import debian  # noqa: E402
import guest  # noqa: E402
import initramfs  # noqa: E402
import landmarks  # noqa: E402
import launch  # noqa: E402
import reading  # noqa: E402
import steps  # noqa: E402

STORE = TOP / "build/matrix"
MODEL = TOP / "build/host/gpu-model"
BOOT_TRACE = TOP / "build/host/tests/matrix/boot_trace"
FIRSTLIGHT_S, GUEST_S = 60, 180
REASON_MAX = 160
V570, V535 = "570.144", "535.113.01"

# Why a chip has no cell in a column, before anything is run. Firmware that NVIDIA has not published
# for a chip is told by its files.
NO_FILES = "no files"
NOT_FOR_IT = "not supported by the driver"


COMPLAINT = re.compile(r"fail|error|timeout|unable|invalid|WARN|-E[A-Z]+|-\d+$", re.I)


def text_of(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def own_copy(program):
    """A run takes long: what it runs stays the same when somebody builds meanwhile."""
    STORE.mkdir(parents=True, exist_ok=True)
    copy = STORE / f"{program.name}.run"
    part = copy.with_suffix(".part")
    shutil.copy2(program, part)
    part.rename(copy)
    return copy


def has_files(firmware, chip, version):
    return any((Path(firmware) / "nvidia" / chip / "gsp").glob(f"gsp-{version}.bin")) or \
        any((Path(firmware) / "nvidia" / chip / "gsp").glob(f"booter_load-{version}.bin")) or \
        any((Path(firmware) / "nvidia" / chip / "gsp").glob(f"fmc-{version}.bin"))


def one_line(text):
    text = " ".join(str(text).split())
    return text if len(text) <= REASON_MAX else text[:REASON_MAX - 1] + "…"


class Firstlight:
    """Our driver, in one process with the model, NVIDIA's own files, time virtual."""
    name, title, expected_s = "firstlight", "Firstlight", 0.5

    def __init__(self, firmware):
        self.firmware = firmware
        self.made_by = text_of(BOOT_TRACE)
        self.program = own_copy(BOOT_TRACE)

    def run(self, chip, version, trace):
        done = subprocess.run([self.program, chip, version, self.firmware, trace], text=True,
                              timeout=FIRSTLIGHT_S, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              check=False)
        try:
            got = json.loads(done.stdout)
        except ValueError:
            return {"state": "failed", "stage": "start",
                    "reason": one_line(done.stderr or f"exit status {done.returncode}")}
        state = got["state"]
        if got["rule"]:
            state = "failed"
            got["reason"] = f"rule {got['rule']}: {got['rule_words']}"
        elif state == "ready" and not got["unloaded"]:
            state, got["reason"] = "failed", "came up but did not unload"
        return {"state": state, "stage": got["stage"], "reason": one_line(got["reason"]),
                "unmodelled": got["unmodelled"], "driver_stages": got["stages"]}


class LinuxDriver:
    """A driver of Debian's kernel, in QEMU, loaded and unloaded once."""
    expected_s = 14
    module, params, kernel_series = "", {}, None

    def __init__(self, firmware):
        self.firmware = firmware
        self.kernel = debian.get()
        self.release = (self.kernel / "release").read_text().strip()
        self.made_by = f"{text_of(MODEL)} {self.release}"
        launch.MODEL = own_copy(MODEL)

    def run(self, chip, version, trace):
        work = STORE / "work"
        image = work / "initramfs.cpio"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        try:
            initramfs.build(image, self.kernel, self.firmware, chip=chip, versions=[version],
                            module=self.module, params=self.params.get(version, ""), rounds=1)
            result = guest.run(self.kernel, image, chip=chip, firmware=self.firmware, record=work,
                               trace=True, deadline_s=GUEST_S, cpu=os.getpid())
        except initramfs.InitramfsError as e:
            return {"state": "none", "reason": one_line(e)}
        except launch.MachineError as e:
            return {"state": "failed", "stage": "start", "reason": one_line(e)}
        finally:
            image.unlink(missing_ok=True)
        shutil.copyfile(work / "model.trace", trace)
        for name in ("serial.log", "model.report"):
            shutil.copyfile(work / name, f"{trace}.{name}")
        return self.verdict(chip, result)

    def messages(self, result):
        """The kernel's lines about the driver, without their time."""
        return [re.sub(r"^\[ *\d+\.\d+\] (?:\S+ [0-9a-f:.]+: )?", "", line)
                for line in result.driver_lines()]

    def verdict(self, chip, result):
        cell = {"state": "failed", "stage": "", "reason": "", "kernel": self.release}
        rule = re.search(r"^RULE .*|^first: .*", result.report, re.M)
        if self.unknown(result):
            return {"state": "none", "reason": NOT_FOR_IT, "kernel": self.release}
        if result.ended != "power off":
            cell["reason"] = result.ended
        elif not self.up(chip, result):
            complaints = [m for m in self.messages(result) if
                          COMPLAINT.search(m) and "module verification" not in m]
            cell["reason"] = (complaints or self.messages(result) or ["no message"])[0]
        elif result.marks("insmod-failed") or result.marks("rmmod-failed"):
            cell["reason"] = "the module was not loaded or not unloaded"
        elif result.model_status != 0:
            cell["reason"] = rule[0] if rule else result.report.splitlines()[0]
            cell["rule"] = True
        else:
            cell["state"] = "ready"
        cell["reason"] = one_line(cell["reason"])
        return cell


class Nouveau(LinuxDriver):
    name, title, module = "nouveau", "nouveau", "nouveau"
    params = {V570: "", V535: "config=NvGspFw=0"}  # the module's own switch for the older release

    def unknown(self, result):
        return "unknown chipset" in result.serial

    def up(self, chip, result):
        return re.search(r"gsp: RM version", result.serial) and \
            re.search(r"\[drm\] Initialized nouveau", result.serial)


class Nova(LinuxDriver):
    """nova-core, built from the kernel's own source (tests/linux/nova.py), or one of your own: a
    directory with nova-core.ko, named by the environment's NOVA_MODULES."""
    name, title, module = "nova", "nova-core", "nova_core"

    def __init__(self, firmware):
        super().__init__(firmware)
        modules = self.modules()
        self.made_by += f" {text_of(modules / 'nova-core.ko')}"
        stock, self.kernel = self.kernel, STORE / "nova-kernel"
        shutil.rmtree(self.kernel, ignore_errors=True)
        self.kernel.mkdir(parents=True)
        for name, target in (("vmlinuz", stock / "vmlinuz"), ("busybox", stock / "busybox"),
                             ("modules", modules)):
            (self.kernel / name).symlink_to(target)

    @staticmethod
    def available():
        return "NOVA_MODULES" in os.environ or (TOP / "tests/linux/nova.py").is_file()

    @staticmethod
    def modules():
        if "NOVA_MODULES" in os.environ:
            return Path(os.environ["NOVA_MODULES"]).resolve()
        import nova  # builds the module the first time
        return nova.get() / "modules"

    @staticmethod
    def why(chip):
        """What is known of a chip that this release does not bring up (tests/linux/test_nova.py)."""
        try:
            from test_nova import REFUSED
        except ImportError:
            return ""
        return REFUSED[chip].why if chip in REFUSED else ""

    def unknown(self, result):
        return False  # it refuses in many words: a failure that the page explains

    def up(self, chip, result):
        return re.search(r"nova-core \S+: GPU name: ", result.serial) and result.marks("bound")


def stage_table(path, chip):
    """[{name, reads, writes, prom, timer, accesses}] of a trace, empty when it holds none."""
    registers = reading.Registers(TOP / "gsp/hw/regs/regs.def", reading.family_of(chip))
    try:
        runs = reading.read_trace(path, registers)
    except reading.TraceError:
        return []
    run = max(runs, key=lambda r: r.total())
    stages = landmarks.split_stages(run.accesses, landmarks.Landmarks(registers), run.remarks)
    return [{"name": name, "accesses": sum(a.count for a in part), **steps.cost(part)}
            for name, part in stages]


class Store:
    """The cells on disk."""

    def __init__(self, firmware):
        self.firmware_version = Path(firmware).name
        STORE.mkdir(parents=True, exist_ok=True)
        self.tools = "".join(text_of(path) for path in (
            TRACE / "reading.py", TRACE / "landmarks.py", TRACE / "steps.py",
            TOP / "gsp/hw/regs/regs.def"))
        self.here = text_of(__file__)

    def path(self, chip, driver, version, suffix="json"):
        return STORE / f"{chip}.{driver}.{version}.{suffix}"

    def key(self, driver):
        of = f"{driver.made_by} {self.firmware_version} {self.here}"
        return hashlib.sha256(of.encode()).hexdigest()

    def get(self, chip, driver, version, any_age=False):
        """The cell, None when there is none or when something that made it has changed."""
        try:
            cell = json.loads(self.path(chip, driver.name, version).read_text())
        except (OSError, ValueError):
            return None
        if cell["key"] != self.key(driver) and not any_age:
            return None
        packed = self.path(chip, driver.name, version, "trace.gz")
        if cell.get("tools") != self.tools and packed.exists():
            plain = STORE / "reading.trace"
            plain.write_bytes(gzip.decompress(packed.read_bytes()))
            cell.update(stages=stage_table(plain, chip), tools=self.tools)
            plain.unlink()
            self.write(chip, driver, version, cell)
        return cell

    def write(self, chip, driver, version, cell):
        path = self.path(chip, driver.name, version)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(cell, indent=1) + "\n")
        part.rename(path)

    def make(self, chip, driver, version):
        """Runs it and keeps what came out."""
        begin = time.monotonic()
        trace = self.path(chip, driver.name, version, "trace")
        if has_files(driver.firmware, chip, version):
            cell = driver.run(chip, version, trace)
        else:
            cell = {"state": "none", "reason": NO_FILES}
        cell.update(chip=chip, driver=driver.name, version=version, key=self.key(driver),
                    tools=self.tools, seconds=round(time.monotonic() - begin, 1), stages=[])
        if trace.exists():
            cell["stages"] = stage_table(trace, chip)
            with open(trace, "rb") as plain, gzip.open(f"{trace}.gz", "wb", compresslevel=4) as packed:
                shutil.copyfileobj(plain, packed)
            trace.unlink()
        if cell["state"] == "ready" and "after" not in [s["name"] for s in cell["stages"]]:
            cell.update(state="failed", reason="the driver says that it is up, the trace does not")
        if cell["state"] == "failed" and not cell.get("stage") and cell["stages"]:
            entered = [s["name"] for s in cell["stages"] if s["name"] != "unload"]
            cell["stage"] = entered[-1]
        self.write(chip, driver, version, cell)
        return cell
