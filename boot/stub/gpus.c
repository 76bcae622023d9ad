/* SPDX-License-Identifier: MIT */
/*
 * Which GPUs there are, and the firmware files of their chips. Only so much is learnt of a GPU as
 * the choice of a directory needs: its chip, from one register. The kernel enumerates PCI by
 * itself.
 *
 * Sources: UEFI 2.10 section 14.4 (PCI I/O protocol); gsp/hw/chips.h for the chips and directories.
 */
#include "boot/stub/stub.h"
#include "gsp/hw/chips.h"

enum { PCI_VENDOR = 0x00, PCI_CLASS = 0x08, VENDOR_NVIDIA = 0x10de, CLASS_DISPLAY = 0x03 };

/* What a read gives when no device takes it. */
#define NO_ANSWER 0xffffffffu

static EFI_GUID pci_io_guid = EFI_PCI_IO_PROTOCOL_GUID;

/* "GPU 10de:2204 at 0:1:0.0" */
static struct text gpu_text(EFI_PCI_IO *pci, uint16_t devid, char *buf, size_t size)
{
    UINTN segment = 0, bus = 0, device = 0, function = 0;
    struct text t = text_on(buf, size);
    pci->GetLocation(pci, &segment, &bus, &device, &function);
    text_str(&t, "GPU 10de:");
    text_hex(&t, devid);
    text_str(&t, " at ");
    text_hex(&t, segment);
    text_str(&t, ":");
    text_hex(&t, bus);
    text_str(&t, ":");
    text_hex(&t, device);
    text_str(&t, ".");
    text_hex(&t, function);
    return t;
}

/* True for a display controller of NVIDIA; its audio function and others are left alone. */
static bool is_gpu(EFI_PCI_IO *pci, uint16_t *devid)
{
    uint32_t id = 0, class_revision = 0;
    if (EFI_ERROR(pci->Pci.Read(pci, EfiPciIoWidthUint32, PCI_VENDOR, 1, &id)) ||
        EFI_ERROR(pci->Pci.Read(pci, EfiPciIoWidthUint32, PCI_CLASS, 1, &class_revision))) {
        return false;
    }
    *devid = (uint16_t)(id >> 16);
    return (id & 0xffff) == VENDOR_NVIDIA && class_revision >> 24 == CLASS_DISPLAY;
}

/* NV_PMC_BOOT_42 through BAR0. Memory decoding is switched on for the one access, and left as it
 * was found: whoever uses the GPU as a console has it on already. */
static EFI_STATUS read_boot42(EFI_PCI_IO *pci, uint32_t *value)
{
    UINT64 attributes = 0;
    EFI_STATUS status = pci->Attributes(pci, EfiPciIoAttributeOperationGet, 0, &attributes);
    bool was_on = (attributes & EFI_PCI_IO_ATTRIBUTE_MEMORY) != 0;
    if (!EFI_ERROR(status) && !was_on) {
        status = pci->Attributes(pci, EfiPciIoAttributeOperationEnable, EFI_PCI_IO_ATTRIBUTE_MEMORY,
                                 NULL);
    }
    if (EFI_ERROR(status)) {
        return status;
    }
    status = pci->Mem.Read(pci, EfiPciIoWidthUint32, 0, NV_PMC_BOOT_42__OFFSET, 1, value);
    if (!was_on) {
        pci->Attributes(pci, EfiPciIoAttributeOperationDisable, EFI_PCI_IO_ATTRIBUTE_MEMORY, NULL);
    }
    return status;
}

static void dir_path(char *buf, size_t size, const char *dir, const char *rest)
{
    struct text t = text_on(buf, size);
    text_str(&t, "firmware/nvidia/");
    text_str(&t, dir);
    text_str(&t, rest);
}

/* The GSP image under NVIDIA's own name, right in the directory "firmware", maybe packed. */
static void read_own_name(struct stub *s, const struct gsp_chip *chip, uint16_t devid)
{
    static const char *const ends[] = {"", ".zst", ".xz"};
    char path[FL_FILE_NAME_MAX];

    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        struct text t = text_on(path, sizeof(path));
        text_str(&t, "firmware/");
        text_str(&t, gsp_fw_own_name(chip));
        text_str(&t, ends[i]);
        firmware_read_file(s, path, devid);
    }
}

/* The chip's own directory first; the others hold what the own one would only link to. */
static void read_chip_firmware(struct stub *s, const struct gsp_chip *chip, uint16_t devid)
{
    char path[FL_FILE_NAME_MAX];
    bool found = false;
    for (size_t i = 0; i < ARRAY_SIZE(chip->fw_dirs) && chip->fw_dirs[i] != NULL; i++) {
        dir_path(path, sizeof(path), chip->fw_dirs[i], "/gsp");
        found |= firmware_read_dir(s, path, devid);
        if (gsp_chip_needs(chip, GSP_FW_GEN_BOOTLOADER)) {
            dir_path(path, sizeof(path), chip->fw_dirs[i], "/acr/bl.bin");
            firmware_read_file(s, path, devid);
        }
    }
    read_own_name(s, chip, devid);
    if (!found) {
        dir_path(path, sizeof(path), chip->fw_dir, "/gsp");
        firmware_missing(s, path, devid);
    }
}

static void look_at_gpu(struct stub *s, EFI_PCI_IO *pci, uint16_t devid)
{
    char line[160];
    uint32_t boot42 = 0;
    EFI_STATUS status = read_boot42(pci, &boot42);
    struct text t = gpu_text(pci, devid, line, sizeof(line));
    if (EFI_ERROR(status)) {
        text_str(&t, ": BAR0 cannot be read by the firmware, status 0x");
        text_hex(&t, status);
        text_str(&t, "; its firmware files are not loaded");
        message(s, line);
        return;
    }
    const struct gsp_chip *chip = gsp_chip_find(boot42);
    if (chip == NULL) {
        text_str(&t, ": NV_PMC_BOOT_42 reads 0x");
        text_hex(&t, boot42);
        text_str(&t, boot42 == NO_ANSWER ? ", it does not answer" : ", no chip that is known here");
        text_str(&t, "; its firmware files are not loaded");
        message(s, line);
        return;
    }
    text_str(&t, ": ");
    text_str(&t, chip->name);
    text_str(&t, "\r\n");
    console_str(s, line);
    read_chip_firmware(s, chip, devid);
}

void gpus_read_firmware(struct stub *s)
{
    UINTN count = 0;
    EFI_HANDLE *handles = NULL;
    if (EFI_ERROR(s->bs->LocateHandleBuffer(ByProtocol, &pci_io_guid, NULL, &count, &handles))) {
        message(s, "the firmware shows no PCI devices; no GPU firmware is loaded");
        return;
    }
    for (UINTN i = 0; i < count; i++) {
        EFI_PCI_IO *pci = NULL;
        uint16_t devid;
        if (!EFI_ERROR(s->bs->HandleProtocol(handles[i], &pci_io_guid, (void **)&pci)) &&
            is_gpu(pci, &devid)) {
            look_at_gpu(s, pci, devid);
        }
    }
    s->bs->FreePool(handles);
}
