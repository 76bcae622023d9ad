/* SPDX-License-Identifier: MIT */
/*
 * A synthetic VBIOS: PCI-AT, an EFI image without code (so that the pointer rule is exercised), and
 * two FWSEC images. Sizes and orders follow what real GA102, AD104 and TU117 boards show and what
 * nova, nouveau, open-gpu-kernel-modules and tinygrad all accept.
 */
#include "tests/synth/synth_priv.h"

#include <string.h>

enum {
    BLOCK = 512,
    AT_SIZE = 0x1000,
    EFI_SIZE = BLOCK,
    FWSEC1_SIZE = BLOCK,
    /* PCI-AT, as on real boards. */
    AT_PCIR = 0x170,
    AT_NPDE = 0x190,
    AT_BIT = 0x1b0,
    BIT_HEADER = 12,
    BIT_TOKEN = 6,
    DATA_B = 0x200,
    DATA_I = 0x210,
    DATA_LOWER_I = 0x230,
    LOWER_I_SIZE = 104,
    DATA_P = 0x2a0,
    DCB = 0x2c0,
    DCB_HEADER = 0x23,
    /* Second FWSEC image. */
    FWSEC2_PCIR = 0x20,
    FWSEC2_NPDE = 0x40,
    FWSEC2_DESC = 0x80,
    DESC_V3 = 44,
    DESC_V2 = 60,
    SIGNATURE = 384,
    /* DMEM image: interface table where GA102 has it, then packed tightly. */
    DMEM_INTERFACE = 0x1c,
    DMEM_MAPPER = 0x40,
    DMEM_CMD_IN = 0x80,
    CMD_IN_SIZE = 0x40,
    DMEM_TARGETS = 0xc0, /* interface id 5, unknown use */
    DMEM_PKC = 0x104,    /* not aligned to 8, like the real 0x5a4 */
    DMEM_MIN = 0x300,
    FALCON_HEADER = 6,
    FALCON_ENTRY = 6,
    FALCON_ENTRIES = 5,
    /* IFR header: small versions of the real distances. */
    IFR_FIXED = 0x18,
    IFR_TOTAL = 0x40,
    IFR_FLASH_STATUS = 0x200,
    IFR_DIRECTORY = IFR_FLASH_STATUS + 0x1000,
    IFR_ROM_V1 = 0x200,
    IFR_ROM_V3 = 0x1400,
};
#define IFR_SIGNATURE           0x4947564eu /* "NVGI" */
#define IFR_DIRECTORY_SIGNATURE 0x44524652u /* "RFRD" */
#define TAG_PCIR                0x52494350u
#define TAG_NPDS                0x5344504eu
#define TAG_NPDE                0x4544504eu
#define TAG_DMAP                0x50414d44u
#define DCB_SIGNATURE           0x4edcbdcbu

/* Options with the defaults filled in, and everything's place. */
struct plan {
    struct synth_vbios_options o;
    struct synth_vbios_map map;
    size_t fwsec2, fwsec2_size, end;
    uint32_t l0, e0; /* length of PCI-AT and start of the first FWSEC image, from the PCI ROM */
};

static struct plan make_plan(const struct synth_vbios_options *opt)
{
    struct plan p = {.o = *opt};
    struct synth_vbios_options *o = &p.o;
    o->desc_version = o->desc_version != 0 ? o->desc_version : 3;
    o->imem_bytes = o->imem_bytes != 0 ? o->imem_bytes : 0x1000;
    o->dmem_bytes = o->dmem_bytes != 0 ? o->dmem_bytes : 0x800;
    o->dmem_bytes = o->dmem_bytes < DMEM_MIN ? DMEM_MIN : o->dmem_bytes;
    o->signature_count = o->desc_version == 3 && o->signature_count == 0 ? 3 : o->signature_count;
    if (o->signature_versions == 0) {
        o->signature_versions = (uint16_t)((1u << o->signature_count) - 1);
    }
    o->ucode_id = o->ucode_id != 0 ? o->ucode_id : 9;
    o->version = o->version != NULL ? o->version : "94.02.26.48.70";

    struct synth_vbios_map *m = &p.map;
    m->pci_rom = o->ifr_version == 0 ? 0 : o->ifr_version == 3 ? IFR_ROM_V3 : IFR_ROM_V1;
    m->pcir0 = m->pci_rom + AT_PCIR;
    m->npde0 = m->pci_rom + AT_NPDE;
    m->bit = m->pci_rom + AT_BIT;
    p.l0 = AT_SIZE;
    p.e0 = AT_SIZE + (o->no_efi ? 0 : EFI_SIZE);
    m->fwsec_first = m->pci_rom + p.e0;
    p.fwsec2 = m->fwsec_first + FWSEC1_SIZE;
    m->descriptor = p.fwsec2 + FWSEC2_DESC;
    bool v3 = o->desc_version == 3;
    m->signature_count = v3 ? o->signature_count : 0;
    m->signatures = m->descriptor + (v3 ? DESC_V3 : DESC_V2);
    m->imem = m->signatures + (size_t)SIGNATURE * m->signature_count;
    m->imem_size = o->imem_bytes;
    m->dmem = m->imem + o->imem_bytes;
    m->dmem_size = o->dmem_bytes;
    m->pkc_data_offset = v3 ? DMEM_PKC : 0;
    m->interface = m->dmem + DMEM_INTERFACE;
    m->mapper = m->dmem + DMEM_MAPPER;
    m->cmd_in = m->dmem + DMEM_CMD_IN;
    m->falcon_table = m->dmem + o->dmem_bytes;
    size_t used = m->falcon_table + FALCON_HEADER + FALCON_ENTRIES * FALCON_ENTRY + 1 - p.fwsec2;
    p.fwsec2_size = (size_t)align_up_u64(used, BLOCK);
    p.end = p.fwsec2 + p.fwsec2_size;
    return p;
}

/* A falcon pointer to a place in the FWSEC images: as if they followed PCI-AT at once. */
static uint32_t falcon_pointer(const struct plan *p, size_t place)
{
    return (uint32_t)(place - p->map.pci_rom) - p->e0 + p->l0;
}

struct image_head {
    size_t at, size;
    uint16_t signature;
    uint16_t pcir, pcir_length;
    uint32_t pcir_tag;
    uint8_t pcir_revision, code_type, pcir_last;
    uint16_t npde, npde_revision, npde_length;
    uint8_t npde_last, npde_flags;
};

static void put_head(uint8_t *rom, const struct synth_vbios_options *o, const struct image_head *h)
{
    uint8_t *image = rom + h->at;
    put_le16(image, h->signature);
    put_le16(image + 0x18, h->pcir);
    uint8_t *pcir = image + h->pcir;
    put_le32(pcir, h->pcir_tag);
    put_le16(pcir + 4, 0x10de);
    put_le16(pcir + 6, o->device_id);
    put_le16(pcir + 0xa, h->pcir_length);
    pcir[0xc] = h->pcir_revision;
    pcir[0xf] = 0x03; /* class code: display */
    put_le16(pcir + 0x10, (uint16_t)(h->size / BLOCK));
    put_le16(pcir + 0x12, 1);
    pcir[0x14] = h->code_type;
    pcir[0x15] = h->pcir_last;
    uint8_t *npde = image + h->npde;
    put_le32(npde, TAG_NPDE);
    put_le16(npde + 4, h->npde_revision);
    put_le16(npde + 6, h->npde_length);
    put_le16(npde + 8, (uint16_t)(h->size / BLOCK));
    npde[0xa] = h->npde_last;
    npde[0xb] = h->npde_flags;
}

static void put_checksum(uint8_t *p, size_t n)
{
    uint8_t sum = 0;
    for (size_t i = 0; i + 1 < n; i++) {
        sum = (uint8_t)(sum + p[i]);
    }
    p[n - 1] = (uint8_t)-sum;
}

static void put_token(uint8_t **t, char id, uint8_t version, uint16_t size, uint16_t data)
{
    (*t)[0] = (uint8_t)id;
    (*t)[1] = version;
    put_le16(*t + 2, size);
    put_le16(*t + 4, data);
    *t += BIT_TOKEN;
}

/* "94.02.26.48.70" as five bytes. */
static void version_bytes(const char *text, uint8_t out[5])
{
    memset(out, 0, 5);
    for (size_t i = 0; *text != '\0' && i < 5; text++) {
        if (*text == '.') {
            i++;
        } else {
            unsigned digit =
                *text <= '9' ? (unsigned)(*text - '0') : (unsigned)((*text | 0x20) - 'a') + 10;
            out[i] = (uint8_t)((unsigned)out[i] << 4 | (digit & 0xf));
        }
    }
}

static void put_pci_at(uint8_t *rom, const struct plan *p)
{
    uint8_t *at = rom + p->map.pci_rom;
    put_head(rom, &p->o,
             &(struct image_head){.at = p->map.pci_rom,
                                  .size = AT_SIZE,
                                  .signature = 0xaa55,
                                  .pcir = AT_PCIR,
                                  .pcir_length = 0x18,
                                  .pcir_tag = TAG_PCIR,
                                  .code_type = 0x00,
                                  .npde = AT_NPDE,
                                  .npde_revision = 0x0101,
                                  .npde_length = 0x14,
                                  .npde_flags = 1});
    at[2] = AT_SIZE / BLOCK;
    put_le16(at + 0x36, DCB);

    uint8_t *bit = at + AT_BIT;
    put_le16(bit, 0xb8ff);
    memcpy(bit + 2, "BIT", 4);
    put_le16(bit + 6, 0x0100);
    bit[8] = BIT_HEADER;
    bit[9] = BIT_TOKEN;
    uint8_t *t = bit + BIT_HEADER;
    put_token(&t, 'B', 2, 6, DATA_B);
    put_token(&t, 'N', 0, 0, 0);
    put_token(&t, 'I', 1, 14, DATA_I);
    put_token(&t, 'i', 2, LOWER_I_SIZE, DATA_LOWER_I);
    put_token(&t, 'p', 2, 4, DATA_P);
    bit[10] = (uint8_t)((t - bit - BIT_HEADER) / BIT_TOKEN);
    put_checksum(bit, BIT_HEADER);

    uint8_t v[5];
    version_bytes(p->o.version, v);
    /* 'B': the version as u32 and byte; 'i': +3 major, +2, +1, +0, +4 patch. */
    put_le32(at + DATA_B, (uint32_t)v[0] << 24 | (uint32_t)v[1] << 16 | (uint32_t)v[2] << 8 | v[3]);
    at[DATA_B + 4] = v[4];
    for (int i = 0; i < 4; i++) {
        at[DATA_LOWER_I + i] = v[3 - i];
    }
    at[DATA_LOWER_I + 4] = v[4];
    put_le32(at + DATA_P, falcon_pointer(p, p->map.falcon_table));

    at[DCB] = 0x41;
    at[DCB + 1] = DCB_HEADER;
    at[DCB + 3] = 8;
    put_le32(at + DCB + 6, DCB_SIGNATURE);
    put_checksum(at, AT_SIZE);
}

static void put_dmem(uint8_t *rom, const struct plan *p)
{
    uint8_t *dmem = rom + p->map.dmem;
    synth_fill(dmem, p->o.dmem_bytes, p->o.seed, "fwsec dmem");
    uint8_t *table = dmem + DMEM_INTERFACE;
    memcpy(table, (const uint8_t[]){1, 4, 8, 2}, 4);
    put_le32(table + 4, 4); /* DMEMMAPPER */
    put_le32(table + 8, DMEM_MAPPER);
    put_le32(table + 12, 5);
    put_le32(table + 16, DMEM_TARGETS);
    uint8_t *m = dmem + DMEM_MAPPER;
    memset(m, 0, 0x40);
    put_le32(m, TAG_DMAP);
    put_le16(m + 4, 3);
    put_le16(m + 6, 0x40);
    put_le32(m + 8, DMEM_CMD_IN);
    put_le32(m + 0xc, CMD_IN_SIZE);
    put_le32(m + 0x10, 0x01000000); /* as on a real GA102: not a DMEM offset */
    put_le32(m + 0x14, 0x100);
    put_le32(m + 0x18, 0x900);
    put_le32(m + 0x1c, 0x2600);
    put_le32(m + 0x30, 4);
    put_le32(m + 0x34, 0x44000);
    put_le32(m + 0x3c, DMEM_TARGETS);
    memset(dmem + DMEM_CMD_IN, 0, CMD_IN_SIZE);
    if (p->o.desc_version == 3) {
        memset(dmem + DMEM_PKC, 0, SIGNATURE);
    }
}

static void put_descriptor(uint8_t *rom, const struct plan *p)
{
    const struct synth_vbios_options *o = &p->o;
    const struct synth_vbios_map *m = &p->map;
    uint8_t *d = rom + m->descriptor;
    uint32_t size = (uint32_t)(m->imem - m->descriptor);
    put_le32(d, size << 16 | (uint32_t)o->desc_version << 8 | 1u);
    put_le32(d + 4, m->imem_size + m->dmem_size);
    if (o->desc_version == 3) {
        put_le32(d + 8, DMEM_PKC);
        put_le32(d + 0xc, DMEM_INTERFACE);
        put_le32(d + 0x14, m->imem_size);
        put_le32(d + 0x20, m->dmem_size);
        put_le16(d + 0x24, 0x0400); /* GSP */
        d[0x26] = o->ucode_id;
        d[0x27] = (uint8_t)o->signature_count;
        put_le16(d + 0x28, o->signature_versions);
        for (unsigned i = 0; i < m->signature_count; i++) {
            char tag[] = "fwsec signature 0";
            tag[sizeof(tag) - 2] = (char)('a' + i);
            synth_fill(rom + m->signatures + (size_t)SIGNATURE * i, SIGNATURE, o->seed, tag);
        }
    } else {
        /* A quarter of the code is not secure, in whole blocks of 256. */
        uint32_t non_secure = (uint32_t)align_up_u64(m->imem_size / 4, 0x100);
        put_le32(d + 8, m->imem_size + m->dmem_size);
        put_le32(d + 0x10, DMEM_INTERFACE);
        put_le32(d + 0x18, m->imem_size);
        put_le32(d + 0x20, non_secure);
        put_le32(d + 0x24, m->imem_size - non_secure);
        put_le32(d + 0x28, m->imem_size);
        put_le32(d + 0x30, m->dmem_size);
        put_le32(d + 0x34, m->imem_size);
        put_le32(d + 0x38, m->dmem_size);
    }
    synth_fill(rom + m->imem, m->imem_size, o->seed, "fwsec imem");
}

static void put_fwsec(uint8_t *rom, const struct plan *p)
{
    put_head(rom, &p->o,
             &(struct image_head){.at = p->map.fwsec_first,
                                  .size = FWSEC1_SIZE,
                                  .signature = 0x4e56,
                                  .pcir = 0x140,
                                  .pcir_length = 0x18,
                                  .pcir_tag = TAG_NPDS,
                                  .code_type = 0xe0,
                                  .npde = 0x160,
                                  .npde_revision = 0x0101,
                                  .npde_length = 0x14});
    put_checksum(rom + p->map.fwsec_first, FWSEC1_SIZE);
    put_head(rom, &p->o,
             &(struct image_head){.at = p->fwsec2,
                                  .size = p->fwsec2_size,
                                  .signature = 0x4e56,
                                  .pcir = FWSEC2_PCIR,
                                  .pcir_length = 0x18,
                                  .pcir_tag = TAG_NPDS,
                                  .code_type = 0xe0,
                                  .pcir_last = 0x80,
                                  .npde = FWSEC2_NPDE,
                                  .npde_revision = 0x0101,
                                  .npde_length = 0x14,
                                  .npde_last = 0x80});
    put_descriptor(rom, p);
    put_dmem(rom, p);

    uint8_t *table = rom + p->map.falcon_table;
    memcpy(table, (const uint8_t[]){1, FALCON_HEADER, FALCON_ENTRY, FALCON_ENTRIES, 1, 48},
           FALCON_HEADER);
    /* Other applications and an unused slot before and after, as on real boards. */
    static const uint8_t ids[FALCON_ENTRIES][2] = {
        {0x01, 1}, {0x07, 6}, {0x85, 7}, {0x89, 5}, {0, 0}};
    for (int i = 0; i < FALCON_ENTRIES; i++) {
        uint8_t *e = table + FALCON_HEADER + FALCON_ENTRY * i;
        e[0] = ids[i][0];
        e[1] = ids[i][1];
        size_t place = ids[i][0] == 0x85 ? p->map.descriptor : p->map.fwsec_first + 0x180;
        put_le32(e + 2, ids[i][0] == 0 ? 0 : falcon_pointer(p, place));
    }
    put_checksum(rom + p->fwsec2, p->fwsec2_size);
}

static void put_ifr(uint8_t *rom, const struct plan *p)
{
    put_le32(rom, IFR_SIGNATURE);
    put_le32(rom + 4, (uint32_t)IFR_FIXED << 16 | p->o.ifr_version << 8);
    put_le32(rom + 8, IFR_TOTAL);
    if (p->o.ifr_version == 3) {
        put_le32(rom + IFR_TOTAL, IFR_FLASH_STATUS);
        put_le32(rom + IFR_DIRECTORY, IFR_DIRECTORY_SIGNATURE);
        put_le32(rom + IFR_DIRECTORY + 8, (uint32_t)p->map.pci_rom);
        put_le32(rom + IFR_DIRECTORY + 12, (uint32_t)(p->end - p->map.pci_rom));
    } else {
        put_le32(rom + IFR_FIXED + 4, (uint32_t)p->map.pci_rom);
    }
}

struct synth_blob synth_vbios(const struct synth_vbios_options *opt)
{
    struct plan p = make_plan(opt);
    struct synth_blob b = synth_blob_new(p.end);
    if (p.o.ifr_version != 0) {
        memset(b.data, 0xff, p.map.pci_rom); /* erased flash between the headers */
        put_ifr(b.data, &p);
    }
    put_pci_at(b.data, &p);
    if (!p.o.no_efi) {
        size_t efi = p.map.pci_rom + AT_SIZE;
        put_head(b.data, &p.o,
                 &(struct image_head){.at = efi,
                                      .size = EFI_SIZE,
                                      .signature = 0xaa55,
                                      .pcir = 0x1c,
                                      .pcir_length = 0x1c,
                                      .pcir_tag = TAG_PCIR,
                                      .pcir_revision = 3,
                                      .code_type = 0x03,
                                      .pcir_last = 0x80,
                                      .npde = 0x40,
                                      .npde_revision = 0x0100,
                                      .npde_length = 0x10});
        put_checksum(b.data + efi, EFI_SIZE);
    }
    put_fwsec(b.data, &p);
    return b;
}

void synth_vbios_locate(const struct synth_blob *vbios, const struct synth_vbios_options *opt,
                        struct synth_vbios_map *out)
{
    (void)vbios;
    struct plan p = make_plan(opt);
    *out = p.map;
    out->token_p = out->bit + BIT_HEADER + 4 * BIT_TOKEN;
}
