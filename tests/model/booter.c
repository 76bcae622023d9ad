/* SPDX-License-Identifier: MIT */
/*
 * What happens when SEC2 is started: booter_load checks everything that it is given and starts the
 * GSP, or resumes it for the CPU sequencer; booter_unload takes WPR2 down. Mailbox codes are those
 * seen on real boards. Sources: boot.md 5, 6, 9, 12; firmware.md 5, 7, 8; measured.md 4-6.
 */
#include <string.h>

#include "tests/model/model_priv.h"

enum {
    CODE_SIGNATURE = 0x02, CODE_EXTENDED = 0x29, CODE_REFUSED = 0x31, CODE_NO_META = 0x89,
    CODE_WPR_END = 0x8d,
    META_BYTES = 256, META_REVISION = 1, SIGNATURE_SECTION_BYTES = 0x1000,
    UNLOAD_MAILBOX = 0xff,
    RADIX3_ENTRIES = 512,
    FRTS_BYTES = 0x100000, /* what FWSEC makes; more means that booter has been here */
    WPR_ALIGN = 0x20000, ELF_ALIGN = 0x10000,
    HANDOFF_RESUMED = 1 << 26, /* NV_PGC6_BSI_SECURE_SCRATCH_14 */
    BCR_RISCV_FETCH = 0x110,
};
#define META_MAGIC 0xdc3aae21371a60b3ull
#define META_VERIFIED 0xa0a0a0a0a0a0a0a0ull

static void finish(struct gpu_model *m, uint32_t mailbox)
{
    m->sec2.mailbox[0] = mailbox;
    falcon_halt(m, &m->sec2);
}

static uint32_t fuse_version(uint32_t fuse)
{
    uint32_t v = 0;
    while (fuse != 0) {
        fuse >>= 1;
        v++;
    }
    return v;
}

/* ---- which program ---- */

static bool is_program(const struct falcon *f, const struct fw_booter *b, uint32_t *at, const char **why)
{
    return falcon_imem_is(f, 0, b->payload + b->app_off, b->app_size, true, b->app_off / FALCON_BLOCK, at,
                          why);
}

static bool boot_rom_accepts(struct gpu_model *m, const struct fw_booter *b)
{
    struct falcon *f = &m->sec2;
    const uint32_t patch = b->patch_loc - b->data_off;
    bool ok = true;
    if (f->bootvec != b->app_off) {
        rule_broken(m, RULE_FALCON_BOOTVEC, "sec2: BOOTVEC 0x%x, booter starts at 0x%x", f->bootvec,
                    b->app_off);
        ok = false;
    }
    if (f->paraaddr[0] != patch || f->engidmask != b->engine_mask || f->ucode_id != b->ucode_id ||
        f->mod_sel != NV_PFALCON2_FALCON_MOD_SEL__ALGO_RSA3K) {
        rule_broken(m, RULE_FALCON_BROM,
                    "sec2: PARAADDR 0x%x ENGIDMASK 0x%x UCODE_ID %u MOD_SEL %u; booter needs 0x%x 0x%x %u 1",
                    f->paraaddr[0], f->engidmask, f->ucode_id, f->mod_sel, patch, b->engine_mask,
                    b->ucode_id);
        ok = false;
    }
    const uint32_t fuse = fuse_version(m->board->fuse_sec2_booter);
    const uint32_t index = fuse == 0 || fuse > b->fuse_ver ? b->sig_count - 1 : b->fuse_ver - fuse;
    if (index >= b->sig_count ||
        memcmp(f->dmem + patch, b->sigs + (size_t)index * b->sig_size, b->sig_size) != 0) {
        rule_broken(m, RULE_FALCON_SIGNATURE,
                    "sec2: DMEM at 0x%x does not hold signature %u of %u, which the fuses select", patch,
                    index, b->sig_count);
        ok = false;
    }
    for (uint32_t i = 0; i < b->data_size; i++) {
        if (i - patch >= b->sig_size && f->dmem[i] != b->payload[b->data_off + i]) {
            rule_broken(m, RULE_BOOTER_DATA, "sec2: DMEM at 0x%x differs from the file", i);
            return false;
        }
    }
    return ok;
}

/* ---- WPR metadata ---- */

struct meta {
    uint8_t raw[META_BYTES];
    uint64_t address;
    const struct gsp_layout *l;
};
#define META(mt, field) fw_get((mt)->raw, META_BYTES, (mt)->l->GspFwWprMeta.field)

/* `reject` says which field is wrong and what it should be. */
static bool reject(struct gpu_model *m, enum model_rule rule, const char *field, uint64_t value,
                   const char *needs, uint64_t wanted)
{
    rule_broken(m, rule, "%s is 0x%llx; %s 0x%llx", field, (unsigned long long)value, needs,
                (unsigned long long)wanted);
    return false;
}

/* Everything lies in order, aligned, without overlap (boot.md 5). */
static bool layout_ok(struct gpu_model *m, const struct meta *mt)
{
    const struct part {
        const char *name;
        uint64_t start, size, align;
    } parts[] = { /* ascending */
        { "nonWprHeapOffset", META(mt, nonWprHeapOffset), META(mt, nonWprHeapSize), FL_PAGE_SIZE },
        { "gspFwWprStart", META(mt, gspFwWprStart), META_BYTES, WPR_ALIGN },
        { "gspFwHeapOffset", META(mt, gspFwHeapOffset), META(mt, gspFwHeapSize), FL_PAGE_SIZE },
        { "gspFwOffset", META(mt, gspFwOffset), META(mt, sizeOfRadix3Elf), ELF_ALIGN },
        { "bootBinOffset", META(mt, bootBinOffset), META(mt, sizeOfBootloader), FL_PAGE_SIZE },
        { "frtsOffset", META(mt, frtsOffset), META(mt, frtsSize), WPR_ALIGN },
        { "vgaWorkspaceOffset", META(mt, vgaWorkspaceOffset), META(mt, vgaWorkspaceSize), FL_PAGE_SIZE },
    };
    uint64_t end = META(mt, gspFwRsvdStart);
    if (end > parts[0].start) {
        return reject(m, RULE_BOOTER_LAYOUT, "gspFwRsvdStart", end, "must not lie above nonWprHeapOffset",
                      parts[0].start);
    }
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (!is_aligned_u64(parts[i].start, parts[i].align)) {
            return reject(m, RULE_BOOTER_LAYOUT, parts[i].name, parts[i].start, "must be a multiple of",
                          parts[i].align);
        }
        if (parts[i].start < end) {
            return reject(m, RULE_BOOTER_LAYOUT, parts[i].name, parts[i].start,
                          "overlaps the part below, which ends at", end);
        }
        if (!range_ok(parts[i].start, parts[i].size, m->vram.size)) {
            return reject(m, RULE_BOOTER_LAYOUT, parts[i].name, parts[i].start,
                          "with its size it leaves video memory, which ends at", m->vram.size);
        }
        end = parts[i].start + parts[i].size;
    }
    return true;
}

/* Heap limits: boot.md 5.1, last rows. */
static bool heap_ok(struct gpu_model *m, const struct meta *mt)
{
    const bool r535 = strncmp(mt->l->version, "535", 3) == 0;
    const uint64_t min = !m->chip->libos3 ? MIB(64) : r535 ? MIB(84) : MIB(88);
    const uint64_t max = !m->chip->libos3 ? MIB(256) : r535 ? MIB(276) : MIB(280);
    const uint64_t heap = META(mt, gspFwHeapSize);
    if (heap < min) {
        return reject(m, RULE_BOOTER_HEAP, "gspFwHeapSize", heap, "the least is", min);
    }
    /* The room up to the image is rounded to 1 MiB, so a little more than asked for is normal. */
    if (heap > max + MIB(2)) {
        return reject(m, RULE_BOOTER_HEAP, "gspFwHeapSize", heap, "the most is", max);
    }
    return true;
}

static uint32_t meta_check(struct gpu_model *m, const struct meta *mt)
{
    const uint64_t frts = META(mt, frtsOffset), frts_size = META(mt, frtsSize);
    if (META(mt, magic) != META_MAGIC || META(mt, revision) != META_REVISION) {
        rule_broken(m, RULE_BOOTER_META_MAGIC, "magic 0x%llx revision %llu at 0x%llx",
                    (unsigned long long)META(mt, magic), (unsigned long long)META(mt, revision),
                    (unsigned long long)mt->address);
        return CODE_NO_META;
    }
    if (META(mt, fbSize) != m->vram.size) {
        reject(m, RULE_BOOTER_META_FIELD, "fbSize", META(mt, fbSize), "the board has", m->vram.size);
        return CODE_REFUSED;
    }
    if (frts != m->wpr2.lo || frts_size != m->wpr2.hi - m->wpr2.lo) {
        rule_broken(m, RULE_BOOTER_FRTS, "frts 0x%llx + 0x%llx; FWSEC made 0x%llx + 0x%llx",
                    (unsigned long long)frts, (unsigned long long)frts_size,
                    (unsigned long long)m->wpr2.lo, (unsigned long long)(m->wpr2.hi - m->wpr2.lo));
        return CODE_REFUSED;
    }
    if (META(mt, gspFwWprEnd) != m->wpr2.hi) {
        reject(m, RULE_BOOTER_WPR_END, "gspFwWprEnd", META(mt, gspFwWprEnd),
               "the nominal end of the FRTS region is", m->wpr2.hi);
        return CODE_WPR_END;
    }
    const uint64_t vga = META(mt, vgaWorkspaceOffset);
    if (vga > m->vram.size || META(mt, vgaWorkspaceSize) != m->vram.size - vga) {
        reject(m, RULE_BOOTER_META_FIELD, "vgaWorkspaceSize", META(mt, vgaWorkspaceSize),
               "to the end of memory it is", m->vram.size - vga);
        return CODE_REFUSED;
    }
    if (META(mt, nonWprHeapSize) == 0) {
        reject(m, RULE_BOOTER_META_FIELD, "nonWprHeapSize", 0, "Turing to Ada need", MIB(1));
        return CODE_REFUSED;
    }
    if (META(mt, sizeOfSignature) != SIGNATURE_SECTION_BYTES) {
        reject(m, RULE_BOOTER_META_FIELD, "sizeOfSignature", META(mt, sizeOfSignature),
               "the section has", SIGNATURE_SECTION_BYTES);
        return CODE_REFUSED;
    }
    if (META(mt, verified) != 0 || META(mt, bootCount) != 0 || META(mt, gspFwHeapVfPartitionCount) != 0) {
        rule_broken(m, RULE_BOOTER_META_FIELD,
                    "verified 0x%llx bootCount %llu gspFwHeapVfPartitionCount %llu; a cold boot has 0 0 0",
                    (unsigned long long)META(mt, verified), (unsigned long long)META(mt, bootCount),
                    (unsigned long long)META(mt, gspFwHeapVfPartitionCount));
        return CODE_REFUSED;
    }
    return heap_ok(m, mt) && layout_ok(m, mt) ? 0 : CODE_REFUSED;
}

/* ---- what the metadata point to ---- */

/* One table page: count entries, each page-aligned and reachable. */
static bool read_table(struct gpu_model *m, uint64_t page, uint32_t count, uint64_t *out, const char *level)
{
    uint8_t raw[RADIX3_ENTRIES * 8];
    if (!dma_read(m, page, raw, (size_t)count * 8, level)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        out[i] = get_le64(raw + (size_t)i * 8);
        if (out[i] == 0 || !is_aligned_u64(out[i], FL_PAGE_SIZE)) {
            rule_broken(m, RULE_BOOTER_RADIX3, "%s entry %u at 0x%llx is 0x%llx, not a page", level, i,
                        (unsigned long long)(page + (uint64_t)i * 8), (unsigned long long)out[i]);
            return false;
        }
    }
    return true;
}

static bool page_matches(struct gpu_model *m, uint64_t addr, const uint8_t *want, size_t len, uint64_t n)
{
    uint8_t copy[FL_PAGE_SIZE];
    const uint8_t *have = dma_peek(m, addr, FL_PAGE_SIZE);
    if (have == NULL) {
        if (!dma_read(m, addr, copy, FL_PAGE_SIZE, "GSP image page")) {
            return false;
        }
        have = copy;
    }
    m->stats.image_pages_checked++;
    if (want == NULL || memcmp(have, want, len) == 0) {
        return true;
    }
    size_t at = 0;
    while (have[at] == want[at]) {
        at++;
    }
    rule_broken(m, RULE_BOOTER_IMAGE,
                "page %llu of the image (bus address 0x%llx) differs from .fwimage at byte 0x%llx of it",
                (unsigned long long)n, (unsigned long long)addr,
                (unsigned long long)(n * FL_PAGE_SIZE + at));
    return false;
}

/* Walks level 0 -> 1 -> 2 -> image pages and compares each page once. */
static bool image_ok(struct gpu_model *m, const struct meta *mt, const struct fw_set *fw)
{
    uint64_t l0[1], l1[RADIX3_ENTRIES], l2[RADIX3_ENTRIES];
    const uint64_t size = META(mt, sizeOfRadix3Elf);
    const uint64_t root = META(mt, sysmemAddrOfRadix3Elf);
    const uint64_t n3 = div_up_u64(size, FL_PAGE_SIZE), n2 = div_up_u64(n3, RADIX3_ENTRIES);
    if (fw != NULL && size != fw->image_size) {
        return reject(m, RULE_BOOTER_META_FIELD, "sizeOfRadix3Elf", size, ".fwimage has", fw->image_size);
    }
    if (size == 0 || n2 > RADIX3_ENTRIES) {
        return reject(m, RULE_BOOTER_RADIX3, "sizeOfRadix3Elf", size, "three levels hold at most", GIB(1));
    }
    if (!is_aligned_u64(root, FL_PAGE_SIZE)) {
        return reject(m, RULE_BOOTER_RADIX3, "sysmemAddrOfRadix3Elf", root, "must be a multiple of",
                      FL_PAGE_SIZE);
    }
    if (!read_table(m, root, 1, l0, "radix3 level 0") ||
        !read_table(m, l0[0], (uint32_t)n2, l1, "radix3 level 1")) {
        return false;
    }
    for (uint64_t n = 0; n < n3; n++) {
        const uint32_t i = (uint32_t)(n % RADIX3_ENTRIES);
        if (i == 0) {
            const uint64_t left = min_u64(n3 - n, RADIX3_ENTRIES);
            if (!read_table(m, l1[n / RADIX3_ENTRIES], (uint32_t)left, l2, "radix3 level 2")) {
                return false;
            }
        }
        const uint64_t off = n * FL_PAGE_SIZE;
        const uint8_t *want = fw != NULL ? fw->image + off : NULL;
        if (!page_matches(m, l2[i], want, (size_t)min_u64(size - off, FL_PAGE_SIZE), n)) {
            return false;
        }
    }
    return true;
}

/* A contiguous buffer in bus memory against bytes of a file. */
static bool buffer_is(struct gpu_model *m, uint64_t addr, const uint8_t *want, size_t len, const char *what,
                      enum model_rule rule)
{
    uint8_t have[FL_PAGE_SIZE];
    for (size_t done = 0; done < len;) {
        const size_t n = (size_t)min_u64(len - done, sizeof(have));
        if (!dma_read(m, addr + done, have, n, what)) {
            return false;
        }
        if (want != NULL && memcmp(have, want + done, n) != 0) {
            size_t at = 0;
            while (have[at] == want[done + at]) {
                at++;
            }
            rule_broken(m, rule, "%s at 0x%llx differs from the file at byte 0x%zx", what,
                        (unsigned long long)addr, done + at);
            return false;
        }
        done += n;
    }
    return true;
}

static bool bootloader_ok(struct gpu_model *m, const struct meta *mt, const struct fw_set *fw)
{
    const uint64_t addr = META(mt, sysmemAddrOfBootloader), size = META(mt, sizeOfBootloader);
    if (addr == 0 || !is_aligned_u64(addr, FL_PAGE_SIZE)) {
        return reject(m, RULE_BOOTER_BOOTLOADER, "sysmemAddrOfBootloader", addr, "must be a multiple of",
                      FL_PAGE_SIZE);
    }
    if (fw == NULL) {
        return size != 0 && size <= MIB(1)
                   ? buffer_is(m, addr, NULL, (size_t)size, "bootloader", RULE_BOOTER_BOOTLOADER)
                   : reject(m, RULE_BOOTER_BOOTLOADER, "sizeOfBootloader", size, "at most", MIB(1));
    }
    if (size != fw->bootloader_size) {
        return reject(m, RULE_BOOTER_BOOTLOADER, "sizeOfBootloader", size, "the file has",
                      fw->bootloader_size);
    }
    if (META(mt, bootloaderCodeOffset) != fw->boot_code_off ||
        META(mt, bootloaderDataOffset) != fw->boot_data_off ||
        META(mt, bootloaderManifestOffset) != fw->boot_manifest_off) {
        rule_broken(m, RULE_BOOTER_BOOTLOADER,
                    "bootloader code/data/manifest offsets 0x%llx 0x%llx 0x%llx; the file has 0x%x 0x%x 0x%x",
                    (unsigned long long)META(mt, bootloaderCodeOffset),
                    (unsigned long long)META(mt, bootloaderDataOffset),
                    (unsigned long long)META(mt, bootloaderManifestOffset), fw->boot_code_off,
                    fw->boot_data_off, fw->boot_manifest_off);
        return false;
    }
    return buffer_is(m, addr, fw->bootloader, fw->bootloader_size, "bootloader", RULE_BOOTER_BOOTLOADER);
}

static uint32_t contents_check(struct gpu_model *m, const struct meta *mt, const struct fw_set *fw)
{
    const uint64_t sig = META(mt, sysmemAddrOfSignature);
    if (fw != NULL && fw->signature_size != SIGNATURE_SECTION_BYTES) {
        return CODE_REFUSED;
    }
    if (!bootloader_ok(m, mt, fw)) {
        return CODE_REFUSED;
    }
    if (!buffer_is(m, sig, fw != NULL ? fw->signature : NULL, SIGNATURE_SECTION_BYTES, "signature buffer",
                   RULE_BOOTER_SIGNATURE)) {
        return CODE_SIGNATURE;
    }
    return image_ok(m, mt, fw) ? 0 : CODE_REFUSED;
}

/* ---- the three things SEC2 does ---- */

static void run_load(struct gpu_model *m, const struct fw_set *fw)
{
    struct falcon *g = &m->gsp_falcon;
    struct meta mt = { .address = (uint64_t)m->sec2.mailbox[1] << 32 | m->sec2.mailbox[0] };
    const struct fault *fault = fault_get(m, FAULT_BOOTER_MAILBOX);
    mt.l = fw != NULL ? fw->layout : m->fw_version != NULL ? gsp_layout_find(m->fw_version) : gsp_layouts[0];
    if (fault != NULL) {
        finish(m, fault->value);
        return;
    }
    if (mt.address == 0) {
        rule_broken(m, RULE_BOOTER_NO_META, "SEC2's mailboxes are 0");
        finish(m, CODE_NO_META);
        return;
    }
    if (!config_bus_master(m)) { /* nothing is fetched and the mailbox keeps the address */
        rule_broken(m, RULE_DMA_BUS_MASTER, "booter cannot fetch the WPR metadata at 0x%llx",
                    (unsigned long long)mt.address);
        falcon_halt(m, &m->sec2);
        return;
    }
    if (!dma_read(m, mt.address, mt.raw, META_BYTES, "WPR metadata")) {
        finish(m, CODE_NO_META);
        return;
    }
    if (m->wpr2.hi - m->wpr2.lo > FRTS_BYTES) {
        rule_broken(m, RULE_BOOTER_WPR2_EXTENDED, "WPR2 is already [0x%llx, 0x%llx)",
                    (unsigned long long)m->wpr2.lo, (unsigned long long)m->wpr2.hi);
        finish(m, CODE_EXTENDED);
        return;
    }
    uint32_t code = meta_check(m, &mt);
    if (code == 0) {
        code = contents_check(m, &mt, fw);
    }
    if (code == 0 && g->loaded) {
        rule_broken(m, RULE_BOOTER_GSP_DIRTY, "the GSP falcon still holds a program");
        code = CODE_REFUSED;
    }
    if (code != 0) {
        finish(m, code);
        return;
    }
    uint8_t verified[8];
    put_le64(verified, META_VERIFIED);
    dma_write(m, mt.address + mt.l->GspFwWprMeta.verified.off, verified, sizeof(verified), "WPR metadata");
    m->wpr2.lo = META(&mt, gspFwWprStart);
    m->misc.secure_scratch_14 &= ~(uint32_t)HANDOFF_RESUMED;
    g->bcr_ctrl = BCR_RISCV_FETCH;
    g->riscv_active = true;
    m->gsp.fw = fw;
    m->gsp.l = mt.l;
    m->sec2.mailbox[1] = 0;
    finish(m, 0);
    gsp_boot(m);
}

static void run_resume(struct gpu_model *m)
{
    struct falcon *g = &m->gsp_falcon;
    if (!gsp_resume(m)) {
        finish(m, CODE_REFUSED);
        return;
    }
    g->bcr_ctrl = BCR_RISCV_FETCH;
    g->riscv_active = true;
    m->misc.secure_scratch_14 |= HANDOFF_RESUMED;
    finish(m, 0);
}

static void run_unload(struct gpu_model *m)
{
    if (m->sec2.mailbox[0] != UNLOAD_MAILBOX || m->sec2.mailbox[1] != UNLOAD_MAILBOX) {
        rule_broken(m, RULE_BOOTER_UNLOAD_MAILBOX, "mailboxes 0x%x 0x%x; a cold unload wants 0xff 0xff",
                    m->sec2.mailbox[0], m->sec2.mailbox[1]);
        finish(m, CODE_REFUSED);
        return;
    }
    if (m->gsp_falcon.riscv_active) {
        rule_broken(m, RULE_BOOTER_GSP_RUNNING, "the RISC-V core is active");
        finish(m, CODE_REFUSED);
        return;
    }
    if (m->wpr2.hi > m->wpr2.lo && m->stats.gsp_unloads < m->stats.gsp_boots) {
        m->stats.gsp_unloads++;
    }
    m->wpr2 = (struct wpr2){ 0 };
    m->gsp.phase = GSPP_OFF;
    m->sec2.mailbox[1] = 0;
    finish(m, 0);
}

static void run_compared(struct gpu_model *m)
{
    struct falcon *f = &m->sec2;
    uint32_t at = 0;
    const char *why = "";
    for (uint32_t i = 0; i < m->fw_count; i++) {
        const struct fw_set *fw = &m->fw[i];
        const bool load = is_program(f, &fw->load, &at, &why);
        if (load || is_program(f, &fw->unload, &at, &why)) {
            trace_text(m, "booter_%s %s", load ? "load" : "unload", fw->version);
            if (!boot_rom_accepts(m, load ? &fw->load : &fw->unload)) {
                finish(m, CODE_SIGNATURE);
            } else if (load) {
                run_load(m, fw);
            } else {
                run_unload(m);
            }
            return;
        }
    }
    is_program(f, &m->fw[0].load, &at, &why);
    rule_broken(m, RULE_BOOTER_CODE, "sec2: IMEM at 0x%x %s (compared with booter_load %s)", at, why,
                m->fw[0].version);
    finish(m, CODE_SIGNATURE);
}

void booter_run(struct gpu_model *m)
{
    struct falcon *f = &m->sec2;
    if (!f->running) {
        return;
    }
    if (!f->loaded) {
        falcon_halt(m, f);
        return;
    }
    if (m->gsp.phase == GSPP_SEQUENCER && !f->reset_since_run) {
        run_resume(m);
        return;
    }
    if (!f->reset_since_run) {
        rule_broken(m, RULE_FALCON_START_DIRTY, "sec2: started without a reset since the last program");
        finish(m, CODE_REFUSED);
        return;
    }
    if (f->rm != m->chip->boot0) {
        rule_broken(m, RULE_FALCON_RM, "sec2: RM register holds 0x%08x, BOOT_0 is 0x%08x", f->rm,
                    m->chip->boot0);
        finish(m, CODE_REFUSED);
        return;
    }
    if (m->fw_count != 0) {
        run_compared(m);
    } else if (f->mailbox[0] == UNLOAD_MAILBOX && f->mailbox[1] == UNLOAD_MAILBOX) {
        run_unload(m); /* without files the mailboxes tell the two apart */
    } else {
        run_load(m, NULL);
    }
}
