/* SPDX-License-Identifier: MIT */
/* The card as a whole. Source: boot.md 12.1, 13; measured.md 6. */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

struct gsp_hw;

/* The card's reset: of the function, else through the bridge above. Until its registers answer
 * again; bus mastering is off then. FL_ENOTSUP when it has neither. Yields. */
FL_MUST_CHECK enum fl_err gsp_card_reset(struct gsp_hw *hw, struct fl_fail *fail);
