/* SPDX-License-Identifier: MIT */
/*
 * Types and accessors for the words of a list of REG, FIELD, VALUE and END (regs.def says what they
 * are). REG_LIST: that list. Included once for each list, so it has no guard.
 */
/* clang-format off: the macros below make halves of declarations */
/* 1: types, offsets, accessors */
#define REG(name, space, offset, stride, count, access, families, doc, src)                        \
    struct name {                                                                                  \
        uint32_t raw;                                                                              \
    };                                                                                             \
    enum { name##__OFFSET = (offset), name##__STRIDE = (stride), name##__COUNT = (count) };
#define FIELD(reg, field, hi, lo, doc)                                                             \
    _Static_assert((hi) >= (lo) && (hi) < 32, #reg "." #field ": bad bit range");                  \
    enum { reg##__##field##_SHIFT = (lo), reg##__##field##_HIGH = (hi) };                          \
    static const uint32_t reg##__##field##_MASK FL_UNUSED = REG_MASK(hi, lo);                      \
    static inline FL_UNUSED uint32_t reg##__##field(struct reg r)                                  \
    {                                                                                              \
        return (r.raw & REG_MASK(hi, lo)) >> (lo);                                                 \
    }                                                                                              \
    static inline FL_UNUSED struct reg reg##__with_##field(struct reg r, uint32_t v)               \
    {                                                                                              \
        const uint32_t max = REG_MASK(hi, lo) >> (lo);                                             \
        if (__builtin_constant_p(v > max) && v > max) {                                            \
            v = reg_value_does_not_fit();                                                          \
        } else if (v > max) {                                                                      \
            v = reg_field_overflow(v, max);                                                        \
        }                                                                                          \
        r.raw = (r.raw & ~REG_MASK(hi, lo)) | (v << (lo));                                         \
        return r;                                                                                  \
    }
#define VALUE(reg, field, vname, value, doc) enum { reg##__##field##_##vname = (value) };
#define END(name)
#include REG_LIST
#undef REG
#undef FIELD
#undef VALUE
#undef END

/* 2: the sum of the masks equals all ones ... */
#define REG(name, ...) _Static_assert((uint64_t)0
#define FIELD(reg, field, hi, lo, doc) +(uint64_t)REG_MASK(hi, lo)
#define VALUE(...)
#define END(name) == 0xffffffffull, #name ": fields overlap, or bits are not listed");
#include REG_LIST
#undef REG
#undef FIELD
#undef VALUE
#undef END

/* ... and so does their union: together, each bit is in exactly one field. */
#define REG(name, ...) _Static_assert(((uint32_t)0
#define FIELD(reg, field, hi, lo, doc) | REG_MASK(hi, lo)
#define VALUE(...)
#define END(name) ) == 0xffffffffu, #name ": bits are not listed");
#include REG_LIST
#undef REG
#undef FIELD
#undef VALUE
#undef END

/* clang-format on */
#undef REG_LIST
