/* SPDX-License-Identifier: MIT */
/* The shortest driver: the two queues, and calls through them. */
#include "tests/unit/mini_driver.h"

#include <stdlib.h>
#include <string.h>

#include "gsp/hw/regs/regs.h"

#define GSP(reg) (NV_PGSP_BASE + (uint32_t)reg##__OFFSET)

static uint32_t fold(const uint8_t *p, uint32_t len)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < len; i++) {
        sum ^= (uint64_t)p[i] << (8 * (i % 8));
    }
    return (uint32_t)(sum ^ sum >> 32);
}

void mini_seal(struct mini *d, uint8_t *msg, uint32_t bytes)
{
    (void)d;
    put_le32(msg + 0x20, 0);
    put_le32(msg + 0x20, fold(msg, bytes));
}

void mini_build(struct mini *d, uint8_t *msg, uint32_t function, const void *payload, uint32_t len)
{
    memset(msg, 0, 80);
    if (len != 0) {
        memcpy(msg + 80, payload, len);
    }
    put_le32(msg + 0x24, d->cmd_seq++);
    put_le32(msg + 0x28, (80 + len + 4095) / 4096);
    put_le32(msg + 0x30, 0x03000000);
    put_le32(msg + 0x34, 0x43505256);
    put_le32(msg + 0x38, 32 + len);
    put_le32(msg + 0x3c, function);
    put_le32(msg + 0x40, 0xffffffff);
    put_le32(msg + 0x44, 0xffffffff);
    mini_seal(d, msg, 80 + len);
}

void mini_post(struct mini *d, const uint8_t *msg, uint32_t bytes)
{
    uint8_t *q = (uint8_t *)mini_ptr(d, d->shared) + 0x1000;
    for (uint32_t done = 0; done < bytes; done += 4096) {
        uint8_t *slot = q + 0x1000 + d->cmd_write * 4096u;
        const uint32_t n = bytes - done < 4096 ? bytes - done : 4096;
        memcpy(slot, msg + done, n);
        memset(slot + n, 0, 4096 - n);
        d->cmd_write = (d->cmd_write + 1) % 63;
    }
    put_le32(q + 0x10, d->cmd_write);
    mini_wr(d, GSP(NV_PGSP_QUEUE_HEAD), 0);
}

void mini_send(struct mini *d, uint32_t function, const void *payload, uint32_t len)
{
    uint8_t *msg = malloc(80 + (size_t)len);
    if (msg == NULL) {
        abort();
    }
    mini_build(d, msg, function, payload, len);
    mini_post(d, msg, 80 + len);
    free(msg);
}

/* Copies the next message to d->msg; false when there is none. */
static bool take(struct mini *d)
{
    uint8_t *base = mini_ptr(d, d->shared), *q = base + 0x41000;
    if (get_le32(q + 0x10) == d->stat_read) {
        return false;
    }
    const uint32_t slots = get_le32(q + 0x1000 + d->stat_read * 4096u + 0x28);
    for (uint32_t i = 0; i < slots && i < 16; i++) {
        memcpy(d->msg + i * 4096, q + 0x1000 + (d->stat_read + i) % 63 * 4096u, 4096);
    }
    d->stat_read = (d->stat_read + slots) % 63;
    put_le32(base + 0x1020, d->stat_read);
    d->msg_len = get_le32(d->msg + 0x38) - 32;
    d->msg_function = get_le32(d->msg + 0x3c);
    d->msg_result = get_le32(d->msg + 0x40);
    if (fold(d->msg, 80 + d->msg_len) != 0 || get_le32(d->msg + 0x24) != d->stat_seq++) {
        abort(); /* the model's messages are always good in these tests */
    }
    return true;
}

bool mini_wait(struct mini *d, uint32_t function)
{
    const uint64_t end = d->now_ns + 5000000000ull;
    while (d->now_ns < end) {
        while (take(d)) {
            if (d->msg_function == function) {
                return true;
            }
            d->events++;
        }
        mini_pass(d, 50);
    }
    return false;
}

bool mini_system_info(struct mini *d, uint8_t *info)
{
    const struct gsp_layout *l = d->l;
    const uint32_t n = l->GspSystemInfo.total;
    memset(info, 0, n);
#define INFO(field, v) fw_put(info, n, l->GspSystemInfo.field, v)
    INFO(gpuPhysAddr, 0x90000000);
    INFO(gpuPhysFbAddr, 0x4000000000ull);
    INFO(gpuPhysInstAddr, 0x4010000000ull);
    INFO(nvDomainBusDeviceFunc, 0x100);
    INFO(maxUserVa, 0x7ffffffff000ull);
    INFO(pciConfigMirrorBase, d->fsp ? 0x92000 : 0x88000);
    INFO(pciConfigMirrorSize, 0x1000);
    INFO(PCIDeviceID, model_cfg_read(d->m, 0, 4));
    INFO(PCISubDeviceID, model_cfg_read(d->m, 0x2c, 4));
    INFO(PCIRevisionID, model_cfg_read(d->m, 8, 1));
#undef INFO
    return true;
}

void mini_send_info(struct mini *d)
{
    static const char key[] = "RMDevidCheckIgnore";
    uint8_t info[1024], reg[64] = {0};
    mini_system_info(d, info);
    mini_send(d, 72, info, d->l->GspSystemInfo.total);
    put_le32(reg, 24 + sizeof(key));
    put_le32(reg + 4, 1);
    put_le32(reg + 8, 24);
    reg[12] = 1;
    put_le32(reg + 16, 1);
    put_le32(reg + 20, 4);
    memcpy(reg + 24, key, sizeof(key));
    mini_send(d, 73, reg, 24 + sizeof(key));
}

/* ---- calls ---- */

uint32_t mini_control(struct mini *d, uint32_t client, uint32_t object, uint32_t cmd, void *params,
                      uint32_t size)
{
    uint8_t *p = calloc(1, 24 + (size_t)size);
    uint32_t status = 0xdead;
    put_le32(p, client);
    put_le32(p + 4, object);
    put_le32(p + 8, cmd);
    put_le32(p + 16, size);
    memcpy(p + 24, params, size);
    mini_send(d, 76, p, 24 + size);
    if (mini_wait(d, 76)) {
        status = get_le32(d->msg + 80 + 12);
        memcpy(params, d->msg + 80 + 24, size);
    }
    free(p);
    return status;
}

uint32_t mini_alloc_with(struct mini *d, uint32_t client, uint32_t parent, uint32_t object,
                         uint32_t cls, const void *params, uint32_t params_size)
{
    uint8_t p[512] = {0};
    put_le32(p, client);
    put_le32(p + 4, parent);
    put_le32(p + 8, object);
    put_le32(p + 12, cls);
    put_le32(p + 20, params_size);
    if (params != NULL) {
        memcpy(p + 32, params, params_size);
    }
    mini_send(d, 103, p, 32 + params_size);
    return mini_wait(d, 103) ? get_le32(d->msg + 80 + 16) : 0xdead;
}

uint32_t mini_alloc_object(struct mini *d, uint32_t client, uint32_t parent, uint32_t object,
                           uint32_t cls, uint32_t params_size)
{
    return mini_alloc_with(d, client, parent, object, cls, NULL, params_size);
}

enum { RUSD_INIT = 0x20800afe, RUSD_POLL = 0x20800aff, RUSD_ALL = 0x3f, RUSD_MS = 100 };

uint64_t mini_give_sensor_page(struct mini *d)
{
    uint8_t init[8], poll[16] = {RUSD_ALL};
    const uint64_t page = mini_alloc(d, FL_PAGE_SIZE);

    put_le64(init, page);
    put_le32(poll + 8, RUSD_MS);
    if (mini_control(d, MINI_INTERNAL_CLIENT, MINI_INTERNAL_SUBDEVICE, RUSD_INIT, init,
                     sizeof(init)) != 0 ||
        mini_control(d, MINI_INTERNAL_CLIENT, MINI_INTERNAL_SUBDEVICE, RUSD_POLL, poll,
                     sizeof(poll)) != 0) {
        abort();
    }
    mini_pass(d, 3ull * RUSD_MS * US_PER_MS);
    return page;
}

uint32_t mini_take_sensor_page(struct mini *d)
{
    uint8_t init[8] = {0};

    return mini_control(d, MINI_INTERNAL_CLIENT, MINI_INTERNAL_SUBDEVICE, RUSD_INIT, init,
                        sizeof(init));
}
