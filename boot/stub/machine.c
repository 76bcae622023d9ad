/* SPDX-License-Identifier: MIT */
/*
 * What the firmware knows of the machine and nobody could ask later: ACPI and SMBIOS roots, the
 * framebuffer, the time.
 *
 * Sources: UEFI 2.10 section 4.6 (configuration tables), 12.9 (graphics output), 8.3 (time).
 */
#include "boot/stub/stub.h"

/* enum fl_framebuffer.format */
enum { FORMAT_BGRX = 0, FORMAT_RGBX = 1 };

bool guid_equal(const EFI_GUID *a, const EFI_GUID *b) { return memcmp(a, b, sizeof(*a)) == 0; }

/* The physical address of a configuration table, 0 when there is none. */
static uint64_t config_table(const struct stub *s, EFI_GUID guid)
{
    for (UINTN i = 0; i < s->st->NumberOfTableEntries; i++) {
        const EFI_CONFIGURATION_TABLE *t = &s->st->ConfigurationTable[i];
        if (guid_equal(&t->VendorGuid, &guid)) {
            return (uintptr_t)t->VendorTable;
        }
    }
    return 0;
}

/* False: a format that the kernel's console does not draw. */
static bool pixel_format(const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info, uint32_t *format)
{
    const uint32_t low_byte = 0x0000ff, mid_byte = 0x00ff00, high_byte = 0xff0000;
    const EFI_PIXEL_BITMASK *m = &info->PixelInformation;
    if (info->PixelFormat == PixelBlueGreenRedReserved8BitPerColor) {
        *format = FORMAT_BGRX;
        return true;
    }
    if (info->PixelFormat == PixelRedGreenBlueReserved8BitPerColor) {
        *format = FORMAT_RGBX;
        return true;
    }
    if (info->PixelFormat != PixelBitMask || m->GreenMask != mid_byte) {
        return false;
    }
    *format = m->BlueMask == low_byte ? FORMAT_BGRX : FORMAT_RGBX;
    return (m->BlueMask == low_byte && m->RedMask == high_byte) ||
           (m->RedMask == low_byte && m->BlueMask == high_byte);
}

static void describe_screen(struct stub *s)
{
    static EFI_GUID gop_guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
    EFI_GRAPHICS_OUTPUT_PROTOCOL *gop = NULL;
    struct fl_framebuffer *fb = &s->handoff.fb;
    /* The console's own screen first: that is the one somebody looks at. */
    if (s->st->ConsoleOutHandle == NULL ||
        EFI_ERROR(s->bs->HandleProtocol(s->st->ConsoleOutHandle, &gop_guid, (void **)&gop))) {
        gop = NULL;
    }
    if ((gop == NULL || gop->Mode == NULL || gop->Mode->FrameBufferBase == 0) &&
        EFI_ERROR(s->bs->LocateProtocol(&gop_guid, NULL, (void **)&gop))) {
        return; /* no screen is no trouble */
    }
    if (gop == NULL || gop->Mode == NULL || gop->Mode->Info == NULL) {
        return;
    }
    const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info = gop->Mode->Info;
    const uint32_t pixel_bytes = 4;
    uint32_t format;
    if (gop->Mode->FrameBufferBase == 0 || !pixel_format(info, &format)) {
        message(s, "the screen has no framebuffer with 32 bits a pixel; it stays as it is");
        return;
    }
    uint64_t bytes = (uint64_t)info->PixelsPerScanLine * pixel_bytes * info->VerticalResolution;
    if (info->HorizontalResolution > info->PixelsPerScanLine ||
        bytes > gop->Mode->FrameBufferSize) {
        message(s,
                "the firmware's description of the screen contradicts itself; it stays as it is");
        return;
    }
    *fb = (struct fl_framebuffer){
        .base = gop->Mode->FrameBufferBase,
        .width = info->HorizontalResolution,
        .height = info->VerticalResolution,
        .pitch_bytes = info->PixelsPerScanLine * pixel_bytes,
        .format = format,
    };
}

void machine_describe(struct stub *s)
{
    struct fl_handoff *h = &s->handoff;
    h->rsdp = config_table(s, (EFI_GUID)ACPI_20_TABLE_GUID);
    if (h->rsdp == 0) {
        h->rsdp = config_table(s, (EFI_GUID)ACPI_TABLE_GUID);
    }
    h->smbios = config_table(s, (EFI_GUID)SMBIOS3_TABLE_GUID);
    if (h->smbios == 0) {
        h->smbios = config_table(s, (EFI_GUID)SMBIOS_TABLE_GUID);
    }
    h->efi_runtime = (uintptr_t)s->st->RuntimeServices;
    describe_screen(s);
    EFI_TIME now;
    if (!EFI_ERROR(s->st->RuntimeServices->GetTime(&now, NULL))) {
        h->unix_time_s = plan_unix_time(now.Year, now.Month, now.Day, now.Hour, now.Minute,
                                        now.Second, now.TimeZone);
    }
}
