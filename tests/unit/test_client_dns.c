/* SPDX-License-Identifier: MIT */
/* The client's reader of multicast DNS: what it finds in answers, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/dns.h"

#define TYPE_A     1
#define TYPE_PTR   12
#define TYPE_TXT   16
#define TYPE_SRV   33
#define FLUSH_IN   0x8001 /* the class with the bit of RFC 6762, 10.2 */
#define SERVICE    "\5_http\4_tcp\5local"
#define INSTANCE   "\7bench-1" SERVICE
#define LETTERS_64 "abcdefghijklmnopabcdefghijklmnopabcdefghijklmnopabcdefghijklmnop"
#define HOST       "\7bench-1\5local"
#define IPV4       "\xc0\x00\x02\x05"
#define BYTES(s)   (s), sizeof(s) - 1
#define NAMED(s)   (s), sizeof(s) /* with the empty label at the end */

struct message {
    uint8_t data[4096];
    size_t len;
};

static void put(struct message *m, const void *bytes, size_t n)
{
    assert_true(m->len + n <= sizeof(m->data));
    memcpy(m->data + m->len, bytes, n);
    m->len += n;
}

static void put_u16(struct message *m, unsigned v)
{
    const uint8_t bytes[] = {(uint8_t)(v >> 8), (uint8_t)v};
    put(m, bytes, sizeof(bytes));
}

static struct message begin(unsigned flags, unsigned questions, unsigned answers)
{
    struct message m = {.len = 0};
    put_u16(&m, 0);
    put_u16(&m, flags);
    put_u16(&m, questions);
    put_u16(&m, answers);
    put_u16(&m, 0);
    put_u16(&m, 0);
    return m;
}

static void record(struct message *m, const char *name, size_t name_len, unsigned type,
                   const void *rdata, size_t len)
{
    put(m, name, name_len);
    put_u16(m, type);
    put_u16(m, FLUSH_IN);
    put(m, "\0\0\0\x0a", 4);
    put_u16(m, (unsigned)len);
    put(m, rdata, len);
}

/* A copy of its own length, so that a byte too far is noticed. */
static bool reads(const struct message *m, struct dns_answer *a)
{
    uint8_t *copy = malloc(m->len);
    memcpy(copy, m->data, m->len);
    const bool good = dns_read_answer(copy, m->len, a);
    free(copy);
    return good;
}

static const uint8_t srv[] = {0, 0, 0, 0, 0, 80};

/* What an appliance says, its records in the order that is worst. */
static struct message whole(void)
{
    struct message m = begin(0x8400, 1, 4), target = {.len = 0};
    put(&m, NAMED(SERVICE));
    put_u16(&m, TYPE_PTR);
    put_u16(&m, 1);
    record(&m, NAMED(HOST), TYPE_A, BYTES(IPV4));
    put(&target, srv, sizeof(srv));
    put(&target, NAMED(HOST));
    record(&m, NAMED(INSTANCE), TYPE_TXT, BYTES("\6path=/\x12product=Firstlight"));
    record(&m, NAMED(INSTANCE), TYPE_SRV, target.data, target.len);
    record(&m, NAMED(SERVICE), TYPE_PTR, NAMED(INSTANCE));
    return m;
}

static void test_whole(void **state)
{
    (void)state;
    static struct dns_answer a;
    struct message m = whole();
    assert_true(reads(&m, &a));
    assert_int_equal(a.count, 1);
    assert_string_equal(a.service[0].instance, "bench-1");
    assert_string_equal(a.service[0].host, "bench-1.local");
    assert_int_equal(a.service[0].port, 80);
    assert_true(a.service[0].has_ipv4 && a.service[0].is_appliance);
    assert_memory_equal(a.service[0].ipv4, IPV4, 4);
}

/* As responders write it: names are pointers to the first one (12) or into it. */
static void test_compressed(void **state)
{
    (void)state;
    static struct dns_answer a;
    struct message m = begin(0x8400, 0, 3);
    record(&m, NAMED(SERVICE), TYPE_PTR, BYTES("\7bench-1\xc0\x0c")); /* at 40 */
    record(&m, BYTES("\xc0\x28"), TYPE_SRV, BYTES("\0\0\0\0\x1f\x90\7bench-1\xc0\x17"));
    record(&m, BYTES("\7bench-1\xc0\x17"), TYPE_A, BYTES(IPV4));
    assert_true(reads(&m, &a));
    assert_int_equal(a.count, 1);
    assert_int_equal(a.service[0].port, 8080);
    assert_string_equal(a.service[0].host, "bench-1.local");
    assert_true(a.service[0].has_ipv4);
}

/* However much of it is missing, it is refused as a whole. */
static void test_cut(void **state)
{
    (void)state;
    static struct dns_answer a;
    struct message m = whole();
    while (m.len-- > 1) {
        assert_false(reads(&m, &a));
        assert_int_equal(a.count, 0);
    }
    m = begin(0x8400, 0, 2); /* a good record, and a bad one */
    record(&m, NAMED(SERVICE), TYPE_PTR, NAMED(INSTANCE));
    record(&m, NAMED(INSTANCE), TYPE_TXT, "", 0);
    m.len--;
    assert_false(reads(&m, &a));
    assert_int_equal(a.count, 0);
}

/* SRV and A by another's name, TXT of something else, an address of a wrong length: nobody's. */
static void test_others(void **state)
{
    (void)state;
    static struct dns_answer a;
    struct message m = begin(0x8400, 0, 6), target = {.len = 0};
    put(&target, srv, sizeof(srv));
    put(&target, NAMED(HOST));
    record(&m, NAMED(SERVICE), TYPE_PTR, NAMED(INSTANCE));
    record(&m, NAMED(SERVICE), TYPE_PTR, NAMED(INSTANCE)); /* twice: once */
    record(&m, NAMED("\3ftp\5local"), TYPE_PTR, NAMED("\1x" SERVICE));
    record(&m, NAMED("\1x" SERVICE), TYPE_SRV, target.data, target.len);
    record(&m, NAMED(INSTANCE), TYPE_TXT, BYTES("\x13product=Firstlight2"));
    record(&m, NAMED(HOST), TYPE_A, BYTES(IPV4 "x"));
    assert_true(reads(&m, &a));
    assert_int_equal(a.count, 1);
    assert_int_equal(a.service[0].port, 0);
    assert_string_equal(a.service[0].host, "");
    assert_false(a.service[0].has_ipv4);
    assert_false(a.service[0].is_appliance);
    m = begin(0x8400, 0, 4);
    record(&m, NAMED(SERVICE), TYPE_PTR, NAMED(INSTANCE));
    record(&m, NAMED(INSTANCE), TYPE_SRV, target.data, target.len);
    record(&m, NAMED(HOST), TYPE_A, BYTES(IPV4 "x"));
    record(&m, NAMED("\7bench-2\5local"), TYPE_A, BYTES(IPV4));
    assert_true(reads(&m, &a));
    assert_string_equal(a.service[0].host, "bench-1.local");
    assert_false(a.service[0].has_ipv4);
    m = begin(0x8400, 0, 1);
    record(&m, NAMED(SERVICE), TYPE_PTR, NAMED(INSTANCE));
    m.data[0x1f + 1] = 3; /* CHAOS, RFC 1035, 3.2.4 */
    assert_true(reads(&m, &a));
    assert_int_equal(a.count, 0);
}

static void test_no_answer(void **state)
{
    (void)state;
    static struct dns_answer a;
    struct message m = whole();
    m.data[2] = 0x04; /* a question */
    assert_false(reads(&m, &a));
    m.data[2] = 0x8c; /* another operation */
    assert_false(reads(&m, &a));
    m = begin(0x8400, 0, 300); /* so many records are none of ours */
    for (unsigned i = 0; i < 300; i++) {
        record(&m, "", 1, TYPE_TXT, "", 0);
    }
    assert_false(reads(&m, &a));
}

/* A name by pointers: shared, to itself, forwards, in a circle. */
static void test_pointers(void **state)
{
    (void)state;
    static struct dns_answer a;
    static const struct {
        const char *rdata;
        size_t len;
        bool good;
    } cases[] = {{BYTES("\7bench-1\xc0\x0c"), true},
                 {BYTES("\xc0\x28"), false},                /* to itself */
                 {BYTES("\1x\xc0\x28"), false},             /* in a circle */
                 {BYTES("\xc0\x2a\0\0"), false},            /* forwards */
                 {BYTES("\xc3\xff"), false},                /* beyond the end */
                 {BYTES("\xc0"), false},                    /* half of one */
                 {NAMED("\x40" LETTERS_64 SERVICE), false}, /* no length, no pointer */
                 {BYTES("\7bench"), false}};                /* a label without its end */
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct message m = begin(0x8400, 0, 1);
        record(&m, NAMED(SERVICE), TYPE_PTR, cases[i].rdata, cases[i].len);
        assert_int_equal(m.len - cases[i].len, 0x28);
        (void)reads(&m, &a);
        assert_int_equal(a.count, cases[i].good ? 1 : 0);
        if (cases[i].good) {
            assert_string_equal(a.service[0].instance, "bench-1");
        }
    }
}

/* Letters that would be mistaken come out as \DDD; a name of more than 255 bytes is none. */
static void test_names(void **state)
{
    (void)state;
    static struct dns_answer a;
    struct message m = begin(0x8400, 0, 1), name = {.len = 0};
    record(&m, NAMED(SERVICE), TYPE_PTR, NAMED("\6a.\0\\\x1b\x7f" SERVICE));
    assert_true(reads(&m, &a));
    assert_int_equal(a.count, 1);
    assert_string_equal(a.service[0].instance, "a\\046\\000\\092\\027\\127");
    for (size_t last = 44; last <= 45; last++) { /* 3 * 64 + 1 + last + 18 = 255, 256 */
        name.len = 0;
        for (unsigned i = 0; i < 3; i++) {
            put(&name, "\x3f", 1);
            for (unsigned k = 0; k < 63; k++) {
                put(&name, "\1", 1);
            }
        }
        const uint8_t n = (uint8_t)last;
        put(&name, &n, 1);
        for (size_t k = 0; k < last; k++) {
            put(&name, "y", 1);
        }
        put(&name, NAMED(SERVICE));
        m = begin(0x8400, 0, 1);
        record(&m, NAMED(SERVICE), TYPE_PTR, name.data, name.len);
        (void)reads(&m, &a);
        assert_int_equal(a.count, last == 44 ? 1 : 0);
    }
}

static void test_many(void **state)
{
    (void)state;
    static struct dns_answer a;
    struct message m = begin(0x8400, 0, 12);
    for (char c = 'a'; c < 'a' + 12; c++) {
        char name[] = "\1x" SERVICE;
        name[1] = c;
        record(&m, NAMED(SERVICE), TYPE_PTR, NAMED(name));
    }
    assert_true(reads(&m, &a));
    assert_int_equal(a.count, DNS_SERVICES_MAX);
}

static void test_query(void **state)
{
    (void)state;
    uint8_t out[DNS_QUERY_MAX];
    static const uint8_t expected[] = "\0\0\0\0\0\1\0\0\0\0\0\0\5_http\4_tcp\5local\0\0\x0c\x80\1";
    assert_int_equal(dns_make_query(out), sizeof(expected) - 1);
    assert_memory_equal(out, expected, sizeof(expected) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),      cmocka_unit_test(test_cut),
        cmocka_unit_test(test_others),     cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_pointers),   cmocka_unit_test(test_names),
        cmocka_unit_test(test_compressed), cmocka_unit_test(test_many),
        cmocka_unit_test(test_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
