#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The floors of the house: arch < pci < mm < gsp < net < boot. A lower floor never includes a
higher one, and the other rules about who may include whom. Read from the text of the #include lines,
so that code which is compiled in one configuration only is judged too."""
import os
import re
import sys

from _tree import TOP, files, finish

FLOORS = ["arch", "pci", "mm", "gsp", "net", "boot"]
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+(["<])([^">]+)[">]', re.M)
# Third-party libraries of the network: only these rooms may know them.
NETWORK_LIBRARIES = re.compile(r"^(lwip|netif)/|^llhttp\.h$|^lwipopts\.h$")
NETWORK_ROOMS = ("net/", "boot/", "tests/")
# The model is a witness: it shares the declarations of registers and layouts with the driver, and
# nothing else, lest it repeat the driver's mistakes. The same holds for the synthetic VBIOS and
# firmware that it shows; that one also needs CRC-32 and SHA-384, which are what they are.
WITNESSES = ("tests/model/", "tests/synth/")
WITNESS_MAY = re.compile(r"^gsp/(hw/regs|rpc/layout)/|^arch/base\.h$|^tests/(model|synth)/|"
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
    if here in FLOORS and there == "tests":
        return "the appliance includes nothing of tests"
    if here in FLOORS and there in FLOORS and FLOORS.index(there) > FLOORS.index(here):
        return f"floor {here} lies below {there}"
    if path.startswith(WITNESSES) and not WITNESS_MAY.search(target):
        return "model and synth may share gsp/hw/regs, gsp/rpc/layout and arch/base.h only"
    if here == "net" and there == "gsp" and target.startswith(("gsp/hw/regs/", "gsp/rpc/layout/")):
        return "net reaches the GPU through gsp's public headers, not its registers"
    for private, rooms in PRIVATE_ARCH.items():
        if target.startswith(private) and "/include/" not in target and not path.startswith(rooms):
            return f"{private} is private to {' and '.join(rooms)}"
    return None


def cycles(graph):
    """Each cycle of #includes among headers, once."""
    found, state, stack = [], {}, []

    def visit(node):
        state[node] = "open"
        stack.append(node)
        for nxt in graph.get(node, ()):
            if state.get(nxt) == "open":
                found.append(stack[stack.index(nxt):] + [nxt])
            elif nxt not in state:
                visit(nxt)
        stack.pop()
        state[node] = "done"

    for node in sorted(graph):
        if node not in state:
            visit(node)
    return found


def main():
    sources = files(".c", ".h", ".S", ".def")
    known, faults, graph, seen = set(sources), [], {}, 0
    for path in sources:
        text = (TOP / path).read_text(encoding="utf-8", errors="replace")
        for match in INCLUDE.finditer(text):
            seen += 1
            target = resolve(path, match.group(2), known)
            line = text.count("\n", 0, match.start()) + 1
            if fault := judge(path, match.group(2), target):
                faults.append(f"{path}:{line}: includes {match.group(2)}: {fault}")
            # A .def list is included by its own header on purpose; so is a header that repeats
            # itself with other macros.
            if path.endswith(".h") and target and target.endswith(".h") and target != path:
                graph.setdefault(path, []).append(target)
    faults += [f"include cycle: {' -> '.join(cycle)}" for cycle in cycles(graph)]
    return finish("floors: no room includes what lies above it", faults, f"{seen} includes")


if __name__ == "__main__":
    sys.exit(main())
