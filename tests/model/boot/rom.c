/* SPDX-License-Identifier: MIT */
/*
 * What stands in the VBIOS that the PROM shows: the walk from the first byte to FWSEC's descriptor,
 * and the descriptor itself. The model checks with it what a driver loads, so it is the model's
 * own: the driver's walk (gsp/files/vbios.c) is what it checks. The VBIOS may be a file of
 * somebody's: nothing in it is believed. Sources: vbios.md 1 to 7.
 */
#include "tests/model/boot/rom.h"

#include <string.h>

#include "arch/base.h"
#include "tests/model/falcon/falcon.h"
#include "tests/model/gpu.h"

enum {
    ROM_HEADER = 0x1a,
    PCIR_BYTES = 0x18,
    NPDE_BYTES = 0x0b,
    IMAGE_BLOCK = 512,
    IMAGES_MAX = 16,
    CODE_PCI_AT = 0x00,
    CODE_NBSI = 0x70,
    CODE_FWSEC = 0xe0,
    LAST = 0x80,
    BIT_HEADER = 12,
    BIT_TOKEN = 6,
    TABLE_HEADER = 6,
    TABLE_ENTRY = 6,
    APP_FWSEC = 0x85,
    DESC_V2_BYTES = 60,
    DESC_V3_BYTES = 44,
    SIGNATURE_BYTES = 384,
    MAPPER_BYTES = 64,
    MAPPER_ID = 4,
    COMMAND_BYTES = 44,
    DIRECTORY_AFTER_STATUS = 4096,
};
#define NVGI 0x4947564eu
#define RFRD 0x44524652u
#define PCIR 0x52494350u
#define NPDS 0x5344504eu
#define NPDE 0x4544504eu
#define DMAP 0x50414d44u

struct rom {
    const uint8_t *p;
    size_t size;
    char *err;
    size_t err_size;
    size_t at_size, fwsec, end; /* PCI-AT, first FWSEC image, end of the chain; from the PCI ROM */
    uint8_t version[5];
    bool has_version;
};

/* The first thing that is wrong is what is said. */
#define WRONG(r, ...) (snprintf((r)->err, (r)->err_size, __VA_ARGS__), false)

static bool word(const struct rom *r, uint64_t at, uint32_t *v)
{
    if (!range_ok(at, 4, r->size)) {
        return false;
    }
    *v = get_le32(r->p + at);
    return true;
}

bool model_rom_start(const uint8_t *rom, size_t size, size_t *start, char *err, size_t err_size)
{
    const struct rom whole = {.p = rom, .size = size, .err = err, .err_size = err_size};
    uint32_t first = 0, fixed = 0, total = 0, status = 0, magic = 0, at = 0;
    bool ok = word(&whole, 0, &first);
    *start = 0;
    if (!ok || first != NVGI) {
        return ok || WRONG(&whole, "%zu bytes are no VBIOS", size);
    }
    ok = word(&whole, 4, &fixed) && word(&whole, 8, &total);
    const uint32_t version = fixed >> 8 & 0xff;
    if (version == 3) {
        ok = ok && word(&whole, total & 0xfffff, &status) &&
             word(&whole, (uint64_t)status + DIRECTORY_AFTER_STATUS, &magic) && magic == RFRD &&
             word(&whole, (uint64_t)status + DIRECTORY_AFTER_STATUS + 8, &at);
    } else {
        ok = ok && (version == 1 || version == 2) && word(&whole, (fixed >> 16 & 0x7fff) + 4u, &at);
    }
    if (!ok || at % 4 != 0 || at >= size) {
        return WRONG(&whole, "its IFR header (version %u) does not lead to a PCI ROM", version);
    }
    *start = at;
    return true;
}

/* One image; *next: where the one behind it starts, 0: it was the last. */
static bool image(struct rom *r, size_t start, size_t *next)
{
    if (!range_ok(start, ROM_HEADER, r->size)) {
        return WRONG(
            r,
            "it ends at 0x%zx, where another image begins: what the expansion ROM BAR shows "
            "has no FWSEC, the flash or the PROM window has",
            r->size);
    }
    const uint16_t sig = get_le16(r->p + start);
    if (sig != 0xaa55 && sig != 0x4e56 && sig != 0xbb77) {
        return WRONG(r, "at 0x%zx it has %02x %02x, an image begins with 55 aa or 56 4e", start,
                     r->p[start], r->p[start + 1]);
    }
    const size_t pcir = start + get_le16(r->p + start + 0x18);
    if (pcir < start + ROM_HEADER || !range_ok(pcir, PCIR_BYTES, r->size) ||
        (get_le32(r->p + pcir) != PCIR && get_le32(r->p + pcir) != NPDS)) {
        return WRONG(r, "its image at 0x%zx has no PCI data structure", start);
    }
    size_t blocks = get_le16(r->p + pcir + 0x10);
    bool last = (r->p[pcir + 0x15] & LAST) != 0;
    const size_t npde = (size_t)align_up_u64(pcir + get_le16(r->p + pcir + 0xa), 16);
    if (range_ok(npde, NPDE_BYTES, r->size) && get_le32(r->p + npde) == NPDE &&
        get_le16(r->p + npde + 8) != 0) {
        blocks = get_le16(r->p + npde + 8);
        last = (r->p[npde + 0xa] & LAST) != 0;
    }
    if (blocks == 0 || !range_ok(start, blocks * IMAGE_BLOCK, r->size)) {
        return WRONG(r, "its image at 0x%zx has 0x%zx bytes, it ends at 0x%zx: truncated?", start,
                     blocks * IMAGE_BLOCK, r->size);
    }
    const uint8_t type = r->p[pcir + 0x14];
    r->at_size = type == CODE_PCI_AT && start == 0 ? blocks * IMAGE_BLOCK : r->at_size;
    r->fwsec = type == CODE_FWSEC && r->fwsec == 0 ? start : r->fwsec;
    r->end = start + blocks * IMAGE_BLOCK;
    *next = last || type == CODE_NBSI ? 0 : r->end;
    return true;
}

static bool chain(struct rom *r)
{
    size_t start = 0;
    for (unsigned i = 0; i == 0 || start != 0; i++) {
        if (i == IMAGES_MAX) {
            return WRONG(r, "it has more than %d images", IMAGES_MAX);
        }
        if (!image(r, start, &start)) {
            return false;
        }
    }
    if (r->at_size == 0 || r->fwsec == 0) {
        return WRONG(r, "it has no %s image", r->at_size == 0 ? "PCI-AT" : "FWSEC");
    }
    return true;
}

/* Where the falcon table is, as a pointer of its family; and the version on the way. */
static bool bit(struct rom *r, uint32_t *table)
{
    static const uint8_t tag[6] = {0xff, 0xb8, 'B', 'I', 'T', 0};
    for (size_t at = 0; at + BIT_HEADER <= r->at_size; at++) {
        const uint8_t *b = r->p + at;
        uint8_t sum = 0;
        if (memcmp(b, tag, sizeof(tag)) != 0 || b[8] < BIT_HEADER || b[9] < BIT_TOKEN ||
            !range_ok(at + b[8], (size_t)b[9] * b[10], r->at_size)) {
            continue;
        }
        for (size_t i = 0; i < b[8]; i++) {
            sum = (uint8_t)(sum + b[i]);
        }
        bool found = false;
        for (size_t i = 0; sum == 0 && i < b[10]; i++) {
            const uint8_t *t = b + b[8] + i * b[9];
            const size_t data = get_le16(t + 4);
            if (t[0] == 'p' && t[1] == 2 && range_ok(data, 4, r->at_size)) {
                *table = get_le32(r->p + data);
                found = true;
            } else if (t[0] == 'i' && get_le16(t + 2) >= 5 && range_ok(data, 5, r->at_size)) {
                const uint8_t *v = r->p + data;
                memcpy(r->version, (const uint8_t[]){v[3], v[2], v[1], v[0], v[4]}, 5);
                r->has_version = true;
            }
        }
        if (found) {
            return true;
        }
    }
    return WRONG(r, "it has no BIT with a falcon table");
}

/* A pointer of the falcon table's family: as if FWSEC followed PCI-AT at once. */
static bool resolve(const struct rom *r, uint32_t pointer, size_t bytes, size_t *at)
{
    *at = (size_t)pointer - r->at_size + r->fwsec;
    return pointer >= r->at_size && range_ok(*at, bytes, r->end);
}

static bool descriptor(struct rom *r, uint32_t table, size_t *out)
{
    size_t at = 0;
    if (!resolve(r, table, TABLE_HEADER, &at)) {
        return WRONG(r, "its falcon table's pointer 0x%x leads nowhere", table);
    }
    const uint8_t *h = r->p + at;
    for (size_t i = 0; i < h[3] && h[2] >= TABLE_ENTRY; i++) {
        const size_t e = at + h[1] + i * h[2];
        if (!range_ok(e, TABLE_ENTRY, r->end)) {
            break;
        }
        if (r->p[e] == APP_FWSEC) {
            return resolve(r, get_le32(r->p + e + 2), DESC_V2_BYTES, out) ||
                   WRONG(r, "FWSEC's pointer 0x%x leads nowhere", get_le32(r->p + e + 2));
        }
    }
    return WRONG(r, "its falcon table has no FWSEC");
}

/* The two versions have the same things in other places. */
static void fields(const uint8_t *d, struct fwsec_info *w, uint32_t *data_at)
{
    w->version = get_le32(d) >> 8 & 0xff;
    const bool v2 = w->version == 2;
    w->interface_off = get_le32(d + (v2 ? 0x10 : 0x0c));
    w->imem_phys = get_le32(d + (v2 ? 0x14 : 0x10));
    w->imem_size = get_le32(d + (v2 ? 0x18 : 0x14));
    w->imem_virt = get_le32(d + (v2 ? 0x1c : 0x18));
    w->dmem_phys = get_le32(d + (v2 ? 0x2c : 0x1c));
    w->dmem_size = get_le32(d + (v2 ? 0x30 : 0x20));
    *data_at = v2 ? get_le32(d + 0x28) : w->imem_size;
    if (v2) {
        w->sec_base = get_le32(d + 0x20);
        w->sec_size = get_le32(d + 0x24);
        return;
    }
    w->pkc_off = get_le32(d + 0x08);
    w->engine_mask = get_le16(d + 0x24);
    w->ucode_id = d[0x26];
    w->signature_count = d[0x27];
    w->signature_versions = get_le16(d + 0x28);
}

static unsigned bits_set(uint32_t v)
{
    unsigned n = 0;
    for (; v != 0; v &= v - 1) {
        n++;
    }
    return n;
}

static bool fwsec(struct rom *r, size_t at, struct fwsec_info *w)
{
    const uint8_t *d = r->p + at;
    const size_t code = at + (get_le32(d) >> 16);
    uint32_t data_at = 0;
    fields(d, w, &data_at);
    const bool v3 = w->version == 3;
    if ((w->version != 2 && !v3) || !range_ok(code, w->imem_size, r->end) ||
        !range_ok((uint64_t)code + data_at, w->dmem_size, r->end) ||
        !range_ok(w->imem_phys, w->imem_size, FALCON_MEM_BYTES) ||
        !range_ok(w->dmem_phys, w->dmem_size, FALCON_MEM_BYTES) ||
        (v3 &&
         (!range_ok(w->pkc_off, SIGNATURE_BYTES, w->dmem_size) || w->ucode_id == 0 ||
          bits_set(w->signature_versions) > w->signature_count ||
          !range_ok(DESC_V3_BYTES, (uint64_t)w->signature_count * SIGNATURE_BYTES, code - at))) ||
        (!v3 && (w->sec_base < w->imem_virt ||
                 !range_ok(w->sec_base - w->imem_virt, w->sec_size, w->imem_size)))) {
        return WRONG(r, "its FWSEC descriptor (version %u) is malformed", w->version);
    }
    w->signatures = d + DESC_V3_BYTES;
    w->imem = r->p + code;
    w->dmem = w->imem + data_at;
    return true;
}

/* Where FWSEC takes its command. */
static bool command(struct rom *r, struct fwsec_info *w)
{
    const uint8_t *h = w->dmem + w->interface_off;
    if (!range_ok(w->interface_off, 4, w->dmem_size) ||
        !range_ok((uint64_t)w->interface_off + h[1], (size_t)h[2] * h[3], w->dmem_size)) {
        return WRONG(r, "FWSEC's interface table at 0x%x is malformed", w->interface_off);
    }
    for (size_t i = 0; i < h[3] && h[2] >= 8; i++) {
        const uint8_t *e = h + h[1] + i * h[2];
        const uint32_t mapper = get_le32(e + 4);
        if (get_le32(e) != MAPPER_ID) {
            continue;
        }
        if (!range_ok(mapper, MAPPER_BYTES, w->dmem_size) || get_le32(w->dmem + mapper) != DMAP) {
            break;
        }
        w->mapper_off = mapper;
        w->cmd_in_off = get_le32(w->dmem + mapper + 8);
        w->cmd_in_size = get_le32(w->dmem + mapper + 0xc);
        if (w->cmd_in_size < COMMAND_BYTES ||
            !range_ok(w->cmd_in_off, w->cmd_in_size, w->dmem_size)) {
            break;
        }
        return true;
    }
    return WRONG(r, "FWSEC has no DMEMMAPPER with a command buffer");
}

bool model_rom_parse(struct gpu_model *m, char *err, size_t err_size)
{
    size_t start = 0, at = 0;
    uint32_t table = 0;
    if (!model_rom_start(m->rom->bytes, m->rom->size, &start, err, err_size)) {
        return false;
    }
    struct rom r = {
        .p = m->rom->bytes + start, .size = m->rom->size - start, .err = err, .err_size = err_size};
    if (!chain(&r) || !bit(&r, &table) || !descriptor(&r, table, &at) || !fwsec(&r, at, m->fwsec) ||
        !command(&r, m->fwsec)) {
        return false;
    }
    if (r.has_version) {
        snprintf(m->rom->version, sizeof(m->rom->version), "%02x.%02x.%02x.%02x.%02x", r.version[0],
                 r.version[1], r.version[2], r.version[3], r.version[4]);
    }
    return true;
}
