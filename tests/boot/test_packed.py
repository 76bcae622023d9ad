#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Firmware as other distributions have it, packed by their tools, and as NVIDIA's package names it."""
import json
import subprocess
from pathlib import Path

from _harness import FW_VERSION, IMAGES, Test, image, launch

CHIP = "tu102"  # its image is the shortest
FOLDER = Path(launch.read_deps()["FIRMWARE_DIR"]) / "nvidia" / CHIP / "gsp"
GSP, BOOTER = f"gsp-{FW_VERSION}.bin", f"booter_load-{FW_VERSION}.bin"
PACK_S = 120


def packed(name, *tool):
    """A file of the firmware, through a tool: where it lies now."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    out = IMAGES / f"{CHIP}-{name}.{tool[0]}"
    with out.open("wb") as f:
        subprocess.run([*tool, "-c", FOLDER / name], stdout=f, check=True, timeout=PACK_S)
    return out


def stick(name, *extra, omit=(GSP,)):
    more = [w for f in omit for w in ("--omit", f)] + [w for e in extra for w in ("--extra", e)]
    return image(name, chips=(CHIP,), more=more)


def cut(path):
    """The same file without its last quarter."""
    short = path.with_name(f"short-{path.name}")
    whole = path.read_bytes()
    short.write_bytes(whole[:len(whole) * 3 // 4])
    return short


with Test("packed") as test:
    gsp_zst, booter_xz = packed(GSP, "zstd", "-q", "-1"), packed(BOOTER, "xz")
    there = f"/firmware/nvidia/{CHIP}/gsp"
    with test.machine(stick("packed", f"{gsp_zst}:{there}/{GSP}.zst", f"{booter_xz}:{there}/{BOOTER}.xz",
                            omit=(GSP, BOOTER)), chips=[CHIP], model_args=["--strict"]) as m:
        gpu = m.wait_gpu()["gpus"][0]
        test.equal("zstd-and-xz", (gpu["state"], (gpu["gsp"] or {}).get("version")), ("ready", FW_VERSION))
        test.holds("tells", m.serial, f"unpacked firmware/nvidia/{CHIP}/gsp/{GSP}.zst",
                   f"became {(FOLDER / GSP).stat().st_size}")
        test.equal("strict", m.stop()["gpu0"], 0)
    with test.machine(stick("packed-own", f"{packed(GSP, 'xz', '-0')}:/firmware/gsp_tu10x.bin.xz"), chips=[CHIP],
                      model_args=["--strict"]) as m:
        gpu = m.wait_gpu()["gpus"][0]
        test.equal("nvidias-own-name", gpu["state"], "ready")
        test.equal("strict-own", m.stop()["gpu0"], 0)
    with test.machine(stick("packed-cut", f"{cut(gsp_zst)}:{there}/{GSP}.zst"), chips=[CHIP]) as m:
        status = m.wait_gpu()
        gpu = status["gpus"][0]
        test.equal("cut-fails", (gpu["state"], (gpu["error"] or {}).get("stage")), ("failed", "firmware"))
        test.holds("cut-names-file", json.dumps(gpu["error"]), GSP, "could not be unpacked")
        test.ok("cut-note", any("cut short" in n and f"{GSP}.zst" in n for n in status["appliance"]["notes"]),
                status["appliance"]["notes"])
