/* SPDX-License-Identifier: MIT */
/*
 * VBIOS images of real boards' shapes (tests/synth/synth_shapes.c): each is what its row says, the
 * driver finds FWSEC in each, every family boots with its own in strict mode, with each version
 * that may be fused, and the model sees when less of FWSEC is loaded than there is.
 */
#include <stdlib.h>

#include "arch/log.h"
#include "gsp/files/vbios.h"
#include "gsp/gpu.h"
#include "gsp/hw/chips.h"
#include "gsp/hw/regs/regs.h"
#include "tests/synth/synth.h"
#include "tests/unit/mini_driver.h"
#include "tests/unit/rig_assert.h"

/* ---- the images ---- */

/* Type, size and sum of the image at `at`, by its PCI data structure. */
static uint8_t image_at(const struct synth_blob *b, size_t at, size_t *size, uint8_t *sum)
{
    const size_t pcir = at + get_le16(b->data + at + 0x18);
    *size = (size_t)get_le16(b->data + pcir + 0x10) * 512;
    *sum = 0;
    for (size_t i = 0; i < *size; i++) {
        *sum = (uint8_t)(*sum + b->data[at + i]);
    }
    return b->data[pcir + 0x14];
}

static void a_shape_is_what_its_row_says(void **state)
{
    const struct synth_vbios_shape *s;
    (void)state;
    for (size_t i = 0; (s = synth_vbios_shape_at(i)) != NULL; i++) {
        const struct synth_vbios_options opt = {.shape = s};
        struct synth_blob b = synth_vbios(&opt);
        struct synth_vbios_map m;
        const uint32_t sizes[] = {s->at_bytes, s->efi_bytes, s->fwsec1_bytes, s->fwsec2_bytes,
                                  s->nbsi_bytes};
        static const uint8_t types[] = {0x00, 0x03, 0xe0, 0xe0, 0x70};
        size_t at = 0;
        synth_vbios_locate(&b, &opt, &m);
        assert_int_equal(m.images, s->nbsi_bytes != 0 ? 5 : 4);
        for (unsigned n = 0; n < m.images; n++) {
            size_t size;
            uint8_t sum;
            assert_int_equal(image_at(&b, at, &size, &sum), types[n]);
            assert_int_equal(size, sizes[n]); /* all fits where the board has it */
            assert_int_equal(sum == 0, n != 0 || !s->bad_checksum);
            at += size;
        }
        assert_int_equal(at, b.size);
        assert_true(b.size + 4096 <= 0x100000); /* nouveau reads so much behind an image's start */
        const uint8_t *d = b.data + m.descriptor;
        const bool v3 = s->desc_version == 3;
        assert_int_equal(get_le32(d + (v3 ? 0x14 : 0x18)), s->imem_bytes);
        assert_int_equal(get_le32(d + (v3 ? 0x20 : 0x30)), s->dmem_bytes);
        assert_int_equal(get_le32(d + 4), s->imem_bytes + s->dmem_bytes);
        assert_int_equal(get_le32(d + (v3 ? 0x0c : 0x10)), s->interface_offset);
        if (v3) {
            assert_int_equal(d[0x27], s->signature_count);
            assert_int_equal(get_le16(d + 0x28), s->signature_versions);
            assert_int_equal(get_le16(d + 0x2a), s->reserved);
        } else {
            assert_int_equal(get_le32(d + 0x20), s->plain_bytes);
        }
        assert_true(strlen(s->source) > 10);
        free(b.data);
    }
}

/* ---- the driver finds FWSEC ---- */

struct window {
    struct synth_blob blob;
    unsigned reads;
};

static enum fl_err read32(void *ctx, uint32_t off, uint32_t *value)
{
    struct window *w = ctx;
    w->reads++;
    *value = off + 4 <= w->blob.size ? get_le32(w->blob.data + off) : UINT32_MAX;
    return FL_OK;
}

static void found_in_every_shape(void **state)
{
    enum { HEADERS = 200 }; /* reads; vbios.h: a walk over real ROMs */
    const struct synth_vbios_shape *s;
    static struct vbios v;
    (void)state;
    for (size_t i = 0; (s = synth_vbios_shape_at(i)) != NULL; i++) {
        for (unsigned ifr = 0; ifr <= 3; ifr++) {
            const struct synth_vbios_options opt = {
                .shape = s, .ifr_version = ifr, .version = "94.02.26.48.70"};
            struct window w = {.blob = synth_vbios(&opt)};
            const struct vbios_io io = {.read32 = read32, .ctx = &w};
            const struct gsp_chip *chip =
                gsp_chip_by_name(s->desc_version == 3 ? "ga102" : "tu102");
            struct vbios_fwsec f;
            struct fwsec_command c;
            struct fl_fail fail = {.err = FL_OK};
            struct synth_vbios_map m;
            synth_vbios_locate(&w.blob, &opt, &m);
            if (vbios_open(&v, &io, &fail) != FL_OK ||
                vbios_find_fwsec(&v, chip, &f, &fail) != FL_OK) {
                fail_msg("%s behind IFR %u: %s", s->name, ifr, fail.text);
            }
            assert_in_range(w.reads, 1, HEADERS);
            assert_string_equal(v.version, opt.version);
            assert_int_equal(v.image_count, m.images);
            assert_int_equal(f.rom_offset, m.imem - m.pci_rom);
            uint8_t *ucode = malloc(fwsec_image_bytes(&f));
            assert_int_equal(vbios_read_ucode(&v, &f, 0, ucode, fwsec_image_bytes(&f), &fail),
                             FL_OK);
            assert_int_equal(fwsec_find_command(&f, ucode + fwsec_data_at(&f), &c, &fail), FL_OK);
            assert_int_equal(c.in_offset, s->cmd_in);
            free(ucode);
            free(w.blob.data);
        }
    }
}

/* ---- boots ---- */

static const char *const versions[] = {"570.144", "535.113.01"};

/* The driver's copies of FWSEC end in whole blocks, and what the VBIOS does not have is zero. */
static void rests_are_zero(void)
{
    const struct vbios_fwsec *f = &rig.gpu->fwsec;
    const struct dma_buf *const copies[] = {&rig.gpu->mem.fwsec_sb, &rig.gpu->mem.fwsec_frts};
    for (size_t i = 0; i < ARRAY_SIZE(copies) && copies[i]->size != 0; i++) {
        const uint8_t *p = copies[i]->cpu;
        for (uint32_t at = f->imem_bytes; at < fwsec_data_at(f); at++) {
            assert_int_equal(p[at], 0);
        }
        for (uint32_t at = fwsec_data_at(f) + f->dmem_bytes; at < fwsec_image_bytes(f); at++) {
            assert_int_equal(p[at], 0);
        }
    }
}

static void boots_clean(const struct rig_options *opt)
{
    rig_open(&rig, opt);
    for (unsigned n = 0; n < 2; n++) {
        boots();
        rests_are_zero();
        assert_int_equal(rig_unload(&rig), FL_OK);
    }
    no_violation();
    assert_int_equal(model().gsp_boots, 2);
    assert_int_equal(model().unmodelled_reads + model().unmodelled_writes, 0);
    assert_true(rig_close(&rig));
}

/* Every board of a chip that has a VBIOS to boot from, with the shape of the chip's boards. */
static void every_board_boots_with_its_shape(void **state)
{
    const char *board, *chip;
    unsigned count = 0;
    (void)state;
    for (size_t i = 0; (board = model_board_name(i, &chip)) != NULL; i++) {
        const struct synth_vbios_shape *s = synth_vbios_shape_of(chip);
        assert_int_equal(s != NULL, gsp_chip_by_name(chip)->fwsec_desc_version != 0);
        for (size_t v = 0; s != NULL && v < ARRAY_SIZE(versions); v++) {
            const struct rig_options opt = {.chip = chip,
                                            .board = board,
                                            .version = versions[v],
                                            .strict = MODEL_STRICT,
                                            .vbios = "real",
                                            .compare = true};
            boots_clean(&opt);
            count++;
        }
    }
    assert_true(count > 30);
}

/* Every shape, by its name, on a chip that takes its version of FWSEC. */
static void every_shape_boots(void **state)
{
    const struct synth_vbios_shape *s;
    (void)state;
    for (size_t i = 0; (s = synth_vbios_shape_at(i)) != NULL; i++) {
        const struct rig_options opt = {.chip = s->desc_version == 3 ? "ga102" : "tu102",
                                        .strict = MODEL_STRICT,
                                        .vbios = s->name};
        boots_clean(&opt);
    }
}

/* Which signature a part takes follows from what is fused: GA10x's files have versions 0 to 2 (1
 * and 2 on production parts), Ada's 0 and 1 (vbios.md 6.3). The model compares with its own choice.
 */
static void every_fused_version_boots(void **state)
{
    static const struct {
        const char *chip, *vbios;
        unsigned version;
    } cases[] = {{"ga102", "real", 0}, {"ga102", "real", 1}, {"ga102", "real", 2},
                 {"ga106", "real", 1}, {"ga106", "real", 2}, {"ad104", "real", 0},
                 {"ad104", "real", 1}, {"ad107", "real", 0}, {"ad107", "real", 1},
                 {"ga102", NULL, 0},   {"ga102", NULL, 1},   {"ga102", NULL, 5}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct rig_options opt = {.chip = cases[i].chip,
                                        .strict = MODEL_STRICT,
                                        .vbios = cases[i].vbios,
                                        .fwsec_version = &cases[i].version};
        rig_open(&rig, &opt);
        boots();
        /* The signature is that of the version: all from 0 on are there. */
        const struct vbios_fwsec *f = &rig.gpu->fwsec;
        const uint8_t *slot =
            (const uint8_t *)rig.gpu->mem.fwsec_frts.cpu + fwsec_data_at(f) + f->pkc_data_offset;
        const uint32_t at = NV_PROM_BASE + f->signatures + cases[i].version * FWSEC_SIGNATURE_BYTES;
        for (uint32_t n = 0; n < FWSEC_SIGNATURE_BYTES; n += 4) {
            assert_int_equal(get_le32(slot + n), model_bar_read(rig.model, 0, at + n, 4));
        }
        assert_int_equal(rig_unload(&rig), FL_OK);
        no_violation();
        assert_true(rig_close(&rig));
    }
}

/* ---- what the model says to others ---- */

static struct mini d;

static uint64_t no_time(void *ctx)
{
    (void)ctx;
    return 0;
}

static bool create(const struct model_config *cfg, char *err, size_t size)
{
    const struct model_bus bus = {.now_ns = no_time};
    struct gpu_model *m = model_create(cfg, &bus, err, size);
    if (m != NULL) {
        model_destroy(m);
    }
    return m != NULL;
}

static void what_does_not_fit_is_refused(void **state)
{
    static const unsigned three = 3, zero = 0;
    const struct {
        struct model_config cfg;
        const char *words;
    } cases[] = {
        {{.chip = "ga102", .vbios = "huge"}, "'huge': there are small, real, tu117,"},
        {{.chip = "ga102", .vbios = "tu117"}, "has version 2, ga102 has version 3"},
        {{.chip = "tu102", .vbios = "ga102"}, "has version 3, tu102 has version 2"},
        {{.chip = "ga102", .vbios = "real", .fwsec_version = &three},
         "signed for versions 0x7, the board has version 3 fused"},
        {{.chip = "gh100", .vbios = "real", .fwsec_version = &zero},
         NULL}, /* it has no use for it */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char err[256] = "";
        assert_int_equal(create(&cases[i].cfg, err, sizeof(err)), cases[i].words == NULL);
        if (cases[i].words != NULL && strstr(err, cases[i].words) == NULL) {
            fail_msg("case %zu: %s", i, err);
        }
    }
}

static const char *rule_of(void)
{
    const struct model_verdict *v = model_first_violation(d.m);
    return v != NULL ? v->rule : "";
}

static void forget_version(struct mini *x, enum mini_point at)
{
    if (at == MINI_FRTS_LOAD) { /* another of the board's signatures */
        const size_t other = (size_t)(x->hook_step % x->vmap.signature_count) * 384;
        memcpy(x->fwsec_dmem + x->vmap.pkc_data_offset, x->vbios.data + x->vmap.signatures + other,
               384);
    }
}

/* Every signature on every fuse: only the one that belongs to it passes. */
static void only_the_fused_signature_passes(void **state)
{
    static const struct {
        const char *chip;
        unsigned count;
    } cases[] = {{"ga102", 3}, {"ad104", 2}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        for (unsigned fused = 0; fused < cases[i].count; fused++) {
            for (unsigned n = 0; n < cases[i].count; n++) {
                const struct model_config cfg = {
                    .chip = cases[i].chip, .vbios = "real", .fwsec_version = &fused};
                d.hook = forget_version;
                mini_open(&d, &cfg, false);
                d.hook_step = n;
                assert_int_equal(mini_fwsec(&d, 0x15), n == fused);
                assert_string_equal(rule_of(), n == fused ? "" : "falcon.signature");
                mini_close(&d);
                d.hook = NULL;
            }
        }
    }
}

static void load_less(struct mini *x, enum mini_point at)
{
    if (at == MINI_FRTS_LOAD) {
        x->vmap.dmem_size -= x->hook_step;
    }
}

/* A transfer in whole blocks passes; one that leaves out the rest of the data does not, also where
 * that rest is zero in the VBIOS: there the command goes. */
static void a_missing_rest_is_noticed(void **state)
{
    static const char *const chips[] = {"ad104", "ad106"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(chips); i++) {
        for (unsigned less = 0; less <= 0x80; less += 0x80) {
            const struct model_config cfg = {.chip = chips[i], .vbios = "real"};
            d.hook = load_less;
            mini_open(&d, &cfg, false);
            d.hook_step = less;
            assert_int_equal(mini_fwsec(&d, 0x15), less == 0);
            assert_string_equal(rule_of(), less == 0 ? "" : "fwsec.data");
            if (less != 0) {
                assert_non_null(strstr(model_first_violation(d.m)->words,
                                       "loaded up to 0xd00, FWSEC's data end at 0xd80"));
            }
            mini_close(&d);
            d.hook = NULL;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shape_is_what_its_row_says),
        cmocka_unit_test(found_in_every_shape),
        cmocka_unit_test(every_shape_boots),
        cmocka_unit_test(every_fused_version_boots),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(only_the_fused_signature_passes),
        cmocka_unit_test(a_missing_rest_is_noticed),
        cmocka_unit_test(every_board_boots_with_its_shape),
    };
    log_set_level(LOG_DEBUG);
    return cmocka_run_group_tests_name("vbios shapes", tests, NULL, NULL);
}
