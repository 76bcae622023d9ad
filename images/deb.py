#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes Debian packages of the programs for the host: firstlight and firstlight-gpu-model, with dpkg-deb.

The same programs give the same bytes: all times are SOURCE_DATE_EPOCH's, or that of the last commit."""
import argparse
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
MAINTAINER = "The Firstlight authors <authors@firstlight.invalid>"  # RFC 2606: nobody's domain
COMPLETION = "usr/share/bash-completion/completions/firstlight"
# package -> program, what it is when dpkg-shlibdeps is not there to say what it needs, what it is
PACKAGES = {
    "firstlight": ("firstlight", "libc6, libcurl4t64 | libcurl4, libjansson4",
                   "client of the Firstlight bare-metal GPU appliance",
                   ["Finds appliances on the network, shows how their GPUs are, brings these up and",
                    "down, reads registers, fetches logs and reports, and reads the reports."]),
    "firstlight-gpu-model": ("gpu-model", "libc6", "model of an NVIDIA GPU for QEMU and other programs",
                             ["Behaves on the bus as an NVIDIA GPU does, from Turing to Blackwell, with a GSP that",
                              "boots, and tells a driver what it did wrong. QEMU from 10.1 on takes it as a",
                              "device over vfio-user; no GPU is needed."]),
}


def die(text):
    sys.exit(f"deb.py: {text}")


def epoch():
    if text := os.environ.get("SOURCE_DATE_EPOCH"):
        if not text.isdigit():
            die(f"SOURCE_DATE_EPOCH={text}: expected seconds since 1970")
        return int(text)
    done = subprocess.run(["git", "-C", TOP, "log", "-1", "--format=%ct"], stdout=subprocess.PIPE, text=True,
                          check=False)
    return int(done.stdout) if done.stdout.strip().isdigit() else 0


def output_of(*command, cwd=None):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, cwd=cwd).stdout


def depends(program, otherwise):
    """What it is linked with, by Debian's own tool."""
    if shutil.which("dpkg-shlibdeps") is None:
        return otherwise
    with tempfile.TemporaryDirectory() as folder:
        # dpkg-shlibdeps wants to stand in a source package, and the program in the package's folder.
        there = Path(folder) / "debian/firstlight/usr/bin"
        (there / "../../DEBIAN").resolve().mkdir(parents=True)
        there.mkdir(parents=True)
        shutil.copy(program, there)
        (Path(folder) / "debian/control").write_text("Source: firstlight\n\nPackage: firstlight\n"
                                                     "Architecture: any\n", encoding="utf-8")
        text = output_of("dpkg-shlibdeps", "-O", f"debian/firstlight/usr/bin/{program.name}", cwd=folder)
    return text.strip().removeprefix("shlibs:Depends=")


def copyright_text():
    """LICENSE in the form of Debian's copyright-format 1.0."""
    lines = (TOP / "LICENSE").read_text(encoding="utf-8").splitlines()
    owner = next(line for line in lines if line.startswith("Copyright (c) ")).removeprefix("Copyright (c) ")
    body = lines[next(i for i, line in enumerate(lines) if line.startswith("Permission is")):]
    return ("Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"
            f"Files: *\nCopyright: {owner}\nLicense: MIT\n" + "".join(f" {line or '.'}\n" for line in body))


def packed(text):
    return gzip.compress(text.encode(), 9, mtime=0)


def changelog(package, version, when):
    date = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(when))
    return (f"{package} ({version}) unstable; urgency=medium\n\n  * What is new stands in the CHANGELOG.md of the "
            f"sources.\n\n -- {MAINTAINER}  {date}\n")


def contents(package, program, version, when):
    """Path -> (bytes, mode) of everything in the package but its control files."""
    doc = f"usr/share/doc/{package}"
    files = {f"usr/bin/{program.name}": (program.read_bytes(), 0o755),
             f"{doc}/copyright": (copyright_text().encode(), 0o644),
             f"{doc}/changelog.gz": (packed(changelog(package, version, when)), 0o644)}
    if package == "firstlight":
        files["usr/share/man/man1/firstlight.1.gz"] = packed(output_of(program, "man")), 0o644
        files[COMPLETION] = output_of(program, "completion", "bash").encode(), 0o644
    return files


def control(package, version, needs, size):
    _, _, summary, text = PACKAGES[package]
    return (f"Package: {package}\nVersion: {version}\nArchitecture: {output_of('dpkg', '--print-architecture').strip()}\n"
            f"Maintainer: {MAINTAINER}\nInstalled-Size: {(size + 1023) // 1024}\nDepends: {needs}\n"
            f"Section: utils\nPriority: optional\nDescription: {summary}\n" + "".join(f" {line}\n" for line in text))


def put(path, data, mode):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)


def make(package, built, version, out):
    """Makes one package; returns its path."""
    name, otherwise, _, _ = PACKAGES[package]
    when = epoch()
    with tempfile.TemporaryDirectory() as folder:
        program, root = Path(folder) / name, Path(folder) / "root"
        subprocess.run(["strip", "--strip-unneeded", "-o", program, built], check=True)
        program.chmod(0o755)
        files = contents(package, program, version, when)
        for path, (data, mode) in files.items():
            put(root / path, data, mode)
        sums = "".join(f"{hashlib.md5(data).hexdigest()}  {path}\n" for path, (data, _) in sorted(files.items()))
        size = sum(len(data) for data, _ in files.values())
        put(root / "DEBIAN/control", control(package, version, depends(program, otherwise), size).encode(), 0o644)
        put(root / "DEBIAN/md5sums", sums.encode(), 0o644)
        for path in [root, *root.rglob("*")]:
            if path.is_dir():
                path.chmod(0o755)
            os.utime(path, (when, when))
        arch = output_of("dpkg", "--print-architecture").strip()
        target = out / f"{package}_{version}_{arch}.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Zxz", "--threads-max=1", "--build", root, target], check=True,
                       stdout=subprocess.DEVNULL, env=os.environ | {"SOURCE_DATE_EPOCH": str(when)})
    return target


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--version", required=True)
    p.add_argument("--programs", type=Path, required=True, help="the folder with firstlight and gpu-model")
    p.add_argument("--out", type=Path, required=True, help="the folder for the packages")
    p.add_argument("package", nargs="*", help=f"of {', '.join(PACKAGES)}; all when none is named")
    args = p.parse_args()
    for package in args.package or PACKAGES:
        if package not in PACKAGES:
            die(f"there is no package {package}; there are {', '.join(PACKAGES)}")
        built = args.programs / PACKAGES[package][0]
        if not built.is_file():
            die(f"{built} is missing: make deb builds it")
    args.out.mkdir(parents=True, exist_ok=True)
    for package in args.package or PACKAGES:
        print(make(package, args.programs / PACKAGES[package][0], args.version, args.out))


if __name__ == "__main__":
    main()
