/* SPDX-License-Identifier: MIT */
/* Faults that meet something: an access, a transfer, a message, the start of a program. */
#include "tests/model/books/fault.h"

#include <stdarg.h>
#include <string.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/books/trace.h"
#include "tests/model/bus/work.h"
#include "tests/model/gpu.h"
#include "tests/model/model.h"

#define NS_PER_MS 1000000ull

const struct fault *model_fault_get(const struct gpu_model *m, enum fault_kind kind)
{
    for (uint32_t i = 0; i < m->faults->count; i++) {
        if (m->faults->fault[i].kind == kind) {
            return &m->faults->fault[i];
        }
    }
    return NULL;
}

void model_fault_note(struct gpu_model *m, const char *fmt, ...)
{
    struct fault_state *s = m->faults;
    char words[FAULT_NOTE_BYTES];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(words, sizeof(words), fmt, ap);
    va_end(ap);
    model_trace_text(m, "fault: %s", words);
    if (s->struck < FAULT_NOTES_MAX) {
        memcpy(s->note[s->struck], words, sizeof(words));
    }
    s->struck++;
}

/* Counts one occurrence; true when the fault is due. */
static bool hit(struct fault *f) { return ++f->count == f->n || f->n == 0; }

/* ---- chance ---- */

/* splitmix64: every seed is a good one. */
static uint64_t draw(struct gpu_model *m)
{
    uint64_t z = m->faults->random += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* Whether chance strikes now; *what: what it does. */
static bool chance(struct gpu_model *m, uint32_t *what)
{
    const struct fault *f = model_fault_get(m, FAULT_RANDOM);
    if (f == NULL) {
        return false;
    }
    const uint64_t v = draw(m);
    *what = (uint32_t)(v >> 32);
    return (uint32_t)v % FAULT_CHANCE < f->chance;
}

/* ---- accesses ---- */

static bool in_prom(uint32_t off) { return off - NV_PROM_BASE < NV_PROM_SIZE; }

static bool meant(const struct fault *f, uint32_t off)
{
    return f->any_register ? !f->skip_prom || !in_prom(off) : f->off == off;
}

bool model_fault_access(struct gpu_model *m)
{
    struct fault_state *s = m->faults;
    if (s->hold_polls != 0 && --s->hold_polls == 0) {
        model_schedule(m, WORK_GSP_TX, 0);
    }
    for (uint32_t i = 0; i < s->count; i++) {
        struct fault *f = &s->fault[i];
        if (f->kind == FAULT_LINK && f->n != 0 && !f->skip_prom && ++f->count == f->n) {
            model_fault_note(m, "%s", f->spec);
            return true;
        }
    }
    return false;
}

static uint32_t random_read(struct gpu_model *m, uint32_t value, uint32_t what)
{
    static const uint32_t values[] = {0xffffffff, 0, 0xbadf1100};
    const uint32_t v =
        what % 4 < ARRAY_SIZE(values) ? values[what % 4] : value ^ 1u << what / 4 % 32;
    model_fault_note(m, "read:*:n=%llu:value=0x%x", (unsigned long long)m->faults->reads, v);
    return v;
}

uint32_t model_fault_read(struct gpu_model *m, uint32_t off, uint32_t value)
{
    struct fault_state *s = m->faults;
    uint32_t what;
    s->reads++;
    for (uint32_t i = 0; i < s->count; i++) {
        struct fault *f = &s->fault[i];
        if (f->kind == FAULT_LINK && f->skip_prom && !in_prom(off) && ++f->count == f->n) {
            model_fault_note(m, "%s", f->spec);
            model_unplug(m);
            return UINT32_MAX;
        }
        if (f->kind == FAULT_READ && meant(f, off) && hit(f)) {
            value = f->action == FACT_XOR ? value ^ f->value : f->value;
            if (f->n != 0) { /* one for every read would be too many */
                model_fault_note(m, "%s", f->spec);
            }
        }
    }
    return chance(m, &what) ? random_read(m, value, what) : value;
}

bool model_fault_write(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    struct fault_state *s = m->faults;
    uint32_t what;
    s->writes++;
    for (uint32_t i = 0; i < s->count; i++) {
        struct fault *f = &s->fault[i];
        if (f->kind != FAULT_WRITE || !meant(f, off) || !hit(f)) {
            continue;
        }
        if (f->n != 0) {
            model_fault_note(m, "%s", f->spec);
        }
        if (f->action == FACT_DROP) {
            return false;
        }
        *value = f->action == FACT_XOR ? *value ^ f->value : f->value;
    }
    if (!chance(m, &what)) {
        return true;
    }
    if (what % 2 == 0) {
        model_fault_note(m, "write:*:n=%llu", (unsigned long long)s->writes);
        return false;
    }
    const uint32_t bit = 1u << what / 2 % 32;
    model_fault_note(m, "write:*:n=%llu:xor=0x%x", (unsigned long long)s->writes, bit);
    *value ^= bit;
    return true;
}

bool model_fault_dma(struct gpu_model *m, uint64_t addr, size_t len)
{
    struct fault_state *s = m->faults;
    bool refused = false;
    uint32_t what;
    s->dmas++;
    for (uint32_t i = 0; i < s->count; i++) {
        struct fault *f = &s->fault[i];
        const bool touches =
            !f->by_address || (addr < f->address + f->size && f->address < addr + len);
        if (f->kind == FAULT_DMA && touches && hit(f)) {
            model_fault_note(m, "%s", f->spec);
            refused = true;
        }
    }
    if (!refused && chance(m, &what)) {
        model_fault_note(m, "dma:n=%llu", (unsigned long long)s->dmas);
        refused = true;
    }
    s->dma_refused |= refused;
    return refused;
}

/* One that counts how often something begins, of what its value says. */
static bool begins(struct gpu_model *m, enum fault_kind kind, uint32_t value)
{
    for (uint32_t i = 0; i < m->faults->count; i++) {
        struct fault *f = &m->faults->fault[i];
        if (f->kind == kind && f->value == value && hit(f)) {
            model_fault_note(m, "%s", f->spec);
            return true;
        }
    }
    return false;
}

bool model_fault_falcon_hangs(struct gpu_model *m, bool sec2)
{
    return begins(m, FAULT_FALCON_HANG, sec2);
}

bool model_fault_never_done(struct gpu_model *m, enum fault_busy what)
{
    return begins(m, FAULT_BUSY, what);
}

/* ---- messages ---- */

static void change(uint8_t *msg, size_t len, uint32_t off, uint32_t value, bool flip)
{
    if (range_ok(off, 4, len)) {
        put_le32(msg + off, flip ? get_le32(msg + off) ^ value : value);
    }
}

/* What chance does to a message; a fault as if it had been asked for. */
static bool random_message(struct gpu_model *m, const char *which, uint64_t number, size_t len,
                           struct fault *out)
{
    enum { DELAY_MS = 50 };
    uint32_t what;
    if (!chance(m, &what)) {
        return false;
    }
    *out = (struct fault){.action = FACT_DROP};
    const char *const how[] = {"drop", "twice", "delay=50"};
    switch (what % 4) {
    case 0:
        break;
    case 1:
        out->action = FACT_DUP;
        break;
    case 2:
        out->action = FACT_DELAY;
        out->value = DELAY_MS;
        break;
    default:
        out->action = FACT_XOR;
        out->off = what / 4 % (uint32_t)(len / 4) * 4;
        out->value = 1u << what % 32;
        model_fault_note(m, "%s:n=%llu:offset=%u:xor=0x%x", which, (unsigned long long)number,
                         out->off, out->value);
        return true;
    }
    model_fault_note(m, "%s:n=%llu:%s", which, (unsigned long long)number, how[what % 4]);
    return true;
}

bool model_fault_message(struct gpu_model *m, uint32_t function, uint8_t *msg, size_t len,
                         bool *twice)
{
    struct fault_state *s = m->faults;
    struct fault by_chance;
    s->messages++;
    const bool random = random_message(m, "message", s->messages, len, &by_chance);
    for (uint32_t i = 0; i < s->count + random; i++) {
        struct fault *f = i < s->count ? &s->fault[i] : &by_chance;
        if (i < s->count) {
            if (f->kind != FAULT_MSG || (f->function != 0 && f->function != function) || !hit(f)) {
                continue;
            }
            model_fault_note(m, "%s", f->spec);
        }
        switch (f->action) {
        case FACT_DROP:
            return false;
        case FACT_DUP:
            *twice = true;
            break;
        case FACT_DELAY:
            s->hold_until_ns = model_now(m) + f->value * NS_PER_MS;
            break;
        case FACT_POLLS:
            s->hold_polls = f->value;
            break;
        case FACT_VALUE:
        case FACT_XOR:
            change(msg, len, f->off, f->value, f->action == FACT_XOR);
            break;
        }
    }
    return true;
}

bool model_fault_holds(struct gpu_model *m, uint64_t *ns)
{
    struct fault_state *s = m->faults;
    const uint64_t now = model_now(m);
    *ns = s->hold_polls != 0 ? UINT64_MAX : s->hold_until_ns > now ? s->hold_until_ns - now : 0;
    return *ns != 0;
}

uint64_t model_fault_command_delay(struct gpu_model *m, uint32_t function, size_t len)
{
    struct fault_state *s = m->faults;
    struct command_fault *c = &s->command;
    struct fault by_chance;
    if (c->judged) {
        return 0;
    }
    *c = (struct command_fault){.judged = true};
    s->commands++;
    uint64_t delay_ns = 0;
    const bool random = random_message(m, "command", s->commands, len, &by_chance);
    for (uint32_t i = 0; i < s->count + random; i++) {
        struct fault *f = i < s->count ? &s->fault[i] : &by_chance;
        if (i < s->count) {
            if (f->kind != FAULT_COMMAND || (f->function != 0 && f->function != function) ||
                !hit(f)) {
                continue;
            }
            model_fault_note(m, "%s", f->spec);
        }
        switch (f->action) {
        case FACT_DROP:
            c->drop = true;
            break;
        case FACT_DUP:
            c->twice = true;
            break;
        case FACT_DELAY:
            delay_ns = f->value * NS_PER_MS;
            break;
        case FACT_VALUE:
        case FACT_XOR:
            c->changed = true;
            c->flip = f->action == FACT_XOR;
            c->off = f->off;
            c->value = f->value;
            break;
        case FACT_POLLS:
            break;
        }
    }
    return delay_ns;
}

bool model_fault_command(struct gpu_model *m, uint8_t *msg, size_t len, bool *twice)
{
    const struct command_fault c = m->faults->command;
    m->faults->command = (struct command_fault){0};
    if (c.changed) {
        change(msg, len, c.off, c.value, c.flip);
    }
    *twice = c.twice;
    return !c.drop;
}

/* ---- controls and sensors ---- */

const struct fault *model_fault_control(struct gpu_model *m, uint32_t cmd)
{
    for (uint32_t i = 0; i < m->faults->count; i++) {
        struct fault *f = &m->faults->fault[i];
        if (f->kind == FAULT_CONTROL && f->value == cmd && hit(f)) {
            model_fault_note(m, "%s", f->spec);
            return f;
        }
    }
    return NULL;
}

void model_fault_rusd_round(struct gpu_model *m)
{
    for (uint32_t i = 0; i < m->faults->count; i++) {
        struct fault *f = &m->faults->fault[i];
        if (f->kind == FAULT_RUSD && ++f->count == f->n) {
            model_fault_note(m, "%s", f->spec);
        }
    }
}

bool model_fault_rusd(const struct gpu_model *m, enum fault_rusd how)
{
    for (uint32_t i = 0; i < m->faults->count; i++) {
        const struct fault *f = &m->faults->fault[i];
        const bool by_rounds = how != RUSD_REFUSED && how != RUSD_LATE;
        if (f->kind == FAULT_RUSD && f->value == how && (!by_rounds || f->count >= f->n)) {
            return true;
        }
    }
    return false;
}
