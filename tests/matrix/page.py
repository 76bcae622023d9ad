# SPDX-License-Identifier: MIT
"""The matrix as text: a table for the terminal, and docs/matrix.md."""
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.append(str(TOP / "tests/trace"))  # last: it has a trace.py, and so has the standard library
import stamp  # noqa: E402

PAGE = TOP / "docs/matrix.md"
MARKED = Path(__file__).resolve().parent / "marked.tsv"
SPAN_END = "after"  # the span that is compared: from the first access to GSP_INIT_DONE
KINDS = ("reads", "writes", "prom")
WORDS = {"reads": "reads", "writes": "writes", "prom": "VBIOS reads"}


def inputs():
    """For stamp.py."""
    return {"marks": stamp.of_files(MARKED), "tools": stamp.of_files(Path(__file__))}


def span(cell):
    """Sums of a cell's stages up to INIT_DONE; None when it did not get there."""
    if not cell or cell["state"] != "ready" or SPAN_END not in [s["name"] for s in cell["stages"]]:
        return None
    total = dict.fromkeys((*KINDS, "timer"), 0)
    for stage in cell["stages"]:
        if stage["name"] == SPAN_END:
            return total
        for kind in total:
            total[kind] += stage[kind]
    return total


def marks():
    """[(chip pattern, version pattern, kind, reason)]: where ours costs more, and why that is right."""
    rows = []
    for line in MARKED.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            chip, version, kind, reason = line.split("\t")
            rows.append((re.compile(chip), re.compile(version), kind, reason))
    return rows


class Rows:
    """cells: {(chip, driver, version): cell}; columns: (driver, title, version); why: {(chip, driver):
    what is known of a failure}."""

    def __init__(self, chips, columns, cells, why=None):
        self.why = why or {}
        self.chips, self.columns, self.cells = chips, columns, cells
        self.ours = columns[0][0]

    def cell(self, chip, driver, version):
        return self.cells.get((chip, driver, version))

    def missing(self):
        return [(chip, driver, version) for chip in self.chips for driver, _, version in self.columns
                if self.cell(chip, driver, version) is None]

    def state(self, chip, driver, version):
        cell = self.cell(chip, driver, version)
        if cell is None:
            return "?"
        if cell["state"] == "none":
            return f"— ({cell['reason']})"
        return "ready" if cell["state"] == "ready" else f"failed: {cell.get('stage') or 'start'}"

    def others(self, version):
        return [(d, t) for d, t, v in self.columns if d != self.ours and v == version]

    def costs(self, chip, version):
        """(ours, {driver: theirs}) of one chip and firmware version; None where there is none."""
        return (span(self.cell(chip, self.ours, version)),
                {d: span(self.cell(chip, d, version)) for d, _ in self.others(version)})

    def versions(self):
        return list(dict.fromkeys(v for _, _, v in self.columns))

    def above(self):
        """[(chip, version, kind, ours, leanest of the others)] where ours is more."""
        out = []
        for version in self.versions():
            for chip in self.chips:
                ours, theirs = self.costs(chip, version)
                known = [t for t in theirs.values() if t]
                for kind in KINDS if ours and known else ():
                    least = min(t[kind] for t in known)
                    if ours[kind] > least:
                        out.append((chip, version, kind, ours[kind], least))
        return out


def short(version):
    return version.split(".")[0]


def terminal(rows):
    heads = ["chip"] + [f"{title} {short(v)}" for _, title, v in rows.columns]
    table = [heads]
    for chip in rows.chips:
        line = [chip]
        for driver, _, version in rows.columns:
            total = span(rows.cell(chip, driver, version))
            text = rows.state(chip, driver, version)
            if total and text == "ready":
                text += f" {total['reads']}r {total['writes']}w {total['prom']}p"
            line.append(text)
        table.append(line)
    widths = [max(len(row[i]) for row in table) for i in range(len(heads))]
    return "".join("  ".join(t.ljust(w) for t, w in zip(row, widths)).rstrip() + "\n" for row in table)


def numbers(total, over=()):
    if not total:
        return "—"
    return " / ".join(f"{total[k]}{'†' if k in over else ''}" for k in KINDS)


HEAD = """<!-- SPDX-License-Identifier: MIT -->
<!-- Written by `make matrix` (tests/matrix). Do not edit. -->
<!-- made from -->
# Every chip, every driver

What comes up on the GPU model, with NVIDIA's own firmware files. Linux {kernel}, package
`{firmware}`. **The model is not a GPU**: this shows that our driver and drivers that run on real
GPUs agree with one and the same model, which checks every byte they hand over, and what each of them does to
get there. [differences.md](differences.md) tells what they do differently and why.

- **Firstlight** runs in one process with the model (`tests/matrix/boot_trace.c`): the same driver code as
  on the machine, the same files, strict rules, time virtual, so that all chips take seconds.
  `make test` boots GA102 under QEMU and OVMF as well.
- **nouveau** is Debian's module, **nova-core** is built from the source of the same Debian kernel (`tests/linux/nova.py`);
  both unmodified, in QEMU: loaded, looked at, unloaded.
- `ready`: the GSP came up, the driver registered its device, unloading took everything down, and the model
  saw no rule broken. `failed: STAGE`: where it stopped.

"""


def write(rows, kernel, firmware):
    out = [HEAD.format(kernel=kernel, firmware=firmware)]
    out.append("| chip | " + " | ".join(f"{t} {short(v)}" for _, t, v in rows.columns) + " |\n")
    out.append("|---" * (len(rows.columns) + 1) + "|\n")
    for chip in rows.chips:
        states = [rows.state(chip, d, v) for d, _, v in rows.columns]
        out.append(f"| {chip} | {' | '.join(states)} |\n")
    failed = [(chip, d, t, v, rows.cell(chip, d, v)) for chip in rows.chips for d, t, v in rows.columns
              if rows.cell(chip, d, v)["state"] == "failed"]
    if failed:
        out.append("\nWhat failed:\n")
        for chip, driver, title, version, c in failed:
            why = rows.why.get((chip, driver))
            out.append(f"- {chip}, {title} {short(version)}: \"{c['reason']}\"{'; ' + why if why else ''}\n")
    out.append("""
## What it costs

Register accesses from the first one to `GSP_INIT_DONE`: reads / writes / reads of the VBIOS. A register that is
read again and again counts once, for how often is a matter of time; reads of the timer are left out (nouveau
reads it in every wait, ours needs none). The same landmarks cut every trace (`tests/trace/trace.py`).
""")
    above = {}
    for chip, version, kind, _, _ in rows.above():
        above.setdefault((chip, version), []).append(kind)
    for version in rows.versions():
        others = rows.others(version)
        heads = " | ".join(t for _, t in others)
        out.append(f"\n### {version}\n\n| chip | Firstlight | {heads} |\n")
        out.append("|---" * (len(others) + 2) + "|\n")
        for chip in rows.chips:
            ours, theirs = rows.costs(chip, version)
            if ours or any(theirs.values()):
                out.append(f"| {chip} | {numbers(ours, above.get((chip, version), ()))} | " +
                           " | ".join(numbers(theirs[d]) for d, _ in others) + " |\n")
    if above:
        out.append("\n† more than the leaner of the others:\n")
        table = marks()
        said = []
        for chip, version, kind, _, _ in rows.above():
            for c, v, k, reason in table:
                if c.fullmatch(chip) and v.fullmatch(version) and k == kind and (k, reason) not in said:
                    said.append((k, reason))
        out += [f"- {WORDS[kind]}: {reason}\n" for kind, reason in said]
    out.append(stages_part(rows))
    PAGE.write_text(stamp.put("".join(out), **inputs()), encoding="utf-8")


REPRESENTATIVES = ("tu102", "ga100", "ga102", "ad102", "gh100", "gb100", "gb202")


def stages_part(rows):
    """Stage by stage, one chip of each family."""
    version = rows.columns[0][2]
    chosen = [c for c in REPRESENTATIVES if c in rows.chips]
    out = [f"\n## Stage by stage\n\nFirmware {version}, one chip of each family; reads / writes / reads "
           "of the VBIOS. What a driver does in which order is its own: the stages begin at landmarks "
           "that each of them passes.\n"]
    for chip in chosen:
        parts = [(t, rows.cell(chip, d, version)) for d, t, v in rows.columns if v == version]
        parts = [(t, {s["name"]: s for s in c["stages"]}) for t, c in parts
                 if c and c["state"] == "ready"]
        names = list(dict.fromkeys(n for _, stages in parts for n in stages))
        names.sort(key=lambda n: ORDER.index(n))
        out.append(f"\n### {chip}\n\n| stage | " + " | ".join(t for t, _ in parts) + " |\n")
        out.append("|---" * (len(parts) + 1) + "|\n")
        out += [f"| {name} | " + " | ".join(numbers(stages.get(name)) for _, stages in parts) + " |\n"
                for name in names]
    return "".join(out)


ORDER = ["identify", "devinit", "vbios", "frts", "gsp-reset", "booter", "fsp", "lockdown", "riscv",
         "sequencer", "init-done", "after", "unload"]
