/* SPDX-License-Identifier: MIT */
/* Controls of the resource manager: parameters go there and come back, of any size there may be. */
#include <stdlib.h>

#include "gsp/gpu.h"
#include "gsp/rpc/rpc.h"
#include "gsp/rpc/status.h"
#include "gsp_layout.h"
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

static void with_a_gpu(void **state)
{
    open_strict(NULL);
    boots();
    rig_run((void (*)(void *))(uintptr_t)*state, NULL);
    no_violation();
    assert_true(rig_close(&rig));
}

int main(void)
{
#define T(f) {.name = #f, .test_func = with_a_gpu, .initial_state = (void *)(uintptr_t)(f)}
    const struct CMUnitTest tests[] = {T(both_ways), T(of_any_size)};
    return cmocka_run_group_tests_name("rm", tests, NULL, NULL);
}
