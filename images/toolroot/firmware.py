# SPDX-License-Identifier: MIT
"""NVIDIA's firmware out of Debian's package, by the hashes of firmware.list, with its licence."""
import re
import shutil

from cache import CACHE, UNPACK_S, SetupError, is_whole, make_entry, run, sha256_file, table
from private_apt import BACKPORTS

FIRMWARE_PACKAGE = "firmware-nvidia-graphics"
FIRMWARE_MUST = "570.144"  # a missing file of this version is an error, of another one a warning


def faults(folder):
    """(errors, warnings) about the files below folder/nvidia, by the pinned list."""
    errors, warnings = [], []
    for rel, size, sha in table("firmware.list"):
        path = folder / "nvidia" / rel
        if not path.is_file():
            (errors if FIRMWARE_MUST in rel else warnings).append(f"{rel} is missing")
        elif path.stat().st_size != int(size) or sha256_file(path) != sha:
            errors.append(f"{rel} differs from the pinned file")
    return errors, warnings


def in_cache():
    for entry in sorted(CACHE.glob(FIRMWARE_PACKAGE + "-*"), reverse=True):
        if is_whole(entry) and not faults(entry)[0]:
            return {"FIRMWARE_DIR": entry}, "in the cache, all hashes match"
    return None


def nvidia_licence(text):
    """NVIDIA's licence out of the package's list of licences. It must go where the files go."""
    match = re.search(r"^License: binary-redist-Nvidia\n((?: .*\n)+)", text, re.M)
    if not match:  # the list has changed its form: then the whole list goes along
        return text
    return re.sub(r"^\.$", "", re.sub(r"^ ", "", match.group(1), flags=re.M), flags=re.M)


def unpack(apt):
    folder = apt.folder / "firmware"
    folder.mkdir()
    apt.get("download of the firmware", "download", f"{FIRMWARE_PACKAGE}/{BACKPORTS}", cwd=folder)
    deb = next(folder.glob("*.deb"))
    notes = []

    def fill(into):
        # Only what a GPU's bring-up reads; the package holds three times as much.
        run(["sh", "-c", 'dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --no-same-owner '
             '--wildcards "./usr/lib/firmware/nvidia/*" "./usr/share/doc/*/copyright*"', "sh",
             deb, folder], UNPACK_S, "unpacking the firmware")
        shutil.move(folder / "usr/lib/firmware/nvidia", into / "nvidia")
        text = (folder / f"usr/share/doc/{FIRMWARE_PACKAGE}/copyright").read_text()
        (into / "LICENCE.nvidia").write_text(nvidia_licence(text))
        errors, warnings = faults(into)
        notes.extend(warnings)
        if errors:
            raise SetupError(f"{deb.name}: {'; '.join(errors[:5])}")

    entry = CACHE / f"{FIRMWARE_PACKAGE}-{deb.name.split('_')[1]}"
    make_entry(entry, fill)
    note = f"; not in this package: {len(notes)} files of other versions" if notes else ""
    return {"FIRMWARE_DIR": entry}, "fetched, all hashes match" + note
