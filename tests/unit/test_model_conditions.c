/* SPDX-License-Identifier: MIT */
/*
 * A rule of the GPU model has conditions: each of them is broken alone, by one value that differs
 * from what a driver that boots has written, and it is that rule which says so, naming the value.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "gsp_layout.h"
#include "tests/model/model.h"
#include "tests/unit/mini_driver.h"

#define GSP(reg)      (NV_PGSP_BASE + (uint32_t)reg##__OFFSET)
#define SEC2(reg)     (NV_PSEC_BASE + (uint32_t)reg##__OFFSET)
#define META(member)  (&gsp_layout_570_144.GspFwWprMeta.member)
#define META_BYTES    256
#define REFUSED       0x31u /* what booter leaves in its mailbox */
#define NO_META       0x89u
#define WPR_END       0x8du
#define FB_PAGES_1MIB 0x100u

/* One value that is wrong: at `at`, a register, a dword of FWSEC's command, or a member of the WPR
 * metadata becomes `to`, or that much more than it is. */
struct wrong_value {
    const char *rule, *words; /* part of the sentence */
    enum mini_point at;
    uint32_t reg;
    int dword;
    const struct fw_field *member;
    int64_t more;
    uint64_t to;
    uint32_t mailbox; /* booter's then; 0: not looked at */
};

#define REG(point, off, v) .at = (point), .reg = (off), .dword = -1, .to = (v)
#define COMMAND(index, v)  .at = MINI_FRTS_LOAD, .dword = (index), .to = (v)
#define MORE(name, v)      .at = MINI_META, .dword = -1, .member = META(name), .more = (v)
#define SET(name, v)       .at = MINI_META, .dword = -1, .member = META(name), .to = (v)
static const struct wrong_value wrongs[] = {
    /* what the boot ROM of each falcon is told */
    {"falcon.brom-registers", "PARAADDR 0x4",
     REG(MINI_FRTS_START, GSP(NV_PFALCON2_FALCON_BROM_PARAADDR), 4)},
    {"falcon.brom-registers", "ENGIDMASK 0x1",
     REG(MINI_FRTS_START, GSP(NV_PFALCON2_FALCON_BROM_ENGIDMASK), 1)},
    {"falcon.brom-registers", "UCODE_ID 8",
     REG(MINI_FRTS_START, GSP(NV_PFALCON2_FALCON_BROM_CURR_UCODE_ID), 8)},
    {"falcon.brom-registers", "MOD_SEL 0",
     REG(MINI_FRTS_START, GSP(NV_PFALCON2_FALCON_MOD_SEL), 0)},
    {"falcon.brom-registers", "PARAADDR 0x4",
     REG(MINI_BOOTER_START, SEC2(NV_PFALCON2_FALCON_BROM_PARAADDR), 4)},
    {"falcon.brom-registers", "ENGIDMASK 0x400",
     REG(MINI_BOOTER_START, SEC2(NV_PFALCON2_FALCON_BROM_ENGIDMASK), 0x400)},
    {"falcon.brom-registers", "UCODE_ID 8",
     REG(MINI_BOOTER_START, SEC2(NV_PFALCON2_FALCON_BROM_CURR_UCODE_ID), 8)},
    {"falcon.brom-registers", "MOD_SEL 0",
     REG(MINI_BOOTER_START, SEC2(NV_PFALCON2_FALCON_MOD_SEL), 0)},
    {"falcon.bootvec", "BOOTVEC 0x100",
     REG(MINI_FRTS_START, GSP(NV_PFALCON_FALCON_BOOTVEC), 0x100)},
    {"falcon.bootvec", "BOOTVEC 0xffff00",
     REG(MINI_BOOTER_START, SEC2(NV_PFALCON_FALCON_BOOTVEC), 0xffff00)},
    /* FWSEC's command: readVbios, frts */
    {"fwsec.command", "version 2 size 24 address 0x0 imageSize 0 flags 2", COMMAND(0, 2)},
    {"fwsec.command", "version 1 size 25 address 0x0 imageSize 0 flags 2", COMMAND(1, 25)},
    {"fwsec.command", "address 0x1 imageSize 0 flags 2", COMMAND(2, 1)},
    {"fwsec.command", "address 0x100000000 imageSize 0 flags 2", COMMAND(3, 1)},
    {"fwsec.command", "address 0x0 imageSize 1 flags 2", COMMAND(4, 1)},
    {"fwsec.command", "imageSize 0 flags 3;", COMMAND(5, 3)},
    {"fwsec.command", "version 2 size 20 media 2", COMMAND(6, 2)},
    {"fwsec.command", "version 1 size 21 media 2", COMMAND(7, 21)},
    {"fwsec.command", "version 1 size 20 media 1", COMMAND(10, 1)},
    {"fwsec.frts-region", "", COMMAND(8, 0x101)},      /* of pages: not on 128 KiB */
    {"fwsec.frts-region", "", COMMAND(8, 0xffffffe0)}, /* beyond memory */
    {"fwsec.frts-region", "", COMMAND(9, FB_PAGES_1MIB - 1)},
    {"fwsec.frts-region", "", COMMAND(9, FB_PAGES_1MIB + 1)},
    /* WPR metadata */
    {"booter.meta-magic", "magic 0xdc3aae21371a60b4", MORE(magic, 1), .mailbox = NO_META},
    {"booter.meta-magic", "revision 2", MORE(revision, 1), .mailbox = NO_META},
    {"booter.meta-field", "fbSize", MORE(fbSize, 0x1000), .mailbox = REFUSED},
    {"booter.meta-field", "fbSize", MORE(fbSize, -0x1000), .mailbox = REFUSED},
    {"booter.frts", "FWSEC made", MORE(frtsOffset, 0x20000), .mailbox = REFUSED},
    {"booter.frts", "FWSEC made", MORE(frtsOffset, -0x20000), .mailbox = REFUSED},
    {"booter.frts", "FWSEC made", MORE(frtsSize, 0x20000), .mailbox = REFUSED},
    {"booter.frts", "FWSEC made", SET(frtsSize, 0), .mailbox = REFUSED},
    {"booter.wpr-end", "gspFwWprEnd", MORE(gspFwWprEnd, 0x20000), .mailbox = WPR_END},
    {"booter.wpr-end", "gspFwWprEnd", MORE(gspFwWprEnd, -0x20000), .mailbox = WPR_END},
    {"booter.meta-field", "vgaWorkspaceSize", MORE(vgaWorkspaceSize, -0x1000), .mailbox = REFUSED},
    {"booter.meta-field", "vgaWorkspaceSize", MORE(vgaWorkspaceOffset, 0x1000), .mailbox = REFUSED},
    {"booter.meta-field", "vgaWorkspaceSize", SET(vgaWorkspaceOffset, UINT64_MAX),
     .mailbox = REFUSED},
    {"booter.meta-field", "nonWprHeapSize", SET(nonWprHeapSize, 0), .mailbox = REFUSED},
    {"booter.meta-field", "sizeOfSignature", MORE(sizeOfSignature, -1), .mailbox = REFUSED},
    {"booter.meta-field", "sizeOfSignature", MORE(sizeOfSignature, 1), .mailbox = REFUSED},
    {"booter.meta-field", "verified 0x1 bootCount 0", MORE(verified, 1), .mailbox = REFUSED},
    {"booter.meta-field", "bootCount 1", MORE(bootCount, 1), .mailbox = REFUSED},
    {"booter.meta-field", "VfPartitionCount 1", MORE(gspFwHeapVfPartitionCount, 1),
     .mailbox = REFUSED},
    {"booter.heap-size", "the least is", SET(gspFwHeapSize, MIB(88) - 1), .mailbox = REFUSED},
    {"booter.heap-size", "the most is", SET(gspFwHeapSize, MIB(282) + 1), .mailbox = REFUSED},
    /* the order of the parts, and where each begins */
    {"booter.layout", "gspFwRsvdStart", MORE(gspFwRsvdStart, 1), .mailbox = REFUSED},
    {"booter.layout", "nonWprHeapOffset is", MORE(nonWprHeapOffset, 1), .mailbox = REFUSED},
    {"booter.layout", "gspFwWprStart is", MORE(gspFwWprStart, 0x10000), .mailbox = REFUSED},
    {"booter.layout", "gspFwHeapOffset is", MORE(gspFwHeapOffset, 1), .mailbox = REFUSED},
    {"booter.layout", "gspFwOffset is", MORE(gspFwOffset, 0x1000), .mailbox = REFUSED},
    {"booter.layout", "bootBinOffset is", MORE(bootBinOffset, 1), .mailbox = REFUSED},
    {"booter.layout", "ends at", MORE(nonWprHeapSize, 1), .mailbox = REFUSED},
    {"booter.layout", "gspFwWprStart is", MORE(gspFwWprStart, -0x20000), .mailbox = REFUSED},
    {"booter.layout", "gspFwHeapOffset is", MORE(gspFwHeapOffset, -(int64_t)MIB(1)),
     .mailbox = REFUSED},
    {"booter.layout", "gspFwOffset is", MORE(gspFwOffset, -(int64_t)MIB(2)), .mailbox = REFUSED},
    {"booter.layout", "bootBinOffset is", MORE(sizeOfRadix3Elf, 0x20000), .mailbox = REFUSED},
    {"booter.layout", "leaves video memory", MORE(sizeOfBootloader, INT64_MAX), .mailbox = REFUSED},
};

static struct mini d;
static const struct wrong_value *now;
static bool done;

static void do_it(struct mini *x, enum mini_point at)
{
    if (done || at != now->at) {
        return;
    }
    done = true;
    if (now->member != NULL) {
        uint8_t *meta = mini_ptr(x, x->meta);
        const uint64_t is = fw_get(meta, META_BYTES, *now->member);
        fw_put(meta, META_BYTES, *now->member, now->more != 0 ? is + (uint64_t)now->more : now->to);
    } else if (now->dword >= 0) {
        uint8_t *command = x->fwsec_dmem + (x->vmap.cmd_in - x->vmap.dmem);
        put_le32(command + 4 * now->dword, (uint32_t)now->to);
    } else {
        mini_wr(x, now->reg, (uint32_t)now->to);
    }
}

static void each_alone(void **state)
{
    unsigned missed = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++) {
        now = &wrongs[i];
        done = false;
        d.hook = do_it;
        mini_open(&d, NULL, now->at == MINI_BOOTER_START); /* booter is known by its file */
        const bool up = mini_boot(&d);
        const struct model_verdict *v = model_first_violation(d.m);
        if (!done || up || v == NULL || strcmp(v->rule, now->rule) != 0 ||
            strstr(v->words, now->words) == NULL) {
            print_error("row %zu: expected %s \"%s\", got %s: %s\n", i, now->rule, now->words,
                        v != NULL ? v->rule : "nothing", v != NULL ? v->words : "");
            missed++;
        }
        if (now->mailbox != 0) {
            assert_int_equal(mini_rd(&d, SEC2(NV_PFALCON_FALCON_MAILBOX0)), now->mailbox);
        }
        mini_close(&d);
    }
    d.hook = NULL;
    assert_int_equal(missed, 0);
}

/* ---- at the edge, and two at a time ---- */

static void add(struct mini *x, const struct fw_field *member, uint64_t more)
{
    uint8_t *meta = mini_ptr(x, x->meta);
    fw_put(meta, META_BYTES, *member, fw_get(meta, META_BYTES, *member) + more);
}

static void least_heap(struct mini *x, enum mini_point at)
{
    if (at == MINI_META) {
        fw_put(mini_ptr(x, x->meta), META_BYTES, *META(gspFwHeapSize), MIB(88));
    }
}

/* What lies below goes down as far as the heap grows. */
static void largest_heap(struct mini *x, enum mini_point at)
{
    static const struct fw_field *const below[] = {META(gspFwRsvdStart), META(nonWprHeapOffset),
                                                   META(gspFwWprStart), META(gspFwHeapOffset)};
    if (at == MINI_META) {
        const uint64_t grows =
            MIB(282) - fw_get(mini_ptr(x, x->meta), META_BYTES, *META(gspFwHeapSize));
        for (size_t i = 0; i < ARRAY_SIZE(below); i++) {
            add(x, below[i], -grows);
        }
        add(x, META(gspFwHeapSize), grows);
    }
}

/* Offset and size of the VGA workspace give the size of memory, but only modulo 2^64. */
static void workspace_beyond(struct mini *x, enum mini_point at)
{
    if (at == MINI_META) {
        add(x, META(vgaWorkspaceOffset), MIB(2));
        add(x, META(vgaWorkspaceSize), -(uint64_t)MIB(2));
    }
}

static void at_the_edge(void **state)
{
    mini_hook *const good[] = {least_heap, largest_heap};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        d.hook = good[i];
        mini_open(&d, NULL, false);
        const bool up = mini_boot(&d);
        const struct model_verdict *v = model_first_violation(d.m);
        if (!up || v != NULL) {
            fail_msg("%zu: %s", i, v != NULL ? v->words : "did not come up");
        }
        mini_close(&d);
    }
    d.hook = workspace_beyond;
    mini_open(&d, NULL, false);
    assert_false(mini_boot(&d));
    assert_string_equal(model_first_violation(d.m)->rule, "booter.meta-field");
    mini_close(&d);
    d.hook = NULL;
}

/* FWSEC's data may differ from the VBIOS's in the command alone, to the byte. */
static void beside_the_command(struct mini *x, enum mini_point at)
{
    enum { BEFORE = 0x2b }; /* init_cmd is at 0x2c */
    if (at == MINI_FRTS_LOAD) {
        x->fwsec_dmem[x->vmap.mapper - x->vmap.dmem + BEFORE + x->hook_step] ^= 1;
    }
}

static void no_byte_beside_it(void **state)
{
    static const unsigned beside[] = {0, 5};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(beside); i++) {
        d.hook = beside_the_command;
        mini_open(&d, NULL, false);
        d.hook_step = beside[i];
        assert_false(mini_boot(&d));
        assert_string_equal(model_first_violation(d.m)->rule, "fwsec.data");
        mini_close(&d);
    }
    d.hook = NULL;
}

/* The trace tells of the FSP's answer. */
static void the_trace_has_the_answer(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    const struct model_config cfg = {.chip = "gh100", .trace = f};
    (void)state;
    mini_open(&d, &cfg, false);
    assert_true(mini_boot(&d));
    mini_close(&d);
    fclose(f);
    assert_non_null(strstr(text, "FSP answers message 0x14 with 0x0")); /* NVDM_TYPE_COT */
    free(text);
}

/* What a falcon was told it says again. */
static void registers_read_back(void **state)
{
    static const uint32_t offsets[] = {
        GSP(NV_PFALCON_FBIF_CTL), SEC2(NV_PFALCON_FBIF_CTL), GSP(NV_PFALCON_FBIF_TRANSCFG),
        GSP(NV_PFALCON_FALCON_BOOTVEC), SEC2(NV_PFALCON2_FALCON_BROM_ENGIDMASK)};
    (void)state;
    mini_open(&d, NULL, false);
    mini_engine_reset(&d, NV_PGSP_BASE);
    mini_engine_reset(&d, NV_PSEC_BASE);
    for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
        mini_wr(&d, offsets[i], 0x84 + (uint32_t)i);
        assert_int_equal(mini_rd(&d, offsets[i]), 0x84 + i);
    }
    mini_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_alone), cmocka_unit_test(at_the_edge),
                                       cmocka_unit_test(no_byte_beside_it),
                                       cmocka_unit_test(registers_read_back),
                                       cmocka_unit_test(the_trace_has_the_answer)};
    return cmocka_run_group_tests_name("model conditions", tests, NULL, NULL);
}
