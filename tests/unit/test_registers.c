/* SPDX-License-Identifier: MIT */
/*
 * Registers by name, for people: the list as the header shows it, names of every form and what is
 * said of wrong ones, accesses in each state, on record and apart from the GPU's own.
 */
#include "tests/unit/rig_assert.h"

#include <stdlib.h>

#include "arch/fiber.h"
#include "arch/host/host.h"
#include "gsp/gpu.h"
#include "gsp/hw/regs/regs.h"

static struct fl_fail fail;
static uint32_t offset, value;
static size_t place;

static enum fl_err find(const char *name)
{
    fl_fail_clear(&fail);
    offset = 0xdead;
    return gsp_reg_find(rig.gpu, name, &offset, &place, &fail);
}
static void found(const char *name, uint32_t at, const char *in_list)
{
    struct gsp_reg_info info;
    if (find(name) != FL_OK) {
        fail_msg("%s: %s", name, fail.text);
    }
    assert_int_equal(offset, at);
    if (in_list == NULL) {
        assert_int_equal(place, SIZE_MAX);
        return;
    }
    assert_true(gsp_reg_describe(place, &info));
    assert_string_equal(info.name, in_list);
}
static void refused(const char *name, enum fl_err err, const char *text, const char *hint)
{
    assert_int_equal(find(name), err);
    if (strstr(fail.text, text) == NULL || strstr(fail.hint, hint) == NULL) {
        fail_msg("%s: %s [%s]", name, fail.text, fail.hint);
    }
}
static void open_chip(const char *chip)
{
    rig_open(&rig, &(struct rig_options){.chip = chip, .strict = MODEL_STRICT});
}

/* ---- the list ---- */

static void the_list(void **state)
{
    struct gsp_reg_info info;
    struct gsp_reg_field f;
    (void)state;
    open_chip("ga102");
    assert_int_equal(gsp_reg_count(), reg_list_count);
    assert_false(gsp_reg_describe(gsp_reg_count(), &info));
    assert_false(gsp_reg_field(gsp_reg_count(), 0, &f));
    assert_false(gsp_reg_present(rig.gpu, gsp_reg_count()));
    for (size_t i = 0; i < gsp_reg_count(); i++) {
        assert_true(reg_list[i].space != REG_SPACE_BAR0 ||
                    reg_list[i].offset + reg_list[i].count * reg_list[i].stride < MIB(16));
        uint32_t bits = 0, k = 0;
        assert_true(gsp_reg_describe(i, &info));
        assert_true(info.count >= 1 && (info.count == 1) == (info.stride == 0));
        assert_true(info.readable || info.writable);
        assert_true(info.source[0] != '\0');
        while (gsp_reg_field(i, k, &f)) {
            bits |= REG_MASK(f.hi, f.lo);
            k++;
        }
        assert_int_equal(k, info.field_count);
        assert_int_equal(bits, UINT32_MAX); /* all its own and nobody else's */
    }
    assert_int_equal(find("NV_PMC_BOOT_0"), FL_OK);
    assert_true(gsp_reg_describe(place, &info));
    assert_int_equal(info.space, GSP_REG_BAR0);
    assert_true(info.readable && !info.writable);
    assert_true(gsp_reg_field(place, 0, &f));
    assert_string_equal(f.name, "MINOR_REVISION");
    assert_int_equal(f.hi, 3);
    assert_int_equal(f.lo, 0);
    assert_true(find("NV_PFALCON_FALCON_CPUCTL_ALIAS") == FL_OK && gsp_reg_describe(place, &info));
    assert_int_equal(info.space, GSP_REG_FALCON);
    assert_true(!info.readable && info.writable);
    assert_true(find("NV_PFALCON_FALCON_IRQSCLR") == FL_OK && gsp_reg_describe(place, &info));
    assert_true(info.readable && info.writable);
    boots();
    assert_true(find("NV_PCFG_MSI_REARM") == FL_OK && gsp_reg_describe(place, &info));
    assert_int_equal(info.space, GSP_REG_MIRROR);
    assert_true(rig_close(&rig));
}

/* ---- names ---- */

static void names(void **state)
{
    (void)state;
    open_chip("ga102");
    refused("NV_PCFG_MSI_REARM", FL_ESTATE, "not known yet", "");
    boots();
    found("NV_PMC_BOOT_0", 0, "NV_PMC_BOOT_0");
    found("NV_PMC_BOOT_0(0)", 0, "NV_PMC_BOOT_0");
    found("NV_PBUS_SW_SCRATCH(3)", 0x140c, "NV_PBUS_SW_SCRATCH");
    found("NV_PBUS_SW_SCRATCH(0x3f)", 0x14fc, "NV_PBUS_SW_SCRATCH");
    found("NV_PFALCON_FALCON_MAILBOX0", 0x110040, "NV_PFALCON_FALCON_MAILBOX0");
    found("NV_PFALCON_FALCON_MAILBOX0@gsp", 0x110040, "NV_PFALCON_FALCON_MAILBOX0");
    found("NV_PFALCON_FALCON_MAILBOX0@sec2", 0x840040, "NV_PFALCON_FALCON_MAILBOX0");
    found("NV_PGSP_QUEUE_HEAD(2)@gsp", 0x110c10, "NV_PGSP_QUEUE_HEAD");
    found("NV_PCFG_MSI_REARM", 0x88704, "NV_PCFG_MSI_REARM");
    found("0x840040", 0x840040, "NV_PFALCON_FALCON_MAILBOX0");
    found("5124", 0x1404, "NV_PBUS_SW_SCRATCH");
    found("0", 0, "NV_PMC_BOOT_0");
    found("0x300000", 0x300000, NULL);

    refused("NV_PMC_BOOT_1O", FL_ENOENT, "'NV_PMC_BOOT_1O'",
            "nearest: NV_PMC_BOOT_1, NV_PMC_BOOT_0");
    refused("NV_PFALCON_FALCON_MAILBOX0@pmu", FL_ENOENT, "there is no register", "nearest: ");
    refused("NV_PBUS_SW_SCRATCH(3", FL_ENOENT, "there is no register", "nearest: ");
    refused("NV_PBUS_SW_SCRATCH(3)x", FL_ENOENT, "there is no register", "nearest: ");
    refused("NV_PBUS_SW_SCRATCH()", FL_ENOENT, "there is no register", "nearest: ");
    refused("NV_PBUS_SW_SCRATCH(0x100000003)", FL_ENOENT, "there is no register", "nearest: ");
    refused("NV_PBUS_SW_SCRATCH(-1)", FL_ENOENT, "there is no register", "nearest: ");
    refused("NV_PFALCON_FALCON_MAILBOX0@gsp(1)", FL_ENOENT, "there is no register", "nearest: ");
    refused("", FL_ENOENT, "''", "nearest: ");
    refused("0x10000x", FL_ENOENT, "there is no register", "nearest: ");
    refused("NV_\x1b[2J\xff", FL_ENOENT, "'NV_?[2J?'", "nearest: ");
    char long_one[300];
    memset(long_one, 'A', sizeof(long_one) - 1);
    for (size_t n = 60; n < sizeof(long_one); n++) { /* past every buffer on the way */
        long_one[n] = '\0';
        refused(long_one, FL_ENOENT, "there is no register 'AAAA", "nearest: ");
        long_one[n] = 'A';
    }

    refused("NV_PBUS_SW_SCRATCH", FL_EINVAL,
            "is an array: NV_PBUS_SW_SCRATCH(0) to "
            "NV_PBUS_SW_SCRATCH(63)",
            "");
    refused("NV_PBUS_SW_SCRATCH(64)", FL_EINVAL, "has 64 elements, not one of number 64", "");
    refused("NV_PMC_BOOT_0(1)", FL_EINVAL, "has 1 element,", "");
    refused("NV_PMC_BOOT_0@gsp", FL_EINVAL, "belongs to no falcon", "");
    refused("0x1000002", FL_EINVAL, "multiple of 4 below 0x1000000", "");
    refused("0x1000000", FL_EINVAL, "multiple of 4 below 0x1000000", "");
    refused("2", FL_EINVAL, "offset 0x2", "");
    refused("0x100000000", FL_EINVAL, "offset 0x100000000", "");
    found("0xfffffc", 0xfffffc, NULL);
    assert_true(rig_close(&rig));
}

/* What a chip does not have it does not offer. */
static void of_other_chips(void **state)
{
    (void)state;
    open_chip("gb202");
    found("NV_PBUS_SW_SCRATCH_FRTS_ERR", 0x1438, "NV_PBUS_SW_SCRATCH_FRTS_ERR"); /* not known yet */
    boots();
    refused("NV_PBUS_SW_SCRATCH_FRTS_ERR", FL_ENOENT, "_FRTS_ERR' on gb202",
            "nearest: NV_PBUS_SW_SCRATCH,");
    assert_null(strstr(fail.hint, "FRTS_ERR"));
    assert_true(rig_close(&rig));
}

/* ---- accesses ---- */

static const char *flight(void)
{
    static char text[1 << 20];
    uint64_t cursor = 0;
    size_t used = 0, n;
    while ((n = gsp_flight_read(rig.gpu, &cursor, text + used, sizeof(text) - used)) > 0) {
        used += n;
    }
    text[used] = '\0';
    return text;
}
static enum fl_err read_it(uint32_t at)
{
    fl_fail_clear(&fail);
    value = 0xdead;
    return gsp_reg_read(rig.gpu, at, &value, &fail);
}
static void accesses(void **state)
{
    (void)state;
    open_chip("ga102");
    assert_int_equal(read_it(0), FL_ESTATE);
    assert_non_null(strstr(fail.text, "has not been looked at"));
    assert_int_equal(gsp_reg_write(rig.gpu, 0x1404, 1, &fail), FL_ESTATE);
    assert_int_equal(model().reads + model().writes, 0);
    boots();
    assert_int_equal(read_it(0), FL_OK);
    assert_int_equal(value, rig_snapshot(&rig).boot0);
    assert_int_equal(gsp_reg_write(rig.gpu, 0x1404, 0x12345678, NULL), FL_OK);
    assert_int_equal(read_it(0x1404), FL_OK);
    assert_int_equal(value, 0x12345678);
    assert_non_null(strstr(flight(), "by hand        W 001404 NV_PBUS_SW_SCRATCH(1) 0x12345678"));
    assert_non_null(strstr(flight(), "by hand        R 001404 NV_PBUS_SW_SCRATCH(1) 0x12345678"));
    assert_int_equal(read_it(2), FL_EINVAL);
    assert_int_equal(read_it(0x1000000), FL_EINVAL);
    assert_int_equal(gsp_reg_write(rig.gpu, 0x1000000, 1, NULL), FL_EINVAL);
    /* Of a GSP that wants to be left alone nothing is read; of the others all is. */
    rig.gpu->ev.lockdown = true;
    assert_int_equal(read_it(0x110040), FL_EBUSY);
    assert_non_null(strstr(fail.text, "lockdown"));
    assert_int_equal(read_it(0x113ffc), FL_EBUSY);
    assert_int_equal(read_it(0x114000), FL_OK);
    assert_int_equal(read_it(0x10fffc), FL_OK);
    rig.gpu->ev.lockdown = false;
    assert_int_equal(read_it(0x110040), FL_OK);

    assert_string_equal(rig.gpu->hw.rec.stage, "ready"); /* its own stage again */

    assert_int_equal(rig_unload(&rig), FL_OK);
    assert_int_equal(read_it(0), FL_OK);
    assert_ptr_equal(rig.gpu->hw.io.fail, &rig.gpu->fail); /* not the reader's record */
    rig.gpu->state = GSP_SUSPENDED;
    assert_int_equal(read_it(0), FL_ESTATE);
    rig.gpu->state = GSP_UNLOADED;
    rig.gpu->ending = true;
    assert_int_equal(read_it(0), FL_ESTATE);
    rig.gpu->ending = false;
    no_violation();
    assert_true(rig_close(&rig));
}

/* The link is lost, and found again; it is the reader's failure, not the GPU's. */
static void lost_and_found(void **state)
{
    (void)state;
    open_chip("ga102");
    boots();
    assert_int_equal(rig_unload(&rig), FL_OK);
    model_unplug(rig.model);
    assert_int_equal(read_it(0x1404), FL_ELINKLOST);
    assert_int_equal(fail.err, FL_ELINKLOST);
    assert_int_equal(gsp_reg_write(rig.gpu, 0x1404, 1, NULL), FL_OK); /* a write tells nothing */
    assert_int_equal(rig_snapshot(&rig).fail.err, FL_OK);
    model_reset(rig.model, MODEL_RESET_POWER);
    pci_enable(rig.dev, true, false);
    assert_int_equal(read_it(0x1404), FL_OK);
    boots();
    /* While the GPU is served it is the GPU's, too: whoever looks next names it. */
    model_unplug(rig.model);
    assert_int_equal(read_it(0x1404), FL_ELINKLOST);
    assert_int_equal(gsp_reg_write(rig.gpu, 0x1404, 1, NULL), FL_ELINKLOST);
    assert_true(rig.gpu->hw.io.lost);
    assert_int_equal(rig_snapshot(&rig).fail.err, FL_ELINKLOST);
    model_reset(rig.model, MODEL_RESET_POWER);
    assert_true(rig_close(&rig));
}

/* While the card is in a reset its registers are all-ones: one who reads then must not make the
 * others believe that the link is lost. */
static bool ran;
static void reset_order(void *arg)
{
    struct fl_fail why = {0};
    (void)arg;
    assert_int_equal(gsp_order(rig.gpu, GSP_ORDER_RESET, GSP_RESET_AUTO, deadline_never(), &why),
                     FL_OK);
    ran = true;
}
static volatile bool stop;
static void gpu(void *arg)
{
    (void)arg;
    gsp_run(rig.gpu, &stop);
}
static void amid_a_reset_body(void *arg)
{
    unsigned busy = 0;
    (void)arg;
    stop = ran = false;
    assert_non_null(fiber_spawn("gpu", gpu, NULL, KIB(64)));
    while (rig_snapshot(&rig).state != GSP_READY) {
        fiber_sleep_us(1000);
    }
    assert_non_null(fiber_spawn("order", reset_order, NULL, KIB(64)));
    while (!ran) {
        const enum fl_err err = read_it(0x1404);
        assert_true(err == FL_OK || err == FL_EBUSY);
        busy += err == FL_EBUSY;
        fiber_sleep_us(1000);
    }
    assert_true(busy > 10);
    assert_int_equal(rig_snapshot(&rig).state, GSP_UNLOADED);
    assert_int_equal(read_it(0), FL_OK);
    stop = true;
    fiber_sleep_us(US_PER_S);
}
static void amid_a_reset(void **state)
{
    (void)state;
    open_chip("ga102");
    rig_run(amid_a_reset_body, NULL);
    no_violation();
    assert_true(rig_close(&rig));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list),       cmocka_unit_test(names),
        cmocka_unit_test(of_other_chips), cmocka_unit_test(accesses),
        cmocka_unit_test(lost_and_found), cmocka_unit_test(amid_a_reset),
    };
    host_log_to_stderr(getenv("RIG_LOG") != NULL);
    return cmocka_run_group_tests_name("registers", tests, NULL, NULL);
}
