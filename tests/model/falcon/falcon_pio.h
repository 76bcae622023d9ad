/* SPDX-License-Identifier: MIT */
/* Memory ports of a falcon, and ports of that kind elsewhere (the FSP's EMEM). */
#pragma once

#include "tests/model/falcon/falcon.h"

/* False: not one of the ports' registers. */
bool model_falcon_port_read(struct falcon *f, uint32_t off, uint32_t *value);
bool model_falcon_port_write(struct gpu_model *m, struct falcon *f, uint32_t off, uint32_t value);
/* One port of any memory: the dword that *ctl points to; *ctl moves on as its flags say. False:
 * outside, nothing is there (reads 0). */
bool model_port_read(const uint8_t *mem, uint32_t size, uint32_t *ctl, uint32_t *value);
bool model_port_write(uint8_t *mem, uint32_t size, uint32_t *ctl, uint32_t value);
enum { PORT_ADDR = 0x00fffffc }; /* dword and block of a port's control word: a byte offset */
