/* SPDX-License-Identifier: MIT */
/* The machine as a process: virtual time, hooks, interrupts, register regions, RAM. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/fiber.h"
#include "arch/fiber_arch.h"
#include "arch/host/host.h"

static int setup(void **state)
{
    (void)state;
    host_reset();
    return 0;
}

/* ---- time ---- */

static void reading_the_clock_lets_time_pass(void **state)
{
    (void)state;
    assert_int_equal(clock_now_ns(), HOST_CLOCK_STEP_NS);
    assert_int_equal(clock_now_ns(), 2 * HOST_CLOCK_STEP_NS);
    assert_int_equal(host_clock_peek_ns(), 2 * HOST_CLOCK_STEP_NS);
    struct deadline d = deadline_in_us(5);
    unsigned polls = 0;
    while (!deadline_passed(d)) { /* a loop that only polls ends */
        polls++;
    }
    assert_in_range(polls, 90, 100);
    host_clock_set_step(0);
    host_clock_set(77);
    assert_int_equal(clock_now_ns(), 77);
    host_clock_advance(1000);
    assert_int_equal(clock_now_ns(), 1077);
    clock_spin_us(3);
    assert_int_equal(clock_now_ns(), 4077);
    host_clock_set_unix(1700000000);
    assert_int_equal(clock_boot_unix_s(), 1700000000);
}

static void deadlines_do_not_wrap(void **state)
{
    (void)state;
    host_clock_set(5000000);
    assert_int_equal(deadline_in_us(UINT64_MAX).at_us, DEADLINE_NEVER);
    assert_int_equal(deadline_in_us(UINT64_MAX - 1).at_us, DEADLINE_NEVER);
    assert_false(deadline_passed(deadline_in_us(UINT64_MAX)));
    assert_false(deadline_passed(deadline_never()));
}

static void real_time_goes_on_by_itself(void **state)
{
    (void)state;
    host_clock_set(US_PER_S * NS_PER_US);
    host_clock_use_real();
    uint64_t before = clock_now_us();
    fiber_sleep_us(2000);
    uint64_t slept = clock_now_us() - before;
    assert_in_range(before, US_PER_S, US_PER_S + 500000); /* goes on from virtual time */
    assert_in_range(slept, 2000, 2000000);
    clock_spin_us(10);
    host_clock_use_virtual();
    assert_true(host_clock_peek_ns() / NS_PER_US >= before + 2010);
}

struct ticker {
    uint64_t next_ns, period_ns, left;
    uint64_t ticks[8];
    size_t count;
    struct event *ev; /* signalled at the last tick; NULL = never */
};

static uint64_t tick(void *ctx)
{
    struct ticker *t = ctx;

    while (t->left > 0 && host_clock_peek_ns() >= t->next_ns) {
        t->ticks[t->count++ % ARRAY_SIZE(t->ticks)] = host_clock_peek_ns();
        t->next_ns += t->period_ns;
        if (--t->left == 0 && t->ev != NULL) {
            event_signal(t->ev);
        }
    }
    return t->left > 0 ? t->next_ns : UINT64_MAX;
}

static void time_jumps_to_the_earliest_of_all(void **state)
{
    struct event ev;
    struct ticker fast = {.next_ns = 1000, .period_ns = 1000, .left = 5};
    struct ticker slow = {.next_ns = 2500, .period_ns = 2000, .left = 3, .ev = &ev};

    (void)state;
    host_clock_set_step(0);
    event_init(&ev);
    host_idle_hook(tick, &fast);
    host_idle_hook(tick, &slow);
    assert_int_equal(event_wait(&ev, deadline_in_us(100)), FL_OK);
    assert_int_equal(host_clock_peek_ns(), 6500);
    assert_int_equal(fast.count, 5);
    for (size_t i = 0; i < fast.count; i++) {
        assert_int_equal(fast.ticks[i], 1000 * (i + 1)); /* none came late */
    }
    assert_int_equal(slow.count, 3);
    fast = (struct ticker){.next_ns = 0, .period_ns = 1, .left = 1};
    host_idle_unhook(tick, &fast);
    assert_int_equal(event_wait(&ev, deadline_in_us(100)), FL_ETIMEDOUT);
    assert_int_equal(fast.count, 0);
}

/* A fiber that never sleeps, only yields, must not keep the model from living. */
static void poll_by_yielding(void *arg)
{
    const struct ticker *t = arg;

    while (t->left > 0) {
        fiber_yield();
    }
}

static void hooks_run_while_fibers_only_yield(void **state)
{
    struct ticker t = {.next_ns = 3000, .period_ns = 1000, .left = 3};

    (void)state;
    host_idle_hook(tick, &t);
    assert_non_null(fiber_spawn("poll", poll_by_yielding, &t, 0));
    fiber_run(NULL, NULL);
    assert_int_equal(t.count, 3);
    assert_in_range(t.ticks[2], 5000, 5400);
}

static uint64_t always_at_once(void *ctx)
{
    (void)ctx;
    return 0;
}

static void sleep_long(void *arg)
{
    (void)arg;
    host_clock_set_step(0);
    host_idle_hook(always_at_once, NULL);
    fiber_sleep_us(1000000);
}

static void hook_that_goes_nowhere_is_named(void **state)
{
    char text[200];

    (void)state;
    assert_true(host_expect_panic(sleep_long, NULL, text, sizeof(text)));
    assert_non_null(strstr(text, "an idle hook wants to be called at once, for ever"));
    host_reset();
}

/* ---- interrupts ---- */

static char order[16];
static struct irq_msi msi_a, msi_b;

static void add(char c)
{
    size_t len = strlen(order);

    assert_true(len + 1 < sizeof(order));
    order[len] = c;
    order[len + 1] = '\0';
}

static void handler_a(void *arg)
{
    (void)arg;
    assert_false(host_irq_enabled());
    add('(');
    host_irq_raise(msi_b.vector); /* must wait until this handler is done */
    add(')');
}

static void handler_b(void *arg)
{
    (void)arg;
    add('b');
}

static void handler_c(void *arg)
{
    (void)arg;
    add('c');
    host_irq_raise(msi_b.vector); /* of a vector that was looked at before this one */
}

static void interrupts_wait_while_off_and_do_not_nest(void **state)
{
    (void)state;
    order[0] = '\0';
    assert_int_equal(irq_alloc("a", handler_a, NULL, &msi_a), FL_OK);
    assert_int_equal(irq_alloc("b", handler_b, NULL, &msi_b), FL_OK);
    assert_int_not_equal(msi_a.vector, msi_b.vector);
    uintptr_t outer = arch_irq_save();
    uintptr_t inner = arch_irq_save();
    host_irq_raise(msi_a.vector);
    host_irq_raise(msi_a.vector); /* two become one, as in a CPU */
    arch_irq_restore(inner);
    assert_string_equal(order, "");
    arch_irq_restore(outer);
    assert_string_equal(order, "()b");
    assert_int_equal(irq_count(msi_a.vector), 1);
    assert_int_equal(irq_count(msi_b.vector), 1);
    assert_false(host_irq_raise_msi(msi_a.address + 4, msi_a.data));
    assert_false(host_irq_raise_msi(msi_a.address, 0));
    assert_false(host_irq_raise_msi(msi_a.address, msi_b.data + 1)); /* nobody's yet */
    assert_true(host_irq_raise_msi(msi_b.address, msi_b.data));
    assert_string_equal(order, "()bb");
    assert_int_equal(irq_count(0), 0);
    struct irq_msi msi_c;
    assert_int_equal(irq_alloc("c", handler_c, NULL, &msi_c), FL_OK);
    host_irq_raise(msi_c.vector);
    assert_string_equal(order, "()bbcb");
}

static void vectors_run_out(void **state)
{
    struct irq_msi msi;
    unsigned count = 0;

    (void)state;
    while (irq_alloc("many", handler_b, NULL, &msi) == FL_OK) {
        count++;
        assert_true(count < 1000);
    }
    assert_int_equal(count, 64);
    assert_int_equal(irq_alloc("one more", handler_b, NULL, &msi), FL_ENOSPC);
}

/* ---- registers ---- */

static uint64_t last_off, last_value;
static unsigned last_size;

static uint64_t reg_read(void *ctx, uint64_t off, unsigned size)
{
    last_off = off;
    last_size = size;
    return *(const uint64_t *)ctx;
}

static void reg_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
    (void)ctx;
    last_off = off;
    last_size = size;
    last_value = value;
}

static const struct mmio_ops reg_ops = {.read = reg_read, .write = reg_write};
#define REGION_BASE UINT64_C(0xe0000000)

static struct mmio region(uint64_t offset, uint64_t size)
{
    static uint64_t answer = UINT64_C(0x1122334455667788);
    struct mmio m = {0};

    host_mmio_register(REGION_BASE, 0x1000, &reg_ops, &answer);
    assert_int_equal(mmio_map((struct phys_addr){REGION_BASE + offset}, size, MMIO_UNCACHED, &m),
                     FL_OK);
    return m;
}

static void registers_keep_width_and_offset(void **state)
{
    (void)state;
    struct mmio m = region(0, 0x1000);
    assert_int_equal(mmio_read8(&m, 0xfff), 0x88);
    assert_int_equal(last_size, 1);
    assert_int_equal(mmio_read64(&m, 0xff8), UINT64_C(0x1122334455667788));
    assert_int_equal(last_size, 8);
    mmio_write16(&m, 0x10, 0xabcd);
    assert_int_equal(last_off, 0x10);
    assert_int_equal(last_value, 0xabcd);
    struct mmio part = region(0x400, 0x100);
    mmio_write32(&part, 0xfc, 1);
    assert_int_equal(last_off, 0x4fc);
    struct mmio again = region(0x400, 0x100);
    assert_ptr_equal(again.ctx, part.ctx); /* mapping twice gives the same */
}

static void mapping_checks_its_range(void **state)
{
    struct mmio m;

    (void)state;
    (void)region(0, 0x1000);
    struct range ram;
    assert_true(machine_ram(&ram, 1) >= 1);
    assert_int_equal(mmio_map((struct phys_addr){ram.base}, 4, MMIO_UNCACHED, &m), FL_EINVAL);
    assert_int_equal(mmio_map((struct phys_addr){REGION_BASE}, 0, MMIO_UNCACHED, &m), FL_EINVAL);
    assert_int_equal(mmio_map((struct phys_addr){UINT64_MAX - 1}, 4, MMIO_UNCACHED, &m), FL_EINVAL);
    assert_int_equal(mmio_map((struct phys_addr){REGION_BASE}, 0x1001, MMIO_UNCACHED, &m),
                     FL_ENOENT);
    assert_int_equal(mmio_map((struct phys_addr){REGION_BASE - 1}, 4, MMIO_UNCACHED, &m),
                     FL_ENOENT);
}

static void read_outside(void *arg) { (void)mmio_read32(arg, 0xffe); }

static void read_misaligned(void *arg) { (void)mmio_read32(arg, 0x102); }

static void read_unmapped(void *arg)
{
    struct mmio none = {0};

    (void)arg;
    (void)mmio_read8(&none, 0);
}

static void bad_accesses_panic(void **state)
{
    struct mmio m = region(0, 0x1000);
    char text[200];

    (void)state;
    assert_true(host_expect_panic(read_outside, &m, text, sizeof(text)));
    assert_non_null(strstr(text, "4 bytes at 0xffe is outside of a region of 0x1000"));
    assert_true(host_expect_panic(read_misaligned, &m, text, sizeof(text)));
    assert_non_null(strstr(text, "4 bytes at 0x102 is not aligned"));
    assert_true(host_expect_panic(read_unmapped, NULL, text, sizeof(text)));
    assert_non_null(strstr(text, "not mapped"));
    assert_false(host_expect_panic(handler_b, NULL, text, sizeof(text)));
}

/* ---- memory and the rest ---- */

static void ram_is_where_devices_can_reach_it(void **state)
{
    struct range r[4];

    (void)state;
    assert_int_equal(machine_ram(r, 4), 2);
    assert_true(r[0].base + r[0].size <= GIB(4));
    assert_int_equal(r[0].size, HOST_RAM_LOW_BYTES);
    assert_true(r[1].base >= GIB(4));
    assert_true(r[1].base < UINT64_C(1) << 47);
    assert_true(is_aligned_u64(r[0].base | r[1].base, FL_PAGE_SIZE));
    size_t len = 100;
    assert_ptr_equal(host_dma_ptr(r[0].base + 8, &len), (void *)(uintptr_t)(r[0].base + 8));
    assert_int_equal(len, 100);
    len = 100;
    assert_non_null(host_dma_ptr(r[1].base + r[1].size - 3, &len));
    assert_int_equal(len, 3);
    len = 100;
    assert_null(host_dma_ptr(r[1].base + r[1].size, &len));
    assert_null(host_dma_ptr(r[0].base - 1, &len));
    assert_null(host_dma_ptr(0, &len));
    host_ram_configure(0, MIB(4));
    assert_int_equal(machine_ram(r, 4), 1);
    assert_true(r[0].base >= GIB(4));
    host_ram_configure(HOST_RAM_LOW_BYTES, HOST_RAM_HIGH_BYTES);
}

static void handoff_and_files(void **state)
{
    static const char gsp[] = "image";

    (void)state;
    host_handoff_add_file("firmware/nvidia/ga102/gsp/gsp-570.144.bin", gsp, sizeof(gsp),
                          FL_FILE_OK);
    const struct fl_handoff *h = machine_handoff();
    assert_int_equal(h->magic, FL_HANDOFF_MAGIC);
    assert_int_equal(h->size, sizeof(*h));
    assert_int_equal(h->file_count, 1);
    const struct fl_file *f = (const struct fl_file *)(uintptr_t)h->files;
    assert_string_equal(f->path, "firmware/nvidia/ga102/gsp/gsp-570.144.bin");
    assert_ptr_equal((const void *)(uintptr_t)f->address, gsp);
    assert_int_equal(f->size, sizeof(gsp));
    host_reset();
    assert_int_equal(machine_handoff()->file_count, 0);
}

static void randomness(void **state)
{
    uint8_t a[64] = {0};
    uint8_t b[64] = {0};

    (void)state;
    assert_int_equal(machine_random(a, sizeof(a)), FL_OK);
    assert_int_equal(machine_random(b, sizeof(b)), FL_OK);
    assert_memory_not_equal(a, b, sizeof(a));
    host_random_seed(1);
    assert_int_equal(machine_random(a, sizeof(a)), FL_OK);
    host_random_seed(1);
    assert_int_equal(machine_random(b, sizeof(b)), FL_OK);
    assert_memory_equal(a, b, sizeof(a));
    host_random_fail(true);
    assert_int_equal(machine_random(a, sizeof(a)), FL_ENOTSUP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reading_the_clock_lets_time_pass, setup),
        cmocka_unit_test_setup(deadlines_do_not_wrap, setup),
        cmocka_unit_test_setup(real_time_goes_on_by_itself, setup),
        cmocka_unit_test_setup(time_jumps_to_the_earliest_of_all, setup),
        cmocka_unit_test_setup(hooks_run_while_fibers_only_yield, setup),
        cmocka_unit_test_setup(hook_that_goes_nowhere_is_named, setup),
        cmocka_unit_test_setup(interrupts_wait_while_off_and_do_not_nest, setup),
        cmocka_unit_test_setup(vectors_run_out, setup),
        cmocka_unit_test_setup(registers_keep_width_and_offset, setup),
        cmocka_unit_test_setup(mapping_checks_its_range, setup),
        cmocka_unit_test_setup(bad_accesses_panic, setup),
        cmocka_unit_test_setup(ram_is_where_devices_can_reach_it, setup),
        cmocka_unit_test_setup(handoff_and_files, setup),
        cmocka_unit_test_setup(randomness, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
