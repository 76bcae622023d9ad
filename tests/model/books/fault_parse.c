/* SPDX-License-Identifier: MIT */
/* The language of faults: what there is, how it is written, and where a spec went wrong. */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "arch/base.h"
#include "arch/text.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/books/fault.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_state.h"
#include "tests/model/model.h"

/* ---- what there is ---- */

enum {
    OPT_N = 1 << 0,
    OPT_VALUE = 1 << 1, /* value= and xor= */
    OPT_REGISTERS = 1 << 2,
    OPT_OFFSET = 1 << 3,
    OPT_DROP = 1 << 4, /* drop, twice, delay= */
    OPT_POLLS = 1 << 5,
    OPT_FUNCTION = 1 << 6,
    OPT_RANGE = 1 << 7, /* address= and size= */
    OPT_AFTER = 1 << 8,
    OPT_AT = 1 << 9,
    OPT_CHANNEL = 1 << 10,
    OPT_CAUSE = 1 << 11,
    OPT_ERRORS = 1 << 12,
    OPT_TEXT = 1 << 13,
    OPT_P = 1 << 14,
    OPT_ANSWER = 1 << 15, /* status= and short */
    OPT_MESSAGE = OPT_N | OPT_VALUE | OPT_OFFSET | OPT_DROP | OPT_FUNCTION,
};
enum arg {
    ARG_NONE,
    ARG_NUMBER,
    ARG_MAYBE,
    ARG_FALCON,
    ARG_STUCK,
    ARG_CRASH,
    ARG_ECC,
    ARG_BUSY,
    ARG_RUSD
};

static const struct {
    const char *name;
    enum fault_kind kind;
    bool reg;
    enum arg arg;
    uint32_t options;
} kinds[] = {
    {"read", FAULT_READ, true, ARG_NONE, OPT_N | OPT_VALUE},
    {"write", FAULT_WRITE, true, ARG_NONE, OPT_N | OPT_VALUE},
    {"linklost", FAULT_LINK, false, ARG_NONE, OPT_N | OPT_REGISTERS | OPT_AFTER},
    {"dma", FAULT_DMA, false, ARG_NONE, OPT_N | OPT_RANGE},
    {"message", FAULT_MSG, false, ARG_NONE, OPT_MESSAGE | OPT_POLLS},
    {"command", FAULT_COMMAND, false, ARG_NONE, OPT_MESSAGE},
    {"init-done-result", FAULT_INIT_RESULT, false, ARG_NUMBER, 0},
    {"gsp-hang", FAULT_GSP_HANG, false, ARG_NONE, 0},
    {"booter-mailbox", FAULT_BOOTER_MAILBOX, false, ARG_NUMBER, 0},
    {"fwsec-error", FAULT_FWSEC_ERROR, false, ARG_NUMBER, 0},
    {"gfw-stuck", FAULT_GFW_STUCK, false, ARG_MAYBE, 0},
    {"mig-mode", FAULT_MIG_MODE, false, ARG_NUMBER, 0},
    {"cc-mode", FAULT_CC_MODE, false, ARG_NUMBER, 0},
    {"reset-lock", FAULT_LOCKED_RESET, false, ARG_NONE, 0},
    {"reset-ready", FAULT_RESET_READY, false, ARG_NONE, 0},
    {"sequencer", FAULT_SEQUENCER, false, ARG_NUMBER, 0},
    {"no-irq", FAULT_NO_IRQ, false, ARG_NONE, 0},
    {"fsp-error", FAULT_FSP_ERROR, false, ARG_NUMBER, 0},
    {"fsp-silent", FAULT_FSP_SILENT, false, ARG_NONE, 0},
    {"fmc-error", FAULT_FMC_ERROR, false, ARG_NUMBER, 0},
    {"fmc-locked", FAULT_FMC_LOCKED, false, ARG_NONE, 0},
    {"fmc-masked", FAULT_FMC_MASKED, false, ARG_NONE, 0},
    {"falcon-hang", FAULT_FALCON_HANG, false, ARG_FALCON, OPT_N},
    {"busy", FAULT_BUSY, false, ARG_BUSY, OPT_N},
    {"stuck", FAULT_STUCK, false, ARG_STUCK, OPT_N},
    {"crash", FAULT_CRASH, false, ARG_CRASH, OPT_N | OPT_AFTER | OPT_CAUSE},
    {"xid", FAULT_XID, false, ARG_NUMBER, OPT_AFTER | OPT_AT | OPT_CHANNEL | OPT_TEXT},
    {"ecc", FAULT_ECC, false, ARG_ECC, OPT_ERRORS | OPT_AFTER},
    {"thermal", FAULT_THERMAL, false, ARG_NUMBER, OPT_AFTER},
    {"control", FAULT_CONTROL, false, ARG_NUMBER, OPT_N | OPT_ANSWER},
    {"rusd", FAULT_RUSD, false, ARG_RUSD, OPT_N},
    {"random", FAULT_RANDOM, false, ARG_NONE, OPT_P},
};

struct word_value {
    const char *word;
    uint32_t value;
};
static const struct word_value falcons[] = {{"gsp", 0}, {"sec2", 1}, {NULL, 0}};
static const struct word_value busies[] = {
    {"invalidate", BUSY_INVALIDATE}, {"flush", BUSY_FLUSH}, {"bind", BUSY_BIND}, {NULL, 0}};
static const struct word_value eccs[] = {
    {"correctable", ECC_CORRECTABLE}, {"uncorrectable", ECC_UNCORRECTABLE}, {NULL, 0}};
static const struct word_value rusds[] = {{"refused", RUSD_REFUSED},     {"torn", RUSD_TORN},
                                          {"stuck", RUSD_STUCK},         {"stale", RUSD_STALE},
                                          {"backwards", RUSD_BACKWARDS}, {"range", RUSD_RANGE},
                                          {"late", RUSD_LATE},           {NULL, 0}};
static const struct word_value stucks[] = {{"riscv", POINT_RISCV},
                                           {"start", POINT_START},
                                           {"sequencer", POINT_SEQUENCER},
                                           {"init", POINT_INIT},
                                           {"command", POINT_COMMAND},
                                           {"unload", POINT_UNLOAD},
                                           {NULL, 0}};
static const struct word_value crashes[] = {
    {"start", POINT_START}, {"sequencer", POINT_SEQUENCER}, {"init", POINT_INIT},
    {"up", POINT_UP},       {"command", POINT_COMMAND},     {NULL, 0}};
static const struct word_value xid_points[] = {{"init", POINT_INIT}, {"up", POINT_UP}, {NULL, 0}};

/* One spec being read. */
struct reader {
    struct gpu_model *m;
    const char *spec; /* as given */
    char copy[FAULT_SPEC_MAX];
    char *next; /* the rest of the copy; NULL: the end */
    char *err;
    size_t err_size;
};

/* at: a place in the copy, or NULL for the end of the spec. Always false. */
static bool wrong(const struct reader *r, const char *at, const char *fmt, ...) FL_PRINTF(3, 4);
static bool wrong(const struct reader *r, const char *at, const char *fmt, ...)
{
    const size_t place = at != NULL ? (size_t)(at - r->copy) : strlen(r->spec);
    struct text t = text_on(r->err, r->err_size);
    text_fmt(&t, "--fault %s: character %zu, '%s': ", r->spec, place + 1, r->spec + place);
    va_list ap;
    va_start(ap, fmt);
    text_vfmt(&t, fmt, ap);
    va_end(ap);
    return false;
}

static char *take(struct reader *r)
{
    char *word = r->next;
    char *colon = word != NULL ? strchr(word, ':') : NULL;
    if (colon != NULL) {
        *colon = '\0';
    }
    r->next = colon != NULL ? colon + 1 : NULL;
    return word;
}

static bool is_number(const char *s, uint64_t *out)
{
    char *end;
    *out = strtoull(s, &end, 0);
    return end != s && *end == '\0' && *s != '-';
}

static bool number(const struct reader *r, const char *s, uint64_t max, uint64_t *out)
{
    if (!is_number(s, out)) {
        return wrong(r, s, "a number is needed here");
    }
    return *out <= max || wrong(r, s, "at most 0x%llx", (unsigned long long)max);
}

static bool one_of(const struct reader *r, const char *s, const struct word_value *list,
                   uint32_t *out)
{
    char all[120];
    struct text t = text_on(all, sizeof(all));
    for (size_t i = 0; list[i].word != NULL; i++) {
        if (strcmp(list[i].word, s) == 0) {
            *out = list[i].value;
            return true;
        }
        text_fmt(&t, "%s%s", i == 0 ? "" : ", ", list[i].word);
    }
    return wrong(r, s, "there is %s", all);
}

/* "NAME", "NAME(3)", "NAME@gsp", "0x110040", "*", "registers". */
static bool parse_register(const struct reader *r, char *text, struct fault *f)
{
    const struct gpu_model *m = r->m;
    uint64_t v, index = 0;
    uint32_t base = 0;
    f->skip_prom = strcmp(text, "registers") == 0;
    f->any_register = f->skip_prom || strcmp(text, "*") == 0;
    if (f->any_register) {
        return true;
    }
    if (is_number(text, &v)) {
        f->off = (uint32_t)v;
        return (v < MIB(16) && v % 4 == 0) ||
               wrong(r, text, "an offset in BAR0 is a multiple of 4 below 0x1000000");
    }
    char *at = strchr(text, '@'), *paren = strchr(text, '(');
    if (at != NULL) {
        if (strcmp(at, "@sec2") != 0 && strcmp(at, "@gsp") != 0) {
            return wrong(r, at, "the engines are @gsp and @sec2");
        }
        base = strcmp(at, "@sec2") == 0 ? NV_PSEC_BASE : NV_PGSP_BASE;
        *at = '\0';
    }
    if (paren != NULL) {
        char *close = strchr(paren, ')');
        if (close == NULL || close[1] != '\0') {
            return wrong(r, paren, "an index is written (3)");
        }
        *close = '\0';
        if (!number(r, paren + 1, UINT32_MAX, &index)) {
            return false;
        }
        *paren = '\0';
    }
    bool other = false;
    for (size_t i = 0; i < reg_list_count; i++) {
        const struct reg_info *g = &reg_list[i];
        if (strcmp(g->name, text) != 0) {
            continue;
        }
        if ((g->families & m->chip->family) == 0) {
            other = true;
            continue;
        }
        if (index >= g->count) {
            return wrong(r, text, "it has %u elements", g->count);
        }
        if (base != 0 && g->space != REG_SPACE_FALCON) {
            return wrong(r, text, "it belongs to no falcon");
        }
        base = g->space == REG_SPACE_FALCON   ? (base != 0 ? base : (uint32_t)NV_PGSP_BASE)
               : g->space == REG_SPACE_MIRROR ? m->chip->mirror_base
                                              : 0;
        f->off = base + g->offset + (uint32_t)index * g->stride;
        return true;
    }
    return wrong(r, text,
                 other ? "a register that %s does not have" : "no register of the list (%s)",
                 m->chip->name);
}

static bool probability(const struct reader *r, const char *s, uint32_t *out)
{
    char *end;
    const double p = strtod(s, &end);
    if (end == s || *end != '\0' || !(p > 0.0 && p <= 1.0)) {
        return wrong(r, s, "a probability is more than 0 and at most 1");
    }
    *out = (uint32_t)ceil(p * FAULT_CHANCE);
    return true;
}

/* ---- options ---- */

#define NS_PER_MS 1000000ull
enum { MS_MAX = 24 * 3600 * 1000 };

static bool parse_option(struct reader *r, struct fault *f, uint32_t allowed, char *word)
{
    char *eq = strchr(word, '=');
    const size_t n = eq != NULL ? (size_t)(eq - word) : strlen(word);
    char *arg = eq != NULL ? eq + 1 : NULL;
    uint64_t v;
    uint32_t w;
#define IS(name, option, with)                                                                     \
    (n == sizeof(name) - 1 && memcmp(word, name, n) == 0 && (allowed & (option)) != 0 &&           \
     (with) == (eq != NULL))
    if (IS("n", OPT_N, true)) {
        return number(r, arg, UINT64_MAX, &f->n);
    }
    if (IS("value", OPT_VALUE, true) || IS("xor", OPT_VALUE, true)) {
        f->action = word[0] == 'x' ? FACT_XOR : FACT_VALUE;
        const bool ok = number(r, arg, UINT32_MAX, &v);
        f->value = (uint32_t)v;
        return ok;
    }
    if (IS("registers", OPT_REGISTERS, false)) {
        f->skip_prom = true;
        return true;
    }
    if (IS("offset", OPT_OFFSET, true)) {
        const bool ok = number(r, arg, GSP_MSG_MAX_BYTES - 4, &v);
        f->off = (uint32_t)v;
        return ok;
    }
    if (IS("drop", OPT_DROP, false) || IS("twice", OPT_DROP, false)) {
        f->action = word[0] == 'd' ? FACT_DROP : FACT_DUP;
        return true;
    }
    if (IS("delay", OPT_DROP, true) || IS("polls", OPT_POLLS, true)) {
        f->action = word[0] == 'd' ? FACT_DELAY : FACT_POLLS;
        const bool ok = number(r, arg, MS_MAX, &v);
        f->value = (uint32_t)v;
        return ok;
    }
    if (IS("function", OPT_FUNCTION, true)) {
        const bool ok = number(r, arg, UINT32_MAX, &v);
        f->function = (uint32_t)v;
        return ok;
    }
    if (IS("address", OPT_RANGE, true)) {
        f->by_address = true;
        return number(r, arg, UINT64_MAX, &f->address);
    }
    if (IS("size", OPT_RANGE, true)) {
        return number(r, arg, UINT64_MAX, &f->size);
    }
    if (IS("after", OPT_AFTER, true)) {
        const bool ok = number(r, arg, MS_MAX, &v);
        f->after_ns = v * NS_PER_MS;
        return ok;
    }
    if (IS("at", OPT_AT, true)) {
        const bool ok = one_of(r, arg, xid_points, &w);
        f->point = ok ? (enum fault_point)w : POINT_UP;
        return ok;
    }
    if (IS("channel", OPT_CHANNEL, true) || IS("cause", OPT_CAUSE, true) ||
        IS("errors", OPT_ERRORS, true)) {
        uint32_t *to = word[0] == 'e' ? &f->errors : word[1] == 'h' ? &f->channel : &f->cause;
        const bool ok = number(r, arg, UINT32_MAX, &v);
        *to = (uint32_t)v;
        return ok;
    }
    if (IS("short", OPT_ANSWER, false)) {
        f->cut = true;
        return true;
    }
    if (IS("status", OPT_ANSWER, true)) {
        const bool ok = number(r, arg, UINT32_MAX, &v);
        f->status = (uint32_t)v;
        return ok;
    }
    if (IS("p", OPT_P, true)) {
        return probability(r, arg, &f->chance);
    }
    if (IS("text", OPT_TEXT, true)) { /* the rest, colons and all */
        if (r->next != NULL) {
            r->next[-1] = ':';
        }
        snprintf(f->text, sizeof(f->text), "%s", arg);
        r->next = NULL;
        return true;
    }
#undef IS
    return wrong(r, word, "no option of this fault (--fault help)");
}

/* What only shows when the whole spec is known. */
static bool complete(const struct reader *r, const struct fault *f)
{
    const bool message = f->kind == FAULT_MSG || f->kind == FAULT_COMMAND;
    if (f->kind == FAULT_LINK && (f->n != 0) == (f->after_ns != 0)) {
        return wrong(r, NULL, "when: n=K or after=MS");
    }
    if (f->kind == FAULT_DMA && f->by_address != (f->size != 0)) {
        return wrong(r, NULL, "a range is address=A:size=S");
    }
    if (f->kind == FAULT_CONTROL && (f->status != 0) == f->cut) {
        return wrong(r, NULL, "how: status=V or short");
    }
    if (f->kind == FAULT_RANDOM && f->chance == 0) {
        return wrong(r, NULL, "p=P is missing");
    }
    if ((f->kind == FAULT_READ || message) && f->action == FACT_VALUE &&
        strstr(r->spec, ":value=") == NULL) {
        return wrong(r, NULL, "how: %s",
                     message ? "drop, twice, delay=MS, or offset=O with xor=V or value=V"
                             : "value=V or xor=V");
    }
    return true;
}

static bool argument(const struct reader *r, enum arg arg, char *text, struct fault *f)
{
    static const struct word_value *const lists[] = {
        [ARG_FALCON] = falcons, [ARG_STUCK] = stucks, [ARG_CRASH] = crashes,
        [ARG_ECC] = eccs,       [ARG_BUSY] = busies,  [ARG_RUSD] = rusds};
    uint64_t v = 0;
    uint32_t w = 0;
    if (arg == ARG_NONE) {
        return text == NULL || wrong(r, text, "this fault takes no value");
    }
    if (text == NULL) {
        return arg == ARG_MAYBE || wrong(r, r->copy, "this fault needs a value (--fault help)");
    }
    const bool number_wanted = arg == ARG_NUMBER || arg == ARG_MAYBE;
    const bool ok =
        number_wanted ? number(r, text, UINT32_MAX, &v) : one_of(r, text, lists[arg], &w);
    if (arg == ARG_STUCK || arg == ARG_CRASH) {
        f->point = (enum fault_point)w;
    } else {
        f->value = number_wanted ? (uint32_t)v : w;
    }
    return ok;
}

/* Counted ones strike at the first occurrence unless told. */
static bool counted(enum fault_kind k)
{
    return k == FAULT_READ || k == FAULT_WRITE || k == FAULT_DMA || k == FAULT_MSG ||
           k == FAULT_COMMAND || k == FAULT_FALCON_HANG || k == FAULT_CRASH || k == FAULT_BUSY ||
           k == FAULT_CONTROL || k == FAULT_RUSD;
}

static bool parse(struct reader *r, struct fault *f)
{
    enum { CAUSE_LOAD_PAGE_FAULT = 0xd, NO_CHANNEL = -1 };
    char *word = take(r);
    char *eq = strchr(word, '=');
    if (eq != NULL) {
        *eq = '\0';
    }
    size_t i = 0;
    while (i < ARRAY_SIZE(kinds) && strcmp(kinds[i].name, word) != 0) {
        i++;
    }
    if (i == ARRAY_SIZE(kinds)) {
        return wrong(r, word, "there is no such fault (--fault help lists them)");
    }
    f->kind = kinds[i].kind;
    f->action = f->kind == FAULT_WRITE ? FACT_DROP : FACT_VALUE;
    f->n = counted(f->kind) ? 1 : 0;
    f->point = POINT_UP;
    f->channel = (uint32_t)NO_CHANNEL;
    f->cause = CAUSE_LOAD_PAGE_FAULT;
    f->errors = 1;
    if (!argument(r, kinds[i].arg, eq != NULL ? eq + 1 : NULL, f)) {
        return false;
    }
    if (kinds[i].reg && ((word = take(r)) == NULL || !parse_register(r, word, f))) {
        return word != NULL ? false : wrong(r, NULL, "which register?");
    }
    while ((word = take(r)) != NULL) {
        if (!parse_option(r, f, kinds[i].options, word)) {
            return false;
        }
    }
    if (f->kind == FAULT_DMA && f->by_address && strstr(r->spec, ":n=") == NULL) {
        f->n = 0;
    }
    return complete(r, f);
}

static bool add(struct gpu_model *m, const char *spec, char *err, size_t err_size)
{
    struct fault_state *s = m->faults;
    struct reader r = {.m = m, .spec = spec, .err = err, .err_size = err_size};
    if (s->count == FAULTS_MAX || strlen(spec) >= sizeof(r.copy)) {
        snprintf(err, err_size, "--fault %.40s...: %s", spec,
                 s->count == FAULTS_MAX ? "too many faults" : "too long");
        return false;
    }
    memcpy(r.copy, spec, strlen(spec) + 1);
    r.next = r.copy;
    struct fault *f = &s->fault[s->count];
    *f = (struct fault){0};
    memcpy(f->spec, spec, strlen(spec) + 1);
    if (!parse(&r, f)) {
        return false;
    }
    s->count++;
    return true;
}

static bool create(struct gpu_model *m, const struct model_config *cfg, char *err, size_t err_size)
{
    m->faults->random = cfg->seed;
    for (size_t i = 0; cfg->faults != NULL && cfg->faults[i] != NULL; i++) {
        if (!add(m, cfg->faults[i], err, err_size)) {
            return false;
        }
    }
    return true;
}

/* Messages that are held back are gone with the queue. */
static void reset(struct gpu_model *m, enum model_reset kind)
{
    (void)kind;
    m->faults->hold_until_ns = m->faults->hold_polls = 0;
    m->faults->command = (struct command_fault){0};
}

const struct block faults_block = {
    .name = "faults", BLOCK_STATE(faults), .create = create, .reset = reset};
