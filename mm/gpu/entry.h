/* SPDX-License-Identifier: MIT */
/*
 * Page-table entries as typed words of 64 bits, made from one list (pte.def). For `ENTRY(E, ...)`
 * with `FIELD(E, F, hi, lo, ...)` or `VIEW(E, F, hi, lo, ...)`:
 *
 *   struct E { uint64_t raw; }       each kind of entry has its own type
 *   E__F(e)                          value of a field
 *   E__with_F(e, v)                  e with the field set to v and all other bits as they were; a
 *                                    constant v that does not fit does not compile (-O1 and above)
 *   E__F_MASK, E__F_SHIFT, E__F_MAX  mask in place, lowest bit, largest value
 *   E__F_NAME                        named values
 *
 * The compiler checks that the fields cover every bit exactly once. A VIEW is another reading of
 * bits that fields cover already (an address that is wider in system memory). The 64-bit sister of
 * gsp/hw/regs, which lies on a higher floor.
 */
#pragma once

#include "arch/base.h"

#define ENTRY_MASK(hi, lo) ((~UINT64_C(0) >> (63 - (hi))) & (~UINT64_C(0) << (lo)))

uint64_t gpu_entry_value_does_not_fit(void)
    __attribute__((error("value does not fit its field of the entry")));
/* Values known at run time only: the excess is cut off and counted. */
uint64_t gpu_entry_overflow(uint64_t value, uint64_t max);
/* How often that happened since start: anything but 0 is a bug of ours. */
uint32_t gpu_entry_overflows(void);

/* clang-format off: the macros below make halves of declarations */
/* 1: types and accessors */
#define ENTRY(name, doc, src)                                                                      \
    struct name {                                                                                  \
        uint64_t raw;                                                                              \
    };
#define FIELD(entry, field, hi, lo, doc)                                                           \
    _Static_assert((hi) >= (lo) && (hi) < 64, #entry "." #field ": bad bit range");                \
    enum { entry##__##field##_SHIFT = (lo) };                                                      \
    static const uint64_t entry##__##field##_MASK FL_UNUSED = ENTRY_MASK(hi, lo);                  \
    static const uint64_t entry##__##field##_MAX FL_UNUSED = ENTRY_MASK(hi, lo) >> (lo);           \
    static inline FL_UNUSED uint64_t entry##__##field(struct entry e)                              \
    {                                                                                              \
        return (e.raw & ENTRY_MASK(hi, lo)) >> (lo);                                               \
    }                                                                                              \
    static inline FL_UNUSED struct entry entry##__with_##field(struct entry e, uint64_t v)         \
    {                                                                                              \
        const uint64_t max = ENTRY_MASK(hi, lo) >> (lo);                                           \
        if (__builtin_constant_p(v > max) && v > max) {                                            \
            v = gpu_entry_value_does_not_fit();                                                    \
        } else if (v > max) {                                                                      \
            v = gpu_entry_overflow(v, max);                                                        \
        }                                                                                          \
        e.raw = (e.raw & ~ENTRY_MASK(hi, lo)) | (v << (lo));                                       \
        return e;                                                                                  \
    }
#define VIEW                                   FIELD
#define VALUE(entry, field, vname, value, doc) enum { entry##__##field##_##vname = (value) };
#define END(name)
#include "mm/gpu/pte.def"
#undef ENTRY
#undef FIELD
#undef VIEW
#undef VALUE
#undef END

/* 2: no two fields share a bit: the sum of the masks does not carry ... */
__extension__ typedef unsigned __int128 gpu_entry_sum;
#define ENTRY(name, ...) _Static_assert((gpu_entry_sum)0
#define FIELD(entry, field, hi, lo, doc) +(gpu_entry_sum)ENTRY_MASK(hi, lo)
#define VIEW(...)
#define VALUE(...)
#define END(name) == ~UINT64_C(0), #name ": fields overlap, or bits are not listed");
#include "mm/gpu/pte.def"
#undef ENTRY
#undef FIELD
#undef END

/* ... and no bit is hidden: their union is all ones. */
#define ENTRY(name, ...) _Static_assert((UINT64_C(0)
#define FIELD(entry, field, hi, lo, doc) | ENTRY_MASK(hi, lo)
#define END(name) ) == ~UINT64_C(0), #name ": bits are not listed");
#include "mm/gpu/pte.def"
#undef ENTRY
#undef FIELD
#undef VIEW
#undef VALUE
#undef END
/* clang-format on */
