/* SPDX-License-Identifier: MIT */
/* What pci/ tells of a function's state without changing it: AER, sizes of resizable BARs, the link
 * of a device that does not answer. Registers with made-up contents, on a card that minds writes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/strict_card.h"

static struct pci_dev *card;

static void ext_cap(unsigned at, unsigned id, unsigned next)
{
    strict_card_reg(at, 4, id | 1u << 16 | next << 20, 0);
}

static int setup(void **state)
{
    (void)state;
    strict_card_setup();
    ext_cap(CARD_AER, PCI_EXT_CAP_AER, CARD_REBAR);
    ext_cap(CARD_REBAR, PCI_EXT_CAP_REBAR, 0);
    card = strict_card_find();
    return 0;
}

static void aer(void **state)
{
    (void)state;
    struct pci_aer a;
    strict_card_reg(CARD_AER + 0x04, 4, 0x00104000, 0);
    strict_card_reg(CARD_AER + 0x10, 4, 0x00000040, 0);
    pci_get_aer(card, &a);
    assert_true(a.valid);
    assert_int_equal(a.uncorrectable, 0x00104000);
    assert_int_equal(a.correctable, 0x40);
    assert_string_equal(pci_aer_name(true, 6), "bad_tlp");
    assert_string_equal(pci_aer_name(false, 14), "completion_timeout");
    assert_string_equal(pci_aer_name(false, 20), "unsupported_request");
    assert_null(pci_aer_name(true, 1));
    assert_null(pci_aer_name(true, 16));
    assert_null(pci_aer_name(false, 27));
    assert_null(pci_aer_name(false, 0));

    strict_card_reg(CARD_AER + 0x04, 4, UINT32_MAX, 0); /* it went away meanwhile */
    pci_get_aer(card, &a);
    assert_false(a.valid);
    strict_card_reg(CARD_AER + 0x04, 4, 0, 0);
    strict_card_reg(CARD_AER + 0x10, 4, UINT32_MAX, 0);
    pci_get_aer(card, &a);
    assert_false(a.valid);
    ext_cap(CARD_AER, PCI_EXT_CAP_SRIOV, CARD_REBAR);
    pci_get_aer(card, &a);
    assert_false(a.valid);
    assert_int_equal(a.uncorrectable, 0);
    ext_cap(CARD_AER, PCI_EXT_CAP_SRIOV, 0xff0); /* its registers would lie beyond the space */
    ext_cap(0xff0, PCI_EXT_CAP_AER, 0);
    pci_get_aer(card, &a);
    assert_false(a.valid);
    const struct pci_dev none = {.vendor = 0x10de}; /* of no bus */
    pci_get_aer(&none, &a);
    assert_false(a.valid);
    assert_orderly();
}

static void rebar(unsigned i, uint32_t sizes, uint32_t control)
{
    strict_card_reg(CARD_REBAR + 4 + 8 * i, 4, sizes, 0);
    strict_card_reg(CARD_REBAR + 8 + 8 * i, 4, control, 0);
}

static void rebars(void **state)
{
    (void)state;
    struct pci_rebar r[PCI_REBARS_MAX];
    rebar(0, 0x0007ffc0, 2 << 5 | 8 << 8 | 1); /* two; BAR 1: 256 MiB of 64 MiB .. 256 GiB */
    rebar(1, 0x00000010, 0x00010003 | 0 << 8); /* BAR 3: 1 MiB of that or 2^28 MiB */
    rebar(2, 0x00000010, 0x00000005);          /* beyond the two */
    assert_int_equal(pci_get_rebars(card, r), 2);
    assert_int_equal(r[0].bar, 1);
    assert_int_equal(r[0].size, MIB(256));
    assert_int_equal(r[0].sizes, 0x7ffc);
    assert_int_equal(r[1].bar, 3);
    assert_int_equal(r[1].size, MIB(1));
    assert_int_equal(r[1].sizes, 1 | 1u << 28);

    rebar(0, 0x10, 1 << 5 | 63 << 8 | 1); /* 2^83 bytes */
    assert_int_equal(pci_get_rebars(card, r), 1);
    assert_int_equal(r[0].size, 0);
    rebar(0, 0x10, 1 << 5 | 43 << 8 | 1);
    assert_int_equal(pci_get_rebars(card, r), 1);
    assert_int_equal(r[0].size, 1ull << 63);
    rebar(0, 0x10, 7 << 5 | 6); /* no such BAR, and more than there can be */
    for (unsigned i = 1; i < 7; i++) {
        rebar(i, 0x10, 1);
    }
    assert_int_equal(pci_get_rebars(card, r), PCI_REBAR_MAX - 1);
    rebar(0, 0x10, 0 << 5 | 1);
    assert_int_equal(pci_get_rebars(card, r), 0);
    rebar(0, UINT32_MAX, UINT32_MAX);
    assert_int_equal(pci_get_rebars(card, r), 0);
    ext_cap(CARD_REBAR, PCI_EXT_CAP_SRIOV, 0xff8);
    ext_cap(0xff8, PCI_EXT_CAP_REBAR, 0);
    strict_card_reg(0xffc, 4, 0x10, 0);
    assert_int_equal(pci_get_rebars(card, r), 0);
    const struct pci_dev none = {.vendor = 0x10de};
    assert_int_equal(pci_get_rebars(&none, r), 0);
    assert_orderly();
}

static void the_link(void **state)
{
    (void)state;
    struct pci_link l;
    strict_card_reg(CARD_EXP + PCI_EXP_LNKCAP, 4, 0x00400104, 0);
    strict_card_reg(CARD_EXP + PCI_EXP_LNKSTA, 2, 0x1083, 0);
    pci_get_link(card, &l);
    assert_true(l.valid && l.speed == 3 && l.width == 8 && l.max_speed == 4 && l.max_width == 16);
    strict_card_reg(CARD_EXP + PCI_EXP_LNKSTA, 2, 0xffff, 0); /* gone between two reads */
    pci_get_link(card, &l);
    assert_false(l.valid);
    assert_non_null(pci_port_of(card));
    assert_int_equal(pci_port_of(card)->secondary, card->bus);
    assert_null(pci_port_of(pci_port_of(card)));
    struct pci_dev odd = *card;
    odd.parent = (int)card->pci->count;
    assert_null(pci_port_of(&odd));
    odd.parent = 0;
    odd.pci = NULL;
    assert_null(pci_port_of(&odd));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(aer, setup),
        cmocka_unit_test_setup(rebars, setup),
        cmocka_unit_test_setup(the_link, setup),
    };
    return cmocka_run_group_tests_name("pci_health", tests, NULL, NULL);
}
