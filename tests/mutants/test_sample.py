#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A few mutants in every run of the tests: one that survives has to be in equivalent.list with its
reason. The same ones each time, until the code that they change is another: one of each of some files."""
import hashlib
import sys

import mutants

ROOMS = ("pci/", "mm/", "gsp/", "net/")
COUNT = 10
SEED = "first light"


def main():
    try:
        project, sources = mutants.firstlight(mutants.TOP)
        rooms = mutants.read_rooms(mutants.HERE / "rooms.list")
        accepted = mutants.read_accepted(mutants.HERE / "equivalent.list")
        names = {path: mutants.order(project, rooms, path, False)
                 for path in sources if path.startswith(ROOMS)}
        files = sorted((path for path in names if names[path]),
                       key=lambda s: hashlib.sha256(f"{SEED}\0{s}".encode()).digest())[:COUNT]
        chosen = [site for site in mutants.choose(project, files, SEED)
                  if not mutants.reason_of(accepted, site)]
        outcome = mutants.work(mutants.copies(project), chosen, COUNT, names.__getitem__, accepted,
                               print, per_file=1)
        mutants.show(outcome, project, print)
        for site, _ in outcome.survived:
            print(f"not ok no test notices {site.path}:{site.line} {site.function} {site.kind}: write "
                  "one, or say in tests/mutants/equivalent.list why the program is the same")
        for name in project.unfit:
            print(f"not ok {name} fails without any mutant")
        if not outcome.survived:
            print(f"ok the tests notice {len(outcome.killed)} of {outcome.counted()} mutants")
        old = mutants.stale(project, accepted, sources)
        for key in old:
            print(f"not ok equivalent.list: nothing like {' | '.join(key)} any more")
        if not old:
            print(f"ok every entry of equivalent.list fits ({len(accepted)})")
        return 1 if outcome.survived or project.unfit or old else 0
    except mutants.Failed as e:
        print(f"not ok the sample: {e}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
