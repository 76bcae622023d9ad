# SPDX-License-Identifier: MIT
"""What a user would run instead: Debian's Linux with nginx, as an EFI program on a stick like ours.

The kernel, nginx and what it needs, and systemd's EFI stub, which makes one file of kernel and initramfs, come from
Debian through apt on a private state; nothing is installed. The machine has its network card's driver, a fixed
address and nginx, no more: it is the fastest Linux that serves this, not a usual one.
"""
import fcntl
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TOP / "images/toolroot"), str(TOP / "images"), str(TOP / "tests/linux")]
import cache  # noqa: E402
import debian  # noqa: E402
import initramfs  # noqa: E402
import private_apt  # noqa: E402
from launch import make_image  # noqa: E402

NETWORK = ("virtio_net", "e1000e")  # virtio_pci is built in
PACKAGES = ("nginx", "libc6", "libcrypt1", "libpcre2-8-0", "libssl3t64", "zlib1g", "libzstd1",
            "systemd-boot-efi")
STUB = "usr/lib/systemd/boot/efi/linuxx64.efi.stub"
LIBRARIES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib64", "lib64")
LOADER = "ld-linux-x86-64.so.2"
IMAGE = TOP / "build/image/nginx.img"
SMALL, LARGE, LARGE_MIB = "/healthz", "/large", 64
SIZES_KIB = range(1, 41)  # a file of each, beside whose delivery ours of that size can be held


def sized(count):
    """The path of the largest file of no more than count bytes: what is smaller is served faster."""
    kib = min(max(count // 1024, SIZES_KIB[0]), SIZES_KIB[-1])
    return f"/{kib}k"


# 0x1000 is the alignment of sections that the stub's loader maps.
ALIGN = 0x1000

CONF = """user root;
worker_processes 1;
error_log /dev/null;
pid /run/nginx.pid;
events {}
http {
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000000;
    server { listen 80; root /www; }
}
"""
INIT = f"""#!/bin/busybox sh
B=/bin/busybox
$B mount -t proc proc /proc
$B mount -t sysfs sysfs /sys
$B mount -t devtmpfs dev /dev
for m in @MODULES@; do $B insmod /modules/$m.ko; done
$B ifconfig lo 127.0.0.1 up
$B ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
$B route add default gw 10.0.2.2
/bin/nginx -c /etc/nginx.conf
$B dd if=/dev/zero of=/www{LARGE} bs=1M count={LARGE_MIB} 2>/dev/null
echo FL:serving
while :; do $B sleep 1000; done
"""


def _packages():
    """The directory with the packages' files; fetched once."""
    entry = cache.CACHE / "nginx-trixie"
    with open(cache.CACHE / ".lock-nginx", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if cache.is_whole(entry):
            return entry
        with tempfile.TemporaryDirectory(prefix="firstlight-") as folder:
            apt = private_apt.Apt(Path(folder) / "apt", [("deb", f"{private_apt.SUITE} main")])
            apt.update()
            debs = apt.folder / "debs"
            debs.mkdir()
            apt.get("download of nginx", "download", *PACKAGES, cwd=debs)

            def fill(into):
                for deb in sorted(debs.glob("*.deb")):
                    cache.run(["dpkg-deb", "-x", deb, into], cache.UNPACK_S, f"unpacking {deb.name}")
                (into / "versions").write_text("".join(f"{d.stem}\n" for d in sorted(debs.glob("*.deb"))))
            cache.make_entry(entry, fill)
    return entry


def _needed(path):
    """The libraries that a program or library names."""
    shown = cache.run(["objdump", "-p", path], cache.UNPACK_S, f"reading {path.name}")
    return [line.split()[1] for line in shown.splitlines() if line.split()[:1] == ["NEEDED"]]


def _libraries(top, program):
    """(name, path) of all that the program is linked with, the dynamic loader too."""
    found, todo = {}, [program]
    while todo:
        for name in _needed(todo.pop()) + [LOADER]:
            if name in found:
                continue
            path = next((p for p in (top / d / name for d in LIBRARIES) if p.is_file()), None)
            if path is None:
                raise cache.SetupError(f"{program.name} needs {name}, which is in none of {', '.join(PACKAGES)}")
            found[name] = path
            todo.append(path)
    return sorted(found.items())


def _initramfs(out, kernel, top):
    modules = initramfs.Modules(kernel / "modules")
    order = []
    for name in NETWORK:
        order += [m for m in modules.order(name) if m not in order]
    nginx = top / "usr/sbin/nginx"
    with open(out, "wb") as f:
        cpio = initramfs.Cpio(f)
        for directory in ("bin", "dev", "proc", "sys", "modules", "etc", "run", "tmp", "www", "lib64",
                          "var/log/nginx", "var/lib/nginx"):
            cpio.directory(directory)
        cpio.device("dev/console", 5, 1)
        cpio.device("dev/null", 1, 3)
        cpio.file("bin/busybox", (kernel / "busybox").read_bytes(), executable=True)
        cpio.file("bin/nginx", nginx.read_bytes(), executable=True)
        for name, path in _libraries(top, nginx):
            cpio.file(f"{'lib64' if name == LOADER else 'lib'}/{name}", path.read_bytes(), executable=True)
        cpio.file("etc/passwd", b"root:x:0:0::/:/bin/sh\n")
        cpio.file("etc/group", b"root:x:0:\n")
        cpio.file("etc/nginx.conf", CONF.encode())
        cpio.file(f"www{SMALL}", b"ok\n")
        for kib in SIZES_KIB:
            cpio.file(f"www/{kib}k", bytes(kib << 10))
        for name in order:
            cpio.file(f"modules/{name}.ko", modules.loaded[name][0])
        cpio.file("init", INIT.replace("@MODULES@", " ".join(order)).encode(), executable=True)
        cpio.end()


def _efi(out, kernel, initrd, top, scratch):
    """One EFI program: sections added to the stub, each behind the last (Unified Kernel Image specification)."""
    cmdline = scratch / "cmdline"
    cmdline.write_bytes(b"console=ttyS0 quiet panic=-1\0")
    stub = top / STUB
    shown = cache.run(["objdump", "-h", stub], cache.UNPACK_S, "reading the stub")
    rows = [line.split() for line in shown.splitlines() if line.split()[:1] and line.split()[0].isdigit()]
    at = max(int(r[3], 16) + int(r[2], 16) for r in rows)
    args = ["objcopy"]
    for name, path in ((".cmdline", cmdline), (".initrd", initrd), (".linux", kernel / "vmlinuz")):
        at = -(-at // ALIGN) * ALIGN
        args += ["--add-section", f"{name}={path}", "--change-section-vma", f"{name}={at:#x}"]
        at += path.stat().st_size
    cache.run([*args, stub, out], cache.BUILD_S, "making one EFI program")


def image():
    """The disk image, made where it is not there yet. cache.SetupError: what could not be had."""
    kernel = debian.get("linux-net", NETWORK)
    top = _packages()
    IMAGE.parent.mkdir(parents=True, exist_ok=True)
    efi = IMAGE.with_suffix(".efi")
    stamp = IMAGE.with_suffix(".from")
    made_of = kernel.name + (top / "versions").read_text() + Path(__file__).read_text()
    if not (efi.exists() and stamp.exists() and stamp.read_text() == made_of):
        with tempfile.TemporaryDirectory(prefix="firstlight-") as folder:
            scratch = Path(folder)
            initrd = scratch / "initrd"
            _initramfs(initrd, kernel, top)  # not compressed: unpacking costs time in an emulator
            _efi(efi, kernel, initrd, top, scratch)
        stamp.write_text(made_of)
    return make_image(IMAGE, efi=efi, conf=None, chips=(), firmware_dir="")


if __name__ == "__main__":
    print(image())
