#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No script of a folder from which Python programs are started has the name of a module of Python's
own: it would be imported in its place, by some version of Python if not by this one."""
import sys
from pathlib import PurePath

from _tree import files, finish


# Nothing of Python's own imports that one of its modules.
HARMLESS = {"tests/trace/trace.py"}


def main():
    scripts = [path for path in files(".py") if path not in HARMLESS]
    faults = [f"{path}: hides Python's own module {PurePath(path).stem}" for path in scripts
              if PurePath(path).stem in sys.stdlib_module_names]
    return finish("no script hides a module of Python", faults, f"{len(scripts)} scripts")


if __name__ == "__main__":
    sys.exit(main())
