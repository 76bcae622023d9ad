#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tool root: libraries, QEMU, OVMF and firmware under the user's cache. Needs no root.

    setup.py light    lwIP, llhttp, mbedTLS, jansson, zstd, xz, the font, picolibc: what building and the native tests
                      need; with LIBC=newlib in the environment also newlib
    setup.py all      also QEMU >= 10.1 with OVMF, NVIDIA's firmware, and Prometheus
    setup.py tree D   print the hash of a directory tree, as sources.list pins it

Each thing is one directory of the cache, made under a temporary name, moved into place when it is
whole, and hashed. What is found again is hashed again, and made anew if it differs. The result is
written to build/deps.mk (for make) and build/deps.env (for scripts): where everything lies.

Everything comes from Debian, through apt's own downloader and the machine's own mirror and proxy
settings; apt checks the signatures. Nothing of the machine's apt set-up is changed: apt runs on a
private, empty state.
"""
import fcntl
import os
import re
import sys
import tempfile
import threading
from pathlib import Path

import firmware
import libraries
import prometheus
import qemu
from cache import BUILD_S, CACHE, HERE, SetupError, Steps, is_whole, run, table, tree_hash
from private_apt import BACKPORTS, SUITE, Apt

TOP = HERE.parent.parent

# --- the result ----------------------------------------------------------------------------------------
LIGHT_KEYS = ("LWIP_DIR", "HTTP_PARSER_DIR", "MBEDTLS_DIR", "JANSSON_DIR", "ZSTD_DIR", "XZ_DIR", "FONT_DIR", "PICOLIBC_DIR")
ASKED_KEYS = ("NEWLIB_DIR",)  # only when it was asked for once and is still what would be built
MACHINE_KEYS = ("QEMU", "QEMU_VERSION", "OVMF_CODE", "OVMF_VARS", "FIRMWARE_DIR", "PROMETHEUS_DIR")


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
    machine = " ".join(str(values[k]) for k in ("QEMU", "OVMF_CODE", "FIRMWARE_DIR", "PROMETHEUS_DIR") if k in values)
    write_if_changed(TOP / "build/deps.mk", head + "".join(
        f"{k} := {v}\n" for k, v in values.items()) +
        f"DEPS_LIGHT := {dirs}\nDEPS_MACHINE := {machine}\n")


def with_newlib():
    return os.environ.get("LIBC") == "newlib"


def light(steps, values):
    sources = {row[0]: libraries.Source(row) for row in table("sources.list")}
    for name, key in (("lwip", "LWIP_DIR"), ("llhttp", "HTTP_PARSER_DIR"), ("mbedtls", "MBEDTLS_DIR"),
                      ("jansson", "JANSSON_DIR"), ("zstd", "ZSTD_DIR"), ("xz", "XZ_DIR"), ("font", "FONT_DIR")):
        source = sources[name]
        values[key] = steps.run(f"{name} {source.version}", "looking", source.get)
    source = sources["picolibc"]
    entry = steps.run(f"picolibc {source.version} source", "looking", source.get)
    values["PICOLIBC_DIR"] = steps.run(f"picolibc {source.version}", "looking; building takes about 30 s",
                                       lambda: libraries.picolibc(entry, source))
    source = sources["newlib"]
    if with_newlib():
        entry = steps.run(f"newlib {source.version} source", "looking", source.get)
        values["NEWLIB_DIR"] = steps.run(f"newlib {source.version}", "looking; building takes about a minute",
                                         lambda: libraries.newlib_library(entry, source))
    elif is_whole(libraries.newlib_sysroot(source)[1]):
        values["NEWLIB_DIR"] = libraries.newlib_sysroot(source)[1]
    # Nothing is built of these: what Debian mends in the sources, for a check.
    steps.run("Debian's patches", "looking", lambda: (None, run(
        [sys.executable, HERE / "debian_patches.py", "fetch"], BUILD_S, "Debian's patches").strip()))


def machine(steps, values):
    machine_qemu = qemu.on_machine() or qemu.in_cache()
    if os.environ.get("FIRMWARE"):
        files = {}, "your own directory (FIRMWARE)"
    else:
        files = firmware.in_cache()
    judges = prometheus.in_cache()
    with tempfile.TemporaryDirectory(prefix="firstlight-") as folder:
        apt = None
        if not (machine_qemu and files and judges):
            apt = Apt(Path(folder) / "apt", [("deb", f"{SUITE} main"),
                                             ("deb", f"{BACKPORTS} main non-free-firmware")])
        steps.run("package index", "fetching" if apt else "looking",
                  lambda: (apt.update(), f"{SUITE} and {BACKPORTS}") if apt else (None, "not needed"))
        values.update(steps.run("QEMU and OVMF", "looking" if machine_qemu else "fetching (64 MB)",
                                lambda: machine_qemu or qemu.unpack(apt)))
        values.update(steps.run("NVIDIA firmware", "looking" if files else "fetching (104 MB)",
                                lambda: files or firmware.unpack(apt)))
        values.update(steps.run("Prometheus", "looking" if judges else "fetching (46 MB)",
                                lambda: judges or prometheus.unpack(apt)))


def main():
    what = sys.argv[1] if len(sys.argv) > 1 else "all"
    if what == "tree":
        print(tree_hash(sys.argv[2]))
        return 0
    if what not in ("light", "all"):
        print(__doc__, file=sys.stderr)
        return 2
    jobs = [light] + ([machine] if what == "all" else [])
    steps = Steps({1: 10, 2: 14}[len(jobs)] + 2 * with_newlib())
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
