/* SPDX-License-Identifier: MIT */
/*
 * The fixed part of the screen: the words for every state, and where they lie on screens of every
 * size with any number of GPUs. The picture is read back letter by letter, its QR code by zbarimg.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "arch/pixels.h"
#include "tests/unit/panel_lab.h"
#include "tests/unit/screen_lab.h"
#include "tests/unit/stranger.h"

enum { PAPER_RGB = 0x101418 };

static struct screen_fixed fixed, other;

static const struct {
    uint32_t width, height;
} sizes[] = {{320, 200},  {640, 480},   {800, 600},   {1024, 768},  {1280, 800},
             {1366, 768}, {1920, 1080}, {2560, 1440}, {3840, 2160}, {1080, 1920},
             {480, 800},  {5120, 1440}, {16384, 200}, {320, 16384}};

static bool overlap(const struct screen_item *a, const struct screen_item *b)
{
    return a->x < b->x + b->w && b->x < a->x + a->w && a->y < b->y + b->h && b->y < a->y + a->h;
}

static void assert_well_laid(struct screen_shape shape)
{
    assert_true(fixed.height <= shape.height);
    /* The log has its share: a quarter, and on the smallest screens a line. */
    assert_true(shape.height - fixed.height >= LETTER_HEIGHT * shape.level);
    if (shape.height >= 480) {
        assert_true(fixed.height <= shape.height * 3 / 4);
    }
    assert_int_equal(fixed.height % (LETTER_HEIGHT * shape.level), 0);
    assert_true(fixed.count < SCREEN_ITEMS_MAX);
    for (uint32_t i = 0; i < fixed.count; i++) {
        const struct screen_item *a = &fixed.item[i];
        assert_true(a->x <= shape.width && a->w <= shape.width - a->x);
        assert_true(a->y <= fixed.height && a->h <= fixed.height - a->y);
        for (uint32_t k = i + 1; k < fixed.count && a->kind == SCREEN_TEXT; k++) {
            assert_false(overlap(a, &fixed.item[k]));
        }
    }
}

static const struct screen_item *item_of(const char *text)
{
    for (uint32_t i = 0; i < fixed.count; i++) {
        const struct screen_item *it = &fixed.item[i];
        if (it->kind == SCREEN_TEXT && strncmp(it->text, text, strlen(text)) == 0) {
            return it;
        }
    }
    return NULL;
}

static void test_places(void **state)
{
    (void)state;
    for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
        const struct screen_shape shape = screen_shape_of(sizes[s].width, sizes[s].height);
        for (uint32_t gpus = 0; gpus <= API_MAX_GPUS; gpus++) {
            machine_of(gpus, 0);
            panel_lay_out(&panel, shape, &fixed);
            assert_well_laid(shape);
            assert_non_null(item_of("FIRSTLIGHT"));
            assert_non_null(item_of("http://10.0.2.15/"));
            assert_non_null(item_of(panel.verdict));
            /* Each GPU has its line, where a screen is as large as screens are. */
            for (uint32_t i = 0; i < gpus && sizes[s].height >= 480 && sizes[s].width >= 640; i++) {
                char name[16];
                snprintf(name, sizeof(name), "GPU %u", (unsigned)i);
                assert_non_null(item_of(name));
                assert_true(item_of("READY")->w >=
                            strlen("SUSPENDED") * LETTER_WIDTH * item_of("READY")->level);
            }
            /* Whatever changes in it, nothing moves, so that nothing flickers. */
            for (unsigned turn = 1; turn < 4; turn++) {
                machine_of(gpus, turn);
                panel_lay_out(&panel, shape, &other);
                assert_int_equal(other.height, fixed.height);
                assert_int_equal(other.count, fixed.count);
                for (uint32_t i = 0; i < fixed.count; i++) {
                    const struct screen_item *a = &fixed.item[i], *b = &other.item[i];
                    assert_int_equal(a->kind, b->kind);
                    assert_true(a->x == b->x && a->y == b->y && a->w == b->w && a->h == b->h);
                    assert_int_equal(a->level, b->level);
                }
            }
        }
    }
}

/* A state of one GPU, and any verdict, can be read from 3 m: a twentieth of the height. Of eight,
 * on a usual screen, a twentieth too. */
static void test_large(void **state)
{
    (void)state;
    for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
        const struct screen_shape shape = screen_shape_of(sizes[s].width, sizes[s].height);
        if (shape.height > shape.width || shape.height < 480) {
            continue; /* of an upright screen the width is the measure */
        }
        machine_of(1, 0);
        panel_lay_out(&panel, shape, &fixed);
        assert_true(item_of("READY")->h * 20 >= shape.height);
        assert_true(item_of("GPU READY")->h * 20 >= shape.height);
        machine_of(8, 2);
        panel_lay_out(&panel, shape, &fixed);
        assert_true(item_of("GPUS 0, 4 FAILED")->h * 20 >= shape.height);
        if (shape.height == 1080 || shape.height == 2160) {
            assert_true(item_of("READY")->h * 20 >= shape.height);
        }
    }
}

static void test_no_screen(void **state)
{
    (void)state;
    machine_of(1, 0);
    fixed.height = 99;
    panel_lay_out(&panel, (struct screen_shape){0}, &fixed);
    assert_int_equal(fixed.height, 0);
    assert_int_equal(fixed.count, 0);
}

/* Texts of all lengths, of any bytes, without an end where a GPU gave them: nothing leaves its box.
 */
static void test_hostile(void **state)
{
    (void)state;
    static char hostname[64], token[128], name[81];
    memset(hostname, 'h', sizeof(hostname) - 1);
    memset(token, 't', sizeof(token) - 1);
    memset(name, 'n', sizeof(name) - 1);
    for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
        const struct screen_shape shape = screen_shape_of(sizes[s].width, sizes[s].height);
        machine_of(8, 0);
        panel.hostname = hostname;
        panel.token = token;
        panel.machine = name;
        memset(panel.url, 'u', sizeof(panel.url) - 1);
        memset(panel.also, 0xff, sizeof(panel.also) - 1);
        memset(panel.verdict, '\n', sizeof(panel.verdict) - 1);
        for (uint32_t i = 0; i < API_MAX_GPUS; i++) {
            memset(panel.gpu[i].chip, 0x1b, sizeof(panel.gpu[i].chip) - 1);
            memset(panel.gpu[i].more, 'm', sizeof(panel.gpu[i].more) - 1);
            memset(panel.gpu[i].detail, 'd', sizeof(panel.gpu[i].detail));
            panel.gpu[i].detail[0][359] = panel.gpu[i].detail[1][359] = '\0';
            panel.gpu[i].done = UINT32_MAX;
            panel.gpu[i].of = i;
        }
        panel_lay_out(&panel, shape, &fixed);
        assert_well_laid(shape);
        if (shape.width <= 1920 && shape.height <= 1080) {
            assert_int_equal(lab_start(shape.width, shape.height, 0), FL_OK);
            screen_set_fixed(&fixed);
            lab_draw();
            assert_int_equal(lab.outside, 0);
        }
    }
    /* More stages than there can be, more cards, longer words. */
    snapshot_of(GSP_BOOTING, 7, 19);
    snapshot.stage_count = UINT32_MAX;
    snapshot.stage[19].name = snapshot.stage[20].name = snapshot.stage[21].name = "x";
    memset(snapshot.last_xid_text, 'x', sizeof(snapshot.last_xid_text) - 1);
    snapshot.xid_count = 1;
    struct panel_gpu g;
    panel_say_gpu(&g, &snapshot, &no_failure);
    assert_int_equal(g.of, GSP_MAX_STAGES);
    net.nic_count = UINT32_MAX;
    for (uint32_t i = 0; i < NET_MAX_NICS; i++) {
        net.nic[i] = (struct net_nic_status){.state = NET_NIC_UP, .ip = UINT32_MAX - i};
    }
    panel_say_network(&panel, &net, true, false);
    assert_string_equal(panel.url, "http://255.255.255.255/");
}

/* --- the picture --- */

/* What stands in an item, read off the screen. */
static void assert_drawn(const struct screen_item *it, const char *text, uint32_t ink,
                         uint32_t paper)
{
    assert_non_null(it);
    for (size_t i = 0; text[i] != '\0'; i++) {
        const char seen = lab_letter(it->x + (uint32_t)i * LETTER_WIDTH * it->level, it->y,
                                     it->level, ink, paper);
        assert_int_equal(seen, text[i]);
    }
}

static void draw(uint32_t width, uint32_t height)
{
    assert_int_equal(lab_start(width, height, 0), FL_OK);
    panel_lay_out(&panel, screen_shape(), &fixed);
    screen_set_fixed(&fixed);
    lab_draw();
    assert_int_equal(lab.outside, 0);
}

static void test_picture(void **state)
{
    (void)state;
    for (size_t s = 1; s < ARRAY_SIZE(sizes); s++) {
        if (sizes[s].height < 480 || sizes[s].width < 640 || sizes[s].width > 3840 ||
            sizes[s].height > 2160) {
            continue;
        }
        machine_of(3, 0);
        draw(sizes[s].width, sizes[s].height);
        assert_drawn(item_of("http"), "http://10.0.2.15/", 0xffffff, PAPER_RGB);
        assert_drawn(item_of("token"), "token 5f0c9a7be1d24e6fb8a1c3d5e7f90123", 0xd8dee4,
                     PAPER_RGB);
        assert_drawn(item_of("GPU 2 F"), "GPU 2 FAILED", 0xffffff, 0xb3261e);
        assert_drawn(item_of("READY"), "READY", 0x56d364, PAPER_RGB);
        assert_drawn(item_of("BOOTING"), "BOOTING", 0x6cb6ff, PAPER_RGB);
        assert_drawn(item_of("FAILED"), "FAILED", 0xff6b5e, PAPER_RGB);
        /* Of a single one that failed all is told. */
        machine_of(1, 2);
        draw(sizes[s].width, sizes[s].height);
        assert_drawn(item_of("NV_PBUS"), "NV_PBUS_SW_SCRATCH(14): FWSEC-FRTS", 0xd8dee4, PAPER_RGB);
        assert_drawn(item_of("try: "), "try: switch the machine off and on again", 0xd8dee4,
                     PAPER_RGB);
    }
}

/* The bar of a GPU that boots ends where its stages do. */
static void test_bar(void **state)
{
    (void)state;
    machine_of(0, 0);
    snapshot_of(GSP_BOOTING, 5, 20);
    panel_say_gpu(&panel.gpu[0], &snapshot, &no_failure);
    panel.gpu_count = 1;
    draw(1280, 800);
    const struct screen_item *bar = NULL;
    for (uint32_t i = 0; i < fixed.count; i++) {
        if (fixed.item[i].kind == SCREEN_FILL && fixed.item[i].ink == SCREEN_BUSY) {
            bar = &fixed.item[i];
        }
    }
    assert_non_null(bar);
    assert_int_equal(lab_at(bar->x + bar->w / 4 - 1, bar->y), 0x6cb6ff);
    assert_int_equal(lab_at(bar->x + bar->w / 4, bar->y), 0x2a333d);
}

static void test_qr(void **state)
{
    (void)state;
    char path[] = "/tmp/panel-XXXXXX", seen[128];
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
        if (sizes[s].width > 3840 || sizes[s].height > 2160 || sizes[s].width < 480) {
            continue;
        }
        machine_of(2, 1);
        draw(sizes[s].width, sizes[s].height);
        lab_save(path);
        stranger_reads(path, seen, sizeof(seen));
        assert_string_equal(seen, "http://10.0.2.15/");
        /* Without an address there is none, and its place is paper. */
        machine_of(2, 4);
        panel_lay_out(&panel, screen_shape(), &fixed);
        screen_set_fixed(&fixed);
        lab_draw();
        lab_save(path);
        stranger_reads(path, seen, sizeof(seen));
        assert_string_equal(seen, "");
        assert_drawn(item_of("waiting"), "waiting for DHCP", 0x6cb6ff, PAPER_RGB);
    }
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),    cmocka_unit_test(test_large),
        cmocka_unit_test(test_no_screen), cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_picture),   cmocka_unit_test(test_bar),
        cmocka_unit_test(test_qr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
