/* SPDX-License-Identifier: MIT */
/*
 * The end of a GPU object while others use it: in a call, in line for one, serving, in a boot, with
 * messages in the ring. Whoever is inside gets a clear error, and only then is anything freed; a
 * GSP that was not stopped can no longer reach memory. ASan watches.
 */
#include "tests/unit/rig_assert.h"

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/host/host.h"
#include "gsp/gpu.h"
#include "mm/dma.h"

#define CMD_GSP_GET_FEATURES 0x20803601u
#define PCI_CFG_COMMAND      0x04u
#define PCI_COMMAND_MASTER   4u

static unsigned inside;
static struct result {
    enum fl_err err;
    struct fl_fail fail;
    uint64_t us;
} results[3];

static void caller(void *arg)
{
    struct result *c = arg;
    uint8_t p[72] = {0};
    uint32_t status;
    const uint64_t start = clock_now_us();
    *c = (struct result){0};
    c->err = gsp_rm_control(rig.gpu, GSP_OBJECT_SUBDEVICE, CMD_GSP_GET_FEATURES, p, sizeof(p),
                            60 * US_PER_S, &status, &c->fail);
    c->us = clock_now_us() - start;
    inside--;
}
static void server(void *arg)
{
    (void)arg;
    gsp_serve(rig.gpu, &serve_stop);
    inside--;
}
static enum fl_err boot_err;
static void booting(void *arg)
{
    (void)arg;
    boot_err = gsp_boot(rig.gpu);
    inside--;
}

static void destroy(void *arg)
{
    (void)arg;
    fiber_sleep_us(5 * US_PER_MS);
    assert_true(inside > 0);
    gsp_destroy(rig.gpu);
    rig.gpu = NULL;
    /* Who was inside is out by now, or has only to return. */
    fiber_yield();
    assert_int_equal(inside, 0);
}

static void destroyed(void)
{
    const uint64_t start = clock_now_us();
    rig_run(destroy, NULL);
    assert_true(clock_now_us() - start < 30 * US_PER_S);
    assert_true((model_cfg_read(rig.model, PCI_CFG_COMMAND, 2) & PCI_COMMAND_MASTER) == 0);
    no_violation();
    assert_true(rig_close(&rig)); /* no DMA memory is left over, and none is freed twice */
}

/* One waits for an answer that never comes, two wait for their turn, one serves. */
static void amid_calls(void **state)
{
    (void)state;
    open_strict(NULL);
    boots();
    rig.gpu->rpc.queue.doorbell = NULL; /* the GSP hears nothing more */
    serve_stop = false;
    inside = 4;
    assert_non_null(fiber_spawn("serve", server, NULL, FIBER_STACK_DEFAULT));
    for (unsigned i = 0; i < 3; i++) {
        assert_non_null(fiber_spawn("caller", caller, &results[i], FIBER_STACK_DEFAULT));
    }
    destroyed();
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(results[i].err, FL_ECANCELED);
        assert_non_null(strstr(results[i].fail.text, "taken down"));
        assert_true(results[i].us < US_PER_S);
    }
}

/* The answer is in the ring, and events are; nobody has looked yet. */
static void with_messages_in_the_ring(void **state)
{
    uint8_t xid[272] = {0};
    (void)state;
    open_strict(NULL);
    boots();
    inside = 1;
    serve_stop = false;
    for (unsigned i = 0; i < 20; i++) {
        model_inject_event(rig.model, 0x1006, xid, sizeof(xid), 0);
    }
    model_run(rig.model);
    assert_true(gsp_queue_pending(&rig.gpu->rpc.queue));
    assert_non_null(fiber_spawn("serve", server, NULL, FIBER_STACK_DEFAULT));
    destroyed();
}

/* In the middle of a boot, at many points of it. */
static uint64_t destroy_after_us;
static void destroy_later(void *arg)
{
    (void)arg;
    fiber_sleep_us(destroy_after_us);
    gsp_destroy(rig.gpu);
    rig.gpu = NULL;
    fiber_yield();
    assert_int_equal(inside, 0);
}
static void amid_a_boot(void **state)
{
    unsigned canceled = 0, done = 0;
    (void)state;
    for (destroy_after_us = 1; destroy_after_us < 3000; destroy_after_us += 53) {
        open_strict(NULL);
        inside = 1;
        assert_non_null(fiber_spawn("boot", booting, NULL, FIBER_STACK_DEFAULT));
        rig_run(destroy_later, NULL);
        assert_true(boot_err == FL_OK || boot_err == FL_ECANCELED);
        canceled += boot_err == FL_ECANCELED;
        done += boot_err == FL_OK;
        assert_false(model().wpr2_up || model().gsp_running);
        no_violation();
        assert_true(rig_close(&rig));
    }
    assert_true(canceled > 20 && done > 0);
}

/* The GPU cannot be stopped any more, as far as the driver can see: registers are gone, the GSP
 * runs on. Before any memory goes, its bus mastering does. */
static bool gone;
static struct mmio real_bar0;
static uint64_t gone_read(void *ctx, uint64_t off, unsigned size)
{
    (void)ctx;
    (void)size;
    return gone ? UINT32_MAX : mmio_read32(&real_bar0, off);
}
static void gone_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
    (void)ctx;
    (void)size;
    if (!gone) {
        mmio_write32(&real_bar0, off, (uint32_t)value);
    }
}
static const struct mmio_ops gone_ops = {gone_read, gone_write};
static void that_cannot_be_stopped(void **state)
{
    struct dma_buf bufs[2];
    (void)state;
    open_strict(NULL);
    boots();
    real_bar0 = rig.gpu->hw.io.bar0;
    rig.gpu->hw.io.bar0 = (struct mmio){.ops = &gone_ops, .size = real_bar0.size};
    gone = true;
    assert_int_equal(rig_unload(&rig), FL_ELINKLOST);
    assert_int_equal(rig_snapshot(&rig).state, GSP_FAILED);
    assert_null(rig.gpu->mem.queues.cpu);
    assert_true(model().gsp_running); /* it never heard of it */
    assert_true((model_cfg_read(rig.model, PCI_CFG_COMMAND, 2) & PCI_COMMAND_MASTER) == 0);
    /* Whoever gets the memory now keeps it as he left it. */
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(dma_alloc(&bufs[i], MIB(1), FL_PAGE_SIZE, 47, "next owner"), FL_OK);
        memset(bufs[i].cpu, 0x5a, MIB(1));
    }
    const uint8_t xid[272] = {0};
    for (unsigned i = 0; i < 50; i++) {
        model_inject_event(rig.model, 0x1006, xid, sizeof(xid), 0);
        model_run(rig.model);
    }
    for (unsigned i = 0; i < 2; i++) {
        for (size_t k = 0; k < MIB(1); k++) {
            assert_int_equal(((const uint8_t *)bufs[i].cpu)[k], 0x5a);
        }
        dma_free(&bufs[i]);
    }
    gone = false;
    assert_true(rig_close(&rig));
}

/* Nobody comes in any more. */
static void late_comer(void *arg)
{
    struct fl_fail fail = {0};
    uint32_t status;
    uint8_t p[72] = {0};
    (void)arg;
    while (!rig.gpu->ending) {
        fiber_yield();
    }
    assert_int_equal(gsp_rm_control(rig.gpu, GSP_OBJECT_SUBDEVICE, CMD_GSP_GET_FEATURES, p,
                                    sizeof(p), US_PER_S, &status, &fail),
                     FL_ESTATE);
    assert_non_null(strstr(fail.text, "being destroyed"));
    assert_int_equal(gsp_unload(rig.gpu), FL_ESTATE);
    assert_int_equal(gsp_boot(rig.gpu), FL_ESTATE);
    assert_int_equal(gsp_suspend(rig.gpu), FL_ESTATE);
    assert_int_equal(gsp_resume(rig.gpu), FL_ESTATE);
    gsp_serve(rig.gpu, &serve_stop);
    inside--;
}
static void nobody_comes_in(void **state)
{
    (void)state;
    open_strict(NULL);
    boots();
    serve_stop = false;
    inside = 2;
    assert_non_null(fiber_spawn("serve", server, NULL, FIBER_STACK_DEFAULT));
    assert_non_null(fiber_spawn("late", late_comer, NULL, FIBER_STACK_DEFAULT));
    destroyed();
}

/* ---- what is left of a boot ---- */

/* The VBIOS can be read after the boot: nothing of it points to a stack that is gone. */
static void vbios_outlives_the_boot(void **state)
{
    uint32_t first = 0, again = 0;
    (void)state;
    open_strict(NULL);
    boots();
    struct vbios *v = &rig.gpu->vbios;
    assert_ptr_equal(v->io.ctx, rig.gpu);
    assert_int_equal(v->io.read32(v->io.ctx, 0, &first), FL_OK);
    assert_int_equal(rig_unload(&rig), FL_OK);
    assert_int_equal(v->io.read32(v->io.ctx, 0, &again), FL_OK);
    assert_int_equal(first, again);
    assert_true(rig_close(&rig));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amid_calls),      cmocka_unit_test(with_messages_in_the_ring),
        cmocka_unit_test(amid_a_boot),     cmocka_unit_test(that_cannot_be_stopped),
        cmocka_unit_test(nobody_comes_in), cmocka_unit_test(vbios_outlives_the_boot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
