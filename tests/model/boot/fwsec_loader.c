/* SPDX-License-Identifier: MIT */
/*
 * The small loader that Turing and GA100 start on the GSP's falcon: driver-written code at the end
 * of IMEM that reads a descriptor from DMEM, fetches FWSEC's code and data from system memory, and
 * starts it. The loader is recognised by its bytes, its descriptor is checked and acted upon.
 * Sources: boot.md 3.6; firmware.md 6.2; vbios.md 6.2.
 */
#include "tests/model/boot/fwsec_loader.h"

#include <string.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "gsp_layout.h"
#include "tests/model/books/strict.h"
#include "tests/model/books/trace.h"
#include "tests/model/books/trace_data.h"
#include "tests/model/boot/fwfiles.h"
#include "tests/model/boot/rom.h"
#include "tests/model/bus/dma.h"
#include "tests/model/falcon/falcon.h"
#include "tests/model/gpu.h"
#include "tests/model/memory/vram.h"

enum {
    /* What all loader files have; used when there is no file. */
    LOADER_TAG = 0xfd,
    LOADER_BYTES = 0x200,
    /* The descriptor, 84 bytes packed. */
    DESC_CTX = 0x20,
    DESC_CODE = 0x24,
    DESC_NS_OFF = 0x2c,
    DESC_NS_SIZE = 0x30,
    DESC_SEC_OFF = 0x34,
    DESC_SEC_SIZE = 0x38,
    DESC_ENTRY = 0x3c,
    DESC_DATA = 0x40,
    DESC_DATA_SIZE = 0x48,
    DESC_ARGC = 0x4c,
    DESC_BYTES = 0x54,
    CONTEXTS = 8,
    CHUNK = 1024,
};

static bool is_loader(struct gpu_model *m)
{
    struct falcon *f = m->gsp_falcon;
    const struct fw_loader *l = m->loader;
    const uint32_t size = l->code != NULL ? l->code_size : LOADER_BYTES;
    const uint32_t tag = l->code != NULL ? l->start_tag : LOADER_TAG;
    const uint32_t off = FALCON_MEM_BYTES - (uint32_t)align_up_u64(size, FALCON_BLOCK);
    uint32_t at;
    const char *why;
    /* Without a file: loaded, not secure, tagged. */
    const uint8_t *want = l->code != NULL ? l->code : f->imem + off;
    if (!model_falcon_imem_is(f, off, want, size, false, tag, &at, &why)) {
        model_rule_broken(m, RULE_FWSEC_LOADER,
                          "gsp: IMEM at 0x%x %s (the loader has 0x%x bytes at 0x%x, tag 0x%x)", at,
                          why, size, off, tag);
        return false;
    }
    if (f->bootvec != tag << 8) {
        model_rule_broken(m, RULE_FALCON_BOOTVEC, "gsp: BOOTVEC 0x%x, the loader starts at 0x%x",
                          f->bootvec, tag << 8);
        return false;
    }
    return true;
}

/* Sizes may be rounded up to a block (open kernel module). */
static bool size_is(uint32_t have, uint32_t want)
{
    return have == want || have == align_up_u64(want, FALCON_BLOCK);
}

static void trace_descriptor(struct gpu_model *m, const uint8_t *d)
{
    static const struct {
        const char *name;
        uint32_t off, bytes;
    } fields[] = {{"ctxDma", DESC_CTX, 4},           {"codeDmaBase", DESC_CODE, 8},
                  {"nonSecCodeOff", DESC_NS_OFF, 4}, {"nonSecCodeSize", DESC_NS_SIZE, 4},
                  {"secCodeOff", DESC_SEC_OFF, 4},   {"secCodeSize", DESC_SEC_SIZE, 4},
                  {"codeEntryPoint", DESC_ENTRY, 4}, {"dataDmaBase", DESC_DATA, 8},
                  {"dataSize", DESC_DATA_SIZE, 4},   {"argc", DESC_ARGC, 4}};
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        model_trace_value(m, "FWSEC.loader", fields[i].name,
                          fw_load(d + fields[i].off, fields[i].bytes));
    }
}

static bool descriptor_ok(struct gpu_model *m, const uint8_t *d)
{
    const struct fwsec_info *w = m->fwsec;
    const uint32_t ns = w->imem_size - w->sec_size, sec = w->sec_base - w->imem_virt + w->imem_phys;
    if (get_le32(d + DESC_CTX) >= CONTEXTS) {
        model_rule_broken(m, RULE_FWSEC_LOADER_DESC, "ctxDma is %u", get_le32(d + DESC_CTX));
        return false;
    }
    if (get_le32(d + DESC_NS_OFF) != w->imem_phys || !size_is(get_le32(d + DESC_NS_SIZE), ns) ||
        get_le32(d + DESC_SEC_OFF) != sec || !size_is(get_le32(d + DESC_SEC_SIZE), w->sec_size) ||
        get_le32(d + DESC_ENTRY) != 0) {
        model_rule_broken(
            m, RULE_FWSEC_LOADER_DESC,
            "code 0x%x + 0x%x, secure 0x%x + 0x%x, entry 0x%x; FWSEC has 0x%x + 0x%x, "
            "0x%x + 0x%x, 0",
            get_le32(d + DESC_NS_OFF), get_le32(d + DESC_NS_SIZE), get_le32(d + DESC_SEC_OFF),
            get_le32(d + DESC_SEC_SIZE), get_le32(d + DESC_ENTRY), w->imem_phys, ns, sec,
            w->sec_size);
        return false;
    }
    if (!size_is(get_le32(d + DESC_DATA_SIZE), w->dmem_size) || get_le32(d + DESC_ARGC) != 0 ||
        !is_aligned_u64(get_le64(d + DESC_CODE), FALCON_BLOCK) ||
        !is_aligned_u64(get_le64(d + DESC_DATA), FALCON_BLOCK)) {
        model_rule_broken(
            m, RULE_FWSEC_LOADER_DESC,
            "codeDmaBase 0x%llx, dataDmaBase 0x%llx, dataSize 0x%x, argc %u; bases are multiples "
            "of 256, sizes 0x%x and 0",
            (unsigned long long)get_le64(d + DESC_CODE),
            (unsigned long long)get_le64(d + DESC_DATA), get_le32(d + DESC_DATA_SIZE),
            get_le32(d + DESC_ARGC), w->dmem_size);
        return false;
    }
    return true;
}

static bool fetch(struct gpu_model *m, uint32_t ctx, uint64_t addr, void *buf, uint32_t len,
                  const char *what)
{
    const struct NV_PFALCON_FBIF_TRANSCFG cfg = {m->gsp_falcon->transcfg[ctx]};
    return NV_PFALCON_FBIF_TRANSCFG__TARGET(cfg) == NV_PFALCON_FBIF_TRANSCFG__TARGET_LOCAL_FB
               ? model_vram_read(m, addr, buf, len)
               : model_dma_read(m, addr, buf, len, what);
}

/* Code in memory against the VBIOS. It does not go to IMEM: nobody can look at secure code. */
static bool code_is(struct gpu_model *m, uint32_t ctx, uint64_t base, uint32_t off, uint32_t size,
                    const char *what)
{
    const struct fwsec_info *w = m->fwsec;
    uint8_t have[CHUNK];
    for (uint32_t done = 0; done < size;) {
        const uint32_t n = size - done < CHUNK ? size - done : CHUNK;
        const uint8_t *want = w->imem + (off - w->imem_phys) + done;
        if (!fetch(m, ctx, base + off + done, have, n, what)) {
            return false;
        }
        if (memcmp(have, want, n) != 0) {
            uint32_t at = 0;
            while (have[at] == want[at]) {
                at++;
            }
            model_rule_broken(m, RULE_FWSEC_CODE,
                              "%s at 0x%llx differs from the VBIOS at byte 0x%x", what,
                              (unsigned long long)(base + off), done + at);
            return false;
        }
        done += n;
    }
    return true;
}

uint32_t model_fwsec_loader(struct gpu_model *m)
{
    struct falcon *f = m->gsp_falcon;
    const struct fwsec_info *w = m->fwsec;
    uint8_t d[DESC_BYTES];
    if (!is_loader(m)) {
        return FWSEC_BAD_SIGNATURE;
    }
    if (!range_ok(m->loader->dmem_off, DESC_BYTES, FALCON_MEM_BYTES)) {
        return FWSEC_BAD_SIGNATURE;
    }
    memcpy(d, f->dmem + m->loader->dmem_off, DESC_BYTES);
    trace_descriptor(m, d);
    if (!descriptor_ok(m, d) || !model_falcon_context_ok(m, f, get_le32(d + DESC_CTX))) {
        return FWSEC_BAD_SIGNATURE;
    }
    const uint32_t ctx = get_le32(d + DESC_CTX);
    const uint64_t code = get_le64(d + DESC_CODE);
    if (!code_is(m, ctx, code, w->imem_phys, w->imem_size - w->sec_size, "FWSEC's code") ||
        !code_is(m, ctx, code, w->sec_base - w->imem_virt + w->imem_phys, w->sec_size,
                 "FWSEC's secure code") ||
        !fetch(m, ctx, get_le64(d + DESC_DATA), f->dmem + w->dmem_phys, w->dmem_size,
               "FWSEC's data")) {
        return FWSEC_BAD_SIGNATURE;
    }
    f->dmem_top =
        w->dmem_phys + w->dmem_size > f->dmem_top ? w->dmem_phys + w->dmem_size : f->dmem_top;
    model_trace_text(m, "the loader has fetched FWSEC");
    return 0;
}
