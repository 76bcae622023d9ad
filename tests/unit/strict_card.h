/* SPDX-License-Identifier: MIT */
/*
 * A card behind a bridge, for the tests of pci/, that minds the order of what is done to it as
 * hardware does: memory writes are posted until somebody reads, a reset wipes every register that
 * can be written, and the first thing that must not happen in a state is kept in words.
 */
#pragma once

#include "arch/base.h"
#include "pci/pci.h"
#include "pci/pci_regs.h"

/* Where its capabilities lie, and the MSI-X table in BAR0. */
enum {
    CARD_EXP = 0x40,
    CARD_MSI = 0x80,
    CARD_MSIX = 0xb0,
    CARD_AER = 0x100,
    CARD_REBAR = 0x140,
    CARD_TABLE = 0x1000,
    CARD_ENTRIES = 3,
    CARD_BAR_BYTES = 0x4000,
    CARD_POSTED_MAX = 64
};
#define CARD_ID       0x1eb810deu
#define CARD_FOR_EVER UINT64_MAX

struct strict_card {
    uint8_t cfg[PCI_CFG_EXT_SIZE];
    uint8_t may[PCI_CFG_EXT_SIZE];   /* bits that can be written, and that a reset clears */
    uint8_t never[PCI_CFG_EXT_SIZE]; /* not 0: nobody may write here */
    uint8_t bar[CARD_BAR_BYTES];     /* what BAR0 shows */
    struct {
        uint64_t off;
        uint32_t value;
    } posted[CARD_POSTED_MAX]; /* memory writes under way */
    unsigned posted_count;
    uint64_t away_us;          /* after a reset; CARD_FOR_EVER */
    uint32_t away_id;          /* what it answers meanwhile */
    uint64_t pending_until_us; /* transactions under way; CARD_FOR_EVER */
    uint32_t id_after;         /* after a reset; 0: the old one */
    uint16_t msix_control_after;
    unsigned resets, looks; /* looks: at what it is waited for, since the test set it to 0 */
    uint64_t reset_at_us, back_at_us; /* 0: none */
    uint8_t bridge[PCI_CFG_EXT_SIZE];
    uint64_t held_since_us; /* the bridge holds it in reset; 0: not */
    const char *broken;     /* the first rule that was broken, NULL: none */
};
extern struct strict_card strict_card;

/* Puts the host and the card back to the start: MSI and MSI-X off, every register that a reset
 * wipes with a value of its own, so that none can be forgotten. */
void strict_card_setup(void);
/* Enumerates the bridge and the card; returns the card. */
struct pci_dev *strict_card_find(void);
/* A register of the card: its value, and the bits that can be written. size: 1, 2 or 4. */
void strict_card_reg(unsigned off, unsigned size, uint32_t value, uint32_t may);
uint16_t strict_card_command(void);
uint16_t strict_card_msix_control(void);
bool strict_card_msi_on(void);
/* Memory writes under way take effect. */
void strict_card_arrive(void);

#define assert_orderly()                                                                           \
    assert_string_equal(strict_card.broken != NULL ? strict_card.broken : "in order", "in order")
