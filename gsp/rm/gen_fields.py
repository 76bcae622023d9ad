#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns controls.list, classes.list and the layout tables into rm_tables.c: controls and classes by
name, and of each parameter structure the fields, for every firmware version (fields_table.h).

The kernel carries this, so it is kept small. Names are a beginning and a rest: each once, and one that
ends another lies in it. What a field is made of is a row of its own, which fields share. Structures
whose fields are, in this order, those of another one lie in it: mostly the same in another version.
"""
import argparse
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "rpc", "layout"))
from gen import read_table  # noqa: E402

ACCESS = {"reads": 1, "changes": 0}
KINDS = {"NvBool": "RM_BOOL", "NvHandle": "RM_HANDLE", "pointer": "RM_POINTER", "NvP64": "RM_POINTER"}
LIMIT = 0xffff  # of an offset, a count, a place in a table: they have 16 bits
NAME_MAX = 96  # RM_NAME_MAX in fields.h, with the zero


def rows_of(path, columns):
    """The lines of a list, split; comments and blank lines are left out."""
    out = []
    with open(path, encoding="ascii") as f:
        for number, line in enumerate(f, 1):
            words = line.split("#", 1)[0].split()
            if words and len(words) != columns:
                sys.exit(f"{path}:{number}: expected {columns} columns, found {len(words)}")
            if words:
                out.append(words)
    return out


def kind_of(note, size, where):
    """Kind of a scalar or of an array's elements, from the table's note."""
    words = note.replace(",", " ").split()
    if size == 1 and ("char" in words or "text" in words):
        return "RM_TEXT"
    for word, kind in KINDS.items():
        if word in words:
            return kind
    if note.startswith("array of 1-byte"):
        return "RM_BYTES"
    if re.match(r"s\d", note):
        return "RM_SIGNED"
    if re.match(r"u\d|enum|NvLength|array of", note):
        return "RM_UNSIGNED"
    sys.exit(f"{where}: note '{note}' names no kind")


def fields_of(version, struct, rows):
    """(size, [(name, offset, shape)]); a shape is kind, size of an element, whether in a union, all
    elements, elements of the last dimension, its stride, the stride of the dimension before it."""
    total, out, arrays = None, [], {}
    parents = {re.sub(r"\[\d*\]", "", f).rsplit(".", 1)[0] for f, *_ in rows if "." in f}
    for field, off, size, note in rows:
        where = f"{version} {struct}.{field}"
        if field == "(total)":
            total = size
            continue
        plain = re.sub(r"\[\d*\]", "", field)
        own = re.search(r"\[(\d+)\]$", field)
        dims = [arrays[plain[:i]] for i in range(len(plain)) if plain[i] == "." and plain[:i] in arrays]
        if own:
            count = int(own.group(1))
            if not count or size % count:
                sys.exit(f"{where}: {size} bytes are not {count} elements")
            arrays[plain] = (count, size // count)
        if plain in parents:
            continue
        element = size // int(own.group(1)) if own else size
        if note.startswith(("struct", "union")) or own and note.startswith("array, stride"):
            kind = "RM_BYTES"  # a structure that the table does not take apart
        else:
            kind = kind_of(note, element, where)
        if own and kind in ("RM_TEXT", "RM_BYTES"):
            element = size  # all of it is one value
        elif own:
            dims.append(arrays[plain])
        if kind not in ("RM_TEXT", "RM_BYTES") and element not in (1, 2, 4, 8):
            sys.exit(f"{where}: no value has {element} bytes")
        if len(dims) > 2:
            sys.exit(f"{where}: {len(dims)} dimensions, at most 2")
        outer, inner = ([(1, 0)] * 2 + dims)[-2:]
        # Of an array of structures: list[].member, as its elements are written list[3].member.
        name, path = [], ""
        for part in plain.split("."):
            path = f"{path}.{part}" if path else part
            name.append(part + "[]" if path in arrays and path != plain else part)
        shape = (kind, element, "union" in note, outer[0] * inner[0], inner[0], inner[1], outer[1])
        out.append((".".join(name), off, shape))
    if total is None:
        sys.exit(f"{version}: {struct} has no (total) row")
    check(version, struct, total, out)
    return total, out


def check(version, struct, total, fields):
    """Every field inside, none over another one outside of unions, no name twice."""
    taken, names = {}, set()
    for name, off, (_, size, union, count, inner, stride, outer) in fields:
        if name in names:
            sys.exit(f"{version}: {struct}.{name} is there twice")
        names.add(name)
        for i in range(count):
            at = off + i // inner * outer + i % inner * stride
            if at + size > total:
                sys.exit(f"{version}: {struct}.{name} ends at {at + size}, the structure at {total}")
            for byte in range(at, at + size):
                if not union and taken.setdefault(byte, name) != name:
                    sys.exit(f"{version}: {struct}: {name} and {taken[byte]} overlap")


def halves(name):
    """Beginning and rest of a name, as they are stored."""
    control = re.match(r"NV[0-9A-F]+_CTRL_(CMD_)?", name)
    cut = control.end() if control else name.rfind(".") + 1
    return name[:cut], name[cut:]


class Names:
    """Strings behind one another, each with its zero; the beginnings of names have numbers."""

    def __init__(self, names):
        names = set(names)
        if longest := [n for n in names if len(n) >= NAME_MAX]:
            sys.exit(f"{longest[0]}: longer than {NAME_MAX - 1}")
        self.at, self.text = {}, []
        self.starts = sorted({halves(n)[0] for n in names})
        where, kept = 0, None
        strings = {part for n in names for part in halves(n)}
        for s in sorted(strings, key=lambda s: s[::-1], reverse=True):
            if kept is not None and kept.endswith(s):
                self.at[s] = self.at[kept] + len(kept) - len(s)
                continue
            self.at[s], kept = where, s
            self.text.append(s)
            where += len(s) + 1
        if where > LIMIT or len(self.starts) > 0xff:
            sys.exit(f"{where} bytes of names, {len(self.starts)} beginnings: too many")

    def of(self, name):
        """As the C tables say it."""
        start, rest = halves(name)
        return f"{self.at[rest]}, {self.starts.index(start)}"


def pack(runs):
    """One list of fields in which every run lies, and where; the longest come first."""
    rows, at = [], {}
    for run in sorted(runs, key=lambda r: (-len(r), str(r))):
        n = len(run)
        place = next((i for i in range(len(rows) - n + 1) if rows[i] == run[0] and tuple(rows[i:i + n]) == run),
                     len(rows))
        if place == len(rows):
            rows.extend(run)
        at[run] = place
    return rows, at


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--controls", required=True)
    ap.add_argument("--classes", required=True)
    ap.add_argument("--out", required=True)
    ap.add_argument("tables", nargs="+", help="layout-<version>.tsv, newest first")
    args = ap.parse_args()

    controls = rows_of(args.controls, 5)
    classes = rows_of(args.classes, 4)
    versions = [re.match(r"layout-(.*)\.tsv$", os.path.basename(p)).group(1) for p in args.tables]
    tables = [read_table(p) for p in args.tables]

    structs = {}  # (size, fields): place

    def reference(owner, struct, where):
        """For each version the place of a structure's row, or the constant for none."""
        out = []
        for version, table in zip(versions, tables):
            if where not in ("all", version.split(".")[0]):
                out.append("RM_NOT_THERE")
            elif struct == "none":
                out.append("RM_NO_PARAMS")
            elif struct not in table:
                sys.exit(f"{owner}: {version} has no {struct}")
            else:
                total, fields = fields_of(version, struct, table[struct])
                out.append(structs.setdefault((total, tuple(fields)), len(structs)))
        if set(out) == {"RM_NOT_THERE"}:
            sys.exit(f"{owner}: '{where}' is none of {', '.join(versions)}")
        return out

    def numbered(kind, entries):
        """Checks that names and numbers are there once; sorts by number."""
        for column, what in ((0, "name"), (1, "number")):
            seen = set()
            for e in entries:
                value = e[column] if column == 0 else int(e[column], 0)
                if value in seen:
                    sys.exit(f"{kind}: {what} {e[column]} is there twice")
                seen.add(value)
        return sorted(entries, key=lambda e: int(e[1], 0))

    controls = numbered(args.controls, controls)
    classes = numbered(args.classes, classes)
    control_refs = [reference(c[0], c[2], c[4]) for c in controls]
    class_refs = [reference(c[0], c[2], c[3]) for c in classes]
    rows, at = pack({fields for _, fields in structs})
    shapes = sorted({shape for _, _, shape in rows})
    names = Names([r[0] for r in rows] + [c[0] for c in controls] + [c[0] for c in classes])
    for what, n, most in (("fields", len(rows), LIMIT), ("structures", len(structs), LIMIT - 2),
                          ("shapes", len(shapes), 0xff)):
        if n > most:
            sys.exit(f"{n} {what}, at most {most}")

    c = ["/* SPDX-License-Identifier: MIT */",
         "/* Generated by gsp/rm/gen_fields.py from the lists and the layout tables. Do not edit. */",
         '#include "gsp/rm/fields.h"', '#include "gsp/rm/fields_table.h"', "",
         "const char *const rm_table_versions[RM_TABLE_VERSIONS] = {"]
    c += [f'    "{v}",' for v in versions] + ["};", "", "const char rm_table_strings[] = {"]
    # Letter by letter: a standard compiler need not take a string of that length.
    c += ["    " + "".join(f"'{ch}', " for ch in s) + "0," for s in names.text]
    c += ["};"]
    c += ["", "const uint16_t rm_table_starts[] = {"]
    c += [f"    {names.at[s]}," for s in names.starts]
    c += ["};", "", "const struct rm_shape rm_table_shapes[] = {"]
    c += [f"    {{{kind}, {int(union)}, {size}, {count}, {inner}, {stride}, {outer}}},"
          for kind, size, union, count, inner, stride, outer in shapes]
    c += ["};", "", "const struct rm_row rm_table_rows[] = {"]
    c += [f"    {{{names.of(name)}, {shapes.index(shape)}, {off}}}," for name, off, shape in rows]
    c += ["};", "", "const struct rm_struct rm_table_structs[] = {"]
    c += [f"    {{{total}, {at[fields]}, {len(fields)}}}," for total, fields in structs]
    c += ["};", "", "const struct rm_control rm_table_controls[] = {"]
    c += [f"    {{{e[1]}, {names.of(e[0])}, {ACCESS[e[3]]}, {{{', '.join(map(str, refs))}}}}},"
          for e, refs in zip(controls, control_refs)]
    c += ["};", f"const size_t rm_table_control_count = {len(controls)};", "",
          "const struct rm_class rm_table_classes[] = {"]
    c += [f"    {{{e[1]}, {names.of(e[0])}, {{{', '.join(map(str, refs))}}}}},"
          for e, refs in zip(classes, class_refs)]
    c += ["};", f"const size_t rm_table_class_count = {len(classes)};"]

    os.makedirs(os.path.dirname(args.out) or ".", exist_ok=True)
    with open(args.out, "w", encoding="ascii") as f:
        f.write("\n".join(c) + "\n")


if __name__ == "__main__":
    main()
