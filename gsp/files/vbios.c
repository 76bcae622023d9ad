/* SPDX-License-Identifier: MIT */
/*
 * Walking the VBIOS: reading with a cache, IFR header, chain of images, BIT. The FWSEC part is
 * vbios_fwsec.c; contract and sources in vbios.h.
 */
#include "gsp/files/vbios.h"

#include <stdio.h>
#include <string.h>

#include "gsp/files/vbios_priv.h"
#include "gsp/hw/regs/messages.h"

/* ---- reading ---- */

/* Slot of an offset: its own, or the free one where it would go; NULL when the cache is full. */
static uint32_t *cache_slot(struct vbios *v, uint32_t off, uint32_t **value)
{
    uint32_t key = off + 1;
    uint32_t slot = off / 4 * 2654435761u; /* Knuth's multiplicative hash */
    for (uint32_t i = 0; i < VBIOS_CACHE_SLOTS; i++) {
        uint32_t at = (slot + i) % VBIOS_CACHE_SLOTS;
        if (v->cache.key[at] == key || v->cache.key[at] == 0) {
            *value = &v->cache.value[at];
            return &v->cache.key[at];
        }
    }
    return NULL;
}

/* Dword at an aligned offset inside the window; keep: remember it. */
static enum fl_err read_dword(struct vbios *v, uint32_t off, bool keep, uint32_t *out)
{
    uint32_t window_off = v->rom_base + off;
    uint32_t *value = NULL;
    uint32_t *key = cache_slot(v, window_off, &value);
    if (key != NULL && *key != 0) {
        *out = *value;
        return FL_OK;
    }
    enum fl_err err = v->io.read32(v->io.ctx, window_off, out);
    if (err != FL_OK) {
        return err;
    }
    v->reads++;
    if (v->io.yield != NULL && v->reads % VBIOS_READS_PER_YIELD == 0) {
        v->io.yield(v->io.ctx);
    }
    /* One slot stays free, so that a look-up always ends. */
    if (keep && key != NULL && v->cache.used + 1 < VBIOS_CACHE_SLOTS) {
        *key = window_off + 1;
        *value = *out;
        v->cache.used++;
    }
    return FL_OK;
}

enum fl_err vbios_bytes(struct vbios *v, uint32_t off, void *dst, uint32_t size, bool keep)
{
    uint8_t *out = dst;
    if (!range_ok(off, size, vbios_limit(v))) {
        return FL_EBADDATA;
    }
    /* rom_base is a multiple of 4, and so is the window's end: whole dwords stay inside. */
    while (size > 0) {
        uint32_t word = 0;
        uint32_t skip = off % 4;
        uint32_t take = 4 - skip < size ? 4 - skip : size;
        /* The dwords at the two ends may be shared with a neighbour: keep them. */
        enum fl_err err = read_dword(v, off - skip, keep || take < 4, &word);
        if (err != FL_OK) {
            return err;
        }
        uint8_t bytes[4];
        put_le32(bytes, word);
        memcpy(out, bytes + skip, take);
        out += take;
        off += take;
        size -= take;
    }
    return FL_OK;
}

enum fl_err vbios_outside(const struct vbios *v, enum fl_err err, uint32_t off, const char *what,
                          struct fl_fail *fail)
{
    if (err == FL_EBADDATA) {
        return BAD("%s at 0x%x lies outside the ROM window (0x%x bytes)", what, (unsigned)off,
                   (unsigned)vbios_limit(v));
    }
    return FL_FAIL(fail, err, "vbios", "reading %s at 0x%x of the VBIOS: %s", what, (unsigned)off,
                   fl_err_name(err));
}

/* ---- IFR: the header that "init from ROM" hardware reads, in front of the PCI ROM ---- */

#define IFR_DIRECTORY_SIGNATURE 0x44524652u /* "RFRD" */
enum {
    IFR_DIRECTORY_AFTER_STATUS = 4096,
    IFR_DIRECTORY_ROM_OFFSET = 8,
};
#define PCI_ROM_SIGNATURE  0xaa55u
#define NV_ROM_SIGNATURE   0x4e56u /* FWSEC images */
#define NV_ROM_SIGNATURE_2 0xbb77u /* accepted by nouveau and open-gpu-kernel-modules */

static enum fl_err read_u32(struct vbios *v, uint32_t off, const char *what, uint32_t *out,
                            struct fl_fail *fail)
{
    uint8_t b[4] = {0};
    enum fl_err err = vbios_bytes(v, off, b, sizeof(b), true);
    *out = get_le32(b);
    return err == FL_OK ? FL_OK : vbios_outside(v, err, off, what, fail);
}

static enum fl_err open_ifr(struct vbios *v, struct fl_fail *fail)
{
    uint32_t first = 0;
    struct NV_IFR_FIXED0 fixed = {0};
    struct NV_IFR_FIXED1 total = {0};
    uint32_t rom = 0;
    enum fl_err err = read_u32(v, NV_IFR_SIGNATURE__OFFSET, "the first word", &first, fail);
    if (err != FL_OK || first != NV_IFR_SIGNATURE__VALUE_NVGI) {
        return err;
    }
    err = read_u32(v, NV_IFR_FIXED0__OFFSET, "the IFR header", &fixed.raw, fail);
    err = FL_THEN(err, read_u32(v, NV_IFR_FIXED1__OFFSET, "the IFR header", &total.raw, fail));
    if (err != FL_OK) {
        return err;
    }
    v->ifr_version = NV_IFR_FIXED0__VERSION(fixed);
    if (v->ifr_version == 1 || v->ifr_version == 2) {
        uint32_t at = NV_IFR_FIXED0__FIXED_DATA_SIZE(fixed) + NV_IFR_FIXED0__OFFSET;
        err = read_u32(v, at, "the IFR data", &rom, fail);
    } else if (v->ifr_version == 3) {
        uint32_t status = 0;
        uint32_t magic = 0;
        err = read_u32(v, NV_IFR_FIXED1__TOTAL_DATA_SIZE(total), "the IFR flash status offset",
                       &status, fail);
        if (err == FL_OK && status > NV_PROM_SIZE) {
            err = BAD("IFR flash status at 0x%x lies outside the ROM window", (unsigned)status);
        }
        uint32_t directory = status + IFR_DIRECTORY_AFTER_STATUS;
        err = FL_THEN(err, read_u32(v, directory, "the ROM directory", &magic, fail));
        if (err == FL_OK && magic != IFR_DIRECTORY_SIGNATURE) {
            err = BAD("ROM directory at 0x%x starts with 0x%08x, expected 0x%08x",
                      (unsigned)directory, (unsigned)magic, IFR_DIRECTORY_SIGNATURE);
        }
        err = FL_THEN(err, read_u32(v, directory + IFR_DIRECTORY_ROM_OFFSET, "the ROM directory",
                                    &rom, fail));
    } else {
        err = BAD("IFR header version %u, known are 1 to 3", v->ifr_version);
    }
    if (err != FL_OK) {
        return err;
    }
    if (rom % 4 != 0 || rom >= NV_PROM_SIZE) {
        return BAD("IFR header puts the PCI ROM at 0x%x: unaligned or outside", (unsigned)rom);
    }
    v->rom_base = rom;
    uint32_t head = 0;
    err = read_u32(v, 0, "the PCI ROM", &head, fail);
    if (err == FL_OK && (head & 0xffff) != PCI_ROM_SIGNATURE) {
        err = BAD("IFR header puts the PCI ROM at 0x%x, where 0x%04x lies instead of 0xaa55",
                  (unsigned)rom, (unsigned)(head & 0xffff));
    }
    return err;
}

/* ---- chain of images ---- */

#define PCIR_SIGNATURE 0x52494350u /* "PCIR" */
#define NPDS_SIGNATURE 0x5344504eu /* "NPDS" */
#define RGIS_SIGNATURE 0x53494752u /* "RGIS" */
#define NPDE_SIGNATURE 0x4544504eu /* "NPDE" */
enum {
    IMAGE_BLOCK = 512,
    ROM_PCIR_POINTER = 0x18,
    ROM_HEADER_BYTES = 0x1a,
    PCIR_BYTES = 0x18,
    PCIR_LENGTH = 0x0a,
    PCIR_IMAGE_BLOCKS = 0x10,
    PCIR_CODE_TYPE = 0x14,
    PCIR_LAST = 0x15,
    NPDE_ALIGN = 16,
    NPDE_BYTES = 0x0b, /* up to the last flag */
    NPDE_MIN_LENGTH_FOR_LAST = 0x0b,
    LAST_FLAG = 0x80,
    CODE_PCI_AT = 0x00,
    CODE_NBSI = 0x70,
    CODE_FWSEC = 0xe0,
};

/* NVIDIA's extension: its size and last flag replace those of PCIR. Anything odd: it is not there.
 */
static enum fl_err read_npde(struct vbios *v, uint32_t at, uint32_t image_end, uint32_t *bytes,
                             bool *last)
{
    uint8_t npde[NPDE_BYTES] = {0};
    if (at > image_end || image_end - at < NPDE_BYTES) {
        return FL_OK;
    }
    enum fl_err err = vbios_bytes(v, at, npde, sizeof(npde), true);
    if (err != FL_OK) {
        return err;
    }
    uint16_t revision = get_le16(npde + 4);
    uint16_t blocks = get_le16(npde + 8);
    if (get_le32(npde) != NPDE_SIGNATURE || (revision != 0x0100 && revision != 0x0101) ||
        blocks == 0) {
        return FL_OK;
    }
    *bytes = (uint32_t)blocks * IMAGE_BLOCK;
    if (get_le16(npde + 6) >= NPDE_MIN_LENGTH_FOR_LAST) {
        *last = (npde[10] & LAST_FLAG) != 0;
    }
    return FL_OK;
}

/* Reads the headers of the image at `start`. */
static enum fl_err read_image(struct vbios *v, uint32_t start, struct vbios_image *image,
                              bool *last, struct fl_fail *fail)
{
    uint8_t head[4] = {0};
    uint8_t pointer[2] = {0};
    uint32_t room = vbios_limit(v) - start;
    if (room < ROM_HEADER_BYTES) {
        return BAD("the chain of images runs past 0x%x without a last one",
                   (unsigned)vbios_limit(v));
    }
    enum fl_err err = vbios_bytes(v, start, head, sizeof(head), true);
    err = FL_THEN(err, vbios_bytes(v, start + ROM_PCIR_POINTER, pointer, sizeof(pointer), true));
    if (err != FL_OK) {
        return vbios_outside(v, err, start, "an image header", fail);
    }
    uint16_t signature = get_le16(head);
    if (signature != PCI_ROM_SIGNATURE && signature != NV_ROM_SIGNATURE &&
        signature != NV_ROM_SIGNATURE_2) {
        return BAD("image at 0x%x starts with 0x%04x, expected 0xaa55 or 0x4e56", (unsigned)start,
                   (unsigned)signature);
    }
    uint32_t at = get_le16(pointer);
    if (at < ROM_HEADER_BYTES || !range_ok(at, PCIR_BYTES, room)) {
        return BAD("image at 0x%x: PCI data structure at 0x%x", (unsigned)start, (unsigned)at);
    }
    /* Vendor, device and class (words 1 to 3 but for the length) are not needed. */
    uint8_t tag[4] = {0};
    uint8_t length_bytes[2] = {0};
    uint8_t rest[PCIR_LAST + 1 - PCIR_IMAGE_BLOCKS] = {0};
    err = vbios_bytes(v, start + at, tag, sizeof(tag), true);
    err = FL_THEN(err, vbios_bytes(v, start + at + PCIR_LENGTH, length_bytes, 2, true));
    err = FL_THEN(err, vbios_bytes(v, start + at + PCIR_IMAGE_BLOCKS, rest, sizeof(rest), true));
    if (err != FL_OK) {
        return vbios_outside(v, err, start + at, "a PCI data structure", fail);
    }
    uint32_t id = get_le32(tag);
    uint32_t length = get_le16(length_bytes);
    uint32_t bytes = (uint32_t)get_le16(rest) * IMAGE_BLOCK;
    if ((id != PCIR_SIGNATURE && id != NPDS_SIGNATURE && id != RGIS_SIGNATURE) ||
        length < PCIR_BYTES) {
        return BAD("image at 0x%x: PCI data structure 0x%08x of 0x%x bytes", (unsigned)start,
                   (unsigned)id, (unsigned)length);
    }
    if (bytes == 0) {
        return BAD("image at 0x%x has length 0", (unsigned)start);
    }
    *last = (rest[PCIR_LAST - PCIR_IMAGE_BLOCKS] & LAST_FLAG) != 0;
    image->start = start;
    image->code_type = rest[PCIR_CODE_TYPE - PCIR_IMAGE_BLOCKS];
    uint32_t pcir_bytes = bytes < room ? bytes : room;
    uint32_t npde = (uint32_t)align_up_u64((uint64_t)at + length, NPDE_ALIGN);
    err = read_npde(v, start + npde, start + pcir_bytes, &bytes, last);
    if (err != FL_OK) {
        return vbios_outside(v, err, start + npde, "an NPDE structure", fail);
    }
    if (bytes > room || !range_ok(at, length, bytes)) {
        return BAD(
            "image at 0x%x, 0x%x bytes: passes the end of the window or cuts its own headers",
            (unsigned)start, (unsigned)bytes);
    }
    image->size = bytes;
    return FL_OK;
}

static enum fl_err open_chain(struct vbios *v, struct fl_fail *fail)
{
    uint32_t start = 0;
    bool last = false;
    bool have_at = false;
    bool have_fwsec = false;
    while (!last) {
        if (v->image_count == VBIOS_MAX_IMAGES) {
            return BAD("more than %u images without a last one", VBIOS_MAX_IMAGES);
        }
        struct vbios_image *image = &v->image[v->image_count];
        enum fl_err err = read_image(v, start, image, &last, fail);
        if (err != FL_OK) {
            return err;
        }
        v->image_count++;
        if (image->code_type == CODE_PCI_AT && !have_at) {
            have_at = true;
            v->at_start = image->start;
            v->at_size = image->size;
        } else if (image->code_type == CODE_FWSEC && !have_fwsec) {
            have_fwsec = true;
            v->fwsec_start = image->start;
            if (!have_at) {
                return BAD("FWSEC image at 0x%x comes before any PCI-AT image",
                           (unsigned)image->start);
            }
        }
        /* nova and nouveau end the chain at an NBSI image whatever its flags say. */
        last = last || image->code_type == CODE_NBSI;
        start = image->start + image->size;
    }
    v->fwsec_end = start;
    if (!have_at || !have_fwsec) {
        return BAD("%u images, but no %s image among them", v->image_count,
                   have_at ? "FWSEC (type 0xe0)" : "PCI-AT (type 0)");
    }
    return FL_OK;
}

/* ---- BIT: the table of tables ---- */

enum {
    BIT_USUAL_PLACE = 0x1b0, /* on every board seen */
    BIT_LAST_PLACE = 0xffff, /* nouveau keeps the place in 16 bits, as the tokens' pointers do */
    BIT_MIN_HEADER = 12,
    BIT_HEADER_SIZE = 8,
    BIT_TOKEN_SIZE = 9,
    BIT_TOKEN_COUNT = 10,
    BIT_MIN_TOKEN = 6,
    TOKEN_FALCON = 'p',
    TOKEN_VERSION = 'i',
    FALCON_TOKEN_VERSION = 2,
    FALCON_TOKEN_BYTES = 4,
    VERSION_TOKEN_BYTES = 5,
};
static const uint8_t bit_tag[6] = {0xff, 0xb8, 'B', 'I', 'T', 0};

/* *at gets the place of BIT from the start of PCI-AT. */
static enum fl_err find_bit(struct vbios *v, uint32_t *at, struct fl_fail *fail)
{
    uint8_t window[sizeof(bit_tag)] = {0};
    if (range_ok(BIT_USUAL_PLACE, BIT_MIN_HEADER, v->at_size)) {
        enum fl_err err =
            vbios_bytes(v, v->at_start + BIT_USUAL_PLACE, window, sizeof(window), true);
        if (err != FL_OK) {
            return vbios_outside(v, err, v->at_start + BIT_USUAL_PLACE, "BIT", fail);
        }
        if (memcmp(window, bit_tag, sizeof(bit_tag)) == 0) {
            *at = BIT_USUAL_PLACE;
            return FL_OK;
        }
    }
    /* Slow: the image, once. What is read here is not worth keeping. */
    memset(window, 0, sizeof(window));
    for (uint32_t off = 0; off + 4 <= v->at_size && off <= BIT_LAST_PLACE; off += 4) {
        uint8_t next[4] = {0};
        enum fl_err err = vbios_bytes(v, v->at_start + off, next, sizeof(next), false);
        if (err != FL_OK) {
            return vbios_outside(v, err, v->at_start + off, "the PCI-AT image", fail);
        }
        for (uint32_t i = 0; i < 4; i++) {
            memmove(window, window + 1, sizeof(window) - 1);
            window[sizeof(window) - 1] = next[i];
            if (memcmp(window, bit_tag, sizeof(bit_tag)) == 0) {
                *at = off + i + 1 - (uint32_t)sizeof(bit_tag);
                return FL_OK;
            }
        }
    }
    return BAD("no BIT header in the PCI-AT image (0x%x bytes)", (unsigned)v->at_size);
}

/* Token data lie in the PCI-AT image, pointers are from its start. */
static enum fl_err token_data(struct vbios *v, const uint8_t *token, void *dst, uint32_t size,
                              struct fl_fail *fail)
{
    uint32_t at = get_le16(token + 4);
    if (at == 0 || !range_ok(at, size, v->at_size)) {
        return BAD("BIT token '%c' points to 0x%x, PCI-AT has 0x%x bytes", token[0], (unsigned)at,
                   (unsigned)v->at_size);
    }
    enum fl_err err = vbios_bytes(v, v->at_start + at, dst, size, true);
    return err == FL_OK ? FL_OK
                        : vbios_outside(v, err, v->at_start + at, "a BIT token's data", fail);
}

static enum fl_err take_token(struct vbios *v, const uint8_t *token, bool *have_falcon,
                              struct fl_fail *fail)
{
    uint8_t data[VERSION_TOKEN_BYTES] = {0};
    uint16_t size = get_le16(token + 2);
    if (token[0] == TOKEN_FALCON && !*have_falcon) {
        if (token[1] != FALCON_TOKEN_VERSION || size < FALCON_TOKEN_BYTES) {
            return BAD("BIT token 'p' has version %u and %u bytes; expected version %u, %u or more",
                       token[1], (unsigned)size, FALCON_TOKEN_VERSION, FALCON_TOKEN_BYTES);
        }
        enum fl_err err = token_data(v, token, data, FALCON_TOKEN_BYTES, fail);
        if (err != FL_OK) {
            return err;
        }
        v->falcon_table = get_le32(data);
        *have_falcon = true;
    } else if (token[0] == TOKEN_VERSION && v->version[0] == '\0' && size >= VERSION_TOKEN_BYTES) {
        /* Only a text for people: a bad pointer leaves it empty. */
        struct fl_fail ignored = {.err = FL_OK};
        enum fl_err err = token_data(v, token, data, VERSION_TOKEN_BYTES, &ignored);
        if (err == FL_OK) {
            (void)snprintf(v->version, sizeof(v->version), "%02x.%02x.%02x.%02x.%02x", data[3],
                           data[2], data[1], data[0], data[4]);
        } else if (err != FL_EBADDATA) {
            return FL_FAIL(fail, err, "vbios", "%s", ignored.text);
        }
    }
    return FL_OK;
}

static enum fl_err open_bit(struct vbios *v, struct fl_fail *fail)
{
    uint32_t at = 0;
    uint8_t header[UINT8_MAX] = {0};
    enum fl_err err = find_bit(v, &at, fail);
    if (err != FL_OK) {
        return err;
    }
    uint32_t place = v->at_start + at;
    if (!range_ok(at, BIT_MIN_HEADER, v->at_size)) {
        return BAD("BIT at 0x%x passes the end of the PCI-AT image", (unsigned)at);
    }
    err = vbios_bytes(v, place, header, BIT_MIN_HEADER, true);
    uint32_t size = header[BIT_HEADER_SIZE];
    uint32_t token_size = header[BIT_TOKEN_SIZE];
    uint32_t count = header[BIT_TOKEN_COUNT];
    if (err == FL_OK && (size < BIT_MIN_HEADER || token_size < BIT_MIN_TOKEN ||
                         !range_ok(at + size, token_size * count, v->at_size))) {
        return BAD("BIT at 0x%x: header of %u, %u tokens of %u bytes", (unsigned)at, (unsigned)size,
                   (unsigned)count, (unsigned)token_size);
    }
    err = FL_THEN(err, vbios_bytes(v, place, header, size, true));
    if (err != FL_OK) {
        return vbios_outside(v, err, place, "BIT", fail);
    }
    uint8_t sum = 0;
    for (uint32_t i = 0; i < size; i++) {
        sum = (uint8_t)(sum + header[i]);
    }
    if (sum != 0) {
        return BAD("BIT at 0x%x: the header's checksum is 0x%02x, expected 0", (unsigned)at, sum);
    }
    bool have_falcon = false;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t token[BIT_MIN_TOKEN] = {0};
        uint32_t token_at = place + size + i * token_size;
        err = vbios_bytes(v, token_at, token, sizeof(token), true);
        err = err == FL_OK ? take_token(v, token, &have_falcon, fail)
                           : vbios_outside(v, err, token_at, "a BIT token", fail);
        if (err != FL_OK) {
            return err;
        }
    }
    return have_falcon ? FL_OK : BAD("BIT has no token 'p' (falcon data)");
}

enum fl_err vbios_open(struct vbios *v, const struct vbios_io *io, struct fl_fail *fail)
{
    memset(v, 0, sizeof(*v));
    v->io = *io;
    enum fl_err err = open_ifr(v, fail);
    err = FL_THEN(err, open_chain(v, fail));
    return FL_THEN(err, open_bit(v, fail));
}
