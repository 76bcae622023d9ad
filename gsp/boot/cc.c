/* SPDX-License-Identifier: MIT */
/* Confidential computing: seen, and refused by name (cc.h). */
#include "gsp/boot/cc.h"

#include <string.h>

#include "arch/log.h"
#include "arch/text.h"
#include "gsp/gpu.h"

#define TURN_OFF "turn confidential computing off (gpu-admin-tools, --set-cc-mode=off) and reset"

/* A mode other than off that does not refuse the boot; NULL: there is none. */
static const char *doubt(const struct gsp_cc *cc)
{
    switch (cc->mode) {
    case GSP_CC_DEVTOOLS:
        return "confidential computing is in devtools mode";
    case GSP_CC_INVALID:
        return "confidential computing has an invalid mode";
    case GSP_CC_ON:
    case GSP_CC_OFF:
    case GSP_CC_UNKNOWN:
        break;
    }
    if (cc->protected_pcie) {
        return "protected PCIe is on";
    }
    return cc->bar0_firewall ? "BAR0's firewall is on" : NULL;
}

enum fl_err gsp_cc_check(struct gsp_gpu *g, struct fl_fail *fail)
{
    if (g->hw.family->ops->cc_mode == NULL) {
        return FL_OK;
    }
    const struct gsp_cc cc = g->hw.family->ops->cc_mode(&g->hw);
    if (g->hw.io.lost) {
        return FL_ELINKLOST;
    }
    g->cc = cc;
    if (cc.mode == GSP_CC_ON) {
        return FL_FAIL_MORE(fail, FL_ENOTSUP, "confidential computing",
                            (FL_SAW(cc.raw, 0, 0), .hint = TURN_OFF),
                            "confidential computing is on: the GPU's queues are encrypted, this "
                            "appliance cannot drive them");
    }
    const char *words = doubt(&cc);
    if (words != NULL) {
        log_warn(g->hw.label,
                 "%s (0x%08x): the queues may be encrypted, which this appliance "
                 "cannot drive",
                 words, (unsigned)cc.raw);
    } else if (cc.mode == GSP_CC_UNKNOWN) {
        log_warn(g->hw.label, "the mode of confidential computing cannot be read: 0x%08x",
                 (unsigned)cc.raw);
    }
    return FL_OK;
}

void gsp_cc_blame(struct gsp_gpu *g)
{
    const char *words = doubt(&g->cc);
    char own[FL_FAIL_HINT];

    if (words == NULL) {
        return;
    }
    memcpy(own, g->fail.hint, sizeof(own));
    struct text t = text_on(g->fail.hint, sizeof(g->fail.hint)); /* what is too long is cut */
    text_fmt(&t, "%s: likely the cause", words);
    if (own[0] != '\0') {
        text_fmt(&t, "; else: %s", own);
    }
}
