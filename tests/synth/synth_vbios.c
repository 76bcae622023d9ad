/* SPDX-License-Identifier: MIT */
/*
 * A synthetic VBIOS: PCI-AT, an EFI image without code (so that the pointer rule is exercised), two
 * FWSEC images, and on Turing one of type 0x70. Sizes and places are those of a shape
 * (synth_shapes.c); what is in all shapes alike is what nova, nouveau, open-gpu-kernel-modules and
 * tinygrad accept.
 */
#include "tests/synth/synth_priv.h"

#include <string.h>

enum {
    BLOCK = 512,
    /* PCI-AT, as on real boards. */
    AT_PCIR = 0x170,
    AT_NPDE = 0x190,
    AT_BIT = 0x1b0,
    BIT_HEADER = 12,
    BIT_TOKEN = 6,
    DCB_HEADER = 0x23,
    FWSEC1_OTHERS = 0x180, /* zeros in the first FWSEC image */
    /* Second FWSEC image. */
    FWSEC2_PCIR = 0x20,
    FWSEC2_NPDE = 0x40,
    FWSEC2_HEADERS = 0x60,
    DESC_V3 = 44,
    DESC_V2 = 60,
    SIGNATURE = 384,
    CMD_IN_SIZE = 0x40,
    FALCON_HEADER = 6,
    FALCON_ENTRY = 6,
    IFR_DIRECTORY = 0x1000, /* behind the flash status */
    IFR_ROM_V1 = 0x200,
};
#define IFR_SIGNATURE           0x4947564eu /* "NVGI" */
#define IFR_DIRECTORY_SIGNATURE 0x44524652u /* "RFRD" */
#define TAG_PCIR                0x52494350u
#define TAG_NPDS                0x5344504eu
#define TAG_NPDE                0x4544504eu
#define TAG_DMAP                0x50414d44u
#define DCB_SIGNATURE           0x4edcbdcbu

static const struct synth_token *token(struct synth_tokens t, char id)
{
    const struct synth_token *at = t.token;
    while (at->id != id) { /* all lists have those that are asked for */
        at++;
    }
    return at;
}

/* Options with the defaults filled in, and everything's place. */
struct plan {
    struct synth_vbios_options o;
    const struct synth_vbios_shape *s;
    struct synth_vbios_map map;
    size_t fwsec2, fwsec2_size, end;
    uint32_t l0, e0; /* length of PCI-AT and start of the first FWSEC image, from the PCI ROM */
};

static struct plan make_plan(const struct synth_vbios_options *opt)
{
    struct plan p = {.o = *opt, .s = opt->shape != NULL ? opt->shape : &synth_vbios_small};
    struct synth_vbios_options *o = &p.o;
    const struct synth_vbios_shape *s = p.s;
    const uint32_t least =
        s->pkc + SIGNATURE > s->cmd_in + CMD_IN_SIZE ? s->pkc + SIGNATURE : s->cmd_in + CMD_IN_SIZE;
    o->desc_version = o->desc_version != 0 ? o->desc_version : s->desc_version;
    o->imem_bytes = o->imem_bytes != 0 ? o->imem_bytes : s->imem_bytes;
    o->dmem_bytes = o->dmem_bytes != 0 ? o->dmem_bytes : s->dmem_bytes;
    o->dmem_bytes = o->dmem_bytes < least ? least : o->dmem_bytes;
    bool v3 = o->desc_version == 3;
    const bool as_shape = o->signature_count == 0 && s->signature_versions != 0;
    o->signature_count = v3 && o->signature_count == 0 ? s->signature_count : o->signature_count;
    if (o->signature_versions == 0) {
        o->signature_versions =
            (uint16_t)(as_shape ? s->signature_versions : (1u << o->signature_count) - 1);
    }
    o->ucode_id = o->ucode_id != 0 ? o->ucode_id : 9;
    o->version = o->version != NULL ? o->version : "94.02.26.48.70";

    struct synth_vbios_map *m = &p.map;
    m->pci_rom = o->ifr_version == 0 ? 0 : o->ifr_version == 3 ? s->ifr_rom : IFR_ROM_V1;
    m->pcir0 = m->pci_rom + AT_PCIR;
    m->npde0 = m->pci_rom + AT_NPDE;
    m->bit = m->pci_rom + AT_BIT;
    const struct synth_tokens tokens = synth_tokens_of(s);
    m->token_p = m->bit + BIT_HEADER + (size_t)(token(tokens, 'p') - tokens.token) * BIT_TOKEN;
    p.l0 = s->at_bytes;
    p.e0 = s->at_bytes + (o->no_efi ? 0 : s->efi_bytes);
    m->fwsec_first = m->pci_rom + p.e0;
    p.fwsec2 = m->fwsec_first + s->fwsec1_bytes;
    m->descriptor = p.fwsec2 + s->descriptor;
    m->signature_count = v3 ? o->signature_count : 0;
    m->signatures = m->descriptor + (v3 ? DESC_V3 : DESC_V2);
    m->imem = m->signatures + (size_t)SIGNATURE * m->signature_count;
    m->imem_size = o->imem_bytes;
    m->dmem = m->imem + o->imem_bytes;
    m->dmem_size = o->dmem_bytes;
    m->pkc_data_offset = v3 ? s->pkc : 0;
    m->interface = m->dmem + s->interface_offset;
    m->mapper = m->dmem + s->mapper;
    m->cmd_in = m->dmem + s->cmd_in;
    const size_t table = FALCON_HEADER + (size_t)synth_ucodes_of(s).count * FALCON_ENTRY + 1;
    const size_t behind = table > s->table_from_end ? table : s->table_from_end;
    const size_t used = m->dmem + o->dmem_bytes + behind - p.fwsec2;
    p.fwsec2_size = (size_t)align_up_u64(used > s->fwsec2_bytes ? used : s->fwsec2_bytes, BLOCK);
    m->fwsec_end = p.fwsec2 + p.fwsec2_size;
    m->falcon_table =
        s->table_from_end != 0 ? m->fwsec_end - s->table_from_end : m->dmem + o->dmem_bytes;
    p.end = m->fwsec_end + s->nbsi_bytes;
    m->images = 3u + (o->no_efi ? 0 : 1) + (s->nbsi_bytes != 0 ? 1 : 0);
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
    const struct synth_tokens tokens = synth_tokens_of(p->s);
    put_head(rom, &p->o,
             &(struct image_head){.at = p->map.pci_rom,
                                  .size = p->s->at_bytes,
                                  .signature = 0xaa55,
                                  .pcir = AT_PCIR,
                                  .pcir_length = 0x18,
                                  .pcir_tag = TAG_PCIR,
                                  .code_type = 0x00,
                                  .npde = AT_NPDE,
                                  .npde_revision = 0x0101,
                                  .npde_length = 0x14,
                                  .npde_flags = 1});
    at[2] = (uint8_t)(p->s->at_bytes / BLOCK);
    put_le16(at + 0x36, tokens.dcb);

    uint8_t *bit = at + AT_BIT;
    put_le16(bit, 0xb8ff);
    memcpy(bit + 2, "BIT", 4);
    put_le16(bit + 6, 0x0100);
    bit[8] = BIT_HEADER;
    bit[9] = BIT_TOKEN;
    bit[10] = (uint8_t)tokens.count;
    for (unsigned i = 0; i < tokens.count; i++) {
        const struct synth_token *token = &tokens.token[i];
        uint8_t *t = bit + BIT_HEADER + (size_t)i * BIT_TOKEN;
        t[0] = (uint8_t)token->id;
        t[1] = token->version;
        put_le16(t + 2, token->size);
        put_le16(t + 4, token->data);
    }
    put_checksum(bit, BIT_HEADER);

    uint8_t *big = at + token(tokens, 'B')->data;
    uint8_t *small = at + token(tokens, 'i')->data;
    uint8_t v[5];
    version_bytes(p->o.version, v);
    /* 'B': the version as u32 and byte; 'i': +3 major, +2, +1, +0, +4 patch. */
    put_le32(big, (uint32_t)v[0] << 24 | (uint32_t)v[1] << 16 | (uint32_t)v[2] << 8 | v[3]);
    big[4] = v[4];
    for (int i = 0; i < 4; i++) {
        small[i] = v[3 - i];
    }
    small[4] = v[4];
    put_le32(at + token(tokens, 'p')->data, falcon_pointer(p, p->map.falcon_table));

    uint8_t *dcb = at + tokens.dcb;
    dcb[0] = 0x41;
    dcb[1] = DCB_HEADER;
    dcb[3] = 8;
    put_le32(dcb + 6, DCB_SIGNATURE);
    put_checksum(at, p->s->at_bytes);
    if (p->s->bad_checksum) {
        at[p->s->at_bytes - 1] ^= 0x5a;
    }
}

static void put_dmem(uint8_t *rom, const struct plan *p)
{
    uint8_t *dmem = rom + p->map.dmem;
    synth_fill(dmem, p->o.dmem_bytes, p->o.seed, "fwsec dmem");
    uint8_t *table = dmem + p->s->interface_offset;
    memcpy(table, (const uint8_t[]){1, 4, 8, 2}, 4);
    put_le32(table + 4, 4); /* DMEMMAPPER */
    put_le32(table + 8, p->s->mapper);
    put_le32(table + 12, 5);
    put_le32(table + 16, p->s->targets);
    uint8_t *m = dmem + p->s->mapper;
    memset(m, 0, 0x40);
    put_le32(m, TAG_DMAP);
    put_le16(m + 4, 3);
    put_le16(m + 6, 0x40);
    put_le32(m + 8, p->s->cmd_in);
    put_le32(m + 0xc, CMD_IN_SIZE);
    put_le32(m + 0x10, 0x01000000); /* as on a real GA102: not a DMEM offset */
    put_le32(m + 0x14, 0x100);
    put_le32(m + 0x18, 0x900);
    put_le32(m + 0x1c, 0x2600);
    put_le32(m + 0x30, 4);
    put_le32(m + 0x34, 0x44000);
    put_le32(m + 0x3c, p->s->targets);
    memset(dmem + p->s->cmd_in, 0, CMD_IN_SIZE);
    if (p->o.desc_version == 3) {
        memset(dmem + p->s->pkc, 0, SIGNATURE);
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
        put_le32(d + 8, p->s->pkc);
        put_le32(d + 0xc, p->s->interface_offset);
        put_le32(d + 0x14, m->imem_size);
        put_le32(d + 0x20, m->dmem_size);
        put_le16(d + 0x24, 0x0400); /* GSP */
        d[0x26] = o->ucode_id;
        d[0x27] = (uint8_t)o->signature_count;
        put_le16(d + 0x28, o->signature_versions);
        put_le16(d + 0x2a, p->s->reserved);
        for (unsigned i = 0; i < m->signature_count; i++) {
            char tag[] = "fwsec signature 0";
            tag[sizeof(tag) - 2] = (char)('a' + i);
            synth_fill(rom + m->signatures + (size_t)SIGNATURE * i, SIGNATURE, o->seed, tag);
        }
    } else {
        /* In whole blocks of 256; of other sizes than the shape's a quarter. */
        uint32_t non_secure = m->imem_size == p->s->imem_bytes
                                  ? p->s->plain_bytes
                                  : (uint32_t)align_up_u64(m->imem_size / 4, 0x100);
        put_le32(d + 8, m->imem_size + m->dmem_size);
        put_le32(d + 0x10, p->s->interface_offset);
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
                                  .size = p->s->fwsec1_bytes,
                                  .signature = 0x4e56,
                                  .pcir = 0x140,
                                  .pcir_length = 0x18,
                                  .pcir_tag = TAG_NPDS,
                                  .code_type = 0xe0,
                                  .npde = 0x160,
                                  .npde_revision = 0x0101,
                                  .npde_length = 0x14});
    put_checksum(rom + p->map.fwsec_first, p->s->fwsec1_bytes);
    /* What else is in there is other programs. */
    synth_fill(rom + p->fwsec2 + FWSEC2_HEADERS, p->fwsec2_size - FWSEC2_HEADERS, p->o.seed,
               "fwsec others");
    const uint8_t last = p->s->nbsi_bytes == 0 ? 0x80 : 0;
    put_head(rom, &p->o,
             &(struct image_head){.at = p->fwsec2,
                                  .size = p->fwsec2_size,
                                  .signature = 0x4e56,
                                  .pcir = FWSEC2_PCIR,
                                  .pcir_length = 0x18,
                                  .pcir_tag = TAG_NPDS,
                                  .code_type = 0xe0,
                                  .pcir_last = last,
                                  .npde = FWSEC2_NPDE,
                                  .npde_revision = 0x0101,
                                  .npde_length = 0x14,
                                  .npde_last = last});
    memset(rom + p->map.descriptor, 0, p->map.signatures - p->map.descriptor);
    put_descriptor(rom, p);
    put_dmem(rom, p);

    uint8_t *table = rom + p->map.falcon_table;
    const struct synth_ucodes ucodes = synth_ucodes_of(p->s);
    const uint8_t head[FALCON_HEADER] = {1, FALCON_HEADER, FALCON_ENTRY, (uint8_t)ucodes.count, 1,
                                         48};
    memcpy(table, head, sizeof(head));
    for (unsigned i = 0; i < ucodes.count; i++) {
        uint8_t *e = table + FALCON_HEADER + (size_t)FALCON_ENTRY * i;
        const uint8_t app = ucodes.id[i][0];
        const size_t place =
            app == SYNTH_APP_FWSEC ? p->map.descriptor : p->map.fwsec_first + FWSEC1_OTHERS;
        e[0] = app;
        e[1] = ucodes.id[i][1];
        put_le32(e + 2, app == 0 ? 0 : falcon_pointer(p, place));
    }
    put_checksum(rom + p->fwsec2, p->fwsec2_size);
}

static void put_ifr(uint8_t *rom, const struct plan *p)
{
    const struct synth_vbios_shape *s = p->s;
    put_le32(rom, IFR_SIGNATURE);
    put_le32(rom + 4, s->ifr_fixed << 16 | p->o.ifr_version << 8);
    put_le32(rom + 8, s->ifr_total);
    if (p->o.ifr_version == 3) {
        uint8_t *directory = rom + s->ifr_status + IFR_DIRECTORY;
        put_le32(rom + s->ifr_total, s->ifr_status);
        put_le32(directory, IFR_DIRECTORY_SIGNATURE);
        put_le32(directory + 8, (uint32_t)p->map.pci_rom);
        put_le32(directory + 12, (uint32_t)(p->end - p->map.pci_rom));
    } else {
        put_le32(rom + s->ifr_fixed + 4, (uint32_t)p->map.pci_rom);
    }
}

/* The fifth image of Turing boards: headers and nothing else. */
static void put_nbsi(uint8_t *rom, const struct plan *p)
{
    put_head(rom, &p->o,
             &(struct image_head){.at = p->map.fwsec_end,
                                  .size = p->s->nbsi_bytes,
                                  .signature = 0x4e56,
                                  .pcir = 0x20,
                                  .pcir_length = 0x18,
                                  .pcir_tag = TAG_NPDS,
                                  .code_type = 0x70,
                                  .pcir_last = 0x80,
                                  .npde = 0x40,
                                  .npde_revision = 0x0101,
                                  .npde_length = 0x14,
                                  .npde_last = 0x80});
    put_checksum(rom + p->map.fwsec_end, p->s->nbsi_bytes);
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
        size_t efi = p.map.pci_rom + p.s->at_bytes;
        put_head(b.data, &p.o,
                 &(struct image_head){.at = efi,
                                      .size = p.s->efi_bytes,
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
        put_checksum(b.data + efi, p.s->efi_bytes);
    }
    put_fwsec(b.data, &p);
    if (p.s->nbsi_bytes != 0) {
        put_nbsi(b.data, &p);
    }
    return b;
}

void synth_vbios_locate(const struct synth_blob *vbios, const struct synth_vbios_options *opt,
                        struct synth_vbios_map *out)
{
    (void)vbios;
    struct plan p = make_plan(opt);
    *out = p.map;
}
