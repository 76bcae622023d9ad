/* SPDX-License-Identifier: MIT */
/*
 * Controls of the resource manager: parameters go there and come back, of any size there may be.
 * What the GSP says of an Xid, and that nothing interrupts for a GPU that is gone.
 */
#include <stdlib.h>

#include "arch/fiber.h"
#include "gsp/gpu.h"
#include "gsp/rpc/rpc.h"
#include "gsp/rpc/status.h"
#include "gsp_layout.h"
#include "pci/pci_regs.h"
#include "tests/unit/rig_assert.h"

#define NV2080_CTRL_CMD_FB_GET_INFO_V2      0x20801303u
#define NV2080_CTRL_FB_INFO_INDEX_BUS_WIDTH 0x0bu
#define NV2080_CTRL_FB_INFO_INDEX_RAM_TYPE  0x0du
#define CMD_UNKNOWN                         0x20807fffu
enum { LIST = 4, ENTRY_BYTES = 8, ENTRY_DATA = 4 };

static uint32_t status;
static struct fl_fail why;

static enum fl_err control(uint32_t cmd, void *params, uint32_t size)
{
    status = UINT32_MAX;
    why = (struct fl_fail){0};
    return gsp_rm_control(rig.gpu, GSP_OBJECT_SUBDEVICE, cmd, params, size, US_PER_S, &status,
                          &why);
}

/* The reply is made of what was asked, entry by entry. */
static void both_ways(void *arg)
{
    const uint32_t size = gsp_layout_570_144.NV2080_CTRL_FB_GET_INFO_V2_PARAMS.total;
    const struct gsp_snapshot s = rig_snapshot(&rig);
    uint8_t *p = calloc(1, size); /* exact: the sanitizer sees a byte too many */
    (void)arg;
    put_le32(p, 2);
    put_le32(p + LIST, NV2080_CTRL_FB_INFO_INDEX_RAM_TYPE);
    put_le32(p + LIST + ENTRY_BYTES, NV2080_CTRL_FB_INFO_INDEX_BUS_WIDTH);
    assert_int_equal(control(NV2080_CTRL_CMD_FB_GET_INFO_V2, p, size), FL_OK);
    assert_int_equal(status, NV_OK);
    assert_true(s.fb_ram_type != 0 && s.fb_bus_width != 0);
    assert_int_equal(get_le32(p + LIST + ENTRY_DATA), s.fb_ram_type);
    assert_int_equal(get_le32(p + LIST + ENTRY_BYTES + ENTRY_DATA), s.fb_bus_width);
    free(p);
}

/* What the GSP does not know it sends back as it came. */
static void of_any_size(void *arg)
{
    const uint32_t most =
        GSP_RPC_PAYLOAD_MAX - gsp_layout_570_144.rpc_gsp_rm_control_v03_00.params.off;
    static const uint32_t sizes[] = {0, 1, 4, 100000 /* in two records */};
    uint8_t *p = malloc(most), *sent = malloc(most);
    (void)arg;
    for (uint32_t i = 0; i < most; i++) {
        sent[i] = (uint8_t)(i * 7 + 1);
    }
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        memcpy(p, sent, most);
        if (control(CMD_UNKNOWN, sizes[i] != 0 ? p : NULL, sizes[i]) != FL_OK) {
            fail_msg("%u bytes: %s", (unsigned)sizes[i], why.text);
        }
        assert_int_equal(status, NV_ERR_NOT_SUPPORTED);
        assert_memory_equal(p, sent, most);
    }
    assert_int_equal(control(CMD_UNKNOWN, p, most + 1), FL_EINVAL); /* nothing of p is read */
    assert_non_null(strstr(why.text, "at most"));
    assert_int_equal(status, UINT32_MAX);
    free(p);
    free(sent);
}

/* Text of an Xid loses its line's end; one without an end is cut where there is no more room. */
static void text_of_an_xid(void *arg)
{
    enum { OS_ERROR_LOG = 0x1006, TEXT = 12, ROOM = 256 };
    static const char *const ends[] = {"\n", "\r\n", " \r\n", " ", ""};
    uint8_t p[TEXT + ROOM] = {0};
    (void)arg;
    put_le32(p, 31);
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        memset(p + TEXT, 0, ROOM);
        snprintf((char *)p + TEXT, ROOM, "bad\taddress%s", ends[i]);
        model_inject_event(rig.model, OS_ERROR_LOG, p, sizeof(p), 0);
        fiber_sleep_us(1000);
        assert_int_equal(control(CMD_UNKNOWN, NULL, 0), FL_OK); /* takes what has come */
        assert_int_equal(rig_snapshot(&rig).last_xid, 31);
        assert_string_equal(rig_snapshot(&rig).last_xid_text, "bad.address");
    }
    memset(p + TEXT, 0, ROOM);
    p[TEXT] = ' '; /* nothing but a blank */
    model_inject_event(rig.model, OS_ERROR_LOG, p, sizeof(p), 0);
    fiber_sleep_us(1000);
    assert_int_equal(control(CMD_UNKNOWN, NULL, 0), FL_OK);
    assert_string_equal(rig_snapshot(&rig).last_xid_text, "");
    memset(p + TEXT, 'x', ROOM);
    model_inject_event(rig.model, OS_ERROR_LOG, p, sizeof(p), 0);
    fiber_sleep_us(1000);
    assert_int_equal(control(CMD_UNKNOWN, NULL, 0), FL_OK);
    assert_int_equal(strlen(rig_snapshot(&rig).last_xid_text), ROOM - 1);
}

static void with_a_gpu(void **state)
{
    open_strict(NULL);
    boots();
    rig_run((void (*)(void *))(uintptr_t)*state, NULL);
    no_violation();
    assert_true(rig_close(&rig));
}

/* Nobody is left to take an interrupt of a GPU that is gone. */
static void interrupts_end_with_the_gpu(void **state)
{
    (void)state;
    open_strict(NULL);
    boots();
    const uint16_t control = (uint16_t)(rig.dev->cap_msi + PCI_MSI_CONTROL);
    assert_true((pci_read(rig.dev, control, 2) & PCI_MSI_ENABLE) != 0);
    rig_new_gpu(&rig);
    assert_int_equal(pci_read(rig.dev, control, 2) & PCI_MSI_ENABLE, 0);
    assert_true(rig_close(&rig));
}

int main(void)
{
#define T(f) {.name = #f, .test_func = with_a_gpu, .initial_state = (void *)(uintptr_t)(f)}
    const struct CMUnitTest tests[] = {T(both_ways), T(of_any_size), T(text_of_an_xid),
                                       cmocka_unit_test(interrupts_end_with_the_gpu)};
    return cmocka_run_group_tests_name("rm", tests, NULL, NULL);
}
