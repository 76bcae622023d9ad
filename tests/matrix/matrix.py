#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Which driver brings which chip of the GPU model up, and with how many register accesses.

    matrix.py [--chips a,b] [--drivers firstlight,nouveau,nova] [--fw 570.144,535.113.01]
              [--again] [--keep] [--no-page]

Runs what is not known yet, one line per cell, and may be ended and started again: cells are kept in
build/matrix/ until the model, the driver, the kernel or the firmware changes. Then a table, and with
all chips and drivers docs/matrix.md. --again runs the chosen cells anew; --keep takes cells of older
builds as they are. The exit status is 1 when a cell is not ready and nobody knows why.
"""
import argparse
import fcntl
import re
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
import cells  # noqa: E402
import page  # noqa: E402

V570, V535 = cells.V570, cells.V535
COLUMNS = [(cells.Firstlight, V570), (cells.Firstlight, V535), (cells.Nouveau, V570),
           (cells.Nouveau, V535)] + [(cells.Nova, V570)] * cells.Nova.available()
DRIVERS = {kind.name: kind for kind, _ in COLUMNS}


def chips_of_the_model():
    listed = subprocess.run([cells.MODEL, "--list-chips"], capture_output=True, text=True, check=True)
    return [line.split()[0] for line in listed.stdout.splitlines() if re.match(r"[a-z]+\d+ ", line)]


def words(cell):
    if cell is None:
        return "?"
    if cell["state"] == "ready":
        return "ready"
    if cell["state"] == "none":
        return f"— {cell['reason']}"
    return f"FAILED in {cell.get('stage') or '?'}: {cell['reason']}"


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def arguments(argv):
    ap = argparse.ArgumentParser(description=__doc__,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    chips = chips_of_the_model()

    def some(known):
        def parse(text):
            given = [x for x in text.split(",") if x]
            for x in given:
                if x not in known:
                    raise argparse.ArgumentTypeError(f"no {x} among {' '.join(known)}")
            return [k for k in known if k in given]
        return parse

    ap.add_argument("--chips", type=some(chips), default=chips)
    ap.add_argument("--drivers", type=some(list(DRIVERS)), default=list(DRIVERS))
    ap.add_argument("--fw", type=some([V570, V535]), default=[V570, V535])
    ap.add_argument("--again", action="store_true", help="run the chosen cells anew")
    ap.add_argument("--keep", action="store_true", help="cells of older builds count")
    ap.add_argument("--no-page", action="store_true", help="leave docs/matrix.md as it is")
    args = ap.parse_args(argv)
    args.all_chips = chips
    return args


def fill(args, drivers, store):
    """Runs what is missing; {(chip, driver, version): cell}."""
    chosen = [(chip, drivers[kind.name], version) for kind, version in COLUMNS for chip in args.chips
              if kind.name in args.drivers and version in args.fw]
    got, missing = {}, []
    for chip, driver, version in chosen:
        cell = None if args.again else store.get(chip, driver, version, args.keep)
        if cell:
            got[chip, driver.name, version] = cell
        else:
            missing.append((chip, driver, version))
    left = sum(driver.expected_s for _, driver, _ in missing)
    if missing:
        print(f"{len(missing)} of {len(chosen)} cells to run, about {clock(left)} min", flush=True)
    begin = time.monotonic()
    for number, (chip, driver, version) in enumerate(missing, 1):
        cell = got[chip, driver.name, version] = store.make(chip, driver, version)
        left -= driver.expected_s
        print(f"[{number}/{len(missing)} {clock(time.monotonic() - begin)}, {clock(left)} left] {chip} "
              f"{driver.title} {version}: {words(cell)} ({cell['seconds']} s)", flush=True)
    return got


def main():
    args = arguments(sys.argv[1:])
    firmware = cells.launch.read_deps().get("FIRMWARE_DIR", "")
    if not Path(firmware, "nvidia").is_dir():
        sys.exit("matrix.py: no firmware: run make setup")
    cells.STORE.mkdir(parents=True, exist_ok=True)
    lock = open(cells.STORE / ".lock", "w", encoding="ascii")  # until the program ends
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit("matrix.py: another one is running in this tree")
    drivers = {name: DRIVERS[name](firmware) for name in DRIVERS}
    store = cells.Store(firmware)
    got = fill(args, drivers, store)
    everything = dict(got)
    for kind, version in COLUMNS:  # of what was not chosen: as it is known
        for chip in args.all_chips:
            if (chip, kind.name, version) not in everything:
                cell = store.get(chip, drivers[kind.name], version, any_age=True)
                if cell:
                    everything[chip, kind.name, version] = cell
    columns = [(kind.name, kind.title, version) for kind, version in COLUMNS]
    why = {(chip, kind.name): kind.why(chip) for kind, _ in COLUMNS for chip in args.all_chips
           if hasattr(kind, "why")}
    rows = page.Rows(args.all_chips, columns, everything, why)
    print(page.terminal(rows), end="")
    if not args.no_page:
        lost = rows.missing()
        if lost:
            print(f"docs/matrix.md stays as it is: {len(lost)} cells are not known yet, the first "
                  f"{' '.join(lost[0])}")
        else:
            kernel = next((c["kernel"] for c in everything.values() if c.get("kernel")), "")
            page.write(rows, kernel, store.firmware_version)
            print(f"wrote {page.PAGE.relative_to(cells.TOP)}")
    failed = [key for key, c in got.items() if c["state"] == "failed"]
    bad = [key for key in failed if not why.get(key[:2])]
    print(f"{sum(c['state'] == 'ready' for c in got.values())} ready, {len(bad)} failed, "
          f"{len(failed) - len(bad)} failed as is known of that driver, "
          f"{sum(c['state'] == 'none' for c in got.values())} not possible")
    return 1 if bad else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nended; what is done is kept")
