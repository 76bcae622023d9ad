/* SPDX-License-Identifier: MIT */
/* The config file: every key right and wrong, line numbers, odd files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "boot/config.h"

static struct boot_config parse(const char *text)
{
    struct boot_config c;
    config_defaults(&c);
    config_parse(&c, text, strlen(text));
    return c;
}

static void test_defaults(void **state)
{
    (void)state;
    struct boot_config c = parse("");
    assert_string_equal(c.hostname, "firstlight");
    assert_true(c.dhcp);
    assert_int_equal(c.attempts, 3);
    assert_int_equal(c.log_level, LOG_INFO);
    assert_int_equal(c.tls, CONFIG_TLS_NO);
    assert_true(c.screen);
    assert_int_equal(c.message_count, 0);
}

static void test_all_keys(void **state)
{
    (void)state;
    struct boot_config c = parse(
        "# a comment\r\nhostname = bench-7\r\nip=192.168.1.20/24\ngateway = 192.168.1.1 # near\n"
        "\tdns\t=\t9.9.9.9\ntls = only\ntoken = s3cret!\nfirmware = 535.113.01\nattempts = "
        "8\nlog_level = "
        "debug");
    assert_int_equal(c.message_count, 0);
    assert_string_equal(c.hostname, "bench-7");
    assert_false(c.dhcp);
    assert_int_equal(c.ip, 0xc0a80114);
    assert_int_equal(c.mask, 0xffffff00);
    assert_int_equal(c.gateway, 0xc0a80101);
    assert_int_equal(c.dns, 0x09090909);
    assert_string_equal(c.token, "s3cret!");
    assert_string_equal(c.firmware, "535.113.01");
    assert_int_equal(c.attempts, 8);
    assert_int_equal(parse("attempts = 1").attempts, 1);
    assert_int_equal(c.log_level, LOG_DEBUG);
    assert_int_equal(parse("").expect_gpus, 0);
    assert_int_equal(parse("expect_gpus = 8").expect_gpus, 8);
    c.host_label = CONFIG_LABEL_LOWER;
    assert_string_equal(config_host_label(&c), "hostname");
    c = parse("metrics_hostname = Hostname");
    assert_string_equal(config_host_label(&c), "Hostname");
    c = parse("metrics_hostname = no");
    assert_null(config_host_label(&c));
    c = parse("metrics_hostname = hostname\ntls = only");
    assert_int_equal(c.host_label, CONFIG_LABEL_LOWER);
    assert_int_equal(c.tls, CONFIG_TLS_ONLY);
    assert_int_equal(parse("tls = yes").tls, CONFIG_TLS_YES);
    assert_int_equal(parse("tls = no").tls, CONFIG_TLS_NO);
    assert_true(parse("").ntp && parse("").ntp_server == 0 && !parse("ntp = no").ntp);
    assert_int_equal(parse("ntp = 10.0.2.2").ntp_server, 0x0a000202);
    assert_int_equal(parse("ntp = 10.0.2.2\nntp = dhcp").ntp_server, 0);
    assert_int_equal(parse("syslog = 10.0.2.2").syslog_server, 0x0a000202);
    assert_int_equal(parse("syslog = 10.0.2.2").syslog_port, 514);
    assert_int_equal(parse("syslog = 10.0.2.2:5514").syslog_port, 5514);
    assert_int_equal(parse("syslog = 10.0.2.2\nsyslog = no").syslog_server, 0);
    assert_true(parse("mdns = yes").mdns && parse("").mdns && !parse("mdns = no").mdns);
    assert_true(parse("ipv6 = yes").ipv6 && parse("").ipv6 && !parse("ipv6 = no").ipv6);
    assert_false(parse("screen = off").screen);
    assert_true(parse("screen = off\nscreen = on").screen);
}

static void test_bad_values(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "ip = 1.2.3.4",
        "ip = 1.2.3.4/0",
        "ip = 1.2.3.4/33",
        "ip = 1.2.3/24",
        "ip = 256.1.1.1/8",
        "ip = 1.2.3.4/24x",
        "ip = 1.2.3.4/",
        "ip =",
        "gateway = x",
        "gateway = 1.2.3.4.5",
        "dns = 1.2.3.",
        "hostname = -a",
        "hostname = a b",
        "hostname =",
        "token = a b",
        "firmware = 570-144",
        "log_level = loud",
        "token =",
        "attempts = 0",
        "attempts = 9",
        "attempts = 10",
        "attempts =",
        "attempts = 3x",
        "attempts = -1",
        "when_hung = maybe",
        "link_speed = 0",
        "link_speed = 7",
        "link_speed = 33",
        "link_speed =",
        "aspm = on",
        "aspm =",
        "when_hung =",
        "registry =",
        "registry = RMFoo",
        "registry = RMFoo=",
        "registry = RMFoo=0x",
        "registry = RMFoo=0x100000000",
        "registry = RMFoo=4294967296",
        "registry = RMFoo=12a",
        "registry = RM Foo=1",
        "registry = =1",
        "registry = RMFoo=1,RMBar=2",
        "registry = A2345678901234567890123456789012345678901234567x=1",
        "registry = A=1 B=1 C=1 D=1 E=1 F=1 G=1 H=1 I=1 J=1 K=1 L=1 M=1 N=1 O=1 P=1 Q=1",
        "tls = maybe",
        "tls =",
        "ipv6 = 6",
        "ipv6 =",
        "mdns = on",
        "mdns =",
        "expect_gpus = 9",
        "expect_gpus = -1",
        "expect_gpus = 10",
        "expect_gpus =",
        "metrics_hostname = host",
        "metrics_hostname =",
        "screen = no",
        "screen =",
        "ntp = yes",
        "ntp = 0.0.0.0",
        "syslog = yes",
        "syslog = 1.2.3.4:0",
        "syslog = 1.2.3.4:65536",
        "syslog = 1.2.3.4:x",
        "syslog = 1.2.3.4:",
        "syslog = 1.2.3.4 514",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char text[128];
        strcpy(text, "\n\n");
        strcat(text, bad[i]);
        struct boot_config c = parse(text), d;
        config_defaults(&d);
        assert_int_equal(c.message_count, 1);
        assert_non_null(strstr(c.message[0], "firstlight.conf:3: "));
        assert_non_null(strstr(c.message[0], "expected"));
        c.message_count = 0;
        memset(c.message, 0, sizeof(c.message));
        assert_memory_equal(&c, &d, sizeof(c)); /* the default is kept */
    }
}

static void test_unknown_and_malformed(void **state)
{
    (void)state;
    struct boot_config c = parse("ipp = dhcp\nnonsense\nhostname = ok");
    assert_int_equal(c.message_count, 2);
    assert_non_null(strstr(c.message[0], "firstlight.conf:1: unknown key 'ipp'"));
    assert_string_equal(c.message[1], "firstlight.conf:2: expected 'key = value', found no '='");
    assert_string_equal(c.hostname, "ok");
}

/* Every way to mistype a token that we could think of: none of its words is in a message. */
static void test_secret_stays_secret(void **state)
{
    (void)state;
    static const char *const mistyped[] = {
        "token = XYZZY PLUGH",          /* a blank */
        "token = XYZZY\tPLUGH",         /* a tabulator */
        "token = XYZZY\x01PLUGH",       /* a control byte */
        "token = XYZZY\xc3\xa9",        /* a letter beyond ASCII */
        "token XYZZY",                  /* no equals sign */
        "token: XYZZY",                 /* another sign */
        "XYZZY",                        /* on the line below its key */
        "XYZZYPLUGH==",                 /* the same in base64: the padding makes it a key */
        "XYZZYPLUGH = ",                /* likewise */
        "XYZZY = PLUGH",                /* broken across the sign */
        "xyzzy==",                      /* without a capital */
        "xyzzyplughxyzzyplugh = PLUGH", /* longer than any name */
        "tokem = XYZZY",                /* the key mistyped */
        "Token = XYZZY",
    };
    for (size_t i = 0; i < ARRAY_SIZE(mistyped); i++) {
        struct boot_config c = parse(mistyped[i]);
        assert_int_equal(c.message_count, 1);
        assert_string_equal(c.token, "");
        static const char *const words[] = {"XYZZY", "PLUGH", "xyzzy", "plugh"};
        for (size_t k = 0; k < ARRAY_SIZE(words); k++) {
            assert_null(strstr(c.message[0], words[k]));
        }
    }
    assert_string_equal(parse("token = a b").message[0],
                        "firstlight.conf:1: token: expected 1 to 127 visible characters, found 3 "
                        "bytes; the default is kept");
    assert_non_null(strstr(parse("tokem = x").message[0], "unknown key 'tokem';"));
    assert_non_null(strstr(parse("Token = x").message[0], "unknown key; known are"));
}

/* Messages go to a terminal and a page: a value cannot steer either. */
static void test_messages_are_printable(void **state)
{
    (void)state;
    struct boot_config c = parse("hostname = a\x1b[2J\x9b\x7f\xc2\x9b");
    assert_int_equal(c.message_count, 1);
    assert_non_null(strstr(c.message[0], "hostname = 'a?[2J?"
                                         "?"
                                         "?"
                                         "?'"));
}

static void test_odd_files(void **state)
{
    (void)state;
    struct boot_config c;
    config_defaults(&c);
    config_parse(&c, "\xef\xbb\xbfhostname = bom", 17);
    assert_string_equal(c.hostname, "bom");
    assert_int_equal(c.message_count, 0);

    static char longline[600];
    memset(longline, 'a', sizeof(longline));
    config_defaults(&c);
    config_parse(&c, longline, sizeof(longline));
    assert_int_equal(c.message_count, 1);
    assert_non_null(strstr(c.message[0], "longer than"));

    config_defaults(&c);
    config_parse(&c, "a\0b\nhostname = x", 16);
    assert_int_equal(c.message_count, 1);
    assert_string_equal(c.hostname, "x");

    char many[400] = "";
    for (int i = 0; i < 20; i++) {
        strcat(many, "zz = 1\n");
    }
    config_defaults(&c);
    config_parse(&c, many, strlen(many));
    assert_int_equal(c.message_count, 20); /* counted, the first ones kept */
}

/* ---- one GPU or all ---- */

static struct gsp_registry_key keys[GSP_REGISTRY_MAX];

static struct gsp_options options_of(const struct boot_config *c, unsigned n)
{
    struct gsp_options o = {.attempts = 99};
    memset(keys, 0x55, sizeof(keys));
    config_for_gpu(c, n, &o, keys);
    assert_ptr_equal(o.registry, keys);
    return o;
}

static void test_one_gpu(void **state)
{
    (void)state;
    const struct boot_config c =
        parse("attempts = 2\nattempts[1] = 5\nwhen_hung = boot\nwhen_hung[7] = stay\n"
              "firmware[0] = 535.113.01\n"
              "registry = RMPcieLinkSpeed=0x800002AA  RM_b=7\n"
              "registry[1] = RMPcieLinkSpeed=4294967295\nregistry = RMlast=0\n");
    assert_int_equal(c.message_count, 0);
    struct gsp_options o = options_of(&c, 0);
    assert_int_equal(o.attempts, 2);
    assert_true(o.revive);
    assert_string_equal(o.force_version, "535.113.01");
    assert_int_equal(o.registry_count, 3);
    assert_string_equal(keys[0].name, "RMPcieLinkSpeed");
    assert_int_equal(keys[0].value, 0x800002aa);
    assert_string_equal(keys[1].name, "RM_b");
    assert_int_equal(keys[1].value, 7);
    assert_string_equal(keys[2].name, "RMlast");
    assert_int_equal(keys[2].value, 0);
    o = options_of(&c, 1);
    assert_int_equal(o.attempts, 5);
    assert_null(o.force_version);
    assert_int_equal(o.registry_count, 4);
    assert_string_equal(keys[3].name, "RMPcieLinkSpeed");
    assert_int_equal(keys[3].value, UINT32_MAX);
    assert_false(options_of(&c, 7).revive);
    assert_int_equal(options_of(&c, 8).attempts, 2); /* of no such GPU: those of all */

    char text[2048];
    config_text(&c, text, sizeof(text));
    assert_non_null(strstr(text, "\nattempts = 2\nwhen_hung = boot\n"
                                 "registry = RMPcieLinkSpeed=0x800002aa RM_b=0x7 RMlast=0x0\n"
                                 "firmware[0] = 535.113.01\nattempts[1] = 5\n"
                                 "registry[1] = RMPcieLinkSpeed=0xffffffff\n"
                                 "when_hung[7] = stay\n"));
    struct boot_config again = parse(text);
    assert_int_equal(again.message_count, 0);
    assert_memory_equal(again.gpu, c.gpu, sizeof(c.gpu));
}

/* A key of the longest name is taken; the sixteenth is the last. */
static void test_registry_limits(void **state)
{
    (void)state;
    struct boot_config c = parse("registry = A234567890123456789012345678901234567890123456x=1");
    assert_int_equal(c.registry_count, 1);
    assert_int_equal(strlen(c.registry[0].key.name), GSP_REGISTRY_NAME_MAX - 1);
    c = parse("registry = A=1 B=1 C=1 D=1 E=1 F=1 G=1 H=1 I=1 J=1 K=1 L=1 M=1 N=1 O=1 P=1\n"
              "registry = Q=1\n");
    assert_int_equal(c.registry_count, GSP_REGISTRY_MAX);
    assert_int_equal(c.message_count, 1);
    c = parse("registry = A=1\nregistry = B=1 C\n"); /* of a bad line nothing counts */
    assert_int_equal(c.registry_count, 1);
    assert_int_equal(options_of(&c, 0).registry_count, 1);
}

static void test_links(void **state)
{
    (void)state;
    struct boot_config c = parse("link_speed = 6\naspm = off\nlink_speed[0] = 1\n"
                                 "link_speed[1] = keep\naspm[1] = keep\n");
    assert_int_equal(c.message_count, 0);
    assert_int_equal(options_of(&c, 0).link_speed, 1);
    assert_true(options_of(&c, 0).aspm_off);
    assert_int_equal(options_of(&c, 1).link_speed, 0);
    assert_false(options_of(&c, 1).aspm_off);
    assert_int_equal(options_of(&c, 2).link_speed, 6);
    char text[2048];
    config_text(&c, text, sizeof(text));
    struct boot_config again = parse(text);
    assert_int_equal(again.message_count, 0);
    assert_memory_equal(again.gpu, c.gpu, sizeof(c.gpu));
    assert_int_equal(again.link_speed, 6);
    assert_true(again.aspm_off);
    c = parse("");
    config_text(&c, text, sizeof(text));
    assert_null(strstr(text, "link_speed"));
    assert_null(strstr(text, "aspm"));
}

static void test_whose_key(void **state)
{
    (void)state;
    static const char *const bad[] = {"attempts[8] = 1", "attempts[ = 1",   "attempts[1 = 1",
                                      "attempts[] = 1",  "hostname[1] = a", "attempts[1]x = 1",
                                      "attempts1 = 1",   "attempts[-] = 1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct boot_config c = parse(bad[i]);
        if (c.message_count != 1 || strstr(c.message[0], "unknown key") == NULL) {
            fail_msg("'%s': %s", bad[i], c.message[0]);
        }
    }
    assert_int_equal(parse("attempts[0] = 9").message_count, 1);
    assert_false(parse("attempts[0] = 9").gpu[0].has_attempts);
    assert_false(parse("firmware[0] = x").gpu[0].has_firmware);
    assert_false(parse("when_hung[0] = x").gpu[0].has_revive);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_one_gpu),
        cmocka_unit_test(test_registry_limits),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_whose_key),
        cmocka_unit_test(test_all_keys),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_unknown_and_malformed),
        cmocka_unit_test(test_secret_stays_secret),
        cmocka_unit_test(test_messages_are_printable),
        cmocka_unit_test(test_odd_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
