#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every family comes up under QEMU and OVMF with NVIDIA's real files and a VBIOS as large and laid out
as real boards' (tests/synth/synth_shapes.c), and the strict model is content.

    test_chips.py [--all] [CHIP[@VERSION] ...]

Without arguments one chip of each family and one with the older firmware, from one stick that carries
both versions; --all: every chip with every version that runs on it (`make test-chips`). What each
stage took goes to build/test-results/chips.json: {chip: {version: {state, stages: [...]}}}.
"""
import argparse
import json

from _harness import RESULTS, Test, image, launch

NEW, OLD = "570.144", "535.113.01"
TO_ADA = ["tu102", "tu104", "tu106", "tu116", "tu117", "ga100", "ga102", "ga103", "ga104", "ga106",
          "ga107", "ad102", "ad103", "ad104", "ad106", "ad107"]
FROM_HOPPER = ["gh100", "gb100", "gb102", "gb202", "gb203", "gb205", "gb206", "gb207"]
ONE_OF_EACH = [("tu102", NEW), ("ga100", NEW), ("ga102", OLD), ("ad102", NEW), ("gh100", NEW),
               ("gb100", NEW), ("gb202", NEW)]
EVERY_ONE = [(chip, NEW) for chip in TO_ADA + FROM_HOPPER] + [(chip, OLD) for chip in TO_ADA]

TABLE = RESULTS / "chips.json"
BOOT_S = 120
NEEDED = ["identify", "devinit", "firmware", "fb-layout", "riscv", "init-done", "static-info",
          "rm-objects"]  # of every family


def stick(version, chips):
    """Carries the files of both versions: the newer is the choice, the older must be asked for."""
    conf = f"firmware = {OLD}\n" if version == OLD else "# the newest\n"
    names = sorted({chip for chip, _ in chips})
    return image(f"chips-{version}-{len(names)}", conf, chips=names, fw_versions=(NEW, OLD))


def boot(t, disk, chip, version):
    """Boots it; returns its row of the table."""
    name = f"{chip}-{version}"
    with t.machine(disk, chips=[chip], fw_version=version,
                   model_args=["--strict", "--vbios", "real"]) as m:
        gpu = m.wait_gpu(deadline_s=BOOT_S)["gpus"][0]
        ended = m.stop()
    error = gpu["error"] or {}
    t.ok(f"{name}-ready", gpu["state"] == "ready", f"{gpu['state']}: {error.get('stage')}: "
         f"{error.get('text')}")
    t.equal(f"{name}-is", (gpu["chip"], gpu["gsp"]["version"]), (chip, version))
    done = [s["name"] for s in gpu["stages"] if s["state"] == "ok"]
    t.equal(f"{name}-stages", [s for s in NEEDED if s not in done], [])
    t.ok(f"{name}-strict", ended["gpu0"] == 0,
         f"the model ended with status {ended['gpu0']}: {m.reports[0][:600]}")
    return {"state": gpu["state"],
            "stages": [{"name": s["name"], "us": s["us"], "reg_reads": s["reads"],
                        "reg_writes": s["writes"]} for s in gpu["stages"] if s["state"] == "ok"]}


def keep(rows):
    """Adds rows to the table. What an older build of the appliance left is dropped."""
    build = launch.sha256(launch.EFI)
    old = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    table = {chip: {v: row for v, row in versions.items() if row.get("build") == build}
             for chip, versions in old.items()}
    for (chip, version), row in rows.items():
        table.setdefault(chip, {})[version] = dict(row, build=build)
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    TABLE.write_text(json.dumps({c: v for c, v in sorted(table.items()) if v}, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="every chip, every version")
    parser.add_argument("chips", nargs="*", metavar="CHIP[@VERSION]")
    args = parser.parse_args()
    chosen = [tuple((c.split("@") + [NEW])[:2]) for c in args.chips] or \
        (EVERY_ONE if args.all else ONE_OF_EACH)
    rows = {}
    with Test("chips") as t:
        for chip, version in chosen:
            try:
                row = rows[chip, version] = boot(t, stick(version, chosen), chip, version)
                t.note(f"{chip} {version}: {sum(s['us'] for s in row['stages']) / 1000:.0f} ms, "
                       f"{sum(s['reg_reads'] for s in row['stages'])} reads, "
                       f"{sum(s['reg_writes'] for s in row['stages'])} writes")
            except launch.MachineError as e:
                t.ok(f"{chip}-{version}-runs", False, str(e))
        keep(rows)


if __name__ == "__main__":
    main()
