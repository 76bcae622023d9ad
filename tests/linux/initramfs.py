# SPDX-License-Identifier: MIT
"""An initramfs that loads one driver, looks at what became of it, and unloads it again.

The archive is cpio "newc" (Linux Documentation/driver-api/early-userspace/buffer-format.rst), not
compressed: the firmware in it does not shrink and unpacking costs time in an emulator. Modules come
decompressed, so that the kernel need not know their format; which ones a module needs is read from
the modules themselves.
"""
import gzip
import lzma
import os
import shutil
import struct
import subprocess
from pathlib import Path

FIRMWARE_ALWAYS = ("acr/", "gr/", "nvdec/", "sec2/", "pmu/")  # small ones, of any version


class InitramfsError(Exception):
    """What cannot be put together, and why."""


# --- cpio ---------------------------------------------------------------------------------------------
class Cpio:
    DIRECTORY, FILE, DEVICE, LINK = 0o040755, 0o100644, 0o020600, 0o120777

    def __init__(self, out):
        self.out, self.inode, self.made = out, 0, set()

    def _entry(self, name, mode, size=0, rdev=(0, 0)):
        self.inode += 1
        name = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, size, 0, 0, *rdev, len(name), 0)
        self._padded(b"070701" + b"".join(b"%08x" % f for f in fields) + name)

    def _padded(self, data):
        self.out.write(data + b"\0" * (-len(data) % 4))

    def directory(self, name):
        parts = name.split("/")
        for i in range(1, len(parts) + 1):
            part = "/".join(parts[:i])
            if part not in self.made:
                self.made.add(part)
                self._entry(part, self.DIRECTORY)

    def file(self, name, data, executable=False):
        if "/" in name:
            self.directory(name.rsplit("/", 1)[0])
        self._entry(name, self.FILE | (0o111 if executable else 0), len(data))
        self._padded(data)

    def device(self, name, major, minor):
        self.directory(name.rsplit("/", 1)[0])
        self._entry(name, self.DEVICE, 0, (major, minor))

    def end(self):
        self._entry("TRAILER!!!", 0)


# --- modules --------------------------------------------------------------------------------------------
def module_bytes(path):
    data = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(data)
    if path.suffix == ".gz":
        return gzip.decompress(data)
    if path.suffix == ".zst":
        if not shutil.which("zstd"):
            raise InitramfsError(f"{path.name}: the program zstd is missing")
        return subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


def modinfo(data, name):
    """The strings "key=value" of the section .modinfo of a 64-bit ELF, as a list of pairs."""
    if data[:5] != b"\x7fELF\x02":
        raise InitramfsError(f"{name} is not a 64-bit ELF")
    (shoff,) = struct.unpack_from("<Q", data, 0x28)
    size, count, strings = struct.unpack_from("<HHH", data, 0x3a)
    headers = [struct.unpack_from("<IIQQQQ", data, shoff + i * size) for i in range(count)]
    names = headers[strings][4]
    for head in headers:
        at = names + head[0]
        if data[at:data.index(b"\0", at)] == b".modinfo":
            body = data[head[4]:head[4] + head[5]].decode("utf-8", "replace")
            return [tuple(s.split("=", 1)) for s in body.split("\0") if "=" in s]
    raise InitramfsError(f"{name} has no section .modinfo")


def key(name):
    return name.replace("-", "_")


class Modules:
    """The modules below a directory, by name."""

    def __init__(self, top):
        self.paths = {key(p.name.split(".ko")[0]): p for p in Path(top).rglob("*.ko*")}
        self.loaded = {}

    def load(self, name):
        if name not in self.loaded:
            if name not in self.paths:
                raise InitramfsError(f"the kernel's package has no module {name}")
            data = module_bytes(self.paths[name])
            self.loaded[name] = data, modinfo(data, name)
        return self.loaded[name]

    def order(self, name):
        """The module and what it needs, in the order of loading. Cycles do not occur."""
        done = []

        def visit(module):
            for k, v in self.load(module)[1]:
                if k == "depends" and v:
                    for needed in v.split(","):
                        visit(key(needed))
            if module not in done:
                done.append(module)
        visit(key(name))
        return done


# --- what the machine does ----------------------------------------------------------------------------
INIT = """#!/bin/busybox sh
# Written by tests/linux/initramfs.py. Lines that start with FL: are for the test.
B=/bin/busybox
$B --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t debugfs debugfs /sys/kernel/debug
echo 0 > /proc/sys/kernel/printk_ratelimit
echo on > /proc/sys/kernel/printk_devkmsg 2>/dev/null
dmesg -n 8
seconds() { cut -d ' ' -f 1 /proc/uptime; }
state() {
    for c in /sys/class/drm/card*; do
        [ -e "$c" ] && echo "FL:drm $(basename $c) $(readlink $c/device/driver | sed 's,.*/,,')"
    done
    for n in /dev/dri/*; do [ -e "$n" ] && echo "FL:node $n"; done
    for d in /sys/bus/pci/devices/*; do
        [ "$(cat $d/vendor)" = 0x10de ] && [ -e $d/driver ] &&
            echo "FL:bound $(basename $d) $(basename $(readlink $d/driver))"
    done
}
# What a register of the GPU holds while no driver is bound to it.
peek() {
    for d in /sys/bus/pci/devices/*; do
        [ "$(cat $d/vendor)" = 0x10de ] &&
            devmem $(($(head -n 1 $d/resource | cut -d ' ' -f 1) + $1)) 32
    done
}
echo "FL:start $(uname -r) $(seconds)"
for m in @NEEDED@; do
    insmod /modules/$m.ko || echo "FL:insmod-failed $m"
done
round=0
while [ $round -lt @ROUNDS@ ]; do
    round=$((round + 1))
    echo "FL:round $round $(seconds)"
    insmod /modules/@MODULE@.ko @PARAMS@ || echo "FL:insmod-failed @MODULE@"
    echo "FL:loaded $round $(seconds)"
    state
    @WORK@
    echo "FL:unloading $round $(seconds)"
    rmmod @MODULE@ || echo "FL:rmmod-failed @MODULE@"
    state
    [ -z "@WPR2@" ] || echo "FL:wpr2 $(peek @WPR2@)"
    echo "FL:unloaded $round $(seconds)"
done
echo "FL:tainted $(cat /proc/sys/kernel/tainted)"
echo "FL:end $(seconds)"
poweroff -f
echo b > /proc/sysrq-trigger
"""


def firmware_files(top, chip, versions):
    """(name below /lib/firmware, path) of a chip's files of these versions; symlinks followed."""
    base = Path(top) / "nvidia" / chip
    for folder, _, names in os.walk(base, followlinks=True):  # some chips' folders are links
        for name in sorted(names):
            path = Path(folder) / name
            rel = path.relative_to(base).as_posix()
            if any(v in rel for v in versions) or rel.startswith(FIRMWARE_ALWAYS):
                yield f"nvidia/{chip}/{rel}", path


def build(out, kernel, firmware, *, chip, versions, module="nouveau", params="", rounds=1, work=":",
          wpr2=None, extra=()):
    """Writes an initramfs. kernel: a directory of debian.get(). wpr2: the register that the guest looks
    at after each round, if any. extra: (name, bytes) pairs."""
    kernel = Path(kernel)
    modules = Modules(kernel / "modules")
    order = modules.order(module)
    init = INIT
    for name, value in (("NEEDED", " ".join(order[:-1])), ("MODULE", order[-1]), ("PARAMS", params),
                        ("ROUNDS", str(rounds)), ("WORK", work),
                        ("WPR2", "" if wpr2 is None else f"{wpr2:#x}")):
        init = init.replace(f"@{name}@", value)
    files = list(firmware_files(firmware, chip, versions))
    if not any("/gsp-" in name for name, _ in files):
        raise InitramfsError(f"{firmware}/nvidia/{chip} has no gsp-*.bin of {', '.join(versions)}")
    with open(out, "wb") as f:
        cpio = Cpio(f)
        for directory in ("bin", "dev", "proc", "sys", "modules", "lib/firmware", "tmp"):
            cpio.directory(directory)
        cpio.device("dev/console", 5, 1)
        cpio.device("dev/null", 1, 3)
        cpio.file("bin/busybox", (kernel / "busybox").read_bytes(), executable=True)
        cpio.file("init", init.encode(), executable=True)
        for name in order:
            cpio.file(f"modules/{name}.ko", modules.loaded[name][0])
        for name, path in files:
            cpio.file(f"lib/firmware/{name}", path.read_bytes())
        for name, data in extra:
            cpio.file(name, data, executable=True)
        cpio.end()
    return order
