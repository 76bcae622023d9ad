/* SPDX-License-Identifier: MIT */
/* The fiber that keeps the fixed part of the screen true. It sleeps until something changed. */
#include "boot/panel.h"

#include <stdio.h>
#include <string.h>

#include "arch/fiber.h"
#include "arch/log.h"
#include "arch/machine.h"
#include "net/stack/netmain.h"

/* Nobody reads faster than five pictures a second. */
#define PANEL_PERIOD_US   (200 * US_PER_MS)
#define PANEL_STACK_BYTES KIB(32)

static struct {
    struct panel_options o;
    bool started;
    bool last; /* the screen is given up after this picture */
    struct event wake;
    /* Of the picture being made; too large for a stack. */
    struct panel panel;
    struct gsp_snapshot snapshot;
    struct net_status net;
    struct screen_fixed fixed;
} self;

static void look_at_gpus(void)
{
    const struct api_context *api = self.o.api;
    struct panel *p = &self.panel;
    for (uint32_t i = 0; i < api->gpu_count && i < API_MAX_GPUS; i++) {
        const struct api_gpu *g = &api->gpus[i];
        if (g->gpu != NULL) {
            gsp_get_snapshot(g->gpu, &self.snapshot);
        }
        panel_say_gpu(&p->gpu[i], g->gpu != NULL ? &self.snapshot : NULL, &g->fail);
        p->gpu_count = i + 1;
    }
    panel_say_verdict(p, api->probing);
}

static void paint(void)
{
    struct panel *p = &self.panel;
    const struct screen_shape shape = screen_shape();
    if (shape.width == 0) {
        return;
    }
    *p = (struct panel){.version = self.o.api->version,
                        .machine = machine_name(),
                        .hostname = self.o.hostname,
                        .token = self.o.token};
    net_get_status(&self.net);
    panel_say_network(p, &self.net, self.o.tls, self.o.tls_only);
    if (self.last) {
        p->tone = PANEL_IDLE;
        snprintf(p->verdict, sizeof(p->verdict), "STATE ON THE NETWORK ONLY");
    } else {
        look_at_gpus();
    }
    panel_lay_out(p, shape, &self.fixed);
    screen_set_fixed(&self.fixed);
}

static void panel_fiber(void *arg)
{
    (void)arg;
    for (;;) {
        (void)!event_wait(&self.wake, deadline_never());
        paint();
        fiber_sleep_us(PANEL_PERIOD_US);
    }
}

void panel_start(const struct panel_options *o)
{
    FL_ASSERT(!self.started);
    self.started = true;
    self.o = *o;
    event_init(&self.wake);
    if (fiber_spawn("panel", panel_fiber, NULL, PANEL_STACK_BYTES) == NULL) {
        log_warn("boot", "no memory for the fiber of the screen's fixed part");
    }
}

void panel_wake(void)
{
    if (self.started) {
        event_signal(&self.wake);
    }
}

void panel_last_words(void)
{
    self.last = true;
    paint();
}
