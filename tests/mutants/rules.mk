# SPDX-License-Identifier: MIT
# tests/mutants/: do the unit tests notice a change of the code?
.PHONY: mutants
mutants: units ## does a test notice? mutate FILE=gsp/rpc/queue.c or ROOM=gsp: tests/mutants/README.md
	$(Q)python3 tests/mutants/mutants.py $(FILE) $(if $(ROOM),--room $(ROOM)) $(if $(N),--count $(N)) \
	    $(if $(SEED),--seed $(SEED)) $(if $(EVERY),--every) $(MUTANTS)
