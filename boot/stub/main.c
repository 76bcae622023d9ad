/* SPDX-License-Identifier: MIT */
/*
 * The boot stub: what the firmware starts. It collects what only firmware can give (files from the
 * boot volume, the memory map, the screen, the clock), loads the kernel that it carries, leaves
 * boot services and jumps. It decides nothing that the kernel can decide, and nothing but "no
 * memory for the kernel" or a broken kernel stops it: every other trouble becomes a message for the
 * kernel.
 */
#include "boot/stub/stub.h"

/* The stub's state is the first thing to need memory. */
static struct stub *state_create(EFI_HANDLE image, EFI_SYSTEM_TABLE *st)
{
    static struct stub early; /* too large for a frame */
    early.image = image;
    early.st = st;
    early.bs = st->BootServices;
    uint64_t at = pages_alloc(&early, sizeof(struct stub), EfiLoaderData);
    if (at == 0) {
        return NULL;
    }
    struct stub *s = (struct stub *)(uintptr_t)at;
    *s = early;
    s->handoff.magic = FL_HANDOFF_MAGIC;
    s->handoff.version = FL_HANDOFF_VERSION;
    s->handoff.size = sizeof(s->handoff);
    s->handoff.files = (uintptr_t)s->files;
    return s;
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st);

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st)
{
    /* The first sign of life, before any firmware call: tells a dead stub from a dead firmware. */
    const uint64_t tsc_entry = tsc_now();
    serial_str("F\r\n");

    /* The firmware would reset a machine whose boot takes longer than five minutes. */
    st->BootServices->SetWatchdogTimer(0, 0, 0, NULL);
    struct stub *s = state_create(image, st);
    if (s == NULL) {
        return fatal(st, NULL, EFI_OUT_OF_RESOURCES, "no memory for the boot stub");
    }
    s->handoff.tsc_entry = tsc_entry;
    st->ConOut->ClearScreen(st->ConOut); /* the firmware's logo would show through */
    console_str(s, "Firstlight " FL_VERSION "\r\n");
    clock_start(s);

    /* The kernel first: without it nothing else is worth the time. */
    const char *wrong = kernel_load(s);
    if (wrong != NULL) {
        return fatal(st, s, EFI_LOAD_ERROR, wrong);
    }

    volume_open(s);
    config_read(s);
    gpus_read_firmware(s);
    tls_read(s);
    machine_describe(s);
    seed_read(s);

    wrong = leave_prepare(s);
    if (wrong != NULL) {
        return fatal(st, s, EFI_OUT_OF_RESOURCES, wrong);
    }
    return fatal(st, s, leave_firmware(s), "the firmware does not let go of the machine");
}
