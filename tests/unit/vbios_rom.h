/* SPDX-License-Identifier: MIT */
/* A synthetic ROM in the PROM window and the walk through it, for the tests of vbios.c. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "gsp/files/vbios.h"
#include "tests/synth/synth.h"

/* ---- a ROM on the table ---- */

struct rom {
    struct synth_vbios_options opt;
    struct synth_vbios_map map;
    struct synth_blob blob;
    uint8_t window[NV_PROM_SIZE]; /* erased flash around the blob */
    uint8_t times_read[NV_PROM_SIZE / 4];
    unsigned reads, yields;
    unsigned fail_at; /* this read fails; 0 = none */
};

static inline enum fl_err rom_read32(void *ctx, uint32_t off, uint32_t *value)
{
    struct rom *r = ctx;
    assert_true(off % 4 == 0 && off < NV_PROM_SIZE);
    r->reads++;
    if (r->reads == r->fail_at) {
        return FL_ELINKLOST;
    }
    r->times_read[off / 4]++;
    *value = get_le32(r->window + off);
    return FL_OK;
}

static inline void rom_yield(void *ctx) { ((struct rom *)ctx)->yields++; }

static inline struct rom *rom_new(const struct synth_vbios_options *opt)
{
    struct rom *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    r->opt = *opt;
    r->blob = synth_vbios(&r->opt);
    synth_vbios_locate(&r->blob, &r->opt, &r->map);
    memset(r->window, 0xff, sizeof(r->window));
    memcpy(r->window, r->blob.data, r->blob.size);
    return r;
}

static inline void rom_free(struct rom *r)
{
    free(r->blob.data);
    free(r);
}

static inline const struct gsp_chip *chip_of(const struct rom *r)
{
    return gsp_chip_by_name(r->opt.desc_version == 2 ? "tu102" : "ga102");
}

enum { UNREAD = 0xee };

/* The whole way a boot goes. stage gets how far it came. */
enum stage { STAGE_OPEN, STAGE_FIND, STAGE_READ, STAGE_COMMAND, STAGE_DONE };
struct walk {
    struct vbios v;
    struct vbios_fwsec f;
    struct fwsec_command c;
    uint8_t ucode[0x20000 + 1]; /* the largest, and a byte to see that nothing is behind */
    unsigned signature;
    enum stage stage;
    struct fl_fail fail;
};

static inline enum fl_err walk_rom(struct rom *r, struct walk *w)
{
    memset(w, 0, sizeof(*w));
    struct vbios_io io = {.read32 = rom_read32, .yield = rom_yield, .ctx = r};
    enum fl_err err = vbios_open(&w->v, &io, &w->fail);
    if (err != FL_OK) {
        return err;
    }
    w->stage = STAGE_FIND;
    err = vbios_find_fwsec(&w->v, chip_of(r), &w->f, &w->fail);
    if (err != FL_OK) {
        return err;
    }
    w->stage = STAGE_READ;
    memset(w->ucode, UNREAD, sizeof(w->ucode));
    if (w->f.desc_version == 3) {
        err = vbios_fwsec_signature(&w->f, 1, &w->signature, &w->fail);
    }
    err = err != FL_OK
              ? err
              : vbios_read_ucode(&w->v, &w->f, w->signature, w->ucode, sizeof(w->ucode), &w->fail);
    if (err != FL_OK) {
        return err;
    }
    w->stage = STAGE_COMMAND;
    err = fwsec_find_command(&w->f, w->ucode + fwsec_data_at(&w->f), &w->c, &w->fail);
    if (err == FL_OK) {
        w->stage = STAGE_DONE;
    }
    return err;
}

/* Everything found equals what the builder put there. */
static inline void check_found(struct rom *r, const struct walk *w)
{
    const struct synth_vbios_map *m = &r->map;
    assert_int_equal(w->v.rom_base, m->pci_rom);
    assert_int_equal(w->v.image_count, r->opt.no_efi ? 3 : 4);
    assert_int_equal(w->v.fwsec_start, m->fwsec_first - m->pci_rom);
    assert_int_equal(w->v.fwsec_end, r->blob.size - m->pci_rom);
    assert_string_equal(w->v.version, r->opt.version != NULL ? r->opt.version : "94.02.26.48.70");
    assert_int_equal(w->f.rom_offset, m->imem - m->pci_rom);
    assert_int_equal(w->f.imem_bytes, m->imem_size);
    assert_int_equal(w->f.dmem_bytes, m->dmem_size);
    assert_int_equal(w->f.interface_offset, m->interface - m->dmem);
    assert_int_equal(w->c.mapper_offset, m->mapper - m->dmem);
    assert_int_equal(w->c.in_offset, m->cmd_in - m->dmem);
    assert_true(w->c.in_size >= 44);

    /* Code, data from the next block on, zeros between and behind. */
    const size_t data = align_up_u64(m->imem_size, 256);
    const size_t bytes = data + align_up_u64(m->dmem_size, 256);
    uint8_t *expected = calloc(1, bytes + 1);
    assert_non_null(expected);
    memcpy(expected, r->window + m->imem, m->imem_size);
    memcpy(expected + data, r->window + m->dmem, m->dmem_size);
    expected[bytes] = UNREAD;
    if (r->opt.desc_version != 2) {
        assert_int_equal(w->f.signature_count, m->signature_count);
        assert_int_equal(w->f.signatures, m->signatures - m->pci_rom);
        assert_int_equal(w->f.pkc_data_offset, m->pkc_data_offset);
        assert_int_equal(w->f.ucode_id, r->opt.ucode_id != 0 ? r->opt.ucode_id : 9);
        assert_int_equal(w->f.engine_mask, 0x400);
        memcpy(expected + data + m->pkc_data_offset,
               r->window + m->signatures + FWSEC_SIGNATURE_BYTES * w->signature,
               FWSEC_SIGNATURE_BYTES);
    } else {
        assert_int_equal(w->f.ns_bytes + w->f.sec_bytes, m->imem_size);
        assert_int_equal(w->f.sec_offset, w->f.ns_bytes);
    }
    assert_memory_equal(w->ucode, expected, bytes + 1);
    free(expected);
}

static inline void walk_ok(struct rom *r)
{
    struct walk *w = malloc(sizeof(*w));
    enum fl_err err = walk_rom(r, w);
    if (err != FL_OK) {
        print_error("%s\n", w->fail.text);
    }
    assert_int_equal(err, FL_OK);
    check_found(r, w);
    free(w);
}

static inline void put_bit_sum(struct rom *r)
{
    uint8_t *bit = r->window + r->map.bit;
    uint8_t sum = 0;
    bit[11] = 0;
    for (unsigned i = 0; i < 12; i++) {
        sum = (uint8_t)(sum + bit[i]);
    }
    bit[11] = (uint8_t)-sum;
}
