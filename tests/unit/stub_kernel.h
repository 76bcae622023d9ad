/* SPDX-License-Identifier: MIT */
/* A kernel of two segments as an ELF file, built byte by byte, for the tests of the boot stub. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/stub/plan.h"

enum { ELF_BYTES = 0x4000, TEXT_AT = 0x1000, DATA_AT = 0x2000, PH0 = 64, PH1 = 64 + 56 };
#define BASE PLAN_KERNEL_LOWEST

static uint8_t elf[ELF_BYTES];

static inline void program_header(size_t at, uint32_t flags, uint64_t offset, uint64_t vaddr,
                                  uint64_t filesz, uint64_t memsz)
{
    put_le32(elf + at, 1); /* PT_LOAD */
    put_le32(elf + at + 4, flags);
    put_le64(elf + at + 8, offset);
    put_le64(elf + at + 16, vaddr);
    put_le64(elf + at + 32, filesz);
    put_le64(elf + at + 40, memsz);
}

/* Text of 0x123 bytes, then data of 0x10 bytes with 0x2345 bytes of zeroes behind. */
static inline int good_kernel(void **state)
{
    (void)state;
    memset(elf, 0xee, sizeof(elf));
    memset(elf, 0, TEXT_AT);
    memcpy(elf, "\177ELF\2\1\1", 7);
    put_le16(elf + 16, 2);  /* ET_EXEC */
    put_le16(elf + 18, 62); /* EM_X86_64 */
    put_le64(elf + 24, BASE + 0x10);
    put_le64(elf + 32, PH0);
    put_le16(elf + 54, 56);
    put_le16(elf + 56, 2);
    program_header(PH0, 5, TEXT_AT, BASE, 0x123, 0x123);
    program_header(PH1, 6, DATA_AT, BASE + 0x1000, 0x10, 0x2355);
    return 0;
}
