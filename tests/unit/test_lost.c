/* SPDX-License-Identifier: MIT */
/* Registers that are silent: what configuration space says of it, and what is advised then. */
#include "tests/unit/fake_pci.h"

#include "gsp/boot/causes.h"
#include "gsp/gpu.h"
#include "gsp/hw/lost.h"

#define PM  0x50u
#define EXP 0x60u
#define AER 0x100u

static char words[128];
static const char *hint;

static enum gsp_lost ask(const struct pci_dev *d)
{
    memset(words, 'x', sizeof(words));
    hint = NULL;
    const enum gsp_lost why = gsp_lost_why(d, words, sizeof(words), &hint);
    assert_non_null(memchr(words, '\0', sizeof(words)));
    assert_non_null(hint);
    return why;
}

static struct fake_fn *f;
static struct pci_dev *card(void)
{
    f = fake_add(0, 3, 0, 0x220410de, 0x030000);
    put_le16(fake_cap(f, PM, PCI_CAP_PM) + PCI_PM_CONTROL, 0);
    uint8_t *exp = fake_cap(f, EXP, PCI_CAP_PCIE);
    put_le32(exp + PCI_EXP_LNKCAP, 0x0104);
    put_le16(exp + PCI_EXP_LNKSTA, 0x1084);
    put_le32(f->cfg + AER, 0x00010001); /* version 1, the last one */
    put_le16(f->cfg + PCI_CFG_COMMAND, PCI_COMMAND_MEMORY);
    enumerate();
    pci.extended = true;
    return dev_at(0, 3, 0);
}

static void registers_alone(void **state)
{
    (void)state;
    struct pci_dev *d = card();
    assert_int_equal(ask(d), GSP_LOST_REGISTERS);
    assert_string_equal(words, "configuration space answers, D0, link 16.0 GT/s x8");
    assert_non_null(strstr(hint, "reset the card"));
    put_le32(f->cfg + AER + 4, 1u << 14 | 1u << 20); /* the lowest that has a name */
    (void)ask(d);
    assert_non_null(strstr(words, "x8, AER completion_timeout"));
    put_le32(f->cfg + AER + 4, 1u << 0 | 1u << 20);
    (void)ask(d);
    assert_non_null(strstr(words, "x8, AER unsupported_request"));
    put_le16(f->cfg + EXP + PCI_EXP_LNKSTA, 0xffff);
    put_le32(f->cfg + AER + 4, 0);
    (void)ask(d);
    assert_string_equal(words, "configuration space answers, D0");
}

static void asleep(void **state)
{
    (void)state;
    struct pci_dev *d = card();
    put_le16(f->cfg + PM + PCI_PM_CONTROL, 3);
    assert_int_equal(ask(d), GSP_LOST_ASLEEP);
    assert_non_null(strstr(words, "answers, D3, link"));
    assert_non_null(strstr(hint, "wakes it up"));
    put_le16(f->cfg + PCI_CFG_COMMAND, 0); /* what sleeps first */
    assert_int_equal(ask(d), GSP_LOST_ASLEEP);
}

static void shut(void **state)
{
    (void)state;
    struct pci_dev *d = card();
    put_le16(f->cfg + PCI_CFG_COMMAND, PCI_COMMAND_MASTER);
    assert_int_equal(ask(d), GSP_LOST_SHUT);
    assert_non_null(strstr(words, "D0, memory decoding is off, link"));
    assert_non_null(strstr(hint, "switches it on"));
}

static void gone(void **state)
{
    (void)state;
    struct pci_dev *d = card();
    f->back_at_us = UINT64_MAX;
    assert_int_equal(ask(d), GSP_LOST_CARD);
    assert_non_null(strstr(words, "silent too"));
    assert_non_null(strstr(hint, "cables"));
}

static void nobody_to_ask(void **state)
{
    (void)state;
    const struct pci_dev alone = {.vendor = 0x10de};
    assert_int_equal(ask(NULL), GSP_LOST_UNKNOWN);
    assert_int_equal(ask(&alone), GSP_LOST_UNKNOWN);
    assert_non_null(strstr(words, "no longer answers"));
}

static void cut_short(void **state)
{
    (void)state;
    struct pci_dev *d = card();
    for (size_t n = 1; n < sizeof(words); n++) {
        memset(words, 'x', sizeof(words));
        (void)gsp_lost_why(d, words, n, &hint);
        assert_true(strlen(words) < n);
        assert_int_equal(words[n], 'x');
    }
}

/* Errors that PCI Express has recorded speak against the card, whatever failed; none speak for it;
 * where nobody records any nothing is said. */
static void recorded_errors_are_evidence(void **state)
{
    static struct gsp_gpu g;
    (void)state;
    memset(&g, 0, sizeof(g));
    g.hw.pci = card();
    g.hw.label = "gsp";
    FL_FAIL(&g.fail, FL_EIO, "GSP_INIT_DONE", "carries 0x65");
    fl_fail_stage(&g.fail, "init-done");
    gsp_causes_weigh(&g);
    const struct gsp_causes *c = gsp_get_causes(&g);
    assert_string_equal(c->row[0].name, "files");
    assert_string_equal(c->row[c->count - 1].name, "gsp-firmware");
    bool out = false;
    for (uint32_t i = 0; i < c->count; i++) {
        out |= strcmp(c->row[i].name, "card") == 0 && c->row[i].verdict == GSP_RULED_OUT;
    }
    assert_true(out);
    put_le32(f->cfg + AER + 4, 1u << 14);
    gsp_causes_weigh(&g);
    assert_string_equal(c->row[0].name, "card");
    assert_int_equal(c->row[0].verdict, GSP_LIKELY);
    put_le32(f->cfg + AER, 0); /* no such capability */
    gsp_causes_weigh(&g);
    for (uint32_t i = 0; i < c->count; i++) {
        assert_string_not_equal(c->row[i].name, "card");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(registers_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(asleep, setup, teardown),
        cmocka_unit_test_setup_teardown(shut, setup, teardown),
        cmocka_unit_test_setup_teardown(gone, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_to_ask, setup, teardown),
        cmocka_unit_test_setup_teardown(cut_short, setup, teardown),
        cmocka_unit_test_setup_teardown(recorded_errors_are_evidence, setup, teardown),
    };
    return cmocka_run_group_tests_name("lost", tests, NULL, NULL);
}
