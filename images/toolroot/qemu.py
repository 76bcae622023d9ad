# SPDX-License-Identifier: MIT
"""QEMU >= 10.1 with OVMF: the machine's own, or Debian's backport unpacked beside the libraries."""
import re
import shutil
import subprocess
from pathlib import Path

from cache import CACHE, UNPACK_S, SetupError, is_whole, make_entry, run
from private_apt import BACKPORTS

QEMU_NEEDED = (10, 1)  # the first with vfio-user-pci
OVMF_FILES = ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd")
QEMU_WRAPPER = """#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the QEMU unpacked beside this file with the C library it was built for.
root=$(dirname "$(readlink -f "$0")")/root
QEMU_MODULE_DIR=$root/usr/lib/x86_64-linux-gnu/qemu
export QEMU_MODULE_DIR
exec "$root/usr/lib64/ld-linux-x86-64.so.2" --inhibit-cache \\
    --library-path "$root/usr/lib/x86_64-linux-gnu" --argv0 "$root/usr/bin/qemu-system-x86_64" \\
    "$root/usr/bin/qemu-system-x86_64" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" "$@"
"""


def version_of(qemu):
    """The version as printed and as numbers, or None when it cannot be used with the model."""
    try:
        text = subprocess.run([qemu, "--version"], capture_output=True, text=True, timeout=20,
                              check=True).stdout
        match = re.search(r"version ((\d+)\.(\d+)[\d.]*)", text)
        devices = subprocess.run([qemu, "-device", "help"], capture_output=True, text=True,
                                 timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    if not match or (int(match.group(2)), int(match.group(3))) < QEMU_NEEDED:
        return None
    return match.group(1) if '"vfio-user-pci"' in devices else None


def result(qemu, version, ovmf):
    return {"QEMU": qemu, "QEMU_VERSION": version, "OVMF_CODE": ovmf / OVMF_FILES[0],
            "OVMF_VARS": ovmf / OVMF_FILES[1]}


def on_machine():
    qemu = shutil.which("qemu-system-x86_64")
    ovmf = Path("/usr/share/OVMF")
    if qemu and all((ovmf / name).exists() for name in OVMF_FILES):
        version = version_of(qemu)
        if version:
            return result(qemu, version, ovmf), f"the machine's own, {version}"
    return None


def in_cache():
    for entry in sorted(CACHE.glob("qemu-*"), reverse=True):
        wrapper = entry / "qemu-system-x86_64"
        version = version_of(wrapper) if is_whole(entry) else None
        if version:
            return result(wrapper, version, entry / "root/usr/share/OVMF"), \
                f"{version} in the cache"
    return None


def unpack(apt):
    archives = apt.folder / "qemu-archives"
    (archives / "partial").mkdir(parents=True)
    apt.get("download of QEMU", "-y", "--download-only", "-t", BACKPORTS,
            "-o", f"Dir::Cache::archives={archives}", "install", "qemu-system-x86", "ovmf")
    debs = sorted(archives.glob("*.deb"))
    found = {}

    def fill(into):
        (into / "root").mkdir()
        for deb in debs:
            run(["dpkg-deb", "-x", deb, into / "root"], UNPACK_S, f"unpacking {deb.name}")
        # Documentation only; the texts of the licences stay.
        for part in ("man", "locale", "info"):
            shutil.rmtree(into / "root/usr/share" / part, ignore_errors=True)
        wrapper = into / "qemu-system-x86_64"
        wrapper.write_text(QEMU_WRAPPER)
        wrapper.chmod(0o755)
        found["version"] = version_of(wrapper)
        if not found["version"]:
            raise SetupError(f"the QEMU of {BACKPORTS} does not run here, or lacks vfio-user-pci")

    # The package's version, without its epoch, as apt writes it into the archive's name.
    main = next((d.name.split("_")[1] for d in debs if d.name.startswith("qemu-system-x86_")), "0")
    entry = CACHE / ("qemu-" + re.sub(r"^\d+%3a", "", main))
    make_entry(entry, fill)
    return result(entry / "qemu-system-x86_64", found["version"], entry / "root/usr/share/OVMF"), \
        f"{found['version']}, {len(debs)} packages unpacked"
