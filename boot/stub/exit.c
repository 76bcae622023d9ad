/* SPDX-License-Identifier: MIT */
/*
 * The firmware's last calls: leaving boot services, and giving up.
 *
 * The first call of ExitBootServices may shut down a part of the firmware even when it fails. From
 * then on nothing of boot services may be called but the memory functions and ExitBootServices
 * again (UEFI 2.10 section 7.4.6): no console, no timer, no way back to the boot manager.
 */
#include "boot/stub/stub.h"

/* How long a fatal message stays on the screen when nobody presses a key. */
#define FATAL_SHOW_100NS (10ull * 10000000ull)
/* Each try takes a fresh map; a second one is normal, a third means that something keeps
 * allocating. */
enum { EXIT_TRIES = 8 };

EFI_STATUS map_take(struct stub *s, UINTN *bytes, UINTN *key, UINTN *stride)
{
    UINT32 version;
    *bytes = (UINTN)s->map_bytes;
    return s->bs->GetMemoryMap(bytes, (EFI_MEMORY_DESCRIPTOR *)(uintptr_t)s->map, key, stride,
                               &version);
}

EFI_STATUS boot_services_exit(struct stub *s, UINTN *bytes, UINTN *stride)
{
    EFI_STATUS status = EFI_ABORTED;
    UINTN key;
    *bytes = *stride = 0;
    /* What stays on the screen when it fails: nothing can be shown afterwards. */
    console_str(s, "leaving the firmware\r\n");
    for (unsigned i = 0; i < EXIT_TRIES && EFI_ERROR(status); i++) {
        status = map_take(s, bytes, &key, stride);
        if (!EFI_ERROR(status)) {
            s->exit_tried = true;
            status = s->bs->ExitBootServices(s->image, key);
        }
    }
    return status;
}

/* Shows a line on the firmware's console and waits for a key, or a while. */
static void show(EFI_SYSTEM_TABLE *st, const struct text *t)
{
    CHAR16 wide[256];
    size_t n = 0;
    while (t->buf[n] != '\0' && n + 1 < ARRAY_SIZE(wide)) {
        wide[n] = (CHAR16)(unsigned char)t->buf[n];
        n++;
    }
    wide[n] = 0;
    st->ConOut->OutputString(st->ConOut, wide);
    EFI_EVENT events[2] = {st->ConIn != NULL ? st->ConIn->WaitForKey : NULL, NULL};
    UINTN which;
    if (events[0] != NULL && !EFI_ERROR(st->BootServices->CreateEvent(EVT_TIMER, TPL_APPLICATION,
                                                                      NULL, NULL, &events[1]))) {
        st->BootServices->SetTimer(events[1], TimerRelative, FATAL_SHOW_100NS);
        st->BootServices->WaitForEvent(ARRAY_SIZE(events), events, &which);
        st->BootServices->CloseEvent(events[1]);
    }
}

EFI_STATUS fatal(EFI_SYSTEM_TABLE *st, const struct stub *s, EFI_STATUS status, const char *why)
{
    char line[160];
    struct text t = text_on(line, sizeof(line));
    text_str(&t, "\r\nFirstlight cannot start: ");
    text_str(&t, why);
    text_str(&t, " (status 0x");
    text_hex(&t, status);
    text_str(&t, ")\r\n");
    serial_str(line);
    if (s != NULL && s->exit_tried) {
        serial_str("The firmware may not be called any more: machine halted\r\n");
        stub_halt();
    }
    show(st, &t);
    return status;
}
