/* SPDX-License-Identifier: MIT */
/*
 * ELF files and page tables, worked out without acting: see plan.h for the contracts and sources.
 */
#include "boot/stub/plan.h"

#include "gsp/files/unpack.h"
#include "gsp/hw/chips.h"

/* --- ELF --- */

static bool is_elf64(const uint8_t *header)
{
    return get_le32(header) == ELF_MAGIC && header[EI_CLASS] == ELFCLASS64 &&
           header[EI_DATA] == ELFDATA2LSB;
}

/* One PT_LOAD header; NULL or what is wrong. `end` is the end of the segment before; 0: it reaches
 * up to the last byte of the address space, nothing may follow. */
static const char *plan_segment(const uint8_t *ph, uint64_t elf_size, uint64_t *end,
                                struct plan_kernel *out)
{
    uint64_t vaddr = get_le64(ph + ELF64_P_VADDR);
    uint64_t mem_bytes = get_le64(ph + ELF64_P_MEMSZ);
    struct plan_segment s = {
        .file_offset = get_le64(ph + ELF64_P_OFFSET),
        .file_bytes = get_le64(ph + ELF64_P_FILESZ),
        .mem_bytes = mem_bytes,
        .write = (get_le32(ph + ELF64_P_FLAGS) & PF_W) != 0,
        .exec = (get_le32(ph + ELF64_P_FLAGS) & PF_X) != 0,
    };
    if (mem_bytes == 0) {
        return NULL;
    }
    if (out->count == PLAN_MAX_SEGMENTS) {
        return "too many segments";
    }
    if (!range_ok(s.file_offset, s.file_bytes, elf_size)) {
        return "a segment lies beyond the end of the file";
    }
    if (s.file_bytes > mem_bytes) {
        return "a segment is larger in the file than in memory";
    }
    if (s.write && s.exec) {
        return "a segment is both writable and executable";
    }
    if (vaddr < PLAN_KERNEL_LOWEST || !is_aligned_u64(vaddr, FL_PAGE_SIZE) ||
        mem_bytes > PLAN_KERNEL_MAX_BYTES) {
        return "a segment has an address or size that cannot be mapped";
    }
    if (out->count == 0) {
        out->base = vaddr;
    } else if (vaddr < *end || *end == 0) {
        return "segments overlap, share a page or are not in order";
    }
    if (vaddr - out->base > PLAN_KERNEL_MAX_BYTES) {
        return "segments are too far apart";
    }
    s.at = vaddr - out->base;
    out->segment[out->count++] = s;
    *end = vaddr + align_up_u64(mem_bytes, FL_PAGE_SIZE);
    if (*end != 0 && *end < vaddr) {
        return "a segment wraps around the end of memory";
    }
    return NULL;
}

const char *plan_kernel(const void *elf, uint64_t size, struct plan_kernel *out)
{
    const uint8_t *file = elf;
    *out = (struct plan_kernel){.count = 0};
    if (size < ELF64_EHDR_BYTES || !is_elf64(file)) {
        return "not an ELF64 file";
    }
    if (get_le16(file + ELF_E_TYPE) != ET_EXEC || get_le16(file + ELF_E_MACHINE) != EM_X86_64) {
        return "not a static x86-64 program";
    }
    uint64_t phoff = get_le64(file + ELF64_E_PHOFF);
    uint32_t phnum = get_le16(file + ELF64_E_PHNUM);
    if (get_le16(file + ELF64_E_PHENTSIZE) != ELF64_PHDR_BYTES ||
        !range_ok(phoff, (uint64_t)phnum * ELF64_PHDR_BYTES, size)) {
        return "the program headers lie beyond the end of the file";
    }
    uint64_t end = 0;
    for (uint32_t i = 0; i < phnum; i++) {
        const uint8_t *ph = file + phoff + (uint64_t)i * ELF64_PHDR_BYTES;
        uint32_t type = get_le32(ph + ELF64_P_TYPE);
        if (type == PT_DYNAMIC || type == PT_INTERP) {
            return "it needs a dynamic linker";
        }
        const char *wrong = type == PT_LOAD ? plan_segment(ph, size, &end, out) : NULL;
        if (wrong != NULL) {
            return wrong;
        }
    }
    if (out->count == 0) {
        return "it has no segment to load";
    }
    /* end may be 0: a kernel that reaches up to the last byte of the address space. */
    out->size = end - out->base;
    if (out->size > PLAN_KERNEL_MAX_BYTES) {
        return "it is too large";
    }
    out->entry = get_le64(file + ELF64_E_ENTRY);
    for (uint32_t i = 0; i < out->count; i++) {
        const struct plan_segment *s = &out->segment[i];
        if (s->exec && range_ok(out->entry - (out->base + s->at), 1, s->file_bytes)) {
            return NULL;
        }
    }
    return "its entry point is not in an executable segment";
}

/* The stub's memcpy and memset; the host has its own. Declared here because the stub has no libc.
 */
void *memcpy(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);

void plan_kernel_load(const struct plan_kernel *plan, const void *elf, void *dst)
{
    memset(dst, 0, plan->size);
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct plan_segment *s = &plan->segment[i];
        memcpy((uint8_t *)dst + s->at, (const uint8_t *)elf + s->file_offset, s->file_bytes);
    }
}

bool plan_gsp_header(const uint8_t *header, struct plan_gsp *out)
{
    if (!is_elf64(header) || get_le16(header + ELF64_E_SHENTSIZE) != ELF64_SHDR_BYTES) {
        return false;
    }
    uint32_t count = get_le16(header + ELF64_E_SHNUM);
    *out = (struct plan_gsp){
        .table_offset = get_le64(header + ELF64_E_SHOFF),
        .table_bytes = count * ELF64_SHDR_BYTES,
        .names_index = get_le16(header + ELF64_E_SHSTRNDX),
    };
    if (out->table_offset < ELF64_EHDR_BYTES || out->names_index >= count ||
        out->table_bytes > PLAN_MAX_TABLE_BYTES ||
        out->table_offset > UINT64_MAX - out->table_bytes) {
        return false;
    }
    out->wanted_bytes = out->table_offset + out->table_bytes;
    return true;
}

bool plan_gsp_names(const struct plan_gsp *plan, const uint8_t *table, uint64_t file_bytes,
                    uint64_t *offset, uint32_t *bytes)
{
    const uint8_t *sh = table + (size_t)plan->names_index * ELF64_SHDR_BYTES;
    uint64_t size = get_le64(sh + ELF64_SH_SIZE);
    *offset = get_le64(sh + ELF64_SH_OFFSET);
    *bytes = (uint32_t)size;
    return size != 0 && size <= PLAN_MAX_NAMES_BYTES && range_ok(*offset, size, file_bytes);
}

static bool name_is(const char *names, uint32_t names_bytes, uint32_t at, const char *wanted)
{
    for (; at < names_bytes; at++, wanted++) {
        if (names[at] != *wanted) {
            return false;
        }
        if (*wanted == '\0') {
            return true;
        }
    }
    return false;
}

bool plan_gsp_image(const struct plan_gsp *plan, const uint8_t *table, const char *names,
                    uint32_t names_bytes, uint64_t *offset)
{
    for (uint32_t at = 0; at + ELF64_SHDR_BYTES <= plan->table_bytes; at += ELF64_SHDR_BYTES) {
        if (name_is(names, names_bytes, get_le32(table + at + ELF_SH_NAME), ".fwimage")) {
            *offset = get_le64(table + at + ELF64_SH_OFFSET);
            return true;
        }
    }
    return false;
}

/* The first `length` characters of text are a whole word of a list, letter case ignored. */
static bool is_one_of(const char *text, size_t length, const char *const *words, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        size_t i = 0;
        while (i < length && words[k][i] != '\0' && ascii_lower(text[i]) == words[k][i]) {
            i++;
        }
        if (i == length && words[k][i] == '\0') {
            return true;
        }
    }
    return false;
}

bool plan_is_firmware_name(const char *name)
{
    static const char *const own[] = {GSP_FW_OWN_NAMES};
    static const char suffix[] = ".bin";
    const size_t suffix_length = sizeof(suffix) - 1;
    size_t length = 0, dash = 0;
    (void)unpack_format(name, &length);
    for (size_t i = 0; i < length; i++) {
        dash = name[i] == '-' ? i : dash;
    }
    if (is_one_of(name, length, own, ARRAY_SIZE(own))) {
        return true;
    }
    if (dash == 0 || length < dash + 2 + suffix_length || name[dash + 1] < '0' ||
        name[dash + 1] > '9') {
        return false;
    }
    for (size_t i = 0; i < suffix_length; i++) {
        if (ascii_lower(name[length - suffix_length + i]) != suffix[i]) {
            return false;
        }
    }
    return true;
}

/* --- page tables --- */

#define PTE_PRESENT    (1ull << 0)
#define PTE_WRITE      (1ull << 1)
#define PTE_LARGE      (1ull << 7)
#define PTE_NO_EXECUTE (1ull << 63)
#define PTE_ADDRESS    0x000ffffffffff000ull
enum {
    TABLE_ENTRIES = 512,
    INDEX_BITS = 9,
    TOP_LEVEL = 4,
    LEVEL_1G = 3,
    LEVEL_2M = 2,
    LEVEL_4K = 1
};

static uint64_t page_bytes(unsigned level)
{
    return (uint64_t)FL_PAGE_SIZE << (INDEX_BITS * (level - 1));
}

struct pool {
    uint64_t *pages;
    uint64_t phys;
    size_t count, used;
};

static uint64_t *new_table(struct pool *pool)
{
    if (pool->used == pool->count) {
        return NULL;
    }
    uint64_t *t = pool->pages + pool->used++ * TABLE_ENTRIES;
    memset(t, 0, FL_PAGE_SIZE);
    return t;
}

static uint64_t table_phys(const struct pool *pool, const uint64_t *table)
{
    return pool->phys + (uint64_t)(table - pool->pages) * sizeof(*table);
}

/* Maps one page of `level` at va. Tables on the way are made as needed; a large page in the way is
 * a mistake of the caller. False: the pool is used up. */
static bool map_page(struct pool *pool, uint64_t va, uint64_t pa, unsigned level, uint64_t flags)
{
    uint64_t *table = pool->pages; /* the top table is the pool's first page */
    for (unsigned l = TOP_LEVEL; l > level; l--) {
        uint64_t *entry = &table[va / page_bytes(l) % TABLE_ENTRIES];
        if (*entry == 0) {
            uint64_t *next = new_table(pool);
            if (next == NULL) {
                return false;
            }
            /* Permissions are decided at the last level only. */
            *entry = table_phys(pool, next) | PTE_PRESENT | PTE_WRITE;
        }
        table = pool->pages + ((*entry & PTE_ADDRESS) - pool->phys) / sizeof(*table);
    }
    table[va / page_bytes(level) % TABLE_ENTRIES] =
        pa | flags | PTE_PRESENT | (level > LEVEL_4K ? PTE_LARGE : 0);
    return true;
}

/* [at, at + one page of level) 1:1; split down to 4 KiB where the trampoline lies. Recursion ends
 * at 4 KiB: three deep. */
static bool map_identity(struct pool *pool, const struct plan_paging *p, uint64_t at,
                         unsigned level)
{
    const uint64_t no_execute = p->no_execute ? PTE_NO_EXECUTE : 0;
    bool has_trampoline = p->trampoline - at < page_bytes(level);
    if (!has_trampoline) {
        return map_page(pool, at, at, level, PTE_WRITE | no_execute);
    }
    if (level == LEVEL_4K) {
        return map_page(pool, at, at, level, 0);
    }
    for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
        if (!map_identity(pool, p, at + i * page_bytes(level - 1), level - 1)) {
            return false;
        }
    }
    return true;
}

static bool map_kernel(struct pool *pool, const struct plan_paging *p)
{
    for (uint32_t i = 0; i < p->kernel->count; i++) {
        const struct plan_segment *s = &p->kernel->segment[i];
        uint64_t flags =
            (s->write ? PTE_WRITE : 0) | (!s->exec && p->no_execute ? PTE_NO_EXECUTE : 0);
        for (uint64_t off = s->at; off < s->at + s->mem_bytes; off += FL_PAGE_SIZE) {
            if (!map_page(pool, p->kernel->base + off, p->kernel_phys + off, LEVEL_4K, flags)) {
                return false;
            }
        }
    }
    return true;
}

uint64_t plan_identity_end(uint64_t end_of_ram, bool gib_pages, unsigned phys_bits)
{
    const unsigned fewest_bits = 36, most_bits = 47; /* the lower half has 47 */
    unsigned bits =
        phys_bits < fewest_bits ? fewest_bits : (phys_bits > most_bits ? most_bits : phys_bits);
    uint64_t end = max_u64(gib_pages ? GIB(1024) : GIB(4), end_of_ram);
    end = min_u64(end, 1ull << bits);
    return align_up_u64(end, GIB(1));
}

size_t plan_table_pages(const struct plan_paging *p)
{
    uint64_t identity = 1 + div_up_u64(p->identity_end, GIB(512));      /* top, 512 GiB each */
    identity += p->gib_pages ? 1 : div_up_u64(p->identity_end, GIB(1)); /* 1 GiB each */
    identity += 1;                                                      /* trampoline's 2 MiB */
    /* The kernel: tables for 512 GiB, 1 GiB and 2 MiB each; it may straddle one border more. */
    uint64_t kernel = 1 + 2 + div_up_u64(p->kernel->size, MIB(2)) + 1;
    return (size_t)(identity + kernel);
}

uint64_t plan_tables(const struct plan_paging *p, uint64_t *pool_pages, uint64_t pool_phys,
                     size_t pages)
{
    struct pool pool = {.pages = pool_pages, .phys = pool_phys, .count = pages};
    const unsigned level = p->gib_pages ? LEVEL_1G : LEVEL_2M;
    if (new_table(&pool) == NULL) {
        return 0;
    }
    for (uint64_t at = 0; at < p->identity_end; at += page_bytes(level)) {
        if (!map_identity(&pool, p, at, level)) {
            return 0;
        }
    }
    return map_kernel(&pool, p) ? pool_phys : 0;
}
