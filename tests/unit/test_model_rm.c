/* SPDX-License-Identifier: MIT */
/*
 * What the model's GSP answers, value by value: system information with one wrong member, events
 * that are armed, spaces that RM manages, the table of engines; and each reduction of a semaphore.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "arch/base.h"
#include "gsp_layout.h"
#include "tests/model/gsp/rm_objects.h"
#include "tests/model/model.h"
#include "tests/unit/mini_channel.h"

#define SET_NOTIFICATION 0x20800301u
#define DEVICE_INFO      0x20801112u
#define RESERVED_PDES    0x90f10106u
enum { SYSTEM_INFO = 72, SET_REGISTRY = 73, INIT_DONE = 0x1001, REFUSED = 0x59 };
enum { CLASS_EVENT = 5, CLASS_EVENT_CALLBACK = 0x7e, EVENT = 40, NOTIFY = 7 };

static struct mini d;

static int close_it(void **state)
{
    (void)state;
    if (d.m != NULL) {
        mini_close(&d);
    }
    d.hook = NULL;
    return 0;
}

static void no_rule_broken(void)
{
    const struct model_verdict *v = model_first_violation(d.m);
    if (v != NULL) {
        fail_msg("%s: %s", v->rule, v->words);
    }
}

/* ---- system information ---- */

static const struct wrong_member {
    const struct fw_field *member;
    uint64_t value;
    const char *words;
} members[] = {
#define INFO(name) (&gsp_layout_570_144.GspSystemInfo.name)
    {INFO(gpuPhysAddr), 0, "gpuPhysAddr is 0x0, should be 0x90000000"},
    {INFO(gpuPhysAddr), 0x91000000, "gpuPhysAddr is 0x91000000, should be 0x90000000"},
    {INFO(gpuPhysFbAddr), 0x1000, "gpuPhysFbAddr is 0x1000, should be 0x4000000000"},
    {INFO(gpuPhysInstAddr), 0x1000, "gpuPhysInstAddr is 0x1000, should be 0x4010000000"},
    {INFO(maxUserVa), 0, "maxUserVa is 0x0, should be 0x7ffffffff000"},
    {INFO(pciConfigMirrorBase), 0x92000, "pciConfigMirrorBase is 0x92000, should be 0x88000"},
    {INFO(pciConfigMirrorSize), 0x100, "pciConfigMirrorSize is 0x100, should be 0x1000"},
    {INFO(PCIDeviceID), 0x10de, "PCIDeviceID is 0x10de, should be 0x220410de"},
    {INFO(PCISubDeviceID), 1, "PCISubDeviceID is 0x1, should be 0x"},
    {INFO(PCIRevisionID), 0x55, "PCIRevisionID is 0x55, should be 0xa1"},
#undef INFO
};
static const struct wrong_member *now;

static void say_it_wrongly(struct mini *x, enum mini_point at)
{
    static uint8_t info[1024];
    uint8_t registry[8] = {sizeof(registry)};
    if (at == MINI_COMMANDS) {
        mini_system_info(x, info);
        fw_put(info, sizeof(info), *now->member, now->value);
        mini_send(x, SYSTEM_INFO, info, x->l->GspSystemInfo.total);
        mini_send(x, SET_REGISTRY, registry, sizeof(registry));
        assert_true(mini_wait(x, INIT_DONE));
        assert_int_equal(x->msg_result, REFUSED);
        x->skip_info = true;
    }
}

static void each_member_is_looked_at(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        now = &members[i];
        d.hook = say_it_wrongly;
        mini_open(&d, NULL, false);
        assert_false(mini_boot(&d));
        const struct model_verdict *v = model_first_violation(d.m);
        if (v == NULL || strcmp(v->rule, "rm.system-info") != 0 ||
            strstr(v->words, now->words) == NULL) {
            fail_msg("expected \"%s\", got %s", now->words, v != NULL ? v->words : "nothing");
        }
        mini_close(&d);
    }
}

/* A message that a fault doubles takes two slots of the ring. */
static void a_message_comes_twice(void **state)
{
    enum { STATUS_WRITE = 0x41000 + 0x10, OS_ERROR_LOG = 0x1006 };
    static const char *const specs[] = {"message:function=0x1006:twice", NULL};
    const struct model_config cfg = {.faults = specs};
    const uint8_t payload[272] = {0};
    (void)state;
    mini_open(&d, &cfg, false);
    assert_true(mini_boot(&d));
    const uint8_t *write = (const uint8_t *)mini_ptr(&d, d.shared) + STATUS_WRITE;
    const uint32_t before = get_le32(write);
    model_inject_event(d.m, OS_ERROR_LOG, payload, sizeof(payload), 0);
    mini_pass(&d, 5000);
    assert_int_equal(get_le32(write), before + 2);
}

/* ---- objects ---- */

static uint32_t arm(uint32_t event, uint32_t action)
{
    uint8_t p[64] = {0};
    const uint32_t size = d.l->NV2080_CTRL_EVENT_SET_NOTIFICATION_PARAMS.total;
    fw_put(p, size, d.l->NV2080_CTRL_EVENT_SET_NOTIFICATION_PARAMS.event, event);
    fw_put(p, size, d.l->NV2080_CTRL_EVENT_SET_NOTIFICATION_PARAMS.action, action);
    return mini_control(&d, MINI_CLIENT, CHAN_SUBDEVICE, SET_NOTIFICATION, p, size);
}

/* Off, once, each time: 0, 1, 2. Only events of that index below that object. */
static void events_are_armed(void **state)
{
    static const uint32_t classes[] = {CLASS_EVENT, CLASS_EVENT_CALLBACK};
    (void)state;
    mini_open(&d, NULL, false);
    assert_true(chan_up(&d));
    assert_int_equal(arm(NOTIFY, 1), RM_OBJECT_NOT_FOUND);
    for (uint32_t i = 0; i < ARRAY_SIZE(classes); i++) {
        uint8_t p[64] = {0};
        const uint32_t size = d.l->NV0005_ALLOC_PARAMETERS.total;
        fw_put(p, size, d.l->NV0005_ALLOC_PARAMETERS.notifyIndex, NOTIFY + i);
        assert_int_equal(chan_alloc(&d, CHAN_SUBDEVICE, EVENT + i, classes[i], p, size), RM_OK);
        for (uint32_t action = 0; action <= 2; action++) {
            assert_int_equal(arm(NOTIFY + i, action), RM_OK);
            assert_int_equal(model_rm_find(d.m, MINI_CLIENT, EVENT + i)->action, action);
        }
        assert_int_equal(arm(NOTIFY + i, 3), RM_INVALID_ARGUMENT);
        assert_int_equal(model_rm_find(d.m, MINI_CLIENT, EVENT + i)->action, 2);
        assert_int_equal(arm(NOTIFY + i + 1, 1), RM_OBJECT_NOT_FOUND);
    }
    no_rule_broken();
}

/* RM is told the directories of a space: one level at least. */
static void reserved_directories(void **state)
{
    static uint8_t p[512];
    (void)state;
    mini_open(&d, NULL, false);
    assert_true(chan_up(&d));
    const uint32_t size = d.l->NV90F1_CTRL_VASPACE_COPY_SERVER_RESERVED_PDES_PARAMS.total;
    assert_true(size <= sizeof(p));
#define PUT(field, v)                                                                              \
    fw_put(p, size, d.l->NV90F1_CTRL_VASPACE_COPY_SERVER_RESERVED_PDES_PARAMS.field, v)
    PUT(levels_physAddress, 0x7000000);
    PUT(levels_aperture, 1);
    assert_int_equal(mini_control(&d, MINI_CLIENT, CHAN_SPACE, RESERVED_PDES, p, size),
                     RM_INVALID_ARGUMENT);
    PUT(levels_physAddress, 0x7000000);
    PUT(levels_aperture, 1);
    PUT(numLevelsToCopy, 1);
    assert_int_equal(mini_control(&d, MINI_CLIENT, CHAN_SPACE, RESERVED_PDES, p, size), RM_OK);
    const struct page_dir *dir = &model_rm_find(d.m, MINI_CLIENT, CHAN_SPACE)->dir;
    assert_true(dir->valid && !dir->sysmem && dir->root == 0x7000000);
    PUT(levels_aperture, 2);
    assert_int_equal(mini_control(&d, MINI_CLIENT, CHAN_SPACE, RESERVED_PDES, p, size), RM_OK);
    assert_true(model_rm_find(d.m, MINI_CLIENT, CHAN_SPACE)->dir.sysmem);
#undef PUT
    no_rule_broken();
}

/* The rows of GR0 and of CE2, a GA102's first copy engine on a runlist of its own, word by word. */
static void the_row_of_an_engine(void **state)
{
    enum { ROW_BYTES = 100, FIRST = 12, NAME = 84, MC_ENGINE = 8 };
    static const struct {
        uint32_t row;
        const char *name;
        uint32_t words[NAME / 4];
    } rows[] = {
        {0, "GR0", {0xd334df00,        0, 1,    0,        0x40, 0, 0,        0,
                    0 /* below */,     0, 0,    0xc00000, 1,    0, 0xc20000, 0,
                    0 /* its PBDMA */, 0, 0x20, 0,        1}},
        {3, "CE2", {0x793ceb02, 3, 0xb, 1,        0x11, 0, 0, 0,    0, 0x13, 2,
                    0xc00400,   1, 0,   0xc22000, 0,    5, 0, 0x21, 0, 1}},
    };
    static uint8_t p[3212];
    (void)state;
    mini_open(&d, NULL, false);
    assert_true(mini_boot(&d));
    assert_int_equal(
        mini_control(&d, MINI_INTERNAL_CLIENT, MINI_INTERNAL_SUBDEVICE, DEVICE_INFO, p, sizeof(p)),
        RM_OK);
    for (size_t r = 0; r < ARRAY_SIZE(rows); r++) {
        const uint8_t *at = p + FIRST + (size_t)rows[r].row * ROW_BYTES;
        assert_string_equal((const char *)at + NAME, rows[r].name);
        for (size_t i = 0; i < NAME / 4; i++) {
            if (i != MC_ENGINE && get_le32(at + 4 * i) != rows[r].words[i]) {
                fail_msg("%s, word %zu: 0x%x", rows[r].name, i, (unsigned)get_le32(at + 4 * i));
            }
        }
        assert_int_not_equal(get_le32(at + (size_t)4 * MC_ENGINE), 0);
    }
}

/* Each engine of the one table has its row, by number, in that of the interrupts. */
static void each_engine_has_a_vector(void **state)
{
    enum {
        INTR_TABLE = 0x20800a5c,
        INTR_BYTES = 2068,
        FIRST = 12,
        ROW_BYTES = 100,
        MC_ENGINE = 32
    };
    static uint8_t devices[3212], vectors[INTR_BYTES];
    (void)state;
    mini_open(&d, NULL, false);
    assert_true(mini_boot(&d));
    assert_int_equal(mini_control(&d, MINI_INTERNAL_CLIENT, MINI_INTERNAL_SUBDEVICE, DEVICE_INFO,
                                  devices, sizeof(devices)),
                     RM_OK);
    assert_int_equal(mini_control(&d, MINI_INTERNAL_CLIENT, MINI_INTERNAL_SUBDEVICE, INTR_TABLE,
                                  vectors, sizeof(vectors)),
                     RM_OK);
    for (uint32_t i = 0; i < get_le32(devices + 4); i++) {
        const uint32_t engine = get_le32(devices + FIRST + i * ROW_BYTES + MC_ENGINE);
        uint32_t n = 0;
        while (n < get_le32(vectors) && get_le16(vectors + 4 + 16 * n) != engine) {
            n++;
        }
        assert_true(n < get_le32(vectors));
    }
}

/* ---- semaphores ---- */

static void each_reduction(void **state)
{
    enum { MIN, MAX, XOR, AND, OR, ADD, INC, DEC };
    enum { REDUCTION = 6, RED_SHIFT = 27 };
    const uint32_t is_unsigned = 1u << 31;
    static const struct {
        uint32_t op, value, payload, result;
        bool is_signed;
    } cases[] = {
        {MIN, 5, 7, 5, false},
        {MIN, 7, 5, 5, false},
        {MIN, 0xfffffff0, 5, 5, false},
        {MIN, 0xfffffff0, 5, 0xfffffff0, true},
        {MAX, 5, 7, 7, false},
        {MAX, 7, 5, 7, false},
        {MAX, 0xfffffff0, 5, 0xfffffff0, false},
        {MAX, 0xfffffff0, 5, 5, true},
        {XOR, 0xff, 0x0f, 0xf0, false},
        {AND, 0xfc, 0x3f, 0x3c, false},
        {OR, 0xf0, 0x0f, 0xff, false},
        {ADD, 9, 5, 14, false},
        {INC, 3, 5, 4, false},
        {INC, 4, 5, 5, false},
        {INC, 5, 5, 0, false}, /* wraps at the payload */
        {INC, 9, 5, 0, false},
        {DEC, 3, 5, 2, false},
        {DEC, 5, 5, 4, false},
        {DEC, 1, 5, 0, false},
        {DEC, 0, 5, 5, false},
        {DEC, 6, 5, 5, false},
    };
    (void)state;
    mini_open(&d, NULL, false);
    assert_true(chan_up(&d));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const uint32_t execute =
            (cases[i].is_signed ? 0 : is_unsigned) | cases[i].op << RED_SHIFT | REDUCTION;
        const uint32_t words[] = {0x20050017, CHAN_SEM_VA, 0, cases[i].payload, 0, execute};
        chan_put32(&d, CHAN_SEM_VA, cases[i].value);
        chan_kick(&d, words, ARRAY_SIZE(words));
        const uint32_t is = chan_get32(&d, CHAN_PAGES + CHAN_SEM_VA);
        if (is != cases[i].result) {
            fail_msg("row %zu: 0x%x", i, (unsigned)is);
        }
    }
    no_rule_broken();
}

/* ---- method headers ---- */

/* Each kind of header writes the payload of a semaphore of 64 bits, which is then released. */
static void each_kind_of_header(void **state)
{
    enum { LO = 0x64 >> 2, INC_COUNT = 16, OLD_COUNT = 18, RELEASE_WIDE = 1 << 24 | 1 };
    enum { GRP0, INC, GRP2, NONINC, IMM, ONCE };
    static const struct {
        uint32_t header, words[3], count;
        uint64_t released;
    } cases[] = {
        {(uint32_t)INC << 29 | 2 << INC_COUNT | LO, {1, 2}, 2, 0x200000001},
        {(uint32_t)NONINC << 29 | 2 << INC_COUNT | LO, {3, 4}, 2, 4},
        {(uint32_t)ONCE << 29 | 3 << INC_COUNT | LO, {5, 6, 7}, 3, 0x700000005},
        {(uint32_t)IMM << 29 | 0x1234u << INC_COUNT | LO, {0}, 0, 0x1234},
        {(uint32_t)GRP0 << 29 | 2 << OLD_COUNT | LO << 2, {8, 9}, 2, 0x900000008},
        {(uint32_t)GRP2 << 29 | 2 << OLD_COUNT | LO << 2, {10, 11}, 2, 11},
    };
    (void)state;
    mini_open(&d, NULL, false);
    assert_true(chan_up(&d));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint32_t words[16] = {0x20040017, CHAN_SEM_VA, 0, 0, 0, cases[i].header}, n = 6;
        memcpy(words + n, cases[i].words, cases[i].count * sizeof(words[0]));
        n += cases[i].count;
        words[n++] = 0x2001001b; /* execute */
        words[n++] = RELEASE_WIDE;
        chan_kick(&d, words, n);
        const uint64_t is = chan_get32(&d, CHAN_PAGES + CHAN_SEM_VA) |
                            (uint64_t)chan_get32(&d, CHAN_PAGES + CHAN_SEM_VA + 4) << 32;
        if (is != cases[i].released) {
            fail_msg("row %zu: 0x%llx", i, (unsigned long long)is);
        }
    }
    no_rule_broken();
}

/* What the driver had not freed: our client, device, subdevice, space, copy object and channel. */
static void what_is_left_is_counted(void **state)
{
    struct model_stats st;
    (void)state;
    mini_open(&d, NULL, false);
    assert_true(chan_up(&d));
    assert_int_equal(chan_new(&d, CHAN_CHANNEL + 10, CHAN_CHID + 1, 0x1000), 0);
    assert_true(mini_unload(&d));
    model_get_stats(d.m, &st);
    assert_int_equal(st.channels_left, 2);
    assert_int_equal(st.objects_left, 7);
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, close_it)
    const struct CMUnitTest tests[] = {
        T(each_member_is_looked_at), T(a_message_comes_twice), T(events_are_armed),
        T(reserved_directories),     T(the_row_of_an_engine),  T(each_engine_has_a_vector),
        T(each_reduction),           T(each_kind_of_header),   T(what_is_left_is_counted),
    };
    return cmocka_run_group_tests_name("model rm", tests, NULL, NULL);
}
