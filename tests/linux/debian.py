# SPDX-License-Identifier: MIT
"""Debian's own kernel with its modules, and a static busybox, in the user's cache.

Nothing is installed: the packages come through apt on a private state (images/toolroot/private_apt.py) and
are unpacked without their scripts. Which kernel: the newest of the series in SERIES that the
backports suite has, or the series or version named by LINUX_KERNEL. When that suite has moved on: its newest.
"""
import fcntl
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TOP / "images/toolroot"), str(Path(__file__).parent)]
import cache  # noqa: E402
import private_apt  # noqa: E402
import initramfs  # noqa: E402

SERIES = "7.2"  # the one whose drivers the fact sheets describe
FLAVOUR = "amd64"
LIST_S = 60
DRIVERS = ("nouveau",)  # kept with what they need; the package holds a hundred times as much


class NotReachable(cache.SetupError):
    """Debian's archive did not give what is asked for: no network, or not there."""


def _names(apt, pattern):
    text = cache.run(["apt-cache", "search", "--names-only", pattern], LIST_S, "list of kernels",
                     env=apt.env)
    return [line.split()[0] for line in text.splitlines() if line.strip()]


def _newest(names):
    return max(names, key=lambda n: [int(x) for x in re.findall(r"\d+", n)])


def choose(apt):
    """The kernel's release, such as 7.2.12+deb13-amd64."""
    wanted = os.environ.get("LINUX_KERNEL", "")
    for series in [wanted] if wanted else [SERIES, ""]:
        names = _names(apt, rf"^linux-binary-{re.escape(series)}[.0-9]*\+[a-z0-9]+-{FLAVOUR}$")
        if names:
            return _newest(names).removeprefix("linux-binary-")
    raise NotReachable(f"apt shows no kernel {wanted or SERIES} in {private_apt.BACKPORTS}: the archive "
                       f"cannot be reached, or has none (LINUX_KERNEL names another series)")


def _fill(apt, release, debs, drivers):
    def fill(into):
        work = apt.folder / "unpacked"
        work.mkdir()
        for deb in debs:
            cache.run(["dpkg-deb", "-x", deb, work], cache.UNPACK_S, f"unpacking {deb.name}")
        images = [p for p in work.rglob("vmlinuz*") if p.is_file() and not p.is_symlink()]
        if len(images) != 1:
            raise cache.SetupError(f"{[d.name for d in debs]} hold {len(images)} kernel images")
        shutil.copyfile(images[0], into / "vmlinuz")
        busybox = next(p for p in (work / "usr/bin/busybox", work / "bin/busybox") if p.exists())
        shutil.copyfile(busybox, into / "busybox")
        modules = next(p for p in (work / "usr/lib/modules" / release, work / "lib/modules" / release)
                       if p.exists())
        index = initramfs.Modules(modules / "kernel")
        for name in {m for driver in drivers for m in index.order(driver)}:
            path = index.paths[name]
            target = into / "modules" / path.relative_to(modules)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        (into / "release").write_text(release + "\n")
    return fill


def _in_cache(kind):
    wanted = os.environ.get("LINUX_KERNEL") or SERIES
    for entry in sorted(cache.CACHE.glob(f"{kind}-{wanted}*"), reverse=True):
        if cache.is_whole(entry):
            return entry
    return None


def get(kind="linux", drivers=DRIVERS):
    """The directory with vmlinuz, busybox, release and modules/kernel/...; fetched once. kind: its name in
    the cache, one for each list of drivers."""
    cache.CACHE.mkdir(parents=True, exist_ok=True)
    with open(cache.CACHE / ".lock-linux", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = _in_cache(kind)
        if found:
            return found
        with tempfile.TemporaryDirectory(prefix="firstlight-") as folder:
            try:
                apt = private_apt.Apt(Path(folder) / "apt",
                                      [("deb", f"{private_apt.SUITE} main"),
                                       ("deb", f"{private_apt.BACKPORTS} main")])
                apt.update()
                release = choose(apt)
                entry = cache.CACHE / f"{kind}-{release}"
                if cache.is_whole(entry):
                    return entry
                debs = apt.folder / "debs"
                debs.mkdir()
                apt.get("download of a kernel (about 120 MB)", "download", f"linux-binary-{release}",
                        f"linux-modules-{release}", "busybox-static", cwd=debs)
            except cache.SetupError as e:
                raise NotReachable(str(e)) from e
            cache.make_entry(entry, _fill(apt, release, sorted(debs.glob("*.deb")), drivers))
            return entry


if __name__ == "__main__":
    print(get())
