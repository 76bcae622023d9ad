/* SPDX-License-Identifier: MIT */
/*
 * The message rings, with a GSP played by this test. Rings start two slots before their end, so
 * that every longer message wraps. The four worked checksums are from spec rpc.md A4.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gsp/rpc/queue.h"

#define REGION_BUS 0x123456000ull
#define FIRST_SLOT 61u /* of 0..62: two slots before the wrap */
#define N          GSP_QUEUE_SLOTS

struct rig {
    struct gsp_queue q;
    uint8_t *region;
    uint8_t *buf;
    unsigned doorbells;
    uint32_t gsp_write, gsp_seq; /* the GSP's side */
};

static void doorbell(void *ctx) { ((struct rig *)ctx)->doorbells++; }

static uint8_t *cmd_slot(struct rig *r, uint32_t i)
{
    return r->region + GSP_QUEUE_CMD_OFFSET + 4096 + (size_t)i * 4096;
}
static uint8_t *stat_slot(struct rig *r, uint32_t i)
{
    return r->region + GSP_QUEUE_STAT_OFFSET + 4096 + (size_t)i * 4096;
}
static uint8_t *cmd_word(struct rig *r, uint32_t off)
{
    return r->region + GSP_QUEUE_CMD_OFFSET + off;
}
static uint8_t *stat_word(struct rig *r, uint32_t off)
{
    return r->region + GSP_QUEUE_STAT_OFFSET + off;
}

/* The status header as the GSP writes it. */
static void gsp_hello(struct rig *r)
{
    const uint32_t h[8] = {0, 0x40000, 4096, 63, get_le32(stat_word(r, 0x10)), 1, 0x20, 4096};
    for (unsigned i = 0; i < 8; i++) {
        put_le32(stat_word(r, 4 * i), h[i]);
    }
}

static int setup(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));
    r->region = aligned_alloc(4096, GSP_QUEUE_REGION_BYTES);
    r->buf = malloc(GSP_MSG_MAX_BYTES); /* exact: ASan sees a byte too many */
    memset(r->region, 0xee, GSP_QUEUE_REGION_BYTES);
    gsp_queue_init(&r->q, r->region, (struct bus_addr){.raw = REGION_BUS}, &gsp_layout_570_144,
                   false, doorbell, r);
    gsp_queue_start_at(&r->q, FIRST_SLOT);
    r->gsp_write = FIRST_SLOT;
    gsp_hello(r);
    *state = r;
    return 0;
}
static int teardown(void **state)
{
    struct rig *r = *state;
    free(r->region);
    free(r->buf);
    free(r);
    return 0;
}

/* ---- the GSP's pen ---- */

struct out {
    uint32_t function, length, elements, version, signature, seq, result;
    uint32_t checksum_flip;
    uint32_t announce; /* slots the write pointer moves; 0 = all */
    uint8_t fill;      /* of stale bytes behind the message */
};

static struct out message(struct rig *r, uint32_t function, uint32_t payload)
{
    const uint32_t length = 32 + payload;
    return (struct out){.function = function,
                        .length = length,
                        .elements = (48 + length + 4095) / 4096,
                        .version = 0x03000000,
                        .signature = 0x43505256,
                        .seq = r->gsp_seq};
}

static void ring_put(struct rig *r, size_t at, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const size_t pos = ((size_t)r->gsp_write * 4096 + at + i) % ((size_t)N * 4096);
        stat_slot(r, 0)[pos] = p[i];
    }
}

/* Writes a message whose payload byte i is (i + function) mod 256. */
static void gsp_sends(struct rig *r, const struct out *o)
{
    const size_t size = 48 + (size_t)o->length;
    const size_t room = ((size > 80 ? size : 80) + 4095) / 4096 * 4096;
    uint8_t *m = malloc(room);
    memset(m, o->fill, room);
    memset(m, 0, 80);
    put_le32(m + 0x24, o->seq);
    put_le32(m + 0x28, o->elements);
    put_le32(m + 0x30, o->version);
    put_le32(m + 0x34, o->signature);
    put_le32(m + 0x38, o->length);
    put_le32(m + 0x3c, o->function);
    put_le32(m + 0x40, o->result);
    for (size_t i = 80; i < size; i++) {
        m[i] = (uint8_t)(i - 80 + o->function);
    }
    put_le32(m + 0x20, gsp_msg_checksum(m, size) ^ o->checksum_flip);
    ring_put(r, 0, m, room < 63 * 4096 ? room : 63 * 4096);
    free(m);
    r->gsp_write = (r->gsp_write + (o->announce != 0 ? o->announce : o->elements)) % N;
    r->gsp_seq++;
    put_le32(stat_word(r, 0x10), r->gsp_write);
}

/* ---- tests ---- */

static void region_layout(void **state)
{
    struct rig *r = *state;
    assert_int_equal(GSP_QUEUE_REGION_BYTES, 0x81000);
    assert_int_equal(GSP_QUEUE_REGION_PAGES, 129);
    for (uint32_t i = 0; i < 129; i++) {
        assert_int_equal(get_le64(r->region + 8 * i), REGION_BUS + 4096ull * i);
    }
    assert_int_equal(get_le64(r->region + 8 * 129), 0);
    assert_int_equal(get_le32(cmd_word(r, 4)), 0x40000);
    assert_int_equal(get_le32(cmd_word(r, 8)), 0x1000);
    assert_int_equal(get_le32(cmd_word(r, 12)), 63);
    assert_int_equal(get_le32(cmd_word(r, 16)), FIRST_SLOT);
    assert_int_equal(get_le32(cmd_word(r, 20)), 1);
    assert_int_equal(get_le32(cmd_word(r, 24)), 0x20);
    assert_int_equal(get_le32(cmd_word(r, 28)), 0x1000);
}

/* A message sent lies in slot 61, complete, with the checksum the examples say. */
static void sends(struct rig *r, uint32_t function, uint32_t sequence, const void *p, uint32_t size)
{
    const struct gsp_piece piece = {p, size};
    struct fl_fail fail = {0};
    assert_int_equal(gsp_queue_send(&r->q, function, sequence, &piece, 1, &fail), FL_OK);
}

static void worked_examples(void **state)
{
    struct rig *r = *state;
    uint8_t p[8000] = {0};

    r->q.tx_seq = 3; /* 1: UNLOADING_GUEST_DRIVER */
    sends(r, 47, 0, p, 8);
    uint8_t *m = cmd_slot(r, 61);
    assert_int_equal(get_le32(m + 0x20), 0x40505253);
    assert_int_equal(get_le32(m + 0x24), 3);
    assert_int_equal(get_le32(m + 0x28), 1);
    assert_int_equal(get_le32(m + 0x30), 0x03000000);
    assert_int_equal(get_le32(m + 0x34), 0x43505256);
    assert_int_equal(get_le32(m + 0x38), 0x28);
    assert_int_equal(get_le32(m + 0x3c), 47);
    assert_int_equal(get_le32(m + 0x40), 0xffffffff);
    assert_int_equal(get_le32(m + 0x44), 0xffffffff);
    assert_int_equal(gsp_msg_checksum(m, 88), 0);
    assert_int_equal(gsp_msg_checksum(m, 4096), 0); /* zero-filled tail: r535's way agrees */
    assert_int_equal(r->doorbells, 1);
    assert_int_equal(get_le32(cmd_word(r, 0x10)), 62);

    /* 2: SET_REGISTRY with three keys, 117 bytes, lengths 4 */
    static const char names[] = "RMSecBusResetEnable\0RMForcePcieConfigSave\0RMDevidCheckIgnore";
    static const uint32_t entries[3][4] = {{0x38, 1, 1, 4}, {0x4c, 1, 1, 4}, {0x62, 1, 1, 4}};
    memset(p, 0, sizeof(p));
    put_le32(p, 0x75);
    put_le32(p + 4, 3);
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned k = 0; k < 4; k++) {
            put_le32(p + 8 + 16 * i + 4 * k, entries[i][k]);
        }
    }
    memcpy(p + 0x38, names, sizeof(names));
    r->q.tx_seq = 1;
    sends(r, 73, 0, p, 117);
    assert_int_equal(get_le32(cmd_slot(r, 62) + 0x20), 0x72384998);
    assert_int_equal(get_le32(cmd_slot(r, 62) + 0x38), 0x95);
    assert_int_equal(get_le32(cmd_word(r, 0x10)), 0);

    /* 4: GSP_RM_CONTROL of 8000 bytes, two slots */
    uint8_t head[24] = {0};
    put_le32(head, 0xc1d00000);
    put_le32(head + 4, 0x5d1d0000);
    put_le32(head + 8, 0x20801303);
    put_le32(head + 16, 8000);
    for (unsigned i = 0; i < 8000; i++) {
        p[i] = (uint8_t)i;
    }
    const struct gsp_piece pieces[] = {{head, 24}, {p, 8000}};
    struct fl_fail fail = {0};
    r->q.tx_seq = 7;
    assert_int_equal(gsp_queue_send(&r->q, 76, 7, pieces, 2, &fail), FL_OK);
    assert_int_equal(get_le32(cmd_slot(r, 0) + 0x20), 0xfc1d4123);
    assert_int_equal(get_le32(cmd_slot(r, 0) + 0x28), 2);
    assert_int_equal(get_le32(cmd_word(r, 0x10)), 2);
    assert_int_equal(gsp_msg_checksum(cmd_slot(r, 0), 8192), 0);

    /* 3: the event, as received */
    uint8_t e[84] = {0};
    put_le32(e + 0x28, 1);
    put_le32(e + 0x30, 0x03000000);
    put_le32(e + 0x34, 0x43505256);
    put_le32(e + 0x38, 0x24);
    put_le32(e + 0x3c, 0x1001);
    assert_int_equal(gsp_msg_checksum(e, 84), 0x40504272);
}

/* Pieces of odd sizes give the same checksum as one piece. */
static void odd_pieces(void **state)
{
    struct rig *r = *state;
    uint8_t p[301];
    struct fl_fail fail = {0};
    for (unsigned i = 0; i < sizeof(p); i++) {
        p[i] = (uint8_t)(7 * i + 1);
    }
    const struct gsp_piece pieces[] = {{p, 1},      {p + 1, 2},  {p + 3, 0},
                                       {p + 3, 13}, {p + 16, 3}, {p + 19, 282}};
    assert_int_equal(gsp_queue_send(&r->q, 76, 1, pieces, ARRAY_SIZE(pieces), &fail), FL_OK);
    assert_memory_equal(cmd_slot(r, 61) + 80, p, sizeof(p));
    assert_int_equal(gsp_msg_checksum(cmd_slot(r, 61), 80 + sizeof(p)), 0);
}

static void send_wraps_and_stops_when_full(void **state)
{
    struct rig *r = *state;
    uint8_t *p = malloc(gsp_queue_max_payload(&r->q) + 1);
    struct fl_fail fail = {0};
    memset(p, 0x5a, gsp_queue_max_payload(&r->q) + 1);
    assert_int_equal(gsp_queue_max_payload(&r->q), 65456);

    struct gsp_piece big = {p, 65456}; /* 16 slots: 61, 62, 0 .. 13 */
    assert_int_equal(gsp_queue_send(&r->q, 76, 1, &big, 1, &fail), FL_OK);
    assert_int_equal(get_le32(cmd_slot(r, 61) + 0x28), 16);
    assert_int_equal(get_le32(cmd_word(r, 0x10)), 14);
    assert_int_equal(cmd_slot(r, 62)[4095], 0x5a);
    assert_int_equal(cmd_slot(r, 0)[0], 0x5a);
    assert_int_equal(cmd_slot(r, 13)[4095], 0x5a);
    assert_int_equal(gsp_queue_send(&r->q, 76, 2, &big, 1, &fail), FL_OK);
    assert_int_equal(gsp_queue_send(&r->q, 76, 3, &big, 1, &fail), FL_OK);
    /* 48 of 62 in use: 14 free */
    assert_int_equal(gsp_queue_send(&r->q, 76, 4, &big, 1, &fail), FL_ENOSPC);
    struct gsp_piece p14 = {p, 14 * 4096 - 80};
    struct gsp_piece p15 = {p, 14 * 4096 - 79};
    assert_int_equal(gsp_queue_send(&r->q, 76, 4, &p15, 1, &fail), FL_ENOSPC);
    assert_int_equal(gsp_queue_send(&r->q, 76, 4, &p14, 1, &fail), FL_OK);
    struct gsp_piece one = {p, 1};
    assert_int_equal(gsp_queue_send(&r->q, 76, 5, &one, 1, &fail), FL_ENOSPC);
    assert_int_equal(get_le32(cmd_word(r, 0x10)), 60); /* one slot before its start stays empty */
    assert_int_equal(fail.err, FL_OK);
    assert_int_equal(r->doorbells, 4);

    put_le32(stat_word(r, 0x20), 62); /* the GSP took one slot */
    assert_int_equal(gsp_queue_send(&r->q, 76, 5, &one, 1, &fail), FL_OK);
    assert_int_equal(gsp_queue_send(&r->q, 76, 6, &one, 1, &fail), FL_ENOSPC);

    big.size = 65457;
    assert_int_equal(gsp_queue_send(&r->q, 76, 6, &big, 1, &fail), FL_EINVAL);
    free(p);
}

/* The GSP's read pointer may only follow what was written. */
static void bad_read_pointer(void **state)
{
    static const uint32_t bad[] = {63, 64, 0xffffffff, 60 /* backwards */,
                                   1 /* beyond what was sent */};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct rig *r = *state;
        struct fl_fail fail = {0};
        const uint8_t b = 0;
        const struct gsp_piece one = {&b, 1};
        gsp_queue_init(&r->q, r->region, (struct bus_addr){.raw = REGION_BUS}, &gsp_layout_570_144,
                       false, doorbell, r);
        gsp_queue_start_at(&r->q, FIRST_SLOT);
        assert_int_equal(gsp_queue_send(&r->q, 76, 1, &one, 1, &fail), FL_OK); /* 61 */
        assert_int_equal(gsp_queue_send(&r->q, 76, 2, &one, 1, &fail), FL_OK); /* 62; write is 0 */
        put_le32(stat_word(r, 0x20), bad[i]);
        assert_int_equal(gsp_queue_send(&r->q, 76, 3, &one, 1, &fail), FL_EPROTO);
        assert_int_equal(fail.seen, bad[i]);
        assert_int_equal(gsp_queue_send(&r->q, 76, 3, &one, 1, NULL),
                         FL_EPROTO); /* and it stays broken */
    }
}

static bool receive(struct rig *r, struct gsp_msg *m)
{
    struct fl_fail fail = {0};
    bool got;
    const enum fl_err err = gsp_queue_receive(&r->q, r->buf, m, &got, &fail);
    if (err != FL_OK) {
        fail_msg("%s", fail.text);
    }
    return got;
}

static void receives(void **state)
{
    struct rig *r = *state;
    struct gsp_msg m;
    static const uint32_t sizes[] = {4, 0, 1, 4016, 4017, 8112, 65456, 6304, 7, 65456, 65449};

    assert_false(gsp_queue_pending(&r->q));
    assert_false(receive(r, &m));
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct out o = message(r, 0x1000 + (uint32_t)i, sizes[i]);
        o.fill = 0xdd; /* stale bytes behind the message are not part of it */
        o.result = 0x59;
        gsp_sends(r, &o);
        assert_true(gsp_queue_pending(&r->q));
        assert_true(receive(r, &m));
        assert_int_equal(m.function, 0x1000 + i);
        assert_int_equal(m.result, 0x59);
        assert_int_equal(m.payload_size, sizes[i]);
        assert_int_equal(m.slots, (80 + sizes[i] + 4095) / 4096);
        for (uint32_t k = 0; k < sizes[i]; k++) {
            if (m.payload[k] != (uint8_t)(k + m.function)) {
                fail_msg("message %zu, byte %u", i, k);
            }
        }
        assert_int_equal(get_le32(cmd_word(r, 0x20)), r->gsp_write); /* slots given back */
        assert_false(receive(r, &m));
    }
    assert_int_equal(r->q.received, ARRAY_SIZE(sizes));
}

/* Several wait; they come in order. */
static void receives_in_order(void **state)
{
    struct rig *r = *state;
    struct gsp_msg m;
    for (uint32_t i = 0; i < 20; i++) {
        const struct out o = message(r, 0x1000 + i, 5000);
        gsp_sends(r, &o);
    }
    for (uint32_t i = 0; i < 20; i++) {
        assert_true(receive(r, &m));
        assert_int_equal(m.function, 0x1000 + i);
    }
    assert_false(receive(r, &m));
}

/* Announced before it is all there: waits, and takes it when it is. */
static void incomplete(void **state)
{
    struct rig *r = *state;
    struct gsp_msg m;
    struct out o = message(r, 0x1002, 9000);
    o.announce = 1;
    gsp_sends(r, &o);
    assert_false(receive(r, &m));
    put_le32(stat_word(r, 0x10), (FIRST_SLOT + 2) % N);
    assert_false(receive(r, &m));
    assert_int_equal(r->q.incomplete, 2);
    put_le32(stat_word(r, 0x10), (FIRST_SLOT + 3) % N);
    assert_true(receive(r, &m));
    assert_int_equal(m.payload_size, 9000);
}

/* r535 sums whole slots, stale bytes included. */
static void whole_slot_checksum(void **state)
{
    struct rig *r = *state;
    struct gsp_msg m;
    struct fl_fail fail = {0};
    bool got;
    struct out o = message(r, 0x1001, 4);

    r->q.whole_slots = true;
    o.fill = 0;
    gsp_sends(r, &o);
    assert_true(receive(r, &m));
    o = message(r, 0x1001, 4);
    o.fill = 0xdd;
    gsp_sends(r, &o);
    put_le32(stat_slot(r, 62) + 4000, 0x12345678); /* not what the sum says */
    assert_int_equal(gsp_queue_receive(&r->q, r->buf, &m, &got, &fail), FL_EPROTO);
}

static void refused(struct rig *r, const char *word, uint64_t seen)
{
    struct gsp_msg m;
    struct fl_fail fail = {0};
    bool got = true;
    assert_int_equal(gsp_queue_receive(&r->q, r->buf, &m, &got, &fail), FL_EPROTO);
    assert_false(got);
    assert_non_null(strstr(fail.text, word));
    assert_int_equal(fail.seen, seen);
    assert_int_equal(get_le32(cmd_word(r, 0x20)), FIRST_SLOT); /* nothing given back */
    assert_int_equal(gsp_queue_receive(&r->q, r->buf, &m, &got, NULL), FL_EPROTO);
    assert_false(gsp_queue_pending(&r->q));
}

static void bad_messages(void **state)
{
    struct rig *r = *state;
#define BAD(word, seen, change)                                                                    \
    do {                                                                                           \
        gsp_queue_init(&r->q, r->region, (struct bus_addr){.raw = REGION_BUS},                     \
                       &gsp_layout_570_144, false, doorbell, r);                                   \
        gsp_queue_start_at(&r->q, FIRST_SLOT);                                                     \
        r->gsp_write = FIRST_SLOT;                                                                 \
        r->gsp_seq = 0;                                                                            \
        gsp_hello(r);                                                                              \
        struct out o = message(r, 0x1001, 100);                                                    \
        change;                                                                                    \
        gsp_sends(r, &o);                                                                          \
        if ((seen) == 0xfffffff0) {                                                                \
            put_le32(stat_slot(r, FIRST_SLOT) + 0x38, 0xfffffff0);                                 \
        }                                                                                          \
        refused(r, word, seen);                                                                    \
    } while (0)
    BAD("length", 31, o.length = 31);
    BAD("length", 0, o.length = 0);
    BAD("length", 65489, (o.length = 65489, o.elements = 17));
    BAD("element count", 0, (o.elements = 0, o.announce = 1));
    BAD("element count", 2, o.elements = 2);
    BAD("element count", 0xffffffff, (o.elements = 0xffffffff, o.announce = 1));
    BAD("element count", 1, (o.length = 4096, o.elements = 1));
    BAD("signature", 0x43505257, o.signature++);
    BAD("header version", 0x04000000, o.version = 0x04000000);
    BAD("checksum", 1, o.checksum_flip = 1);
    BAD("sequence number", 1, o.seq = 1);
    BAD("sequence number", 0xffffffff, o.seq = 0xffffffff);
    /* A huge length: the pen cannot write that much, so it is changed afterwards. */
    BAD("length", 0xfffffff0, (void)0 /* see the macro */);
}

static void bad_write_pointer(void **state)
{
    static const uint32_t bad[] = {63, 64, 0x80000000, 0xffffffff};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct rig *r = *state;
        gsp_queue_init(&r->q, r->region, (struct bus_addr){.raw = REGION_BUS}, &gsp_layout_570_144,
                       false, doorbell, r);
        gsp_queue_start_at(&r->q, FIRST_SLOT);
        gsp_hello(r);
        put_le32(stat_word(r, 0x10), bad[i]);
        refused(r, "write pointer", bad[i]);
    }
}

static void bad_header(void **state)
{
    static const struct {
        uint32_t off, value;
        const char *word;
    } bad[] = {
        {0, 1, "version"},    {4, 0x20000, "size"}, {4, 0, "size"},         {8, 2048, "msgSize"},
        {12, 62, "msgCount"}, {20, 0, "flags"},     {24, 0x24, "rxHdrOff"}, {28, 0x800, "entryOff"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct rig *r = *state;
        gsp_queue_init(&r->q, r->region, (struct bus_addr){.raw = REGION_BUS}, &gsp_layout_570_144,
                       false, doorbell, r);
        gsp_queue_start_at(&r->q, FIRST_SLOT);
        r->gsp_write = FIRST_SLOT;
        r->gsp_seq = 0;
        gsp_hello(r);
        const struct out o = message(r, 0x1001, 4);
        gsp_sends(r, &o);
        put_le32(stat_word(r, bad[i].off), bad[i].value);
        refused(r, bad[i].word, bad[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(region_layout),       T(worked_examples),
        T(odd_pieces),          T(send_wraps_and_stops_when_full),
        T(bad_read_pointer),    T(receives),
        T(receives_in_order),   T(incomplete),
        T(whole_slot_checksum), T(bad_messages),
        T(bad_write_pointer),   T(bad_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
