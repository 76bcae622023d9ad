#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""nova-core.ko for Debian's own kernel: its own source, unmodified, built with its own tools.

    nova.py         prints the directory with kernel and nova-core.ko; builds it once, two to eight minutes
    nova.py --try   the same for make test: where it cannot be built, says why and ends with success

Debian builds its kernel with Rust but without nova-core, and its header packages carry nothing that
Rust code could be compiled against. So the kernel's rust/ is built again: from Debian's source of
the very same package version, with Debian's configuration (NOVA_CORE=m added, nothing else) and with
the compiler, bindgen and C compiler that Debian used. Then the names of the Rust symbols are those of
the kernel in the package, and modpost, which is given the headers' Module.symvers, accepts no other.

Nothing is installed and no root is needed: the packages are unpacked into a directory of the cache,
the build runs inside it (user namespace, or as root a mount namespace), and what stays is the module.
"""
import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
import debian  # noqa: E402
import cache  # noqa: E402
import private_apt  # noqa: E402

RECIPE = 1  # goes up when this program makes something else out of the same packages
MAKE_S = 3600  # deadline of one make, on a busy machine
DOWNLOAD_MB = 450
MODULE = "nova-core.ko"
SOURCE = "drivers/gpu/nova-core"
# What building needs beside the kernel's packages; their dependencies come along. openssl is asked by
# the configuration, pahole comes with the headers.
TOOLS = ("rustc", "rust-src", "bindgen", "gcc-14", "make", "bc", "flex", "bison", "libc6-dev",
         "libelf-dev", "libssl-dev", "openssl", "mawk", "dash", "coreutils", "sed", "grep",
         "findutils", "diffutils", "bash", "perl-base", "python3", "tar", "gzip",
         "xz-utils")
# Left out when unpacking: nothing of it is compiled here. Headers and Kconfig files must stay.
NOT_UNPACKED = ("Documentation/*/*", "drivers/*.c", "drivers/gpu/drm/amd/*.h", "drivers/*.dts*",
                "sound/*.c", "fs/*.c", "net/*.c", "tools/testing/*", "tools/perf/*",
                "arch/*.dts*")
# Lines of the configuration that may differ from Debian's: the driver itself.
MAY_DIFFER = ("CONFIG_NOVA_CORE=", "# CONFIG_NOVA_CORE ")
# In a new mount namespace: the compiler looks at its own process, and /dev/null is needed.
ENTER = ('mount --rbind /proc "$0/proc" && mount --bind /dev/null "$0/dev/null" && '
         'exec chroot "$0" "$@"')
NAMESPACES = (["unshare", "--map-root-user", "--mount"], ["unshare", "--mount"])


class CannotBuildHere(cache.SetupError):
    """This machine does not let us; nothing is wrong with the build."""


class Root:
    """A directory with a Debian unpacked into it, in which programs can be run."""

    def __init__(self, folder):
        self.folder = Path(folder)
        for name in ("dev", "proc", "tmp", "work"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "dev/null").touch()
        self.prefix = None

    def unpack(self, deb):
        cache.run(["dpkg-deb", "-x", deb, self.folder], cache.UNPACK_S, f"unpacking {deb.name}")

    def unpack_part(self, deb, *patterns):
        cache.run(["sh", "-c", 'deb=$1 to=$2; shift 2; dpkg-deb --fsys-tarfile "$deb" | '
                   'tar -x -C "$to" --no-same-owner --wildcards "$@"', "sh", deb, self.folder,
                   *patterns], cache.UNPACK_S, f"unpacking {deb.name}")

    def settle(self):
        """What the packages' scripts would do and building needs."""
        awk = self.folder / "usr/bin/awk"
        if not awk.is_symlink():
            awk.symlink_to("mawk")
        for name in ("bin", "lib", "lib64", "sbin"):
            if not (self.folder / name).exists():
                (self.folder / name).symlink_to(f"usr/{name}")

    def _args(self, prefix, *args):
        env = ["env", "-i", "PATH=/usr/bin", "LC_ALL=C", "HOME=/", "TMPDIR=/tmp"]
        return [*env[:2], "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *prefix, "sh", "-c", ENTER,
                self.folder, "/usr/bin/env", *env[1:], *args]

    def run(self, args, deadline_s, what):
        if self.prefix is None:
            tried = []
            for prefix in NAMESPACES:
                try:
                    cache.run(self._args(prefix, "test", "-e", "/proc/self/exe"), 60, "trying")
                    self.prefix = prefix
                    break
                except cache.SetupError as e:
                    tried.append(str(e))
            else:
                raise CannotBuildHere(
                    "building needs a mount namespace: a kernel that lets users make namespaces "
                    "(sysctl kernel.unprivileged_userns_clone, kernel.apparmor_restrict_"
                    "unprivileged_userns), or root with CAP_SYS_ADMIN\n" + "\n".join(tried))
        return cache.run(self._args(self.prefix, *args), deadline_s, what)


def fetch(apt, release):
    """The packages, and what they are, as {package: version}."""
    headers = f"linux-headers-{release}"
    try:
        shown = cache.run(["apt-cache", "show", "--no-all-versions", headers], debian.LIST_S,
                          "looking for the headers", env=apt.env)
        version = re.search(r"^Version: (\S+)", shown, re.M)[1]
    except (cache.SetupError, TypeError) as e:
        raise cache.SetupError(
            f"{private_apt.BACKPORTS} has no {headers} any more; remove {cache.CACHE}/linux-{release} "
            "and the newest kernel will be taken") from e
    series = re.match(r"\d+\.\d+", release)[0]
    archives = apt.folder / "archives"
    (archives / "partial").mkdir(parents=True)
    apt.get(f"download of source and tools ({DOWNLOAD_MB} MB)", "-y", "--download-only", "-o",
            f"Dir::Cache::archives={archives}", "install", headers,
            f"linux-source-{series}={version}", *TOOLS)
    debs = {d.name.split("_")[0]: d for d in archives.glob("*.deb")}
    missing = [name for name in (headers, f"linux-source-{series}", *TOOLS) if name not in debs]
    if missing:
        raise cache.SetupError(f"apt did not fetch {', '.join(missing)}")
    return debs, version


def unpack(root, debs):
    source = next(name for name in debs if name.startswith("linux-source-"))
    for name, deb in sorted(debs.items()):
        if name == "rust-src":  # of it, the libraries
            root.unpack_part(deb, "./usr/lib/*", "./usr/src/*/library/*")
        elif name != source:
            root.unpack(deb)
    root.settle()
    excluded = [f"--exclude={source}/{pattern}" for pattern in NOT_UNPACKED]
    cache.run(["sh", "-c", 'deb=$1 name=$2 to=$3; shift 3; dpkg-deb --fsys-tarfile "$deb" | '
               'tar -xO "./usr/src/$name.tar.xz" | '
               'tar -xJ -C "$to" --strip-components=1 --no-same-owner --wildcards "$@"',
               "sh", debs[source], source, root.folder / "work", *excluded], cache.UNPACK_S,
              "unpacking the kernel's source")


def configuration(text):
    return {line for line in text.splitlines()
            if re.match(r"CONFIG_|# CONFIG_", line) and not line.startswith(MAY_DIFFER)}


def configure(root, release, make):
    headers = root.folder / f"usr/src/linux-headers-{release}"
    work = root.folder / "work"
    wanted = (headers / ".config").read_text()
    if "CONFIG_RUST=y" not in wanted.splitlines():
        raise cache.SetupError(f"Debian's kernel {release} is built without Rust")
    (work / ".config").write_text(wanted + "CONFIG_NOVA_CORE=m\n")
    shutil.copyfile(headers / "Module.symvers", work / "Module.symvers")
    make("olddefconfig")
    got = configuration((work / ".config").read_text())
    differing = sorted(got ^ configuration(wanted))
    if differing:
        raise cache.SetupError("the tools here are not those that Debian built the kernel with; its "
                               f"configuration comes out different: {', '.join(differing[:8])}")


def build(steps, root, release, into):
    common = ["make", "-s", "-Otarget", "-C", "/work", f"-j{os.cpu_count()}", f"KERNELRELEASE={release}",
              "CC=x86_64-linux-gnu-gcc-14", "HOSTCC=x86_64-linux-gnu-gcc-14"]

    def make(*args):
        return root.run([*common, *args], MAKE_S, f"make {' '.join(args)}")

    def step(work):
        return lambda: (work(), "done")

    steps.run("configuration", "Debian's, with NOVA_CORE=m",
              step(lambda: configure(root, release, make)))
    steps.run("kernel crate", "rust/ and what it needs; one to five minutes",
              step(lambda: make("modules_prepare")))
    steps.run("nova-core", "compiling", step(lambda: make(f"M={SOURCE}", "modules")))
    (into / "modules").mkdir()
    shutil.copyfile(root.folder / "work" / SOURCE / MODULE, into / "modules" / MODULE)


def entry_for(kernel):
    return cache.CACHE / f"nova-core-{(kernel / 'release').read_text().strip()}-{RECIPE}"


def in_cache():
    """Is it built already?"""
    return cache.is_whole(entry_for(debian.get()))


def get():
    """A directory like debian.get()'s, with nova-core as its only module; built when it is not there."""
    kernel = debian.get()
    release = (kernel / "release").read_text().strip()
    entry = entry_for(kernel)
    with open(cache.CACHE / ".lock-nova", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if cache.is_whole(entry):
            return entry
        steps = cache.Steps(5)
        with scratch() as folder:
            apt = private_apt.Apt(folder / "apt", [("deb", f"{private_apt.SUITE} main"),
                                                   ("deb", f"{private_apt.BACKPORTS} main")])

            def downloaded():
                try:
                    apt.update()
                    found = fetch(apt, release)
                except cache.SetupError as e:
                    raise debian.NotReachable(str(e)) from e
                return found, f"{len(found[0])} packages, kernel {found[1]}"

            debs, version = steps.run("packages", f"fetching about {DOWNLOAD_MB} MB", downloaded)
            root = Root(folder / "root")
            steps.run("tools and source", "unpacking", lambda: (unpack(root, debs), "2 GB, for now"))

            def fill(into):
                build(steps, root, release, into)
                for name in ("vmlinuz", "busybox", "release"):
                    shutil.copyfile(kernel / name, into / name)
                kept = ("rustc", "bindgen", "gcc-14", "rust-src")
                lines = [f"linux-source {version}"]
                lines += [f"{name} {debs[name].name.split('_')[1]}" for name in kept]
                (into / "VERSIONS").write_text("\n".join(lines) + "\n")

            cache.make_entry(entry, fill)
    return entry


@contextlib.contextmanager
def scratch():
    """A directory in the cache (/tmp may be small), gone afterwards whatever rights its files have."""
    folder = Path(tempfile.mkdtemp(prefix="new-nova-", dir=cache.CACHE))
    try:
        yield folder
    finally:
        subprocess.run(["chmod", "-R", "u+rwX", folder], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    try:
        print(get())
    except (CannotBuildHere, debian.NotReachable) as error:
        print(f"[nova] not built: {error}", file=sys.stderr)
        sys.exit(0 if "--try" in sys.argv[1:] else 1)
    except cache.SetupError as error:
        print(f"[nova] {error}", file=sys.stderr)
        sys.exit(1)
