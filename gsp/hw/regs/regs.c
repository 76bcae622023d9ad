/* SPDX-License-Identifier: MIT */
/*
 * The register list as data: look-up by BAR0 offset, names and decoded values for logs, the flight
 * recorder and the model's trace. Everything comes from regs.def by including it again with other
 * meanings of its macros.
 */
#include "gsp/hw/regs/regs.h"

/* Indexes into reg_fields. The `_back` enumerators undo the step that the marker itself took. */
enum reg_field_index {
#define REG(name, ...)         regix_##name##_first, regix_##name##_first_back = regix_##name##_first - 1,
#define FIELD(reg, field, ...) regix_##reg##_f_##field,
#define VALUE(...)
#define END(name) regix_##name##_stop, regix_##name##_stop_back = regix_##name##_stop - 1,
#include "gsp/hw/regs/regs.def"
#undef REG
#undef FIELD
#undef VALUE
#undef END
};

const struct reg_field_info reg_fields[] = {
#define REG(...)
#define FIELD(reg, field, hi, lo, text) {.name = #field, .doc = text, .high = (hi), .low = (lo)},
#define VALUE(...)
#define END(name)
#include "gsp/hw/regs/regs.def"
#undef REG
#undef FIELD
#undef VALUE
#undef END
};

#define REG_SPACE_OF(s) REG_SPACE_##s
#define REG_ACC_OF(a)   REG_ACC_##a
const struct reg_info reg_list[] = {
#define REG(n, space_, offset_, stride_, count_, access_, families_, text, src)                    \
    {                                                                                              \
        .name = #n,                                                                                \
        .doc = text,                                                                               \
        .source = src,                                                                             \
        .offset = (offset_),                                                                       \
        .stride = (stride_),                                                                       \
        .count = (count_),                                                                         \
        .families = (uint32_t)(families_),                                                         \
        .space = REG_SPACE_OF(space_),                                                             \
        .access = REG_ACC_OF(access_),                                                             \
        .first_field = regix_##n##_first,                                                          \
        .field_count = regix_##n##_stop - regix_##n##_first,                                       \
    },
#define FIELD(...)
#define VALUE(...)
#define END(name)
#include "gsp/hw/regs/regs.def"
#undef REG
#undef FIELD
#undef VALUE
#undef END
};
const size_t reg_list_count = ARRAY_SIZE(reg_list);

/* Named values, for decoding. */
struct reg_value_info {
    uint16_t field; /* in reg_fields */
    uint32_t value;
    const char *name;
};
static const struct reg_value_info reg_values[] = {
#define REG(...)
#define FIELD(...)
#define VALUE(reg, f, vname, v, doc) {.field = regix_##reg##_f_##f, .value = (v), .name = #vname},
#define END(name)
#include "gsp/hw/regs/regs.def"
#undef REG
#undef FIELD
#undef VALUE
#undef END
};

/* Values that did not fit their field at run time: always a bug of ours, shown in reports. */
static struct {
    uint32_t overflows;
} regs_state;

uint32_t reg_field_overflow(uint32_t value, uint32_t max)
{
    regs_state.overflows++;
    return value & max;
}

uint32_t reg_overflows(void) { return regs_state.overflows; }

/* BAR0 windows onto other spaces. Source of the mirror bases: nouveau pci/gp100.c, pci/gh100.c. */
enum { MIRROR_BASE = 0x088000, MIRROR_BASE_FSP = 0x092000, MIRROR_SPAN = 0x1000 };

static bool in_window(uint32_t offset, uint32_t base, uint32_t span)
{
    return offset >= base && offset - base < span;
}

/* Which space an offset belongs to besides BAR0 itself; REG_SPACE_BAR0 when none. */
static enum reg_space window_of(uint32_t offset, uint32_t family, uint32_t *base)
{
    static const uint32_t engines[] = {NV_PGSP_BASE, NV_PSEC_BASE};
    for (size_t i = 0; i < ARRAY_SIZE(engines); i++) {
        if (in_window(offset, engines[i], NV_FALCON_SPAN)) {
            *base = engines[i];
            return REG_SPACE_FALCON;
        }
    }
    uint32_t mirror = (family & F_FSP) != 0 ? MIRROR_BASE_FSP : MIRROR_BASE;
    if (in_window(offset, mirror, MIRROR_SPAN)) {
        *base = mirror;
        return REG_SPACE_MIRROR;
    }
    *base = 0;
    return REG_SPACE_BAR0;
}

static bool covers(const struct reg_info *r, uint32_t offset, uint32_t *index)
{
    if (offset < r->offset) {
        return false;
    }
    uint32_t delta = offset - r->offset;
    if (r->stride == 0) {
        *index = 0;
        return delta == 0;
    }
    *index = delta / r->stride;
    return delta % r->stride == 0 && *index < r->count;
}

const struct reg_info *reg_find(uint32_t bar0_offset, uint32_t family, uint32_t *index,
                                uint32_t *base)
{
    uint32_t window_base = 0;
    enum reg_space window = window_of(bar0_offset, family, &window_base);
    const struct reg_info *best = NULL;
    for (size_t i = 0; i < reg_list_count; i++) {
        const struct reg_info *r = &reg_list[i];
        uint32_t at = 0;
        uint32_t from = r->space == REG_SPACE_BAR0 ? 0 : window_base;
        if ((r->families & family) == 0 || (r->space != REG_SPACE_BAR0 && r->space != window) ||
            !covers(r, bar0_offset - from, &at)) {
            continue;
        }
        if (best == NULL || r->stride == 0) {
            best = r;
            *index = at;
            *base = from;
        }
        if (r->stride == 0) {
            break;
        }
    }
    return best;
}

void reg_add_name(struct text *t, uint32_t bar0_offset, uint32_t family)
{
    uint32_t index = 0;
    uint32_t base = 0;
    const struct reg_info *r = reg_find(bar0_offset, family, &index, &base);
    if (r == NULL) {
        if (in_window(bar0_offset, NV_PROM_BASE, NV_PROM_SIZE)) {
            text_fmt(t, "PROM+0x%05x", (unsigned)(bar0_offset - NV_PROM_BASE));
        } else if (in_window(bar0_offset, NV_PRAMIN_BASE, NV_PRAMIN_SIZE)) {
            text_fmt(t, "PRAMIN+0x%05x", (unsigned)(bar0_offset - NV_PRAMIN_BASE));
        } else {
            text_fmt(t, "0x%06x", (unsigned)bar0_offset);
        }
        return;
    }
    text_str(t, r->name);
    if (r->stride != 0) {
        text_fmt(t, "(%u)", (unsigned)index);
    }
    text_str(t, base == NV_PGSP_BASE ? "@gsp" : base == NV_PSEC_BASE ? "@sec2" : "");
}

size_t reg_name(uint32_t bar0_offset, uint32_t family, char *buf, size_t size)
{
    struct text t = text_on(buf, size);
    reg_add_name(&t, bar0_offset, family);
    return t.used;
}

static const char *value_name(uint16_t field, uint32_t value)
{
    for (size_t i = 0; i < ARRAY_SIZE(reg_values); i++) {
        if (reg_values[i].field == field && reg_values[i].value == value) {
            return reg_values[i].name;
        }
    }
    return NULL;
}

void reg_add_value(struct text *t, uint32_t bar0_offset, uint32_t family, uint32_t value)
{
    uint32_t index = 0;
    uint32_t base = 0;
    const struct reg_info *r = reg_find(bar0_offset, family, &index, &base);
    text_fmt(t, "0x%08x", (unsigned)value);
    /* One field over all bits says nothing that the number did not. */
    if (r == NULL || r->field_count == 1) {
        return;
    }
    for (uint16_t i = 0; i < r->field_count && !t->cut; i++) {
        uint16_t f = (uint16_t)(r->first_field + i);
        const struct reg_field_info *info = &reg_fields[f];
        uint32_t v = (value & REG_MASK(info->high, info->low)) >> info->low;
        if (v == 0) {
            continue;
        }
        const char *name = value_name(f, v);
        /* Small numbers read best in decimal, masks and addresses in hex. */
        text_fmt(t, v < 10 ? " %s=%u" : " %s=0x%x", info->name, (unsigned)v);
        if (name != NULL) {
            text_fmt(t, "(%s)", name);
        }
    }
}

size_t reg_decode(uint32_t bar0_offset, uint32_t family, uint32_t value, char *buf, size_t size)
{
    struct text t = text_on(buf, size);
    reg_add_value(&t, bar0_offset, family, value);
    return t.used;
}
