/* SPDX-License-Identifier: MIT */
/* Fences: once, in order, heard by all who wait, and nobody forgotten at the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/fence.h"
#include "arch/host/host.h"
#include "arch/lockorder.h"
#include "arch/log.h"

static struct fence_context ctx;
static struct fence fences[4];
static char heard[16]; /* letters in the order of events */

static void hear(char c)
{
    const size_t n = strlen(heard);

    assert_true(n + 1 < sizeof(heard));
    heard[n] = c;
    heard[n + 1] = '\0';
}

static int setup(void **state)
{
    (void)state;
    host_reset();
    lockorder_reset();
    memset(heard, 0, sizeof(heard));
    fence_context_init(&ctx, "test");
    for (size_t i = 0; i < ARRAY_SIZE(fences); i++) {
        fence_init(&fences[i], &ctx, NULL);
    }
    return 0;
}

struct listener {
    struct fence_callback cb;
    char name;
    struct listener *removes; /* another one, that it takes off */
    struct fence *adds_to;    /* that it adds itself to again */
    enum fl_err added, err;
    uint32_t calls;
};

static void listen(struct fence_callback *cb, struct fence *f)
{
    struct listener *l = CONTAINER_OF(cb, struct listener, cb);

    assert_true(fence_signalled(f));
    hear(l->name);
    l->calls++;
    l->err = fence_error(f);
    if (l->removes != NULL) {
        assert_true(fence_remove_callback(&l->removes->cb));
    }
    if (l->adds_to != NULL) {
        l->added = fence_add_callback(l->adds_to, cb);
    }
}

static void add(struct listener *l, char name, struct fence *f)
{
    memset(l, 0, sizeof(*l));
    fence_callback_init(&l->cb, listen);
    l->name = name;
    assert_int_equal(fence_add_callback(f, &l->cb), FL_OK);
}

static void signals_once(void **state)
{
    (void)state;
    assert_false(fence_signalled(&fences[0]));
    assert_int_equal(fence_error(&fences[0]), FL_OK);
    assert_int_equal(fence_signal(&fences[0], FL_EIO), FL_OK);
    assert_true(fence_signalled(&fences[0]));
    assert_int_equal(fence_error(&fences[0]), FL_EIO);
    assert_int_equal(fence_signal(&fences[0], FL_OK), FL_ESTATE);
    assert_int_equal(fence_error(&fences[0]), FL_EIO);
}

static void order_of_a_context(void **state)
{
    (void)state;
    assert_int_equal(fences[0].number, 1);
    assert_int_equal(fences[3].number, 4);
    assert_int_equal(fence_signal(&fences[1], FL_OK), FL_EBUSY);
    assert_false(fence_signalled(&fences[1]));
    assert_int_equal(ctx.last_signalled, 0);
    assert_int_equal(fence_signal(&fences[0], FL_OK), FL_OK);
    assert_int_equal(ctx.last_signalled, 1);
    assert_int_equal(fence_signal(&fences[1], FL_OK), FL_OK);
    assert_int_equal(ctx.last_signalled, 2);
    assert_int_equal(fence_context_abandon(&ctx, FL_ECANCELED), 2);
    assert_int_equal(ctx.last_signalled, 4);
    fence_init(&fences[0], &ctx, NULL); /* numbers go on, and the empty list takes a new one */
    assert_int_equal(fences[0].number, 5);
    assert_int_equal(fence_signal(&fences[0], FL_OK), FL_OK);
    assert_int_equal(ctx.last_signalled, 5);
}

static void callbacks_run_once_in_order(void **state)
{
    struct listener a, b, c;

    (void)state;
    add(&a, 'a', &fences[0]);
    add(&b, 'b', &fences[0]);
    add(&c, 'c', &fences[0]);
    assert_int_equal(fence_add_callback(&fences[1], &b.cb), FL_EBUSY); /* it has a place */
    assert_int_equal(fence_signal(&fences[0], FL_ELINKLOST), FL_OK);
    assert_string_equal(heard, "abc");
    assert_int_equal(b.err, FL_ELINKLOST);
    assert_int_equal(fence_add_callback(&fences[0], &a.cb), FL_ENOENT);
    assert_false(fence_remove_callback(&a.cb));
    assert_int_equal(fence_signal(&fences[0], FL_OK), FL_ESTATE);
    assert_string_equal(heard, "abc");
}

static void removed_callbacks_are_silent(void **state)
{
    struct listener l[5];

    (void)state;
    for (uint32_t i = 0; i < ARRAY_SIZE(l); i++) {
        add(&l[i], (char)('a' + i), &fences[0]);
    }
    assert_true(fence_remove_callback(&l[0].cb)); /* first, middle, last */
    assert_true(fence_remove_callback(&l[2].cb));
    assert_true(fence_remove_callback(&l[4].cb));
    assert_false(fence_remove_callback(&l[4].cb));
    assert_int_equal(fence_add_callback(&fences[0], &l[0].cb), FL_OK); /* at the end now */
    assert_int_equal(fence_signal(&fences[0], FL_OK), FL_OK);
    assert_string_equal(heard, "bda");
}

static void a_callback_may_change_the_list(void **state)
{
    struct listener a, b, c;

    (void)state;
    add(&a, 'a', &fences[0]);
    add(&b, 'b', &fences[0]);
    add(&c, 'c', &fences[0]);
    a.removes = &b;
    a.adds_to = &fences[0]; /* too late there */
    c.adds_to = &fences[1];
    assert_int_equal(fence_signal(&fences[0], FL_OK), FL_OK);
    assert_string_equal(heard, "ac");
    assert_int_equal(a.added, FL_ENOENT);
    assert_int_equal(c.added, FL_OK);
    c.adds_to = NULL;
    assert_int_equal(fence_signal(&fences[1], FL_OK), FL_OK);
    assert_string_equal(heard, "acc");
}

/* ---- references ---- */

static void released(struct fence *f)
{
    (void)f;
    hear('R');
}

static void drop(struct fence_callback *cb, struct fence *f)
{
    (void)cb;
    fence_put(f);
    hear('d'); /* f is still there: R comes later */
    assert_true(f->signalled);
}

static void last_reference_releases(void **state)
{
    struct fence_context other;
    struct fence_callback cb;
    struct fence f;

    (void)state;
    fence_context_init(&other, "other");
    fence_init(&f, &other, released);
    assert_ptr_equal(fence_get(&f), &f);
    fence_put(&f);
    fence_callback_init(&cb, drop);
    assert_int_equal(fence_add_callback(&f, &cb), FL_OK);
    assert_string_equal(heard, "");
    assert_int_equal(fence_signal(&f, FL_OK), FL_OK);
    assert_string_equal(heard, "dR");
    fence_put(NULL);
}

static void put_pending(void *arg) { fence_put(arg); }

static void put_too_often(void *arg)
{
    assert_int_equal(fence_signal(arg, FL_OK), FL_OK);
    fence_put(arg);
    fence_put(arg);
}

static void get_after_the_last(void *arg) { (void)fence_get(arg); }

static void broken_promise_panics(void **state)
{
    char text[200];

    (void)state;
    assert_true(host_expect_panic(put_pending, &fences[2], text, sizeof(text)));
    assert_non_null(strstr(text, "fence 3 of \"test\" is given up and not signalled"));
    assert_true(host_expect_panic(put_too_often, &fences[0], text, sizeof(text)));
    assert_non_null(strstr(text, "refs > 0"));
    assert_true(host_expect_panic(get_after_the_last, &fences[0], text, sizeof(text)));
    assert_non_null(strstr(text, "refs > 0"));
}

/* ---- waiting ---- */

struct waiter {
    struct fence *f;
    uint64_t for_us; /* 0: for ever */
    enum fl_err got;
    bool done;
};

static void wait_fiber(void *arg)
{
    struct waiter *w = arg;

    w->got = fence_wait(w->f, w->for_us == 0 ? deadline_never() : deadline_in_us(w->for_us));
    w->done = true;
    hear('w');
}

static void all_who_wait_are_woken(void **state)
{
    struct waiter a = {.f = &fences[0]};
    struct waiter b = {.f = &fences[0], .for_us = US_PER_S};
    struct waiter early = {.f = &fences[0], .for_us = 10};
    struct waiter late = {.f = &fences[0]};

    (void)state;
    assert_non_null(fiber_spawn("a", wait_fiber, &a, 0));
    assert_non_null(fiber_spawn("b", wait_fiber, &b, 0));
    assert_non_null(fiber_spawn("early", wait_fiber, &early, 0));
    fiber_sleep_us(100);
    assert_true(early.done);
    assert_int_equal(early.got, FL_ETIMEDOUT);
    assert_false(a.done || b.done);
    assert_int_equal(fence_signal(&fences[0], FL_EIO), FL_OK);
    fiber_run(NULL, NULL);
    assert_true(a.done && b.done);
    assert_int_equal(a.got, FL_OK); /* it has come; what became of it is another question */
    assert_int_equal(b.got, FL_OK);
    wait_fiber(&late); /* no wait at all */
    assert_int_equal(late.got, FL_OK);
}

/* A signal that nobody heard is kept by the event and must not end the wait for the next fence in
 * the same place. */
static void a_fence_used_again_waits_again(void **state)
{
    struct waiter w = {.f = &fences[0], .for_us = 50};

    (void)state;
    assert_int_equal(fence_context_abandon(&ctx, FL_ECANCELED), 4);
    fence_init(&fences[0], &ctx, NULL);
    wait_fiber(&w);
    assert_int_equal(w.got, FL_ETIMEDOUT);
    assert_int_equal(fence_signal(&fences[0], FL_OK), FL_OK);
}

static void end_signals_all_in_order(void **state)
{
    struct listener l[3];
    struct waiter w = {.f = &fences[3]};

    (void)state;
    add(&l[0], 'c', &fences[2]); /* in another order than they are signalled in */
    add(&l[1], 'a', &fences[0]);
    add(&l[2], 'b', &fences[1]);
    assert_non_null(fiber_spawn("w", wait_fiber, &w, 0));
    fiber_yield();
    assert_int_equal(fence_context_abandon(&ctx, FL_ECANCELED), 4);
    fiber_run(NULL, NULL);
    assert_string_equal(heard, "abcw");
    assert_int_equal(l[0].err, FL_ECANCELED);
    assert_int_equal(fence_error(&fences[3]), FL_ECANCELED);
    assert_int_equal(fence_context_abandon(&ctx, FL_ECANCELED), 0);
}

/* The order is looked at whether or not the wait would take any time. */
static LOCK_CLASS(lock_class_test, "test lock");

static void waiting_is_a_point_in_the_lock_order(void **state)
{
    (void)state;
    assert_int_equal(fence_signal(&fences[0], FL_OK), FL_OK);
    lockorder_acquire(&lock_class_test, "outside");
    assert_int_equal(fence_wait(&fences[0], deadline_never()), FL_OK);
    lockorder_release(&lock_class_test);
    lockorder_signal_begin("run");
    lockorder_acquire(&lock_class_test, "inside");
    assert_int_equal(lockorder_inversions(), 1);
    assert_non_null(strstr(lockorder_first(), "\"test lock\" before \"fence\" at tests/unit/"));
    lockorder_release(&lock_class_test);
    lockorder_signal_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(signals_once, setup),
        cmocka_unit_test_setup(order_of_a_context, setup),
        cmocka_unit_test_setup(callbacks_run_once_in_order, setup),
        cmocka_unit_test_setup(removed_callbacks_are_silent, setup),
        cmocka_unit_test_setup(a_callback_may_change_the_list, setup),
        cmocka_unit_test_setup(last_reference_releases, setup),
        cmocka_unit_test_setup(broken_promise_panics, setup),
        cmocka_unit_test_setup(all_who_wait_are_woken, setup),
        cmocka_unit_test_setup(a_fence_used_again_waits_again, setup),
        cmocka_unit_test_setup(end_signals_all_in_order, setup),
        cmocka_unit_test_setup(waiting_is_a_point_in_the_lock_order, setup),
    };

    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
