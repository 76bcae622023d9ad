#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The appliance built with newlib (LIBC=newlib): what is expected of the library, on the bare machine, and
one boot with a GPU. `make test-newlib` runs all boot tests with it."""
import os
import re
import subprocess

os.environ["LIBC"] = "newlib"  # which images the harness takes

from _harness import RESULTS, TOP, Test, image, launch  # noqa: E402

BUILD_S = 800  # with newlib's own build: about a minute of two processors
CASE_S = 60    # for a hang, not for speed
NAMED = r"C library: newlib \d+\.\d+\.\d+\b"


def build(t):
    # Our own make, not a part of the one that started us.
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    done = subprocess.run(["make", "--no-print-directory", f"-j{os.cpu_count()}", "efi", "test-kernels"],
                          cwd=TOP, env=env, text=True, errors="replace", stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=BUILD_S, check=False)
    return t.ok("builds", done.returncode == 0, f"status {done.returncode}: {done.stdout[-1500:]}")


def library(t):
    """The case "rich" of tests/boot/machine; the log of test_machine.py tells more when it fails."""
    disk = image("newlib-machine", "case = rich\n", efi=launch.built()[1] / "machine-test.efi", chips=(),
                 firmware_dir="")
    with launch.Machine(disk, chips=[], nic="none", memory_mib=256, record=RESULTS / "newlib-machine",
                        qemu_args=["-device", "edu,dma_mask=0xffffffff"]) as m:
        m.wait_serial(r"test: done, \d+ checks|machine halted", CASE_S)
        text = m.serial
    t.ok("library-named", re.search(NAMED, text), text[:600])
    t.equal("library-failed", re.findall(r"test: (not ok (?:libc|heap|log).*)", text), [])
    t.holds("library-checks", text, "test: ok heap\n", "test: ok log-stdout\n", *(
        f"test: ok libc-{name}\n" for name in ("formats", "cut", "aligned", "apart", "realloc", "calloc",
                                               "free", "enomem", "overflow", "after", "streams")))


def appliance(t):
    with t.machine(image("newlib"), model_args=["--strict"]) as m:
        status = m.wait_gpu()
        t.equal("state", status["gpus"][0]["state"], "ready")
        t.equal("healthz", m.get("/healthz"), (200, "ok\n"))
        code, log = m.get("/api/v1/log")
        t.ok("named", code == 200 and re.search(NAMED, log), log[:600])
        t.equal("lock-order", status["appliance"]["scheduler"]["lock_inversions"], 0)
        code, metrics = m.get("/metrics")
        t.ok("metrics", code == 200 and re.search(r"^firstlight_gpu_ready\{[^}]*\} 1$", metrics, re.M),
             f"status {code}: {metrics[:300]}")
        statuses = m.stop()
    t.equal("model-content", statuses["gpu0"], 0)


with Test("newlib") as test:
    if build(test):
        library(test)
        appliance(test)
