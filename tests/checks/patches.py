#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every patch that Debian has for a source that we build was judged (images/toolroot/debian-patches.list):
each pinned source has verdicts, each patch of the judged Debian version has one, and those said to touch
nothing that we build do not. What Debian has newer is for make debian-updates: this looks at nothing but
the cache."""
import sys

from _tree import TOP, finish

sys.path.insert(0, str(TOP / "images/toolroot"))
import debian_patches  # noqa: E402
import cache  # noqa: E402

REASON_LEAST = 10


def patch_faults(package, patches):
    """What is wrong with the verdicts about one package, whose patches are these."""
    for name, files in patches.items():
        ours = sorted(f for f in files if package.ours.match(f))
        verdict, reason = package.verdicts.get(name, (None, ""))
        if verdict is None:
            yield f"{name}: nobody judged it; it touches {', '.join(ours) or 'nothing that we build'}"
        elif verdict == "outside" and ours:
            yield f"{name}: said to be outside, touches {', '.join(ours)}"
        elif verdict == "declined" and not ours:
            yield f"{name}: declined, though it touches nothing that we build"
        if verdict and len(reason) < REASON_LEAST:
            yield f"{name}: no reason"
    for name in package.verdicts.keys() - patches.keys():
        yield f"{name}: judged, but {package.version} has no such patch"


def self_faults():
    """The rules above, on a package made up: each must be noticed."""
    def package(**verdicts):
        p = debian_patches.Package("x", "1-1", "x.debian.tar.xz", "0" * 64, "src/")
        p.verdicts = {name: (verdict, reason) for name, (verdict, reason) in verdicts.items()}
        return p
    text = "--- a/src/x.c\t2020\n+++ b/src/x.c\n@@ -1 +1 @@\n-a\n+b\n"
    if debian_patches.touched(text) != {"src/x.c"} or debian_patches.touched("--- /dev/null\n+++ b/new\n") != {"new"}:
        yield "touched() does not see a patch's files"
    why = "a reason of some length"
    for wrong, patches in (
            (package(), {"CVE-1": {"src/x.c"}}), (package(), {"CVE-1": {"doc/x"}}),
            (package(a=("outside", why)), {"a": {"src/x.c"}}), (package(a=("declined", why)), {"a": {"doc"}}),
            (package(a=("outside", "?")), {"a": {"doc"}}), (package(a=("outside", why)), {})):
        if not list(patch_faults(wrong, patches)):
            yield f"tests/checks/patches.py does not notice {wrong.verdicts} of {patches}"
    if list(patch_faults(package(a=("outside", why), b=("declined", why)), {"a": {"doc"}, "b": {"src/x.c"}})):
        yield "tests/checks/patches.py finds fault with good verdicts"


def main():
    faults, looked, missing = list(self_faults()), 0, []
    try:
        packages = debian_patches.known()
    except cache.SetupError as e:
        return finish("Debian's patches were judged", [str(e)], "")
    for name, version, package, archive, *_ in cache.table("sources.list"):
        if ".orig." not in archive:
            continue  # a native package: no upstream, no patches
        if package not in packages:
            faults.append(f"{name}: debian-patches.list says nothing about {package}")
        # The same upstream archive: "nodejs_20.19.2+dfsg.orig" and "20.19.2+dfsg-1+deb13u3".
        elif not packages[package].version.startswith(archive.split("_")[1].split(".orig")[0] + "-"):
            faults.append(f"{name} {version}: the verdicts are about {packages[package].version}")
    for name, package in packages.items():
        if not cache.is_whole(package.entry):
            missing.append(package.archive)
            continue
        patches = debian_patches.series(package.entry)
        looked += len(patches)
        faults += [f"{name} {package.version}: {fault}" for fault in patch_faults(package, patches)]
    if missing and not faults:
        print(f"ok Debian's patches # SKIP the set-up could not fetch {', '.join(missing)}")
        if not looked:
            return 0
    return finish("Debian's patches were judged", faults, f"{looked} patches")


if __name__ == "__main__":
    sys.exit(main())
