/* SPDX-License-Identifier: MIT */
/* What the screen's fixed part says of a GPU, of the network and of all together, in every state.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/panel_lab.h"

static void assert_gpu(enum panel_tone tone, const char *state, const char *more, uint32_t done,
                       uint32_t of)
{
    struct panel_gpu g;
    panel_say_gpu(&g, &snapshot, &no_failure);
    assert_int_equal(g.tone, tone);
    assert_string_equal(g.state, state);
    assert_string_equal(g.more, more);
    assert_int_equal(g.done, done);
    assert_int_equal(g.of, of);
    assert_string_equal(g.chip, "GA102");
}

static void test_gpu_words(void **state)
{
    (void)state;
    struct panel_gpu g;

    snapshot_of(GSP_READY, 19, 19);
    assert_gpu(PANEL_GOOD, "READY", "", 1, 1);
    panel_say_gpu(&g, &snapshot, &no_failure);
    assert_string_equal(g.detail[0],
                        "NVIDIA GeForce RTX 3090, 23.9 GiB, firmware 570.144, ready in 304 ms");
    assert_string_equal(g.detail[1], "0000:01:00.0, GPU-f775de86-b591-79f6-20ce-dd3408bdb3f1");
    snapshot.xid_count = 2;
    snapshot.last_xid = 48;
    snprintf(snapshot.last_xid_text, sizeof(snapshot.last_xid_text), "double bit ECC error");
    assert_gpu(PANEL_WARN, "READY", "Xid 48", 1, 1);
    panel_say_gpu(&g, &snapshot, &no_failure);
    assert_string_equal(g.detail[1], "Xid 48: double bit ECC error");

    snapshot_of(GSP_BOOTING, 7, 19);
    snapshot.stage[3].state = GSP_STAGE_SKIPPED;
    snapshot.attempt = 2;
    assert_gpu(PANEL_BUSY, "BOOTING", "7/19 frts", 7, 19);
    panel_say_gpu(&g, &snapshot, &no_failure);
    assert_string_equal(g.brief, "7/19");
    assert_string_equal(g.detail[0],
                        "NVIDIA GeForce RTX 3090, 23.9 GiB, firmware 570.144, attempt 2 of 3");
    snapshot_of(GSP_BOOTING, 0, 0);
    assert_gpu(PANEL_BUSY, "BOOTING", "", 0, 0);

    snapshot_of(GSP_FAILED, 7, 19);
    fail_in("frts");
    assert_gpu(PANEL_BAD, "FAILED", "in frts", 7, 19);
    panel_say_gpu(&g, &snapshot, &no_failure);
    assert_true(strncmp(g.detail[0], "NV_PBUS_SW_SCRATCH(14): FWSEC", 29) == 0);
    assert_string_equal(g.detail[1], "try: switch the machine off and on again");
    snapshot.fail.what[0] = snapshot.fail.hint[0] = snapshot.fail.stage[0] = '\0';
    assert_gpu(PANEL_BAD, "FAILED", "", 7, 19);
    panel_say_gpu(&g, &snapshot, &no_failure);
    assert_true(strncmp(g.detail[0], "FWSEC", 5) == 0);
    assert_string_equal(g.detail[1], "");

    snapshot_of(GSP_UNLOADED, 19, 19);
    assert_gpu(PANEL_IDLE, "UNLOADED", "", 0, 0);
    snapshot_of(GSP_SUSPENDED, 19, 19);
    assert_gpu(PANEL_IDLE, "SUSPENDED", "", 0, 0);
    snapshot_of(GSP_ABSENT, 0, 0);
    assert_gpu(PANEL_IDLE, "WAITING", "", 0, 0);

    /* One that could not even be created. */
    struct fl_fail why = {.err = FL_ENOMEM};
    snprintf(why.stage, sizeof(why.stage), "create");
    snprintf(why.text, sizeof(why.text), "BAR0 is not there");
    panel_say_gpu(&g, NULL, &why);
    assert_int_equal(g.tone, PANEL_BAD);
    assert_string_equal(g.more, "in create");
    assert_string_equal(g.detail[0], "BAR0 is not there");
    assert_string_equal(g.chip, "");
}

static void test_network_words(void **state)
{
    (void)state;
    static const struct {
        enum net_nic_state state;
        const char *words;
        enum panel_tone tone;
    } cases[] = {{NET_NIC_FAILED, "network card failed", PANEL_BAD},
                 {NET_NIC_NO_LINK, "no network link", PANEL_WARN},
                 {NET_NIC_DHCP, "waiting for DHCP", PANEL_BUSY}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        network(cases[i].state);
        /* A worse one beside it is not told of. */
        net.nic[1].state = NET_NIC_FAILED;
        net.nic_count = 2;
        panel_say_network(&panel, &net, true, false);
        assert_string_equal(panel.url, "");
        assert_string_equal(panel.also, "");
        assert_string_equal(panel.network, cases[i].words);
        assert_int_equal(panel.network_tone, cases[i].tone);
    }
    net.nic_count = 0;
    panel_say_network(&panel, &net, false, false);
    assert_string_equal(panel.network, "no network card");
    assert_int_equal(panel.network_tone, PANEL_WARN);

    network(NET_NIC_UP);
    panel_say_network(&panel, &net, false, false);
    assert_string_equal(panel.url, "http://10.0.2.15/");
    assert_string_equal(panel.network, "");
    assert_string_equal(panel.also, "");
    panel_say_network(&panel, &net, true, false);
    assert_string_equal(panel.url, "http://10.0.2.15/");
    assert_string_equal(panel.also, "https://10.0.2.15/");
    panel_say_network(&panel, &net, true, true);
    assert_string_equal(panel.url, "https://10.0.2.15/");
    assert_string_equal(panel.also, "");
    /* The first card has no cable: the second one's address is the address. */
    net.nic[1] = net.nic[2] = net.nic[0];
    net.nic[2].ip = 0xffffffff;
    net.nic[0].state = NET_NIC_NO_LINK;
    net.nic_count = 3;
    panel_say_network(&panel, &net, false, false);
    assert_string_equal(panel.url, "http://10.0.2.15/");
    assert_string_equal(panel.also, "http://255.255.255.255/");
}

static void assert_verdict(const char *tones, bool looking, const char *words, enum panel_tone tone)
{
    static const char letters[] = "ibgwf"; /* as enum panel_tone */
    panel = (struct panel){.gpu_count = (uint32_t)strlen(tones)};
    for (uint32_t i = 0; i < panel.gpu_count; i++) {
        panel.gpu[i].tone = (enum panel_tone)(strchr(letters, tones[i]) - letters);
        snprintf(panel.gpu[i].state, sizeof(panel.gpu[i].state), "UNLOADED");
    }
    panel_say_verdict(&panel, looking);
    assert_string_equal(panel.verdict, words);
    assert_int_equal(panel.tone, tone);
}

static void test_verdict_words(void **state)
{
    (void)state;
    assert_verdict("", true, "LOOKING FOR GPUS", PANEL_BUSY);
    assert_verdict("", false, "NO GPU", PANEL_WARN);
    assert_verdict("g", true, "LOOKING FOR GPUS", PANEL_BUSY);
    assert_verdict("g", false, "GPU READY", PANEL_GOOD);
    assert_verdict("gg", false, "ALL GPUS READY", PANEL_GOOD);
    assert_verdict("gw", false, "ALL GPUS READY, WITH ERRORS", PANEL_WARN);
    assert_verdict("w", false, "GPU READY, WITH ERRORS", PANEL_WARN);
    assert_verdict("b", false, "BOOTING", PANEL_BUSY);
    assert_verdict("gbw", false, "BOOTING, 2 OF 3 READY", PANEL_BUSY);
    assert_verdict("i", false, "GPU UNLOADED", PANEL_IDLE);
    assert_verdict("gig", false, "2 OF 3 GPUS READY", PANEL_IDLE);
    assert_verdict("f", false, "GPU FAILED", PANEL_BAD);
    assert_verdict("f", true, "GPU FAILED", PANEL_BAD);
    assert_verdict("gf", false, "GPU 1 FAILED", PANEL_BAD);
    assert_verdict("fbif", false, "GPUS 0, 3 FAILED", PANEL_BAD);
    assert_verdict("fgfgfggg", false, "GPUS 0, 2, 4 FAILED", PANEL_BAD);
    assert_verdict("ffffgggg", false, "4 OF 8 GPUS FAILED", PANEL_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gpu_words),
        cmocka_unit_test(test_network_words),
        cmocka_unit_test(test_verdict_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
