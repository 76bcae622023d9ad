/* SPDX-License-Identifier: MIT */
/* What the WPR metadata point to. */
#pragma once

#include "tests/model/boot/booter_meta.h"

struct fw_set;
/* MAILBOX0, 0: good. fw NULL: reachable is enough. */
uint32_t model_contents_check(struct gpu_model *m, const struct wpr_meta *mt,
                              const struct fw_set *fw);
