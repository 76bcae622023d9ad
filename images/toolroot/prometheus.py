# SPDX-License-Identifier: MIT
"""Prometheus, promtool and Python's OpenMetrics parser, unpacked from Debian: they judge the appliance's metrics in the
tests. Nothing is installed, no service is started."""
import re
import shutil

from cache import CACHE, UNPACK_S, SetupError, is_whole, make_entry, run
from private_apt import SUITE

PACKAGES = ("prometheus", "promtool", "python3-prometheus-client")
PROGRAMS = ("prometheus", "promtool")
PARSER = "usr/lib/python3/dist-packages/prometheus_client"


def result(entry):
    return {"PROMETHEUS_DIR": entry}


def in_cache():
    for entry in sorted(CACHE.glob("prometheus-*"), reverse=True):
        if is_whole(entry):
            return result(entry), f"{entry.name.split('-', 1)[1]} in the cache"
    return None


def unpack(apt):
    folder = apt.folder / "prometheus"
    root = folder / "root"
    root.mkdir(parents=True)
    apt.get("download of Prometheus", "download", *(f"{name}/{SUITE}" for name in PACKAGES), cwd=folder)
    debs = sorted(folder.glob("*.deb"))

    def fill(into):
        for deb in debs:
            run(["dpkg-deb", "-x", deb, root], UNPACK_S, f"unpacking {deb.name}")
        (into / "python").mkdir()
        for name in PROGRAMS:
            shutil.move(root / "usr/bin" / name, into / name)
            if "version" not in run([into / name, "--version"], UNPACK_S, f"{name} of {SUITE}"):
                raise SetupError(f"the {name} of {SUITE} does not run here")
        shutil.move(root / PARSER, into / "python/prometheus_client")
        for name in PACKAGES:
            shutil.copy(root / f"usr/share/doc/{name}/copyright", into / f"copyright.{name}")

    main = next(d.name.split("_")[1] for d in debs if d.name.startswith("prometheus_"))
    entry = CACHE / ("prometheus-" + re.sub(r"^\d+%3a", "", main))
    make_entry(entry, fill)
    return result(entry), f"{len(debs)} packages unpacked"
