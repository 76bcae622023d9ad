# SPDX-License-Identifier: MIT
"""What a driver hands over besides register writes: structures in memory and messages, as the model's
trace has them (tests/model/books/trace_data.c), and how two traces differ in them.

A structure is a run of lines "Name.field = value". A message is a line "message from the driver" with the
structures that follow it; its name is its function's, and that of the control or the class.
"""
import difflib
import re
from collections import Counter

FIELD = re.compile(r"^(\w+)\.(.+?) = (.*)$")
MESSAGE = re.compile(r"^message from the driver: function (\d+) ?([^,]*), (\d+) bytes of payload$")
DETAIL = re.compile(r"^(?:control|class) (?!0x)(.+)$")
UNKNOWN = "of an unknown number"
CONTROL, ALLOC = "rpc_gsp_rm_control_v03_00", "rpc_gsp_rm_alloc_v03_00"
LIBOS = "LibosMemoryRegionInitArgument"


class Structure:
    def __init__(self, name, line):
        self.name, self.line, self.fields = name, line, {}


class Message:
    """length: bytes of payload; structures: [Structure]; after: it came after GSP_INIT_DONE."""

    def __init__(self, name, length, line, after):
        self.name, self.length, self.line, self.after = name, length, line, after
        self.structures = []

    def fields(self):
        out = {"length": str(self.length)}
        for s in self.structures:
            out |= {f"{s.name}.{field}": value for field, value in s.fields.items()}
        return out


def text_of_id(value):
    """The eight letters of an id8: 0x4c4f47524d is LOGRM."""
    number = int(value, 0)
    return number.to_bytes(8, "big").strip(b"\0").decode("ascii", "replace")


def read(remarks):
    """(structures, messages) from the remarks of a run: [(accesses before it, line, text)]."""
    structures, messages = [], []
    current, message, up = None, None, False
    for _, line, text in remarks:
        if m := FIELD.match(text):
            name, field, value = m.groups()
            if current is None or current.name.split("(")[0] != name or field in current.fields:
                current = Structure(name, line)
                (message.structures if message else structures).append(current)
            if name == LIBOS and field == "id8":
                current.name = f"{LIBOS}({text_of_id(value)})"
            current.fields[field] = value
            continue
        current = None
        if m := MESSAGE.match(text):
            message = Message(m[2] or f"function {m[1]}", int(m[3]), line, up)
            messages.append(message)
        elif message and (m := DETAIL.match(text)):
            detail = m[1]
            if detail == UNKNOWN:
                head = message.structures[-1].fields
                detail = head.get("cmd") or head.get("hClass", "?")
            message.name = f"{message.name} {detail}"
        else:
            message = None
            up = up or " GSP_INIT_DONE " in text
    return structures, messages


def numbered(items):
    """[(name, which of this name, item)]"""
    seen = Counter()
    out = []
    for item in items:
        out.append((item.name, seen[item.name], item))
        seen[item.name] += 1
    return out


def diff_fields(what, a, b):
    """[(kind, what, value of a, value of b)] of two dictionaries."""
    out = []
    for field in list(dict.fromkeys([*a, *b])):
        if field not in b:
            out.append(("only-a", f"{what}.{field}", a[field], None))
        elif field not in a:
            out.append(("only-b", f"{what}.{field}", None, b[field]))
        elif a[field] != b[field]:
            out.append(("value", f"{what}.{field}", a[field], b[field]))
    return out


def diff_items(a, b, fields):
    """Differences of two lists of named items: those that one has, those in another order, and what the
    others hold."""
    one, two = numbered(a), numbered(b)
    in_one, in_two = {(n, i): item for n, i, item in one}, {(n, i): item for n, i, item in two}
    out = []
    for kind, mine, other in (("only-a", one, in_two), ("only-b", two, in_one)):
        alone = Counter(n for n, i, _ in mine if (n, i) not in other)
        for name, count in alone.items():
            text = f"{count} times" if count > 1 else ""
            out.append((kind, name, text if kind == "only-a" else None,
                        text if kind == "only-b" else None))
    order_a = [key[:2] for key in one if key[:2] in in_two]
    order_b = [key[:2] for key in two if key[:2] in in_one]
    matcher = difflib.SequenceMatcher(None, order_a, order_b, autojunk=False)
    moved = [key for op, a0, a1, _, _ in matcher.get_opcodes() if op in ("delete", "replace")
             for key in order_a[a0:a1]]
    out += [("order", name, None, None) for name in dict.fromkeys(n for n, _ in moved)]
    for name, i, item in one:
        if (name, i) in in_two:
            what = name if i == 0 else f"{name} #{i + 1}"
            out += diff_fields(what, fields(item), fields(in_two[name, i]))
    return out


def diff(remarks_a, remarks_b):
    """[(part, [(kind, what, a, b)])]; part is structures, messages or messages-after; a part that neither
    trace has is left out, for logs of QEMU hold no such thing."""
    structures_a, messages_a = read(remarks_a)
    structures_b, messages_b = read(remarks_b)
    if not (structures_a or messages_a) or not (structures_b or messages_b):
        return []
    parts = [("structures", diff_items(structures_a, structures_b, lambda s: s.fields))]
    for part, after in (("messages", False), ("messages-after", True)):
        parts.append((part, diff_items([m for m in messages_a if m.after == after],
                                       [m for m in messages_b if m.after == after], Message.fields)))
    return [(part, found) for part, found in parts if found]
