#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Debian's patches of the sources that we build: what is known of them, and what is new.

    debian_patches.py fetch     for the set-up: the patches that the list is about, into the cache
    debian_patches.py newer     looks in Debian's index (needs the network): says which pinned source
                                has a newer Debian version, and which of its patches nobody judged

We build from the upstream archives of Debian's source packages and leave out Debian's own patches, so
somebody must look at each of them. debian-patches.list holds the verdicts, about one Debian version
of each package. The set-up fetches that version's patches; tests/checks/patches.py compares.
Exit status of newer: 1 when an unjudged patch touches what we build, 2 when nothing could be learnt.
"""
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cache
import private_apt

LIST = cache.HERE / "debian-patches.list"
SUITES = ("trixie", "trixie-updates")
SECURITY = "trixie-security"
TOOL_S = 60
VERDICTS = ("outside", "declined")


class Package:
    def __init__(self, name, version, archive, sha256, ours):
        self.name, self.version, self.archive, self.sha256 = name, version, archive, sha256
        self.ours = re.compile(ours)  # paths in the source package that we build
        self.verdicts = {}  # patch: (verdict, reason)
        self.entry = cache.CACHE / f"debian-patches-{name}-{sha256[:12]}"


def known():
    """{package: Package} of the list."""
    packages = {}
    for line in LIST.read_text().splitlines():
        words = line.split(None, 5)
        if not words or line.startswith("#"):
            continue
        if words[0] == "archive" and len(words) == 6:
            packages[words[1]] = Package(*words[1:])
        elif words[0] in VERDICTS and len(line.split(None, 3)) == 4:
            verdict, package, patch, reason = line.split(None, 3)
            packages[package].verdicts[patch] = (verdict, reason)
        else:
            raise cache.SetupError(f"{LIST.name}: not understood: {line}")
    return packages


def touched(text):
    """The files that a patch changes, from the top of the source package."""
    lines = text.splitlines()
    found = set()
    for before, line in zip(lines, lines[1:]):
        if before.startswith("--- ") and line.startswith("+++ "):
            for side in (before, line):
                path = side[4:].split("\t")[0].strip()
                if path != "/dev/null":
                    found.add(path.split("/", 1)[1] if "/" in path else path)
    return found


def series(folder):
    """{patch: files that it touches} of an unpacked debian/patches."""
    listed = folder / "series"
    names = [line.split()[0] for line in listed.read_text().splitlines()
             if line.strip() and not line.startswith("#")] if listed.exists() else []
    return {name: touched((folder / name).read_text(errors="replace")) for name in names}


# --- fetching -------------------------------------------------------------------------------------------
def security_mirror(main):
    """The machine's own mirror of security updates; beside the main one when it names none."""
    listed = subprocess.run(["apt-get", "indextargets", "--format", "$(LABEL)|$(REPO_URI)",
                             "Created-By: Packages"], capture_output=True, text=True, check=False).stdout
    for line in listed.splitlines():
        label, uri = line.split("|", 1)
        if label == "Debian-Security" and not uri.startswith("mirror+"):
            return uri.rstrip("/")
    return main.rsplit("/", 1)[0] + "/debian-security"


def places(package, mirror):
    """Where the archive may lie, best first."""
    quoted = package.archive.replace("+", "%2b").replace("~", "%7e")
    folder = f"{package.name[:4] if package.name.startswith('lib') else package.name[0]}/{package.name}"
    return (f"{mirror}/pool/main/{folder}/{quoted}",
            f"{security_mirror(mirror)}/pool/updates/main/{folder}/{quoted}")


def unpack(archive, into):
    cache.run(["tar", "-xf", archive, "-C", into, "--no-same-owner", "--strip-components=2",
               "--wildcards", "debian/patches/*"], cache.UNPACK_S, f"unpacking {archive}")


def fetch(package):
    """Puts a package's patches into the cache."""
    if cache.is_whole(package.entry):
        return
    tried = []
    with tempfile.TemporaryDirectory(prefix="firstlight-") as folder:
        apt = private_apt.Apt(Path(folder) / "apt", [])
        archive = Path(folder) / package.archive
        for uri in places(package, apt.mirror):
            try:
                apt.fetch(uri, archive, package.sha256)
                cache.make_entry(package.entry, lambda into: unpack(archive, into))
                return
            except cache.SetupError as e:
                tried.append(str(e).splitlines()[-1].strip())
    raise cache.SetupError(f"{package.archive}: {'; '.join(tried)}")


def fetch_all():
    """What came of it, in words. Nothing that is built depends on it."""
    missing = []
    for package in known().values():
        try:
            fetch(package)
        except cache.SetupError as e:
            missing.append(str(e))
    return "in the cache" if not missing else "NOT all to be had: " + "; ".join(missing)


# --- what is new ----------------------------------------------------------------------------------------
def newest(apt, package):
    """(version, uri, archive, sha256) of the newest Debian version that the index has."""
    text = cache.run(["apt-cache", "showsrc", "--only-source", package.name], TOOL_S,
                     "source index", env=apt.env)
    versions = re.findall(r"^Version: (\S+)$", text, re.M)
    best = versions[0]
    for version in versions[1:]:
        if subprocess.run(["dpkg", "--compare-versions", version, "gt", best], check=False).returncode == 0:
            best = version
    lines = apt.get(f"source index, {package.name}", "--print-uris", "--download-only", "source",
                    f"{package.name}={best}")
    for uri, name, sha in re.findall(r"^'([^']+)' (\S+) \d+ SHA256:(\w{64})$", lines, re.M):
        if ".debian.tar." in name:
            return best, uri, name, sha
    raise cache.SetupError(f"{package.name} {best} has no debian.tar")


def unjudged(package, patches):
    """(new patches that touch what we build, new ones that do not)."""
    new = {name: files for name, files in patches.items() if name not in package.verdicts}
    ours = {name for name, files in new.items() if any(package.ours.match(f) for f in files)}
    return sorted(ours), sorted(set(new) - ours)


def newer():
    status = 0
    with tempfile.TemporaryDirectory(prefix="firstlight-") as folder:
        apt = private_apt.Apt(Path(folder) / "apt", [("deb-src", f"{suite} main") for suite in SUITES])
        security = security_mirror(apt.mirror)
        with open(apt.folder / "sources.list", "a", encoding="ascii") as sources:
            sources.write(f"deb-src [signed-by={private_apt.KEYRING}] {security} {SECURITY} main\n")
        apt.update()
        for package in known().values():
            version, uri, archive, sha = newest(apt, package)
            if version == package.version:
                print(f"{package.name} {version}: the newest")
                continue
            work = Path(folder) / package.name
            work.mkdir()
            apt.fetch(uri, work / archive, sha)
            (work / "patches").mkdir()
            unpack(work / archive, work / "patches")
            ours, others = unjudged(package, series(work / "patches"))
            print(f"WARNING {package.name}: Debian has {version}, judged is {package.version}; patches "
                  f"that nobody judged: {len(ours)} touch what we build ({', '.join(ours) or 'none'}), "
                  f"{len(others)} do not ({', '.join(others) or 'none'}); {archive} {sha}")
            shutil.rmtree(work)
            status = 1 if ours else status
    return status


def main():
    what = sys.argv[1:]
    if what not in (["fetch"], ["newer"]):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        if what == ["newer"]:
            return newer()
        print(fetch_all())
        return 0
    except cache.SetupError as e:
        print(f"debian_patches.py: {e}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
