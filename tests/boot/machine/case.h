/* SPDX-License-Identifier: MIT */
/*
 * What the files of the test kernel share. The kernel runs the case that /firstlight.conf names
 * ("case = ...") and says on the serial line, through the log, how each check ended:
 *
 *   test: ok NAME          test: not ok NAME: reason          test: done, 42 checks
 *
 * tests/boot/test_machine.py boots it and reads that.
 */
#pragma once

#include "arch/base.h"

/* One check. The text, printf-like, is the reason when it does not hold. Returns cond. */
bool case_check(const char *name, bool cond, const char *fmt, ...) FL_PRINTF(3, 4);
#define CHECK(name, cond, ...) case_check((name), (cond), __VA_ARGS__)

/* The machine has no ACPI tables, no x2APIC, no random numbers, no 1 GiB pages. */
bool case_poor_machine(void);

/* Cases of a machine that stays alive, in this order. In a fiber, with all else quiet. */
void case_memory(void);
void case_paging(void);
void case_scheduler(void);
void case_devices(void);
void case_clock(void);
void case_libc(void);
void case_log(void); /* last: fills the ring of lines */

/* Cases that end in a halt: true when name is one of them, which is then over. Called outside of
 * any fiber; spawns its own when it wants one. */
bool case_fatal(const char *name);
