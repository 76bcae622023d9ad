#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A few mutants in every run of the tests, one of each of these files, by chance but always the same
until the code there is another. One that survives is a missing test, or has its reason in
equivalent.list: then another one is taken."""
import sys

import mutants

FILES = ("gsp/hw/falcon_port.c", "gsp/boot/gen_bootloader.c", "gsp/rpc/queue.c", "gsp/boot/reset.c", "mm/buddy.c",
         "net/http/http.c", "net/http/json.c", "net/stack/netif.c", "pci/msi.c", "pci/pci.c")
SEED = "first light"


def main():
    try:
        project, sources = mutants.firstlight(mutants.TOP)
        rooms = mutants.read_rooms(mutants.HERE / "rooms.list")
        accepted = mutants.read_accepted(mutants.HERE / "equivalent.list")
        if gone := set(FILES) - set(sources):
            raise mutants.Failed(f"{' '.join(gone)}: gone, so put others into FILES")
        names = {path: mutants.order(project, rooms, path, False) for path in FILES}
        chosen = [site for site in mutants.choose(project, FILES, SEED)
                  if not mutants.reason_of(accepted, site)]
        outcome = mutants.work(mutants.copies(project), chosen, len(FILES), names.__getitem__, accepted,
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
    except (mutants.Failed, ValueError) as e:
        print(f"not ok the sample: {e}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
