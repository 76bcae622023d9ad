/* SPDX-License-Identifier: MIT */
/* The card as a whole. Source: boot.md 12.1, 13; measured.md 6. */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "gsp/gsp.h"

struct gsp_hw;

/* What a reset of that kind is on this card: FUNCTION or BUS. FL_ENOTSUP with words when it has
 * none. Changes nothing. */
FL_MUST_CHECK enum fl_err gsp_card_reset_kind(const struct gsp_hw *hw, enum gsp_reset_kind asked,
                                              enum gsp_reset_kind *kind, struct fl_fail *fail);
/* The card's reset, until its registers answer again; bus mastering is off then. AUTO: a function
 * level reset, and the bridge's where that one fails. *used (may be NULL): the one that did it, or
 * was tried last. FL_ENOTSUP when it has none of that kind. Yields. */
FL_MUST_CHECK enum fl_err gsp_card_reset(struct gsp_hw *hw, enum gsp_reset_kind kind,
                                         enum gsp_reset_kind *used, struct fl_fail *fail);
