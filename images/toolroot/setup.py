#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tool root: libraries, QEMU, OVMF and firmware under the user's cache. Needs no root.

    setup.py light    lwIP, llhttp, mbedTLS, the font, picolibc: what building and the native tests
                      need; with LIBC=newlib in the environment also newlib
    setup.py all      also QEMU >= 10.1 with OVMF, and NVIDIA's firmware
    setup.py tree D   print the hash of a directory tree, as sources.list pins it

Each thing is one directory of the cache, made under a temporary name, moved into place when it is
whole, and hashed. What is found again is hashed again, and made anew if it differs. The result is
written to build/deps.mk (for make) and build/deps.env (for scripts): where everything lies.

Everything comes from Debian, through apt's own downloader and the machine's own mirror and proxy
settings; apt checks the signatures. Nothing of the machine's apt set-up is changed: apt runs on a
private, empty state.
"""
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import newlib

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "firstlight"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
SUITE = "trixie"  # where library sources and OVMF come from
BACKPORTS = "trixie-backports"  # QEMU >= 10.1 and the 570.144 firmware
QEMU_NEEDED = (10, 1)  # the first with vfio-user-pci
FIRMWARE_PACKAGE = "firmware-nvidia-graphics"
FIRMWARE_MUST = "570.144"  # a missing file of this version is an error, of another one a warning
DOWNLOAD_S = 600  # deadline of one download
UNPACK_S = 300
BUILD_S = 900

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


class SetupError(Exception):
    """What is missing, and what to do about it."""


# --- progress -------------------------------------------------------------------------------------
class Steps:
    def __init__(self, total):
        self.total = total
        self.started = 0
        self.lock = threading.Lock()

    def run(self, what, about, work):
        """One step: a line at the start, a line with the time taken at the end."""
        with self.lock:
            self.started += 1
            head = f"[setup {self.started}/{self.total}] {what}:"
            print(f"{head} {about}", flush=True)
        begin = time.monotonic()
        result, outcome = work()
        print(f"{head} {outcome} ({time.monotonic() - begin:.1f} s)", flush=True)
        return result


# --- small helpers ----------------------------------------------------------------------------------
def run(args, deadline_s, what, **kw):
    """Runs a command; its output is shown only when it fails."""
    try:
        done = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                              timeout=deadline_s, text=True, errors="replace", **kw)
    except FileNotFoundError as e:
        raise SetupError(f"{what}: the program {args[0]} is missing") from e
    except subprocess.TimeoutExpired as e:
        raise SetupError(f"{what}: not finished after {deadline_s} s, given up") from e
    if done.returncode != 0:
        tail = "\n".join("    " + line for line in done.stdout.splitlines()[-15:])
        raise SetupError(f"{what}: {args[0]} ended with status {done.returncode}:\n{tail}")
    return done.stdout


def sha256_file(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            h.update(block)
    return h.hexdigest()


TREE_FILE = ".tree"  # the hash of an entry of the cache, beside its files


def tree_hash(top):
    """One hash for names, kinds and contents of all files below a directory."""
    lines = []
    for folder, dirs, files in os.walk(top):
        for name in files + [d for d in dirs if os.path.islink(os.path.join(folder, d))]:
            path = os.path.join(folder, name)
            rel = os.path.relpath(path, top)
            if rel == TREE_FILE:
                continue
            what = f"-> {os.readlink(path)}" if os.path.islink(path) else sha256_file(path)
            lines.append(f"{rel} {what}\n")
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def is_whole(entry):
    try:
        return (entry / TREE_FILE).read_text().strip() == tree_hash(entry)
    except OSError:
        return False


def make_entry(entry, fill):
    """Makes an entry of the cache: fill(directory), then the hash, then the final name."""
    CACHE.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="new-", dir=CACHE))
    try:
        work.chmod(0o755)
        fill(work)
        (work / TREE_FILE).write_text(tree_hash(work) + "\n")
        if entry.exists():
            shutil.rmtree(entry)
        work.rename(entry)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def table(name):
    for line in (HERE / name).read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.split()


# --- apt on a private state ---------------------------------------------------------------------
def mirror():
    """The machine's own Debian mirror: from the lists apt has, else from its source files."""
    found = None
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)",
         "Created-By: Packages"], capture_output=True, text=True, check=False).stdout
    for line in listed.splitlines():
        origin, label, uri = line.split("|", 2)
        if origin == label == "Debian":  # leaves out security and third parties
            found = uri
            break
    if not found:
        files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
        text = "\n".join(f.read_text() for f in files if f.is_file())
        match = re.search(r"^(?:URIs:|deb(?:\s+\[[^]]*\])?)\s+(\S+/debian/?)(?:\s|$)", text, re.M)
        found = match.group(1) if match else None
    if found and found.startswith("mirror+file:"):
        lines = Path(found[len("mirror+file:"):].rstrip("/")).read_text().split()
        found = lines[0] if lines else None
    if not found:
        raise SetupError("no Debian mirror in this machine's apt sources (/etc/apt): "
                         "add one, run apt-get update, then make setup")
    return found.rstrip("/")


class Apt:
    """apt-get with a state of its own, on the machine's mirror, proxy and credentials."""

    def __init__(self, folder, lines):
        self.folder = Path(folder)
        for sub in ("lists/partial", "cache/archives/partial"):
            (self.folder / sub).mkdir(parents=True)
        (self.folder / "status").touch()
        uri = mirror()
        self.mirror = uri
        options = f"[arch=amd64 signed-by={KEYRING}]"
        (self.folder / "sources.list").write_text(
            "".join(f"{kind} {options} {uri} {suite}\n" for kind, suite in lines))
        settings = {
            "Dir::Etc::main": "/dev/null", "Dir::Etc::parts": "/dev/null",
            "Dir::Etc::sourcelist": self.folder / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null", "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null", "Dir::State": self.folder,
            "Dir::State::lists": self.folder / "lists",
            "Dir::State::status": self.folder / "status", "Dir::Cache": self.folder / "cache",
            "APT::Architecture": "amd64", "APT::Install-Recommends": "0",
            "APT::Sandbox::User": "", "Debug::NoLocking": "1",
            "Acquire::Languages": "none", "Acquire::http::Timeout": "30",
            "Acquire::https::Timeout": "30", "Acquire::Retries": "3",
        }
        # What the machine says about reaching its mirror (proxy, certificates, frozen archives).
        kept = subprocess.run(["apt-config", "dump"], capture_output=True, text=True,
                              check=False).stdout
        carried = [line for line in kept.splitlines() if line.startswith("Acquire::")
                   and not line.startswith(("Acquire::IndexTargets", "Acquire::Languages",
                                            "Acquire::Changelogs"))]
        (self.folder / "apt.conf").write_text("\n".join(
            carried + [f'{key} "{value}";' for key, value in settings.items()]) + "\n")
        self.env = dict(os.environ, APT_CONFIG=str(self.folder / "apt.conf"), LC_ALL="C")

    def get(self, what, *args, **kw):
        return run(["apt-get", "-q", *args], DOWNLOAD_S, what, env=self.env, **kw)

    def update(self):
        self.get("package index", "update")

    def fetch(self, uri, target, sha256):
        """Downloads one file; apt checks the hash."""
        run(["/usr/lib/apt/apt-helper", "download-file", uri, target, f"SHA256:{sha256}"],
            DOWNLOAD_S, f"download of {os.path.basename(target)}", env=self.env)


# --- libraries --------------------------------------------------------------------------------------
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


# --- QEMU and OVMF ------------------------------------------------------------------------------------
def qemu_version(qemu):
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


def qemu_result(qemu, version, ovmf):
    return {"QEMU": qemu, "QEMU_VERSION": version, "OVMF_CODE": ovmf / OVMF_FILES[0],
            "OVMF_VARS": ovmf / OVMF_FILES[1]}


def qemu_on_machine():
    qemu = shutil.which("qemu-system-x86_64")
    ovmf = Path("/usr/share/OVMF")
    if qemu and all((ovmf / name).exists() for name in OVMF_FILES):
        version = qemu_version(qemu)
        if version:
            return qemu_result(qemu, version, ovmf), f"the machine's own, {version}"
    return None


def qemu_in_cache():
    for entry in sorted(CACHE.glob("qemu-*"), reverse=True):
        wrapper = entry / "qemu-system-x86_64"
        version = qemu_version(wrapper) if is_whole(entry) else None
        if version:
            return qemu_result(wrapper, version, entry / "root/usr/share/OVMF"), \
                f"{version} in the cache"
    return None


def qemu_unpack(apt):
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
        found["version"] = qemu_version(wrapper)
        if not found["version"]:
            raise SetupError(f"the QEMU of {BACKPORTS} does not run here, or lacks vfio-user-pci")

    # The package's version, without its epoch, as apt writes it into the archive's name.
    main = next((d.name.split("_")[1] for d in debs if d.name.startswith("qemu-system-x86_")), "0")
    entry = CACHE / ("qemu-" + re.sub(r"^\d+%3a", "", main))
    make_entry(entry, fill)
    return qemu_result(entry / "qemu-system-x86_64", found["version"],
                       entry / "root/usr/share/OVMF"), \
        f"{found['version']}, {len(debs)} packages unpacked"


# --- NVIDIA's firmware --------------------------------------------------------------------------------
def firmware_faults(folder):
    """(errors, warnings) about the files below folder/nvidia, by the pinned list."""
    errors, warnings = [], []
    for rel, size, sha in table("firmware.list"):
        path = folder / "nvidia" / rel
        if not path.is_file():
            (errors if FIRMWARE_MUST in rel else warnings).append(f"{rel} is missing")
        elif path.stat().st_size != int(size) or sha256_file(path) != sha:
            errors.append(f"{rel} differs from the pinned file")
    return errors, warnings


def firmware_in_cache():
    for entry in sorted(CACHE.glob(FIRMWARE_PACKAGE + "-*"), reverse=True):
        if is_whole(entry) and not firmware_faults(entry)[0]:
            return {"FIRMWARE_DIR": entry}, "in the cache, all hashes match"
    return None


def nvidia_licence(text):
    """NVIDIA's licence out of the package's list of licences. It must go where the files go."""
    match = re.search(r"^License: binary-redist-Nvidia\n((?: .*\n)+)", text, re.M)
    if not match:  # the list has changed its form: then the whole list goes along
        return text
    return re.sub(r"^\.$", "", re.sub(r"^ ", "", match.group(1), flags=re.M), flags=re.M)


def firmware_unpack(apt):
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
        errors, warnings = firmware_faults(into)
        notes.extend(warnings)
        if errors:
            raise SetupError(f"{deb.name}: {'; '.join(errors[:5])}")

    entry = CACHE / f"{FIRMWARE_PACKAGE}-{deb.name.split('_')[1]}"
    make_entry(entry, fill)
    note = f"; not in this package: {len(notes)} files of other versions" if notes else ""
    return {"FIRMWARE_DIR": entry}, "fetched, all hashes match" + note


# --- the result ----------------------------------------------------------------------------------------
LIGHT_KEYS = ("LWIP_DIR", "HTTP_PARSER_DIR", "MBEDTLS_DIR", "FONT_DIR", "PICOLIBC_DIR")
ASKED_KEYS = ("NEWLIB_DIR",)  # only when it was asked for once and is still what would be built
MACHINE_KEYS = ("QEMU", "QEMU_VERSION", "OVMF_CODE", "OVMF_VARS", "FIRMWARE_DIR")


def write_if_changed(path, text):
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text() != text:
        work = path.with_suffix(path.suffix + ".new")
        work.write_text(text)
        work.replace(path)
    os.utime(path)


def write_deps(values):
    env = TOP / "build/deps.env"
    if not values.keys() & set(MACHINE_KEYS) and env.exists():  # keep what is known and still there
        old = dict(line.split("=", 1) for line in env.read_text().splitlines() if "=" in line)
        values.update({k: old[k] for k in MACHINE_KEYS if k in old})
    values["GNUEFI_INC"] = "/usr/include/efi"
    for key, value in values.items():
        if re.search(r"\s", str(value)):
            raise SetupError(f"{key}: make cannot use paths with spaces: {value}")
    head = "# Written by images/toolroot/setup.py: where the set-up put things.\n"
    values = {k: values[k] for k in (*LIGHT_KEYS, *ASKED_KEYS, "GNUEFI_INC", *MACHINE_KEYS)
              if k in values}
    write_if_changed(env, head + "".join(f"{k}={v}\n" for k, v in values.items()))
    dirs = " ".join(str(values[k]) for k in LIGHT_KEYS)
    machine = " ".join(str(values[k]) for k in ("QEMU", "OVMF_CODE", "FIRMWARE_DIR") if k in values)
    write_if_changed(TOP / "build/deps.mk", head + "".join(
        f"{k} := {v}\n" for k, v in values.items()) +
        f"DEPS_LIGHT := {dirs}\nDEPS_MACHINE := {machine}\n")


def with_newlib():
    return os.environ.get("LIBC") == "newlib"


def light(steps, values):
    sources = {row[0]: Source(row) for row in table("sources.list")}
    for name, key in (("lwip", "LWIP_DIR"), ("llhttp", "HTTP_PARSER_DIR"), ("mbedtls", "MBEDTLS_DIR"),
                      ("font", "FONT_DIR")):
        source = sources[name]
        values[key] = steps.run(f"{name} {source.version}", "looking", source.get)
    source = sources["picolibc"]
    entry = steps.run(f"picolibc {source.version} source", "looking", source.get)
    values["PICOLIBC_DIR"] = steps.run(f"picolibc {source.version}", "looking; building takes about 30 s",
                                       lambda: picolibc(entry, source))
    source = sources["newlib"]
    if with_newlib():
        entry = steps.run(f"newlib {source.version} source", "looking", source.get)
        values["NEWLIB_DIR"] = steps.run(f"newlib {source.version}", "looking; building takes about a minute",
                                         lambda: newlib_library(entry, source))
    elif is_whole(newlib_sysroot(source)[1]):
        values["NEWLIB_DIR"] = newlib_sysroot(source)[1]
    # Nothing is built of these: what Debian mends in the sources, for a check.
    steps.run("Debian's patches", "looking", lambda: (None, run(
        [sys.executable, HERE / "debian_patches.py", "fetch"], BUILD_S, "Debian's patches").strip()))


def machine(steps, values):
    qemu = qemu_on_machine() or qemu_in_cache()
    firmware = None
    if os.environ.get("FIRMWARE"):
        firmware = {}, "your own directory (FIRMWARE)"
    else:
        firmware = firmware_in_cache()
    with tempfile.TemporaryDirectory(prefix="firstlight-") as folder:
        apt = None
        if not (qemu and firmware):
            apt = Apt(Path(folder) / "apt", [("deb", f"{SUITE} main"),
                                             ("deb", f"{BACKPORTS} main non-free-firmware")])
        steps.run("package index", "fetching" if apt else "looking",
                  lambda: (apt.update(), f"{SUITE} and {BACKPORTS}") if apt else (None, "not needed"))
        values.update(steps.run("QEMU and OVMF", "looking" if qemu else "fetching (64 MB)",
                                lambda: qemu or qemu_unpack(apt)))
        values.update(steps.run("NVIDIA firmware", "looking" if firmware else "fetching (104 MB)",
                                lambda: firmware or firmware_unpack(apt)))


def main():
    what = sys.argv[1] if len(sys.argv) > 1 else "all"
    if what == "tree":
        print(tree_hash(sys.argv[2]))
        return 0
    if what not in ("light", "all"):
        print(__doc__, file=sys.stderr)
        return 2
    jobs = [light] + ([machine] if what == "all" else [])
    steps = Steps({1: 7, 2: 10}[len(jobs)] + 2 * with_newlib())
    CACHE.mkdir(parents=True, exist_ok=True)
    values, errors = {}, []

    def guarded(job):
        try:
            job(steps, values)
        except SetupError as e:
            errors.append(str(e))
        except Exception as e:  # pylint: disable=broad-except  # a thread must not fail unseen
            errors.append(f"{job.__name__}: {type(e).__name__}: {e}")

    # Two set-ups at once would do the same work twice: the second waits and finds it done.
    with open(CACHE / ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if errors:
        for error in errors:
            print(f"[setup] {error}", file=sys.stderr)
        return 1
    write_deps(values)
    if what == "all":
        (TOP / "build/.setup-machine").touch()
    return 0


if __name__ == "__main__":
    sys.exit(main())
