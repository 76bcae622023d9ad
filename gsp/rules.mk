# SPDX-License-Identifier: MIT
# Firmware layouts, generated from the tables; newest version first.
GSP_LAYOUT_TABLES := gsp/rpc/layout/layout-570.144.tsv gsp/rpc/layout/layout-535.113.01.tsv
build/gen/gsp_layout.c: gsp/rpc/layout/gen.py gsp/rpc/layout/structs.list $(GSP_LAYOUT_TABLES)
	@mkdir -p $(@D)
	$(Q)python3 gsp/rpc/layout/gen.py --structs gsp/rpc/layout/structs.list --out-h build/gen/gsp_layout.h --out-c $@ \
	    --out-names build/gen/gsp_layout_names.c $(GSP_LAYOUT_TABLES)
build/gen/gsp_layout.h build/gen/gsp_layout_names.c: build/gen/gsp_layout.c ;
GEN_HEADERS += build/gen/gsp_layout.h

# Names and fields of controls and classes.
build/gen/rm_tables.c: gsp/rm/gen_fields.py gsp/rpc/layout/gen.py gsp/rm/controls.list gsp/rm/classes.list $(GSP_LAYOUT_TABLES)
	@mkdir -p $(@D)
	$(Q)python3 gsp/rm/gen_fields.py --controls gsp/rm/controls.list --classes gsp/rm/classes.list --out $@ $(GSP_LAYOUT_TABLES)
