# SPDX-License-Identifier: MIT
# Firmware layouts, generated from the tables; newest version first.
GSP_LAYOUT_TABLES := gsp/layout/layout-570.144.tsv gsp/layout/layout-535.113.01.tsv
build/gen/gsp_layout.c: gsp/layout/gen.py gsp/layout/structs.list $(GSP_LAYOUT_TABLES)
	@mkdir -p $(@D)
	$(Q)python3 gsp/layout/gen.py --structs gsp/layout/structs.list --out-h build/gen/gsp_layout.h --out-c $@ \
	    --out-names build/gen/gsp_layout_names.c $(GSP_LAYOUT_TABLES)
build/gen/gsp_layout.h build/gen/gsp_layout_names.c: build/gen/gsp_layout.c ;
GEN_HEADERS += build/gen/gsp_layout.h
