/* SPDX-License-Identifier: MIT */
/*
 * Things that go wrong on purpose. A spec is words separated by colons; see model_fault_help().
 */
#include <stdlib.h>
#include <string.h>

#include "tests/model/model_priv.h"

const char *model_fault_help(void)
{
    return "read:REG[@gsp|@sec2]:n=K:value=V   the K-th read of REG (0: every one) gives V; REG "
           "may be *,\n"
           "                                   registers (all but the PROM window), a name of the "
           "register list\n"
           "                                   with (i), or an offset; xor=V flips bits\n"
           "write:REG:n=K[:value=V|:xor=V]     the K-th write of REG vanishes, or arrives changed\n"
           "linklost:n=K[:registers]           the link is gone at the K-th access, or at the K-th "
           "read of a register\n"
           "                                   outside the PROM window\n"
           "message:n=K:offset=O:xor=V         the dword at byte O of the K-th status message is "
           "flipped after its\n"
           "                                   checksum was made; message:n=K:drop loses it, "
           ":twice repeats it\n"
           "init-done-result=V                 GSP_INIT_DONE carries rpc_result V\n"
           "gsp-hang                           the GSP starts and then says nothing\n"
           "booter-mailbox=V                   booter_load ends with V in MAILBOX0 and no effect\n"
           "fwsec-error=V                      FWSEC-FRTS ends with error code V and no effect\n"
           "gfw-stuck                          the board firmware never finishes\n"
           "reset-lock                         CPUCTL and DMACTL read 0xbadf5620 after an engine "
           "reset until the\n"
           "                                   core is selected\n"
           "reset-ready                        HWCFG2.RESET_READY reads 1\n"
           "sequencer=N                        N dwords in the CPU sequencer programme\n"
           "no-irq                             interrupts are not delivered\n"
           "fsp-error=V                        the FSP answers the chain of trust with error V\n"
           "fsp-silent                         the FSP takes the message and never answers\n"
           "fmc-error=V                        the FMC ends with V in the GSP's MAILBOX0\n"
           "fmc-locked                         the FMC never releases the lockdown\n"
           "fmc-masked                         between message and answer GSP registers read "
           "0xbadf4100\n";
}

static bool number(const char *s, uint64_t *out)
{
    char *end;
    *out = strtoull(s, &end, 0);
    return end != s && *end == '\0';
}

/* "NAME", "NAME(3)", "NAME@gsp", "0x110040", "*". */
static bool parse_register(struct gpu_model *m, char *text, struct fault *f)
{
    uint64_t v;
    if (strcmp(text, "*") == 0) {
        f->any_register = true;
        return true;
    }
    if (strcmp(text, "registers") == 0) {
        f->any_register = f->skip_prom = true;
        return true;
    }
    if (number(text, &v)) {
        f->off = (uint32_t)v;
        return v < MIB(64);
    }
    uint32_t base = 0, index = 0;
    char *at = strchr(text, '@');
    if (at != NULL) {
        base = strcmp(at + 1, "sec2") == 0 ? NV_PSEC_BASE : NV_PGSP_BASE;
        *at = '\0';
    }
    char *paren = strchr(text, '(');
    if (paren != NULL) {
        index = (uint32_t)strtoul(paren + 1, NULL, 0);
        *paren = '\0';
    }
    for (size_t i = 0; i < reg_list_count; i++) {
        const struct reg_info *r = &reg_list[i];
        if (strcmp(r->name, text) == 0 && (r->families & m->chip->family) != 0 &&
            index < r->count) {
            base = r->space == REG_SPACE_FALCON   ? (base != 0 ? base : (uint32_t)NV_PGSP_BASE)
                   : r->space == REG_SPACE_MIRROR ? m->chip->mirror_base
                                                  : 0;
            f->off = base + r->offset + index * r->stride;
            return true;
        }
    }
    return false;
}

static bool parse_option(struct fault *f, const char *word)
{
    uint64_t v = 0;
    const char *eq = strchr(word, '=');
    const size_t n = eq != NULL ? (size_t)(eq - word) : strlen(word);
    if (eq != NULL && !number(eq + 1, &v)) {
        return false;
    }
    if (n == 1 && word[0] == 'n') {
        f->n = v;
    } else if (n == 5 && memcmp(word, "value", n) == 0) {
        f->action = FACT_VALUE;
        f->value = (uint32_t)v;
    } else if (n == 3 && memcmp(word, "xor", n) == 0) {
        f->action = FACT_XOR;
        f->value = (uint32_t)v;
    } else if (n == 6 && memcmp(word, "offset", n) == 0) {
        f->off = (uint32_t)v;
    } else if (n == 4 && memcmp(word, "drop", n) == 0) {
        f->action = FACT_DROP;
    } else if (n == 5 && memcmp(word, "twice", n) == 0) {
        f->action = FACT_DUP;
    } else if (n == 9 && memcmp(word, "registers", n) == 0 && f->kind == FAULT_LINK) {
        f->skip_prom = true;
    } else {
        return false;
    }
    return true;
}

static bool parse_words(struct gpu_model *m, struct fault *f, char *spec)
{
    static const struct {
        const char *name;
        enum fault_kind kind;
        bool reg, value;
    } kinds[] = {
        {"read", FAULT_READ, true, false},
        {"write", FAULT_WRITE, true, false},
        {"linklost", FAULT_LINK, false, false},
        {"message", FAULT_MSG, false, false},
        {"init-done-result", FAULT_INIT_RESULT, false, true},
        {"gsp-hang", FAULT_GSP_HANG, false, false},
        {"booter-mailbox", FAULT_BOOTER_MAILBOX, false, true},
        {"fwsec-error", FAULT_FWSEC_ERROR, false, true},
        {"gfw-stuck", FAULT_GFW_STUCK, false, false},
        {"reset-lock", FAULT_LOCKED_RESET, false, false},
        {"reset-ready", FAULT_RESET_READY, false, false},
        {"sequencer", FAULT_SEQUENCER, false, true},
        {"no-irq", FAULT_NO_IRQ, false, false},
        {"fsp-error", FAULT_FSP_ERROR, false, true},
        {"fsp-silent", FAULT_FSP_SILENT, false, false},
        {"fmc-error", FAULT_FMC_ERROR, false, true},
        {"fmc-locked", FAULT_FMC_LOCKED, false, false},
        {"fmc-masked", FAULT_FMC_MASKED, false, false},
    };
    char *save = NULL, *word = strtok_r(spec, ":", &save);
    char *eq = word != NULL ? strchr(word, '=') : NULL;
    uint64_t v = 0;
    if (eq != NULL) {
        *eq = '\0';
    }
    for (size_t i = 0; word != NULL && i < ARRAY_SIZE(kinds); i++) {
        if (strcmp(kinds[i].name, word) != 0) {
            continue;
        }
        f->kind = kinds[i].kind;
        f->action = f->kind == FAULT_WRITE ? FACT_DROP : FACT_VALUE;
        if (kinds[i].value != (eq != NULL) || (eq != NULL && !number(eq + 1, &v))) {
            return false;
        }
        f->value = (uint32_t)v;
        f->n = f->kind == FAULT_READ || f->kind == FAULT_WRITE || f->kind == FAULT_LINK ||
               f->kind == FAULT_MSG;
        if (kinds[i].reg &&
            ((word = strtok_r(NULL, ":", &save)) == NULL || !parse_register(m, word, f))) {
            return false;
        }
        while ((word = strtok_r(NULL, ":", &save)) != NULL) {
            if (!parse_option(f, word)) {
                return false;
            }
        }
        return true;
    }
    return false;
}

bool model_fault_parse(struct gpu_model *m, const char *spec, char *err, size_t err_size)
{
    char copy[160];
    if (m->fault_count == FAULTS_MAX || strlen(spec) >= sizeof(copy)) {
        snprintf(err, err_size, "too many or too long faults at '%s'", spec);
        return false;
    }
    memcpy(copy, spec, strlen(spec) + 1);
    struct fault *f = &m->fault[m->fault_count];
    *f = (struct fault){0};
    if (!parse_words(m, f, copy)) {
        snprintf(err, err_size, "fault '%s' is not understood; what there is:\n%s", spec,
                 model_fault_help());
        return false;
    }
    m->fault_count++;
    return true;
}

const struct fault *model_fault_get(const struct gpu_model *m, enum fault_kind kind)
{
    for (uint32_t i = 0; i < m->fault_count; i++) {
        if (m->fault[i].kind == kind) {
            return &m->fault[i];
        }
    }
    return NULL;
}

/* Counts one occurrence; true when the fault is due. */
static bool hit(struct fault *f) { return ++f->count == f->n || f->n == 0; }

static bool in_prom(uint32_t off) { return off - NV_PROM_BASE < NV_PROM_SIZE; }

static bool meant(const struct fault *f, uint32_t off)
{
    return f->any_register ? !f->skip_prom || !in_prom(off) : f->off == off;
}

bool model_fault_access(struct gpu_model *m)
{
    for (uint32_t i = 0; i < m->fault_count; i++) {
        struct fault *f = &m->fault[i];
        if (f->kind == FAULT_LINK && !f->skip_prom && ++f->count == f->n) {
            return true;
        }
    }
    return false;
}

uint32_t model_fault_read(struct gpu_model *m, uint32_t off, uint32_t value)
{
    for (uint32_t i = 0; i < m->fault_count; i++) {
        struct fault *f = &m->fault[i];
        if (f->kind == FAULT_LINK && f->skip_prom && !in_prom(off) && ++f->count == f->n) {
            model_unplug(m);
            return UINT32_MAX;
        }
        if (f->kind == FAULT_READ && meant(f, off) && hit(f)) {
            value = f->action == FACT_XOR ? value ^ f->value : f->value;
            model_trace_text(m, "fault: the next read gives 0x%08x", value);
        }
    }
    return value;
}

bool model_fault_write(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    for (uint32_t i = 0; i < m->fault_count; i++) {
        struct fault *f = &m->fault[i];
        if (f->kind != FAULT_WRITE || !meant(f, off) || !hit(f)) {
            continue;
        }
        model_trace_text(m, "fault: this write %s",
                         f->action == FACT_DROP ? "vanishes" : "changes");
        if (f->action == FACT_DROP) {
            return false;
        }
        *value = f->action == FACT_XOR ? *value ^ f->value : f->value;
    }
    return true;
}

bool model_fault_message(struct gpu_model *m, uint8_t *msg, size_t len, bool *twice)
{
    for (uint32_t i = 0; i < m->fault_count; i++) {
        struct fault *f = &m->fault[i];
        if (f->kind != FAULT_MSG || !hit(f)) {
            continue;
        }
        if (f->action == FACT_DROP) {
            return false;
        }
        if (f->action == FACT_DUP) {
            *twice = true;
        } else if (range_ok(f->off, 4, len)) {
            const uint32_t v = get_le32(msg + f->off);
            put_le32(msg + f->off, f->action == FACT_XOR ? v ^ f->value : f->value);
        }
    }
    return true;
}
