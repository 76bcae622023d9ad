# SPDX-License-Identifier: MIT
# What runs for every page that is handed out or mapped is compiled for speed, as in the benches;
# the rest of the appliance is for size.
MM_HOT := bitset runs buddy buddy_blocks buddy_find zones \
    $(addprefix gpu/,tables tables_change tables_sync)
$(MM_HOT:%=$(KERNEL_DIR)/mm/%.o): EXTRA_CFLAGS := -O2
