/* SPDX-License-Identifier: MIT */
/*
 * Typed registers, made from the one list (regs.def). For `REG(R, ...)` with `FIELD(R, F, hi, lo)`:
 *
 *   struct R { uint32_t raw; }           each register has its own type
 *   R__OFFSET, R__STRIDE, R__COUNT       where it is
 *   R__F(v)                              value of a field
 *   R__with_F(v, x)                      v with the field set to x; a constant x that does not fit
 *                                        does not compile (-O1 and above)
 *   R__F_MASK, R__F_NAME                 mask in place; named values
 *
 * The compiler checks that fields do not overlap, that no bit is hidden and that high >= low.
 */
#pragma once

#include "arch/text.h"
#include "gsp/hw/regs/field.h"

enum chip_family {
    F_TU = 1 << 0,
    F_GA100 = 1 << 1,
    F_GA10X = 1 << 2,
    F_AD10X = 1 << 3,
    F_GH100 = 1 << 4,
    F_GB10X = 1 << 5,
    F_GB20X = 1 << 6,
    F_FSP = F_GH100 | F_GB10X | F_GB20X,
    F_FALCON_BOOT = F_TU | F_GA100 | F_GA10X | F_AD10X,
    F_ALL = F_FSP | F_FALCON_BOOT,
};

enum reg_space { REG_SPACE_BAR0, REG_SPACE_FALCON, REG_SPACE_MIRROR };
enum reg_access { REG_ACC_RO, REG_ACC_RW, REG_ACC_WO, REG_ACC_W1C, REG_ACC_W1S };

#define REG_LIST "gsp/hw/regs/regs.def"
#include "gsp/hw/regs/typed.h"

/* The list as data, for logs, the flight recorder, the model and the documentation. */
struct reg_field_info {
    const char *name;
    const char *doc;
    uint8_t high, low;
};
struct reg_info {
    const char *name;
    const char *doc;
    const char *source;
    uint32_t offset, stride, count;
    uint32_t families;
    enum reg_space space;
    enum reg_access access;
    uint16_t first_field, field_count; /* in reg_fields */
};
extern const struct reg_info reg_list[];
extern const size_t reg_list_count;
extern const struct reg_field_info reg_fields[];

/* The register at a BAR0 offset for a family; *index gets the array index, *base the engine base
 * for FALCON registers (GSP, SEC2), else 0. Single registers win over arrays. NULL: not declared.
 */
const struct reg_info *reg_find(uint32_t bar0_offset, uint32_t family, uint32_t *index,
                                uint32_t *base);
/* Name for people: "NV_PFALCON_FALCON_CPUCTL@gsp", "NV_PBUS_SW_SCRATCH(14)"; when not declared
 * "PROM+0x01234", "PRAMIN+0x01234" or the offset in hex. reg_name returns the length written,
 * < size. */
void reg_add_name(struct text *t, uint32_t bar0_offset, uint32_t family);
size_t reg_name(uint32_t bar0_offset, uint32_t family, char *buf, size_t size);
/* "0x00000010 HALTED=1 ..." with the fields that are not 0 (rsvd ones only when set); a named value
 * follows its number: "TARGET=1(COHERENT_SYSMEM)". reg_decode returns the length written, < size.
 */
void reg_add_value(struct text *t, uint32_t bar0_offset, uint32_t family, uint32_t value);
size_t reg_decode(uint32_t bar0_offset, uint32_t family, uint32_t value, char *buf, size_t size);

/* Falcon engine bases in BAR0. Source: nova nouv OG. */
enum { NV_PGSP_BASE = 0x110000, NV_PSEC_BASE = 0x840000, NV_FALCON_SPAN = 0x4000 };
enum { NV_PROM_BASE = 0x300000, NV_PROM_SIZE = 0x100000 };
enum { NV_PRAMIN_BASE = 0x700000, NV_PRAMIN_SIZE = 0x100000 };
