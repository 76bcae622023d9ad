/* SPDX-License-Identifier: MIT */
/*
 * Another main program for the bare machine, linked with everything of the kernel but boot/kmain.c:
 * proves what arch/x86_64 promises. See case.h.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arch/fiber.h"
#include "arch/log.h"
#include "arch/machine.h"
#include "arch/x86_64/x86.h"
#include "tests/boot/machine/case.h"

enum { NAME_MAX_BYTES = 32, REASON_MAX_BYTES = 160, MAIN_STACK_BYTES = 64 * 1024 };

static struct {
    char name[NAME_MAX_BYTES]; /* of the case */
    unsigned checks;
} self;

bool case_check(const char *name, bool cond, const char *fmt, ...)
{
    char reason[REASON_MAX_BYTES] = "";
    self.checks++;
    if (cond) {
        log_info("test", "ok %s", name);
        return true;
    }
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(reason, sizeof(reason), fmt, args);
    va_end(args);
    log_error("test", "not ok %s: %s", name, reason);
    return false;
}

bool case_poor_machine(void) { return strcmp(self.name, "poor") == 0; }

/* "case = NAME", the first line of the config. */
static void read_case(void)
{
    static const char key[] = "case = ";
    const struct fl_handoff *h = machine_handoff();
    const char *text = (const char *)(uintptr_t)h->config;
    if (text == NULL || h->config_size < sizeof(key) || strncmp(text, key, sizeof(key) - 1) != 0) {
        machine_panic("the config does not begin with \"%s\"", key);
    }
    text += sizeof(key) - 1;
    for (size_t i = 0; i + 1 < sizeof(self.name) && text[i] > ' '; i++) {
        self.name[i] = text[i];
    }
}

static void main_fiber(void *arg)
{
    (void)arg;
    case_memory();
    case_paging();
    case_scheduler();
    case_devices();
    case_clock();
    case_libc();
    case_log();
    log_info("test", "done, %u checks", self.checks);
    machine_power_off();
    log_info("test", "power off returned");
    machine_reset();
    log_error("test", "not ok reset: the machine is still on");
}

void kernel_main(void)
{
    x86_console_start();
    read_case();
    if (strcmp(self.name, "rich") != 0 && !case_poor_machine()) {
        if (!case_fatal(self.name)) {
            machine_panic("there is no case \"%s\"", self.name);
        }
        log_error("test", "not ok %s: it went well", self.name);
    } else if (fiber_spawn("test", main_fiber, NULL, MAIN_STACK_BYTES) == NULL) {
        machine_panic("no memory for the first fiber");
    }
    fiber_run(NULL, NULL);
    machine_panic("the last fiber has ended");
}
