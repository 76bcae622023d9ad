#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""BOOTX64.EFI as firmware, shim and signing tools want it: an x86-64 EFI application that says it can
do with non-executable data, with page-aligned sections of which none is writable and executable, and a
.sbat section that shim can read. The kernel inside keeps the same rule. Each wish is then broken in a
copy of the image, to see that it is noticed.

Sources: PE Format, Microsoft (COFF header, optional header, section flags); SBAT.md of the shim
project; ELF-64 Object File Format (program header)."""
import re
import struct
import sys

from _tree import TOP, finish

IMAGE = TOP / "build/boot/BOOTX64.EFI"
VERSION = re.search(r"^VERSION := (\S+)$", (TOP / "mk/config.mk").read_text(), re.M)[1]
PAGE = 4096
MACHINE_AMD64 = 0x8664
PE32_PLUS = 0x20b
SUBSYSTEM_EFI_APPLICATION = 10
DLL = {"HIGH_ENTROPY_VA": 0x20, "DYNAMIC_BASE": 0x40, "NX_COMPAT": 0x100}
MEM_EXECUTE, MEM_WRITE = 0x20000000, 0x80000000
SBAT_COLUMNS = 6
PT_LOAD, PF_X, PF_W = 1, 1, 2
# Places in the headers, from the start of the PE signature.
AT_MACHINE, AT_SECTION_COUNT, AT_OPTIONAL_BYTES, AT_OPTIONAL = 4, 6, 20, 24
# Places in the optional header.
AT_SECTION_ALIGNMENT, AT_SUBSYSTEM, AT_DLL = 32, 68, 70
SECTION_BYTES, AT_FLAGS = 40, 36


class Image:
    def __init__(self, data):
        self.data = data
        if data[:2] != b"MZ":
            raise ValueError("no MZ")
        self.pe = struct.unpack_from("<I", data, 0x3c)[0]
        if data[self.pe:self.pe + 4] != b"PE\0\0":
            raise ValueError("no PE signature")
        self.optional = self.pe + AT_OPTIONAL
        count, = struct.unpack_from("<H", data, self.pe + AT_SECTION_COUNT)
        size, = struct.unpack_from("<H", data, self.pe + AT_OPTIONAL_BYTES)
        self.headers = [self.optional + size + i * SECTION_BYTES for i in range(count)]

    def half(self, at):
        return struct.unpack_from("<H", self.data, at)[0]

    def sections(self):
        """(name, address, flags, contents) of each."""
        for at in self.headers:
            name, size, address, raw, offset = struct.unpack_from("<8sIIII", self.data, at)
            flags, = struct.unpack_from("<I", self.data, at + AT_FLAGS)
            yield name.rstrip(b"\0").decode(), address, flags, self.data[offset:offset + min(size, raw)]


def sbat_faults(text):
    rows = [line.split(",") for line in text.rstrip(b"\0").decode().splitlines()]
    if not rows or rows[0][:2] != ["sbat", "1"]:
        yield ".sbat does not begin with sbat,1"
    for row in rows:
        if len(row) != SBAT_COLUMNS or not all(row) or not row[1].isdigit():
            yield f".sbat: {','.join(row)!r} has not {SBAT_COLUMNS} columns with a generation"
    if not any(row[0] == "firstlight" and row[4:5] == [VERSION] for row in rows):
        yield f".sbat has no line of firstlight {VERSION}"


def kernel_faults(data):
    """The ELF inside: no segment may be written and executed."""
    elf = data.find(b"\x7fELF\x02\x01")
    if elf < 0:
        yield "there is no kernel in it"
        return
    start, = struct.unpack_from("<Q", data, elf + 32)
    size, count = struct.unpack_from("<HH", data, elf + 54)
    for i in range(count):
        kind, flags = struct.unpack_from("<II", data, elf + start + i * size)
        if kind == PT_LOAD and flags & PF_X and flags & PF_W:
            yield f"segment {i} of the kernel is writable and executable"


def faults(data):
    image = Image(data)
    if image.half(image.pe + AT_MACHINE) != MACHINE_AMD64 or image.half(image.optional) != PE32_PLUS:
        yield "not for x86-64"
    if image.half(image.optional + AT_SUBSYSTEM) != SUBSYSTEM_EFI_APPLICATION:
        yield "no EFI application"
    for name, bit in DLL.items():
        if not image.half(image.optional + AT_DLL) & bit:
            yield f"DllCharacteristics without {name}"
    alignment, = struct.unpack_from("<I", data, image.optional + AT_SECTION_ALIGNMENT)
    if alignment % PAGE:
        yield f"sections are aligned to {alignment}: one page would need the flags of two"
    sbat = None
    for name, address, flags, contents in image.sections():
        if flags & MEM_WRITE and flags & MEM_EXECUTE:
            yield f"section {name} is writable and executable"
        if address % PAGE:
            yield f"section {name} does not begin a page"
        if name == ".sbat":
            sbat = contents
            if flags & (MEM_WRITE | MEM_EXECUTE):
                yield "section .sbat is not read-only"
    yield from sbat_faults(sbat) if sbat is not None else ["there is no section .sbat"]
    yield from kernel_faults(data)


def broken(data):
    """(what, image): each with one wish broken."""
    image = Image(data)

    def with_bytes(at, new):
        return data[:at] + new + data[at + len(new):]

    for name, bit in DLL.items():
        at = image.optional + AT_DLL
        yield f"no {name}", with_bytes(at, struct.pack("<H", image.half(at) & ~bit))
    yield "small alignment", with_bytes(image.optional + AT_SECTION_ALIGNMENT, struct.pack("<I", 512))
    yield "subsystem", with_bytes(image.optional + AT_SUBSYSTEM, struct.pack("<H", 11))
    yield "machine", with_bytes(image.pe + AT_MACHINE, struct.pack("<H", 0x14c))
    for at, (name, address, flags, _) in zip(image.headers, image.sections()):
        yield f"{name} odd", with_bytes(at + 12, struct.pack("<I", address + 512))
        yield f"{name} W+X", with_bytes(at + AT_FLAGS, struct.pack("<I", flags | MEM_WRITE | MEM_EXECUTE))
        if name == ".sbat":
            yield "no .sbat", with_bytes(at, b".sbad")
            yield ".sbat writable", with_bytes(at + AT_FLAGS, struct.pack("<I", flags | MEM_WRITE))
    for old, new in ((b"sbat,1,SBAT", b"sbat;1,SBAT"), (b"\nfirstlight,1", b"\nfirstlight;1"),
                     (b"\nfirstlight,1", b"\nfirstlight,x"), (b"\nfirstlight,", b"\nsomethings,")):
        yield f".sbat {new!r}", with_bytes(data.index(old), new)
    elf = data.index(b"\x7fELF\x02\x01")
    start, = struct.unpack_from("<Q", data, elf + 32)
    yield "kernel W+X", with_bytes(elf + start + 4, struct.pack("<I", 7))


def main():
    if not IMAGE.is_file():
        return finish("pe", [f"{IMAGE.relative_to(TOP)} is missing: make efi"], "")
    data = IMAGE.read_bytes()
    found = [f"BOOTX64.EFI: {fault}" for fault in faults(data)]
    tries = [] if found else list(broken(data))
    found += [f"tests/checks/pe.py does not notice: {what}" for what, image in tries
              if not list(faults(image))]
    return finish("BOOTX64.EFI is what firmware and shim want", found,
                  f"{len(tries)} ways to break it are noticed")


if __name__ == "__main__":
    sys.exit(main())
