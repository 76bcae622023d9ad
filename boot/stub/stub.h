/* SPDX-License-Identifier: MIT */
/*
 * What the files of the boot stub share. The stub is a UEFI application (PE, Microsoft ABI) without
 * any library: only GNU-EFI's headers. It runs once, on one core, and never returns after
 * leave_firmware(). main.c tells the story.
 */
#pragma once

#include <efi.h>

#include "arch/base.h"
#include "arch/handoff.h"
#include "arch/text.h"
#include "boot/stub/plan.h"

/* More files than any chip's directories hold: 5 kinds, 2 versions, 3 directories, several chips.
 */
#define STUB_MAX_FILES        64u
#define STUB_STACK_BYTES      KIB(32)
#define STUB_CONFIG_MAX_BYTES KIB(64)

/* Everything the stub knows. One page-aligned allocation that the kernel inherits, because the
 * hand-off and the files lie in it. */
struct stub {
    struct fl_handoff handoff;
    struct fl_file files[STUB_MAX_FILES];

    EFI_HANDLE image;
    EFI_SYSTEM_TABLE *st;
    EFI_BOOT_SERVICES *bs;
    EFI_FILE_HANDLE volume; /* root directory of the boot volume; NULL: none */
    uint64_t tsc_per_ms;
    uint32_t messages_lost;

    struct plan_kernel kernel;
    uint64_t stack;      /* STUB_STACK_BYTES */
    uint64_t trampoline; /* one page */
    uint64_t map;        /* room for the memory map */
    uint64_t map_bytes;
    uint64_t ranges; /* room for the hand-off's memory ranges */
    uint64_t ranges_max;
    bool exit_tried; /* ExitBootServices was called: see exit.c for what may be called since */
};

/* --- text.c: lines for people --- */

/* The low bytes of UCS-2; false when a character is not printable ASCII or it does not fit. */
FL_MUST_CHECK bool text_from_ucs2(char *buf, size_t size, const CHAR16 *s);
/* ASCII to UCS-2, '/' becomes '\'. False when it does not fit. */
FL_MUST_CHECK bool text_to_path(CHAR16 *buf, size_t size, const char *s);

/* COM1 by port (serial.c), before, beside and after the firmware's console. Does nothing where
 * there is no UART. */
void serial_char(char c);
void serial_str(const char *s);
/* The firmware's console (screen, and serial where the firmware redirects). */
void console_str(struct stub *s, const char *text);
/* Redraws one line: "reading <name> [####....] 24.0 of 60.6 MiB". */
void console_progress(struct stub *s, const char *name, uint64_t done, uint64_t total);
/* A line for the kernel's log, the screen and the API. The text is copied. */
void message(struct stub *s, const char *text);

/* What the compiler calls for struct copies and the like. */
void *memcpy(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/* --- memory.c: pages and the clock --- */

/* Pages of EfiLoaderData above 1 MiB and below 2^47 (what every GPU family can reach by DMA).
 * Not cleared. 0 when there is no memory. */
uint64_t pages_alloc(struct stub *s, uint64_t bytes, EFI_MEMORY_TYPE type);
void pages_free(struct stub *s, uint64_t address, uint64_t bytes);
uint64_t tsc_now(void);
/* Measures the TSC against the firmware's Stall(): good to a few per cent, for durations only. */
void clock_start(struct stub *s);
uint64_t clock_us(const struct stub *s, uint64_t ticks);

/* --- files.c, gpus.c: what is on the stick, and for which GPU --- */

/* Opens the volume that the stub was loaded from; leaves s->volume NULL and a message otherwise. */
void volume_open(struct stub *s);
void config_read(struct stub *s);
/* Certificate and key of the HTTP server, where there are any. */
void tls_read(struct stub *s);
/* Finds NVIDIA's display controllers and reads the firmware files of their chips. */
void gpus_read_firmware(struct stub *s);
/* Reads every firmware file of a directory ("firmware/nvidia/ga102/gsp"), unless it was read
 * already or a file of the same name was read for the same GPU. False: there is no such directory.
 */
bool firmware_read_dir(struct stub *s, const char *dir, uint16_t devid);
/* Reads one file if it exists. False: there is none. */
bool firmware_read_file(struct stub *s, const char *path, uint16_t devid);
/* Records that something a GPU needs is not there. */
void firmware_missing(struct stub *s, const char *path, uint16_t devid);

/* --- machine.c: what the firmware knows of the machine --- */

void machine_describe(struct stub *s);
/* Asks the firmware for random bytes, for the kernel's pool (seed.c). */
void seed_read(struct stub *s);
bool guid_equal(const EFI_GUID *a, const EFI_GUID *b);

/* --- exit.c: the firmware's last calls --- */

/* The memory map into s->map, whatever it is. */
EFI_STATUS map_take(struct stub *s, UINTN *bytes, UINTN *key, UINTN *stride);
/* Leaves boot services with the map of that moment in s->map. */
EFI_STATUS boot_services_exit(struct stub *s, UINTN *bytes, UINTN *stride);
/* Says why there is no way on, as far as the firmware may still be called. Returns status for the
 * firmware; never once ExitBootServices was called. s: NULL before there is one. */
EFI_STATUS fatal(EFI_SYSTEM_TABLE *st, const struct stub *s, EFI_STATUS status, const char *why);
/* Stops the machine (leave.c). */
FL_NORETURN void stub_halt(void);

/* --- leave.c: the way out --- */

/* The embedded ELF (linked in as data). */
extern const uint8_t kernel_elf_start[], kernel_elf_end[];
/* Checks and places the kernel. NULL, or why it cannot run. */
const char *kernel_load(struct stub *s);
/* Allocates all that the way out needs. NULL, or what is missing. */
const char *leave_prepare(struct stub *s);
/* Leaves boot services and jumps into the kernel. Returns only when the firmware refused. */
EFI_STATUS leave_firmware(struct stub *s);
