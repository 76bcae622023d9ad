# SPDX-License-Identifier: MIT
"""The libraries: source archives that sources.list pins, and the C library built of them."""
import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path

import newlib
from cache import (BUILD_S, CACHE, HERE, UNPACK_S, SetupError, is_whole, make_entry, run, sha256_file,
                   tree_hash)
from private_apt import SUITE, Apt

# picolibc for the bare machine: a plain global errno (no TLS register), printf without floating
# point, no start-up code. The kernel's code model; our own flags decide about the stack guard.
PICOLIBC_CFLAGS = [
    "-nostdlib", "-mno-red-zone", "-fno-pic", "-fno-pie", "-mcmodel=kernel",
    "-fno-stack-protector", "-fcf-protection=none", "-march=x86-64",
]
PICOLIBC_OPTIONS = [
    "-Dmultilib=false", "-Dpicocrt=false", "-Dsemihost=false", "-Dspecsdir=none", "-Dtests=false",
    "-Dthread-local-storage=false", "-Dnewlib-global-errno=true", "-Dposix-console=false",
    "-Dformat-default=long-long", "-Dio-long-long=true", "--buildtype=minsize",
]


class Source:
    def __init__(self, row):
        (self.name, self.version, self.package, self.archive, self.sha256, self.part,
         self.tree) = row
        # Our own changes, each with its reason in its head; they are part of the entry's name.
        self.patches = sorted((HERE / "patches").glob(f"{self.name}-*.patch"))
        ours = hashlib.sha256(b"".join(p.read_bytes() for p in self.patches)).hexdigest()[:8]
        self.entry = CACHE / (f"{self.name}-{self.version}-{self.tree[:12]}" +
                              (f"-{ours}" if self.patches else ""))

    def pool_uri(self, base):
        folder = self.package[:4] if self.package.startswith("lib") else self.package[0]
        quoted = self.archive.replace("+", "%2b").replace("~", "%7e")
        return f"{base}/pool/main/{folder}/{self.package}/{quoted}"

    def indexed(self, folder):
        """(uri, archive, sha256) of the archive that the signed index of the suite names now."""
        apt = Apt(folder, [("deb-src", f"{SUITE} main")])
        apt.update()
        lines = apt.get(f"source index, {self.package}", "--print-uris", "--download-only",
                        "source", self.package)
        for uri, name, sha in re.findall(r"^'([^']+)' (\S+) \d+ SHA256:(\w{64})$", lines, re.M):
            orig = r"\.orig" if ".orig." in self.archive else ""  # a native package is one archive
            if re.fullmatch(rf"{re.escape(self.package)}_[^_]*{orig}\.tar\.\w+", name):
                return uri, name, sha
        raise SetupError(f"the source index of {SUITE} has no archive of {self.package}")

    def unpack(self, archive, into):
        args = ["tar", "-xf", archive, "-C", into, "--no-same-owner"]
        if self.part == "-":
            args += ["--strip-components=1"]
        else:
            is_file = "." in os.path.basename(self.part)
            args += [f"--strip-components={2 - is_file + self.part.count('/')}", "--wildcards",
                     f"*/{self.part}" if is_file else f"*/{self.part}/*"]
        run(args, UNPACK_S, f"unpacking {archive}")
        seen = tree_hash(into)
        if self.tree not in ("-", seen):
            raise SetupError(f"{archive}: the files of {self.name} {self.version} are not the "
                             f"pinned ones (tree {seen}, expected {self.tree})")
        for patch in self.patches:  # no fuzz: the context must be as it was when it was written
            run(["patch", "--strip=1", "--fuzz=0", "--silent", "--no-backup-if-mismatch",
                 f"--directory={into}", f"--input={patch}"], UNPACK_S, f"applying {patch.name}")

    def candidates(self, folder):
        """Where the archive may come from, best first, each a function that returns its path."""
        def own_copy():
            path = CACHE / "downloads" / self.archive
            if not path.exists():
                raise SetupError(f"no {path}")
            if sha256_file(path) != self.sha256:
                raise SetupError(f"{path} has another SHA-256 than the pinned {self.sha256}")
            return path

        def from_pool():
            apt = Apt(Path(folder) / "pool", [])
            target = Path(folder) / self.archive
            apt.fetch(self.pool_uri(apt.mirror), target, self.sha256)
            return target

        def from_index():
            uri, name, sha = self.indexed(Path(folder) / "index")
            target = Path(folder) / f"indexed-{name}"
            Apt(Path(folder) / "again", []).fetch(uri, target, sha)
            return target

        return own_copy, from_pool, from_index

    def get(self):
        if is_whole(self.entry):
            return self.entry, "in the cache"
        tried = []
        with tempfile.TemporaryDirectory(prefix="firstlight-") as folder:
            for candidate in self.candidates(folder):
                try:
                    archive = candidate()
                    make_entry(self.entry, lambda into, a=archive: self.unpack(a, into))
                    return self.entry, "fetched and verified"
                except SetupError as e:
                    tried.append(str(e))
        raise SetupError(
            f"{self.name} {self.version} could not be had. Tried:\n  " + "\n  ".join(tried) +
            f"\nFetch {self.archive} (SHA-256 {self.sha256})\nyourself, put it into "
            f"{CACHE / 'downloads'}/ and run make setup again.")


def sysroot(source, *shape):
    """(compiler, entry) of a C library that the machine's gcc builds; the key holds all that shapes it."""
    cc = os.environ.get("FIRSTLIGHT_CC", "gcc")
    compiler = run([cc, "--version"], 10, "compiler").splitlines()[0]
    key = hashlib.sha256("\n".join([source.tree, compiler, *shape]).encode()).hexdigest()[:12]
    return cc, CACHE / f"{source.name}-{source.version}-sysroot-{key}"


def picolibc(source_entry, source):
    """The C library of the appliance."""
    cc, entry = sysroot(source, *PICOLIBC_CFLAGS, *PICOLIBC_OPTIONS)
    if is_whole(entry):
        return entry, "in the cache"

    def build(into):
        with tempfile.TemporaryDirectory(prefix="firstlight-") as work:
            # From a copy, so that helper scripts leave nothing in the cache, and so that the debug
            # information names the same paths on every machine.
            copy = Path(work) / "picolibc"
            shutil.copytree(source_entry, copy, symlinks=True)
            flags = PICOLIBC_CFLAGS + ["-ffile-prefix-map=../picolibc=picolibc",
                                       f"-ffile-prefix-map={work}/build=picolibc-build"]
            quoted = ", ".join(f"'{word}'" for word in [cc, *flags])
            cross = Path(work) / "cross.txt"
            cross.write_text(f"""[binaries]
c = [{quoted}]
ar = 'gcc-ar'
nm = 'gcc-nm'
as = 'as'
strip = 'strip'
[host_machine]
system = 'none'
cpu_family = 'x86_64'
cpu = 'x86_64'
endian = 'little'
[properties]
skip_sanity_check = true
needs_exe_wrapper = true
""")
            tree = Path(work) / "build"
            run(["meson", "setup", tree, copy, "--cross-file", cross,
                 f"--prefix={into}", "--libdir=lib", "--includedir=include", *PICOLIBC_OPTIONS],
                BUILD_S, "configuring picolibc")
            run(["ninja", "-C", tree, f"-j{os.cpu_count()}"], BUILD_S, "building picolibc")
            run(["ninja", "-C", tree, "install"], BUILD_S, "installing picolibc")

    make_entry(entry, build)
    return entry, "built"


def newlib_sysroot(source):
    return sysroot(source, *PICOLIBC_CFLAGS, Path(newlib.__file__).read_text())


def newlib_library(source_entry, source):
    """The other C library (LIBC=newlib), with picolibc's flags for the machine."""
    cc, entry = newlib_sysroot(source)
    if is_whole(entry):
        return entry, "in the cache"
    make_entry(entry, lambda into: newlib.build(into, source_entry, cc, PICOLIBC_CFLAGS, run, BUILD_S))
    return entry, "built"
