#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The floors of the house: arch < pci < mm < gsp < net < boot, and those inside a room (INSIDE). A
lower floor never includes a higher one; no files include each other in a circle, whichever room; and
the other rules about who may include whom. Read from the text of the #include lines, so that code
which is compiled in one configuration only is judged too."""
import os
import re
import sys

from _tree import TOP, files, finish

FLOORS = ["arch", "pci", "mm", "gsp", "net", "boot"]
# Inside a room, lowest first: beginnings of paths, of which the longest that fits counts.
INSIDE = {"gsp/": ["gsp/gsp.h", "gsp/sensors.h", "gsp/feed.h", "gsp/xid.h", "gsp/hw/", "gsp/files/", "gsp/rpc/", "gsp/gpu.", "gsp/rm/", "gsp/vram.h",
                   "gsp/vram/", "gsp/boot/",
                   "gsp/"],
          "mm/": ["mm/", "mm/gpu/"],
          "net/": ["net/nic/", "net/stack/", "net/http/", "net/api/"],
          "tests/model/": ["tests/model/", "tests/model/wire/", "tests/model/main.c"]}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+(["<])([^">]+)[">]', re.M)
# Third-party libraries of the network: only these rooms may know them.
NETWORK_LIBRARIES = re.compile(r"^(lwip|netif)/|^llhttp\.h$|^lwipopts\.h$")
NETWORK_ROOMS = ("net/", "boot/", "tests/")
# The model is a witness: it shares the declarations of registers and layouts with the driver, and
# nothing else, lest it repeat the driver's mistakes. The same holds for the synthetic VBIOS and
# firmware that it shows; that one also needs CRC-32 and SHA-384, which are what they are.
WITNESSES = ("tests/model/", "tests/synth/")
WITNESS_MAY = re.compile(r"^gsp/(hw/regs|rpc/layout)/|^arch/(base|elf|range|text)\.h$|^tests/(model|synth)/|"
                         r"^build/gen/gsp_layout\.h$|^gsp/files/digest\.h$")
# Where a machine's own headers may be named. The rest of the code does not know where it runs.
PRIVATE_ARCH = {"arch/x86_64/": ("arch/x86_64/", "boot/", "tests/boot/"),
                "arch/host/": ("arch/host/", "tests/")}
# Where an #include is looked up, in the compiler's order.
SEARCH = ["", "build/gen/", "arch/host/include/", "arch/x86_64/include/", "net/stack/lwip/"]


def resolve(path, name, known):
    """The file of this tree that an #include means, or None for one of a library."""
    for folder in [os.path.dirname(path) + "/", *SEARCH]:
        candidate = os.path.normpath(folder + name)
        if candidate in known or (TOP / candidate).is_file() and candidate.startswith("build/gen/"):
            return candidate
    return None


def room(path):
    return path.split("/", 1)[0]


def judge(path, name, target):
    """What is wrong with one #include, or None."""
    if NETWORK_LIBRARIES.search(name) and not path.startswith(NETWORK_ROOMS):
        return "only net and boot know lwIP and the HTTP parser"
    if not target:
        return None
    here, there = room(path), room(target)
    if here == "client" and there != "client" and target != "arch/base.h":
        return "the client is a program of its own: of the appliance it takes arch/base.h only"
    if here in FLOORS and there == "tests":
        return "the appliance includes nothing of tests"
    if here in FLOORS and there in FLOORS and FLOORS.index(there) > FLOORS.index(here):
        return f"floor {here} lies below {there}"
    if path.startswith(WITNESSES) and not WITNESS_MAY.search(target):
        return ("model and synth may share gsp/hw/regs, gsp/rpc/layout and of arch/ base.h, elf.h, "
                "range.h and text.h only")
    if here == "net" and there == "gsp" and target.startswith(("gsp/hw/regs/", "gsp/rpc/layout/")):
        return "net reaches the GPU through gsp's public headers, not its registers"
    for private, rooms in PRIVATE_ARCH.items():
        if target.startswith(private) and "/include/" not in target and not path.startswith(rooms):
            return f"{private} is private to {' and '.join(rooms)}"
    return None


def floor_inside(base, path):
    """The floor of a file in its room, as the beginning of a path; None: the room has no such."""
    return max((f for f in INSIDE[base] if path.startswith(f)), key=len, default=None)


def judge_inside(path, target):
    """What is wrong with one #include between two files of a room that has floors, or None."""
    for base, floors in INSIDE.items():
        if path.startswith(base) and target.startswith(base):
            here, there = floor_inside(base, path), floor_inside(base, target)
            if None in (here, there):
                return f"is on no floor of {base}: {path if here is None else target}"
            if floors.index(there) > floors.index(here):
                return f"inside {base} {here} lies below {there}"
    return None


def unit(path):
    """A file, its header and what only its siblings see of it are one: x.c, x.h, x_priv.h."""
    return os.path.splitext(path)[0].removesuffix("_priv")


def way(graph, start, end):
    """The shortest way along the graph, both ends included; None: there is none. From a unit to
    itself it is a circle."""
    came, queue = {}, [start]
    for node in queue:
        for nxt in sorted(graph.get(node, ())):
            if nxt not in came:
                came[nxt] = node
                queue.append(nxt)
    if end not in came:
        return None
    back = [end, came[end]]
    while back[-1] != start:
        back.append(came[back[-1]])
    return back[::-1]


def circles(graph):
    """For each knot of units that include each other: all of them, and a shortest circle."""
    seen = set()
    for start in sorted(graph):
        if start not in seen and (circle := way(graph, start, start)):
            knot = {n for n in graph if way(graph, start, n) and way(graph, n, start)}
            seen |= knot
            yield knot, circle


def main():
    sources = files(".c", ".h", ".S", ".def")
    known, faults, graph, seen = set(sources), [], {}, 0
    for path in sources:
        text = (TOP / path).read_text(encoding="utf-8", errors="replace")
        for match in INCLUDE.finditer(text):
            seen += 1
            target = resolve(path, match.group(2), known)
            line = text.count("\n", 0, match.start()) + 1
            fault = judge(path, match.group(2), target)
            if not fault and target:
                fault = judge_inside(path, target)
            if fault:
                faults.append(f"{path}:{line}: includes {match.group(2)}: {fault}")
            # A .def list has no includes of its own and is read several times on purpose.
            if target and not target.endswith(".def") and unit(path) != unit(target):
                graph.setdefault(unit(path), set()).add(unit(target))
    for knot, circle in circles(graph):
        faults.append(f"{len(knot)} files include each other: {' -> '.join(circle)}")
    return finish("floors: nothing includes what lies above it, no circles", faults,
                  f"{seen} includes")


if __name__ == "__main__":
    sys.exit(main())
