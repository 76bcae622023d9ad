# SPDX-License-Identifier: MIT
# The gsp room: chips, registers, VBIOS, firmware (fw_sources.mk); boot story, RPC (boot_sources.mk).
-include gsp/fw_sources.mk
-include gsp/boot_sources.mk
