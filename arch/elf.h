/* SPDX-License-Identifier: MIT */
/*
 * ELF, as far as anybody here reads or writes it: where the fields of the headers lie, for files
 * whose headers may lie at any address. Declarations only, so the boot stub and the tests share
 * them.
 *
 * Source: System V Application Binary Interface, generic part, chapters 4 and 5; AMD64 and RISC-V
 * supplements (e_machine).
 */
#pragma once

#include "arch/base.h"

#define ELF_MAGIC 0x464c457fu /* e_ident 3:0: 7f 45 4c 46 */

/* The same place in both classes; e_ident[6] and e_version are EV_CURRENT. */
enum { EI_CLASS = 4, EI_DATA = 5, EI_VERSION = 6, ELF_E_TYPE = 16, ELF_E_MACHINE = 18 };
enum { ELF_E_VERSION = 20, ELF_SH_NAME = 0, ELF_SH_TYPE = 4, ELF_SH_FLAGS = 8 };
enum { ELFCLASS32 = 1, ELFCLASS64 = 2, ELFDATA2LSB = 1, EV_CURRENT = 1 };
enum { ET_REL = 1, ET_EXEC = 2, EM_X86_64 = 62, EM_RISCV = 243 };
enum { PT_LOAD = 1, PT_DYNAMIC = 2, PT_INTERP = 3, PF_X = 1, PF_W = 2 };
enum {
    SHT_NULL = 0,
    SHT_PROGBITS = 1,
    SHT_SYMTAB = 2,
    SHT_STRTAB = 3,
    SHT_NOTE = 7,
    SHT_NOBITS = 8
};

enum {
    ELF64_EHDR_BYTES = 64,
    ELF64_E_ENTRY = 24,
    ELF64_E_PHOFF = 32,
    ELF64_E_SHOFF = 40,
    ELF64_E_EHSIZE = 52,
    ELF64_E_PHENTSIZE = 54,
    ELF64_E_PHNUM = 56,
    ELF64_E_SHENTSIZE = 58,
    ELF64_E_SHNUM = 60,
    ELF64_E_SHSTRNDX = 62,
    /* program header */
    ELF64_PHDR_BYTES = 56,
    ELF64_P_TYPE = 0,
    ELF64_P_FLAGS = 4,
    ELF64_P_OFFSET = 8,
    ELF64_P_VADDR = 16,
    ELF64_P_FILESZ = 32,
    ELF64_P_MEMSZ = 40,
    /* section header */
    ELF64_SHDR_BYTES = 64,
    ELF64_SH_OFFSET = 24,
    ELF64_SH_SIZE = 32,
    ELF64_SH_ADDRALIGN = 48,
};

enum {
    ELF32_EHDR_BYTES = 52,
    ELF32_E_SHOFF = 32,
    ELF32_E_EHSIZE = 40,
    ELF32_E_SHENTSIZE = 46,
    ELF32_E_SHNUM = 48,
    ELF32_E_SHSTRNDX = 50,
    /* section header */
    ELF32_SHDR_BYTES = 40,
    ELF32_SH_OFFSET = 16,
    ELF32_SH_SIZE = 20,
    ELF32_SH_INFO = 28,
    ELF32_SH_ADDRALIGN = 32,
};
