/* SPDX-License-Identifier: MIT */
/* Registers by name, for people (gsp.h): the list, a look-up, and single accesses. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gsp/gpu.h"
#include "gsp/hw/regs/regs.h"
#include "gsp/hw/window.h"

#define NAME_MAX_BYTES 64u /* no register has a longer one */
#define NEAREST        3u  /* names that are offered instead of one that is not there */

/* ---- the list ---- */

size_t gsp_reg_count(void) { return reg_list_count; }

bool gsp_reg_describe(size_t i, struct gsp_reg_info *out)
{
    if (i >= reg_list_count) {
        return false;
    }
    const struct reg_info *r = &reg_list[i];
    *out = (struct gsp_reg_info){
        .name = r->name,
        .doc = r->doc,
        .source = r->source,
        .space = r->space == REG_SPACE_FALCON   ? GSP_REG_FALCON
                 : r->space == REG_SPACE_MIRROR ? GSP_REG_MIRROR
                                                : GSP_REG_BAR0,
        .offset = r->offset,
        .count = r->count,
        .stride = r->stride,
        .readable = r->access != REG_ACC_WO,
        .writable = r->access != REG_ACC_RO,
        .field_count = r->field_count,
    };
    return true;
}

bool gsp_reg_field(size_t i, uint32_t k, struct gsp_reg_field *out)
{
    if (i >= reg_list_count || k >= reg_list[i].field_count) {
        return false;
    }
    const struct reg_field_info *f = &reg_fields[reg_list[i].first_field + k];
    *out = (struct gsp_reg_field){.name = f->name, .doc = f->doc, .hi = f->high, .lo = f->low};
    return true;
}

bool gsp_reg_present(const struct gsp_gpu *g, size_t i)
{
    return i < reg_list_count && (reg_list[i].families & g->hw.rec.family) != 0;
}

/* ---- looking one up ---- */

/* What was asked for, taken apart: NAME, NAME(3), NAME@sec2, NAME(3)@sec2. */
struct asked {
    char name[NAME_MAX_BYTES];
    bool indexed;
    uint32_t index;
    uint32_t base; /* of the engine; 0: none was named */
};

/* A number as people write it, and nothing behind it. */
static bool number(const char *text, uint64_t *out)
{
    char *end;

    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    *out = strtoull(text, &end, 0);
    return *end == '\0';
}

static bool engine(const char *text, uint32_t *base)
{
    const bool gsp = strcmp(text, "gsp") == 0, sec2 = strcmp(text, "sec2") == 0;

    *base = sec2 ? NV_PSEC_BASE : NV_PGSP_BASE;
    return gsp || sec2;
}

static bool take_apart(const char *text, struct asked *a)
{
    char copy[NAME_MAX_BYTES + 32];
    uint64_t index = 0;

    *a = (struct asked){.indexed = false};
    if (strlen(text) >= sizeof(copy)) {
        return false;
    }
    strcpy(copy, text);
    char *at = strchr(copy, '@'), *paren = strchr(copy, '(');
    if (at != NULL) {
        *at = '\0';
        if (!engine(at + 1, &a->base)) {
            return false;
        }
    }
    if (paren != NULL && (at == NULL || paren < at)) {
        char *close = strchr(paren, ')');
        if (close == NULL || close[1] != '\0') {
            return false;
        }
        *close = *paren = '\0';
        if (!number(paren + 1, &index) || index > UINT32_MAX) {
            return false;
        }
        a->indexed = true;
        a->index = (uint32_t)index;
    }
    if (strlen(copy) >= sizeof(a->name)) {
        return false;
    }
    strcpy(a->name, copy);
    return true;
}

/* How many letters must be changed, added or left out between the two: Levenshtein's distance. */
static unsigned distance(const char *a, const char *b)
{
    uint8_t row[NAME_MAX_BYTES + 1];
    const size_t n = strlen(b);

    for (size_t k = 0; k <= n; k++) {
        row[k] = (uint8_t)k;
    }
    for (size_t i = 0; a[i] != '\0'; i++) {
        uint8_t diagonal = row[0];
        row[0] = (uint8_t)(i + 1);
        for (size_t k = 0; k < n; k++) {
            const uint8_t change = (uint8_t)(diagonal + (a[i] != b[k]));
            const uint8_t one = (uint8_t)((row[k] < row[k + 1] ? row[k] : row[k + 1]) + 1);
            diagonal = row[k + 1];
            row[k + 1] = change < one ? change : one;
        }
    }
    return row[n];
}

/* The names of this chip that are the nearest, in words. */
static void nearest(const struct gsp_gpu *g, const char *name, char *out, size_t size)
{
    size_t best[NEAREST];
    unsigned far[NEAREST], count = 0;

    for (size_t i = 0; i < reg_list_count; i++) {
        if (!gsp_reg_present(g, i)) {
            continue;
        }
        const unsigned d = distance(name, reg_list[i].name);
        unsigned at = count;
        while (at > 0 && d < far[at - 1]) {
            at--;
        }
        if (at == NEAREST) {
            continue;
        }
        count += count < NEAREST;
        for (unsigned k = count - 1; k > at; k--) {
            best[k] = best[k - 1];
            far[k] = far[k - 1];
        }
        best[at] = i;
        far[at] = d;
    }
    size_t used = (size_t)snprintf(out, size, "nearest:");
    for (unsigned i = 0; i < count && used < size; i++) {
        used += (size_t)snprintf(out + used, size - used, "%s %s", i > 0 ? "," : "",
                                 reg_list[best[i]].name);
    }
}

/* What came from outside, fit to be shown. */
static void printable(const char *text, char *out, size_t size)
{
    size_t n = 0;

    for (; text[n] != '\0' && n < size - 1; n++) {
        out[n] = text[n];
        if (text[n] < ' ' || text[n] > '~') {
            out[n] = '?';
        }
    }
    out[n] = '\0';
}

static enum fl_err not_there(const struct gsp_gpu *g, const char *text, const char *name,
                             bool elsewhere, struct fl_fail *fail)
{
    char shown[NAME_MAX_BYTES], hint[FL_FAIL_HINT];

    printable(text, shown, sizeof(shown));
    nearest(g, name, hint, sizeof(hint));
    return FL_FAIL_MORE(fail, FL_ENOENT, "register", (.hint = hint),
                        "there is no register '%s'%s%s", shown, elsewhere ? " on " : "",
                        elsewhere && g->hw.chip != NULL ? g->hw.chip->name : "");
}

static enum fl_err check_offset(const struct gsp_gpu *g, uint64_t offset, struct fl_fail *fail)
{
    if (offset % 4 == 0 && offset < g->hw.io.size) {
        return FL_OK;
    }
    return FL_FAIL(fail, FL_EINVAL, "register",
                   "offset 0x%llx; expected a multiple of 4 below 0x%llx, the size of BAR0",
                   (unsigned long long)offset, (unsigned long long)g->hw.io.size);
}

static enum fl_err place(const struct gsp_gpu *g, const struct asked *a, size_t i, uint32_t *offset,
                         struct fl_fail *fail)
{
    const struct reg_info *r = &reg_list[i];
    uint32_t base = 0;

    if (r->count > 1 && !a->indexed) {
        return FL_FAIL(fail, FL_EINVAL, r->name, "%s is an array: %s(0) to %s(%u)", r->name,
                       r->name, r->name, (unsigned)r->count - 1);
    }
    if (a->index >= r->count) {
        return FL_FAIL(fail, FL_EINVAL, r->name, "%s has %u element%s, not one of number %u",
                       r->name, (unsigned)r->count, r->count == 1 ? "" : "s", (unsigned)a->index);
    }
    if (a->base != 0 && r->space != REG_SPACE_FALCON) {
        return FL_FAIL(fail, FL_EINVAL, r->name, "%s belongs to no falcon", r->name);
    }
    if (r->space == REG_SPACE_FALCON) {
        base = a->base != 0 ? a->base : NV_PGSP_BASE;
    } else if (r->space == REG_SPACE_MIRROR) {
        if (g->hw.family == NULL) {
            return FL_FAIL(fail, FL_ESTATE, r->name,
                           "where %s is depends on the chip, which is not known yet", r->name);
        }
        base = g->hw.family->pci_mirror_base;
    }
    *offset = base + r->offset + a->index * r->stride;
    return FL_OK; /* the list ends below 16 MiB, which every BAR0 has (gsp_create) */
}

enum fl_err gsp_reg_find(struct gsp_gpu *g, const char *name, uint32_t *offset, size_t *index,
                         struct fl_fail *fail)
{
    struct asked a;
    uint64_t v;
    bool elsewhere = false;

    *index = SIZE_MAX;
    if (number(name, &v)) {
        const enum fl_err err = check_offset(g, v, fail);
        uint32_t at, base;
        const struct reg_info *r =
            err == FL_OK ? reg_find((uint32_t)v, g->hw.rec.family, &at, &base) : NULL;
        *offset = (uint32_t)v;
        *index = r != NULL ? (size_t)(r - reg_list) : SIZE_MAX;
        return err;
    }
    if (!take_apart(name, &a)) {
        return not_there(g, name, "", false, fail);
    }
    for (size_t i = 0; i < reg_list_count; i++) {
        if (strcmp(reg_list[i].name, a.name) != 0) {
            continue;
        }
        if (gsp_reg_present(g, i)) {
            *index = i;
            return place(g, &a, i, offset, fail);
        }
        elsewhere = true;
    }
    return not_there(g, name, a.name, elsewhere, fail);
}

/* ---- accesses ---- */

static bool of_the_gsp(uint32_t offset)
{
    return offset >= NV_PGSP_BASE && offset - NV_PGSP_BASE < NV_FALCON_SPAN;
}

static enum fl_err check_access(const struct gsp_gpu *g, uint32_t offset, struct fl_fail *fail)
{
    const enum fl_err err = check_offset(g, offset, fail);

    if (err != FL_OK) {
        return err;
    }
    if (g->ending || g->boots == 0 || g->state == GSP_SUSPENDED) {
        return FL_FAIL(fail, FL_ESTATE, "register", "no registers now: the GPU %s",
                       g->ending       ? "is being destroyed"
                       : g->boots == 0 ? "has not been looked at yet"
                                       : "is suspended");
    }
    if (g->hw.in_reset || (g->ev.lockdown && of_the_gsp(offset))) {
        return FL_FAIL(fail, FL_EBUSY, "register", "no registers now: %s",
                       g->hw.in_reset ? "the card is in a reset"
                                      : "the GSP wants its own left alone (lockdown)");
    }
    return FL_OK;
}

/* What an access needs around it. Where nobody works with the GPU a lost link is looked at anew,
 * and is no failure of an operation. */
struct by_hand {
    const char *stage;
    struct fl_fail *fail;
};

static struct by_hand begin(struct gsp_gpu *g, struct fl_fail *fail)
{
    const struct by_hand was = {.stage = g->hw.rec.stage, .fail = g->hw.io.fail};

    g->hw.rec.stage = "by hand";
    if (!g->busy && g->state != GSP_READY) {
        gsp_io_begin(&g->hw.io, fail);
    }
    return was;
}

static enum fl_err end(struct gsp_gpu *g, struct by_hand was, struct fl_fail *fail)
{
    g->hw.rec.stage = was.stage;
    g->hw.io.fail = was.fail;
    return g->hw.io.lost ? FL_FAIL(fail, FL_ELINKLOST, "NV_PMC_BOOT_0",
                                   "link lost: the device no longer answers")
                         : FL_OK;
}

enum fl_err gsp_reg_read(struct gsp_gpu *g, uint32_t offset, uint32_t *value, struct fl_fail *fail)
{
    const enum fl_err err = check_access(g, offset, fail);

    if (err != FL_OK) {
        return err;
    }
    const struct by_hand was = begin(g, fail);
    *value = gsp_io_read(&g->hw.io, offset);
    return end(g, was, fail);
}

_Static_assert(GSP_ROM_BYTES == NV_PROM_SIZE, "gsp.h: GSP_ROM_BYTES");

enum fl_err gsp_rom_read(struct gsp_gpu *g, uint32_t offset, void *buf, uint32_t size,
                         struct fl_fail *fail)
{
    if (((offset | size) & 3) != 0 || !range_ok(offset, size, GSP_ROM_BYTES)) {
        return FL_FAIL(fail, FL_EINVAL, "PROM", "0x%x bytes at 0x%x are not in the ROM's window",
                       (unsigned)size, (unsigned)offset);
    }
    enum fl_err err = check_access(g, NV_PROM_BASE + offset, fail);
    if (err != FL_OK) {
        return err;
    }
    const struct by_hand was = begin(g, fail);
    for (uint32_t i = 0; i < size; i += sizeof(uint32_t)) {
        put_le32((uint8_t *)buf + i, gsp_io_read_bulk(&g->hw.io, NV_PROM_BASE + offset + i));
    }
    err = gsp_io_ping(&g->hw.io); /* all-ones are no sign of a lost link here */
    return FL_THEN(end(g, was, fail), err);
}

enum fl_err gsp_reg_write(struct gsp_gpu *g, uint32_t offset, uint32_t value, struct fl_fail *fail)
{
    const enum fl_err err = check_access(g, offset, fail);

    if (err != FL_OK) {
        return err;
    }
    const struct by_hand was = begin(g, fail);
    gsp_io_write(&g->hw.io, offset, value);
    gsp_window_written(&g->hw, offset, value);
    return end(g, was, fail);
}
