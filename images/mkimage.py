#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes a disk image that boots Firstlight: GPT with one FAT32 EFI system partition.

    mkimage.py --out F --efi E [--conf C] [--firmware-dir D] [--chips ga102,ad102|all]
               [--fw-versions 570.144,535.113.01] [--truncate NAME=BYTES] [--omit NAME]
               [--extra SRC:DST] [--licence F]

    D holds nvidia/<chip>/gsp/*.bin as linux-firmware does; symbolic links are followed, since FAT
    has none. --truncate and --omit take the name of a firmware file and serve the tests.

No root needed. The same inputs give the same bytes: identifiers and dates are fixed. The dates come
from SOURCE_DATE_EPOCH when it is set.
"""
import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

MIB = 1 << 20
SECTOR = 512
ESP_START = MIB  # the usual alignment; the GPT lies before it
GPT_TAIL = MIB  # room for the second GPT
ESP_MIN = 34 * MIB  # FAT32 needs 65525 clusters of at least one sector
FAT32_CLUSTERS_MIN = 65600
DISK_GUID = "4657F1A0-6F1E-4D0A-9C37-46697273746C"
ESP_GUID = "9C1F5D0E-2B7B-4B1C-8B0E-6C6967687431"
VOLUME_ID = "46495253"
EPOCH = "1767225600"  # 2026-01-01; FAT cannot hold dates before 1980
TOOL_S = 120  # deadline of one tool
LICENCE_NAMES = ("LICENCE.nvidia", "LICENSE.nvidia", "copyright")


def fail(text):
    sys.exit(f"mkimage: {text}")


def tool(*args):
    env = dict(os.environ, TZ="UTC", MTOOLS_SKIP_CHECK="1", LC_ALL="C")
    env.setdefault("SOURCE_DATE_EPOCH", EPOCH)
    try:
        done = subprocess.run([str(a) for a in args], env=env, capture_output=True, text=True,
                              timeout=TOOL_S, check=False, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        fail(f"the program {args[0]} is missing: run make setup")
    except subprocess.TimeoutExpired:
        fail(f"{args[0]} did not finish within {TOOL_S} s")
    if done.returncode != 0:
        fail(f"{' '.join(map(str, args))}\n{done.stdout}{done.stderr}")


def needs_falcon_loader(chip):
    """Turing and GA100 start FWSEC through a boot loader that lies outside gsp/."""
    return chip.startswith("tu") or chip == "ga100"


def firmware_files(folder, chips, versions):
    """(source, path on the stick) of the chips' files in the versions wanted. A file that several
    chips share by links lies once on the stick, in the folder of the chip that really holds it: the
    appliance looks there too (gsp/hw/chips.h), and all chips together stay below 300 MB."""
    nvidia = (Path(folder) / "nvidia").resolve()
    taken = set()
    known = sorted(p.parent.name for p in nvidia.glob("*/gsp")
                   if any(next(p.glob(f"*-{v}.bin"), None) for v in versions))
    if not known:
        fail(f"no firmware of version {' or '.join(versions)} below {nvidia}")
    for chip in known if chips == ["all"] else chips:
        if chip not in known:
            fail(f"no firmware for chip {chip} below {nvidia}; there is: {' '.join(known)}")
        for version in versions:
            for path in sorted((nvidia / chip / "gsp").glob(f"*-{version}.bin")):
                source = path.resolve()
                inside = source.is_relative_to(nvidia)
                owner = source.relative_to(nvidia).parts[0] if inside else chip
                target = f"/firmware/nvidia/{owner}/gsp/{path.name}"
                if target not in taken:
                    taken.add(target)
                    yield source, target
        loader = nvidia / chip / "acr/bl.bin"
        if needs_falcon_loader(chip) and loader.exists():
            yield loader.resolve(), f"/firmware/nvidia/{chip}/acr/bl.bin"


def licence_file(args):
    candidates = [Path(args.licence)] if args.licence else \
        [Path(args.firmware_dir) / name for name in LICENCE_NAMES]
    found = next((c for c in candidates if c.is_file()), None)
    if not found:
        print("mkimage: warning: no licence text beside the firmware; NVIDIA's licence must go with "
              "the files (--licence FILE)", file=sys.stderr)
    return found


def collect(args, scratch):
    """All files of the stick: [(source, path on the stick)]."""
    files = [(Path(args.efi), "/EFI/BOOT/BOOTX64.EFI")]
    if args.conf:
        files.append((Path(args.conf), "/firstlight.conf"))
    if args.firmware_dir:
        cuts = dict(item.rsplit("=", 1) for item in args.truncate)
        unused = set(args.omit) | set(cuts)
        chips = args.chips.replace(",", " ").split()
        versions = args.fw_versions.replace(",", " ").split()
        for source, target in firmware_files(args.firmware_dir, chips, versions):
            name = os.path.basename(target)
            unused.discard(name)
            if name in args.omit:
                continue
            if name in cuts:
                short = scratch / target.strip("/").replace("/", "_")
                with open(source, "rb") as f:
                    short.write_bytes(f.read(int(cuts[name])))
                source = short
            files.append((source, target))
        if unused:
            fail(f"--omit or --truncate names no file of the image: {' '.join(sorted(unused))}")
        licence = licence_file(args)
        if licence:
            files.append((licence, "/firmware/LICENCE.nvidia"))
    for item in args.extra:
        source, _, target = item.partition(":")
        if not target.startswith("/"):
            fail(f"--extra {item}: expected SRC:/DST")
        files.append((Path(source), target))
    for source, _ in files:
        if not source.is_file():
            fail(f"{source} does not exist")
    return files


def esp_layout(files):
    """(bytes of the partition, sectors per cluster): as large clusters as FAT32 allows."""
    # Each file wastes at most one cluster; the two FATs take 1/64 at one sector per cluster.
    payload = sum(source.stat().st_size + 4096 for source, _ in files)
    size = max(ESP_MIN, (payload + payload // 32 + 2 * MIB + MIB - 1) // MIB * MIB)
    cluster = next(c for c in (8, 4, 2, 1) if size // (c * SECTOR) >= FAT32_CLUSTERS_MIN or c == 1)
    return size, cluster


def build(out, files):
    size, cluster = esp_layout(files)
    with open(out, "wb") as f:
        f.truncate(ESP_START + size + GPT_TAIL)
    first = ESP_START // SECTOR
    tool("mkfs.fat", "-F", 32, "-s", cluster, "--invariant", "-i", VOLUME_ID, "-n", "FIRSTLIGHT",
         "-h", first, "--offset", first, out, size // 1024)
    tool("sgdisk", "-a", first, "-n", f"1:{first}:{first + size // SECTOR - 1}", "-t", "1:ef00",
         "-c", "1:Firstlight", "-U", DISK_GUID, "-u", f"1:{ESP_GUID}", out)
    drive = f"{out}@@{ESP_START}"
    folders = []
    for _, target in files:
        parts = Path(target).parent.parts[1:]
        for depth in range(1, len(parts) + 1):
            folder = "::/" + "/".join(parts[:depth])
            if folder not in folders:
                folders.append(folder)
    if folders:
        tool("mmd", "-i", drive, *folders)
    for source, target in files:
        tool("mcopy", "-i", drive, source, f"::{target}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True)
    parser.add_argument("--efi", required=True)
    parser.add_argument("--conf")
    parser.add_argument("--firmware-dir")
    parser.add_argument("--chips", default="ga102")
    parser.add_argument("--fw-versions", default="570.144")
    parser.add_argument("--licence")
    parser.add_argument("--truncate", action="append", default=[], metavar="NAME=BYTES")
    parser.add_argument("--omit", action="append", default=[], metavar="NAME")
    parser.add_argument("--extra", action="append", default=[], metavar="SRC:DST")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="firstlight-") as scratch:
        files = collect(args, Path(scratch))
        # Made under another name: a failure leaves no half image.
        work = args.out + ".new"
        try:
            build(work, files)
            os.replace(work, args.out)
        finally:
            if os.path.exists(work):
                os.unlink(work)
    total = sum(source.stat().st_size for source, _ in files if source.exists())
    print(f"{args.out}: {os.path.getsize(args.out) / MIB:.0f} MiB, {len(files)} files, "
          f"{total / MIB:.0f} MiB of content")


if __name__ == "__main__":
    main()
