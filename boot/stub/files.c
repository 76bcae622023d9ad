/* SPDX-License-Identifier: MIT */
/*
 * Files from the boot volume: the configuration and the GPU firmware. A file is read once, to where
 * it stays: a GSP image is placed so that the GPU can read it from there page by page. What cannot
 * be read is recorded with its reason and never stops the boot.
 *
 * Sources: UEFI 2.10 section 13.4, 13.5 (Simple File System, File protocol).
 */
#include "boot/stub/stub.h"

/* One read: small enough that the progress bar moves. */
#define READ_CHUNK_BYTES MIB(4)
/* A directory of firmware has a dozen entries; a hostile one does not keep us for ever. */
enum { MAX_DIR_ENTRIES = 256, MAX_NAME = 256 };

static EFI_GUID loaded_image_guid = LOADED_IMAGE_PROTOCOL;
static EFI_GUID file_system_guid = SIMPLE_FILE_SYSTEM_PROTOCOL;
static EFI_GUID file_info_guid = EFI_FILE_INFO_ID;

/* EFI_FILE_INFO with room for its name. The union gives the alignment. */
union file_info {
    EFI_FILE_INFO info;
    uint8_t bytes[sizeof(EFI_FILE_INFO) + MAX_NAME * sizeof(CHAR16)];
};

void volume_open(struct stub *s)
{
    EFI_LOADED_IMAGE *image = NULL;
    EFI_FILE_IO_INTERFACE *fs = NULL;
    EFI_STATUS status = s->bs->HandleProtocol(s->image, &loaded_image_guid, (void **)&image);
    if (!EFI_ERROR(status)) {
        status = s->bs->HandleProtocol(image->DeviceHandle, &file_system_guid, (void **)&fs);
    }
    if (!EFI_ERROR(status)) {
        status = fs->OpenVolume(fs, &s->volume);
    }
    if (EFI_ERROR(status)) {
        char line[160];
        struct text t = text_on(line, sizeof(line));
        text_str(&t, "the boot device has no file system that the firmware can read (status 0x");
        text_hex(&t, status);
        text_str(&t, "): no configuration, no GPU firmware");
        message(s, line);
        s->volume = NULL;
    }
}

static EFI_STATUS open_path(struct stub *s, const char *path, EFI_FILE_HANDLE *out)
{
    CHAR16 wide[FL_FILE_NAME_MAX];
    *out = NULL;
    if (s->volume == NULL) {
        return EFI_NOT_FOUND;
    }
    if (!text_to_path(wide, ARRAY_SIZE(wide), path)) {
        return EFI_INVALID_PARAMETER;
    }
    return s->volume->Open(s->volume, out, wide, EFI_FILE_MODE_READ, 0);
}

static EFI_STATUS file_size(EFI_FILE_HANDLE file, uint64_t *size)
{
    union file_info u;
    UINTN bytes = sizeof(u);
    EFI_STATUS status = file->GetInfo(file, &file_info_guid, &bytes, &u);
    *size = EFI_ERROR(status) ? 0 : u.info.FileSize;
    return status;
}

/* Reads exactly `bytes` at an offset. */
static bool read_at(EFI_FILE_HANDLE file, uint64_t offset, void *dst, uint64_t bytes)
{
    UINTN n = (UINTN)bytes;
    return !EFI_ERROR(file->SetPosition(file, offset)) && !EFI_ERROR(file->Read(file, &n, dst)) &&
           n == bytes;
}

/* "<path>: <size> of <wanted> bytes <what>" */
static void size_message(struct stub *s, const char *path, uint64_t size, uint64_t wanted,
                         const char *what)
{
    char line[160];
    struct text t = text_on(line, sizeof(line));
    text_str(&t, path);
    text_str(&t, ": ");
    text_dec(&t, size);
    text_str(&t, " of ");
    text_dec(&t, wanted);
    text_str(&t, " bytes ");
    text_str(&t, what);
    message(s, line);
}

/* How many bytes to leave free in front of a file so that its .fwimage section starts on a page
 * boundary; 0 for what is no GSP image. Reads the header, the section table and the names: a few
 * hundred bytes of the file, into `scratch` (PLAN_MAX_TABLE_BYTES + PLAN_MAX_NAMES_BYTES). */
static uint64_t image_lead(struct stub *s, EFI_FILE_HANDLE file, const char *path, uint64_t size,
                           uint8_t *scratch)
{
    uint8_t header[ELF64_EHDR_BYTES];
    uint8_t *table = scratch;
    char *names = (char *)scratch + PLAN_MAX_TABLE_BYTES;
    struct plan_gsp plan;
    uint64_t names_offset, image_offset;
    uint32_t names_bytes;
    if (size < sizeof(header) || !read_at(file, 0, header, sizeof(header)) ||
        !plan_gsp_header(header, &plan)) {
        return 0;
    }
    if (plan.wanted_bytes > size) {
        size_message(s, path, size, plan.wanted_bytes,
                     "(by its ELF header) are on the boot volume");
        return 0;
    }
    if (!read_at(file, plan.table_offset, table, plan.table_bytes) ||
        !plan_gsp_names(&plan, table, size, &names_offset, &names_bytes) ||
        !read_at(file, names_offset, names, names_bytes) ||
        !plan_gsp_image(&plan, table, names, names_bytes, &image_offset)) {
        return 0;
    }
    return plan_lead_bytes(image_offset);
}

static const char *base_name(const char *path)
{
    const char *name = path;
    for (; *path != '\0'; path++) {
        name = *path == '/' ? path + 1 : name;
    }
    return name;
}

/* Fills the memory at f->address chunk by chunk; sets size, state and status. */
static void read_whole(struct stub *s, EFI_FILE_HANDLE file, struct fl_file *f)
{
    f->uefi_status = file->SetPosition(file, 0);
    while (f->size < f->dir_size && !EFI_ERROR(f->uefi_status)) {
        UINTN n = (UINTN)min_u64(READ_CHUNK_BYTES, f->dir_size - f->size);
        f->uefi_status = file->Read(file, &n, (void *)(uintptr_t)(f->address + f->size));
        if (EFI_ERROR(f->uefi_status) || n == 0) {
            break;
        }
        f->size += n;
        console_progress(s, base_name(f->path), f->size, f->dir_size);
    }
    if (EFI_ERROR(f->uefi_status)) {
        f->state = FL_FILE_IO;
    } else {
        f->state = f->size == f->dir_size ? FL_FILE_OK : FL_FILE_TRUNCATED;
    }
}

/* Reads an open file to where it stays. */
static void load_file(struct stub *s, EFI_FILE_HANDLE file, struct fl_file *f)
{
    uint64_t start = tsc_now();
    f->uefi_status = file_size(file, &f->dir_size);
    if (EFI_ERROR(f->uefi_status)) {
        f->state = FL_FILE_IO;
        return;
    }
    const uint64_t scratch_bytes = PLAN_MAX_TABLE_BYTES + PLAN_MAX_NAMES_BYTES;
    uint64_t scratch = pages_alloc(s, scratch_bytes, EfiLoaderData);
    uint64_t lead = 0;
    if (scratch != 0) {
        lead = image_lead(s, file, f->path, f->dir_size, (uint8_t *)(uintptr_t)scratch);
        pages_free(s, scratch, scratch_bytes);
    }
    /* One page more than needed, so that a reader of whole words or lines stays inside. The size is
     * the directory's word: what no memory can hold must not wrap around here. */
    uint64_t all = f->dir_size <= GIB(1024)
                       ? align_up_u64(lead + f->dir_size, FL_PAGE_SIZE) + FL_PAGE_SIZE
                       : 0;
    uint64_t at = all != 0 ? pages_alloc(s, all, EfiLoaderData) : 0;
    if (scratch == 0 || at == 0) {
        f->state = FL_FILE_NOMEM;
        size_message(s, f->path, 0, f->dir_size, "read: no memory for them");
        return;
    }
    f->address = at + lead;
    f->room = all - lead;
    read_whole(s, file, f);
    memset((void *)(uintptr_t)(f->address + f->size), 0, f->room - f->size);
    f->load_us = clock_us(s, tsc_now() - start);
    console_str(s, "\r\n");
    if (f->state != FL_FILE_OK) {
        size_message(s, f->path, f->size, f->dir_size,
                     f->state == FL_FILE_IO ? "readable; the firmware reports an error after them"
                                            : "readable");
    }
}

void config_read(struct stub *s)
{
    EFI_FILE_HANDLE file;
    uint64_t size;
    if (EFI_ERROR(open_path(s, "firstlight.conf", &file))) {
        return; /* the kernel says that there is none */
    }
    EFI_STATUS status = file_size(file, &size);
    uint64_t at = 0;
    if (!EFI_ERROR(status) && size <= STUB_CONFIG_MAX_BYTES) {
        at = pages_alloc(s, size + 1, EfiLoaderData);
    }
    if (at != 0 && read_at(file, 0, (void *)(uintptr_t)at, size)) {
        ((char *)(uintptr_t)at)[size] = '\0';
        s->handoff.config = at;
        s->handoff.config_size = size;
    } else if (!EFI_ERROR(status) && size > STUB_CONFIG_MAX_BYTES) {
        size_message(s, "firstlight.conf", STUB_CONFIG_MAX_BYTES, size,
                     "are the most it may have; it is left out");
    } else {
        message(s, "firstlight.conf is on the boot volume but cannot be read; defaults are used");
    }
    file->Close(file);
}

static struct fl_file *file_add(struct stub *s, const char *path, uint16_t devid)
{
    if (s->handoff.file_count == STUB_MAX_FILES) {
        message(s, "more firmware files than the boot stub has room for; the rest is left out");
        return NULL;
    }
    struct fl_file *f = &s->files[s->handoff.file_count++];
    struct text t = text_on(f->path, sizeof(f->path));
    text_str(&t, path);
    f->gpu_devid = devid;
    f->state = FL_FILE_MISSING;
    return f;
}

static bool same(const char *a, const char *b)
{
    for (; *a != '\0' && *a == *b; a++, b++) {
    }
    return *a == *b;
}

/* The file itself was met before, or one of the same name was read for the same GPU (links on the
 * volume's original become copies on FAT: 64 MB that nobody needs twice). */
static bool have_file(const struct stub *s, const char *path, uint16_t devid)
{
    for (uint32_t i = 0; i < s->handoff.file_count; i++) {
        const struct fl_file *f = &s->files[i];
        if (same(f->path, path) || (f->gpu_devid == devid && f->state == FL_FILE_OK &&
                                    same(base_name(f->path), base_name(path)))) {
            return true;
        }
    }
    return false;
}

bool firmware_read_file(struct stub *s, const char *path, uint16_t devid)
{
    EFI_FILE_HANDLE file;
    EFI_STATUS status = open_path(s, path, &file);
    if (status == EFI_NOT_FOUND) {
        return false;
    }
    struct fl_file *f = have_file(s, path, devid) ? NULL : file_add(s, path, devid);
    if (f != NULL && EFI_ERROR(status)) {
        f->state = FL_FILE_IO;
        f->uefi_status = status;
        size_message(s, path, 0, 0, "readable: it cannot be opened");
    } else if (f != NULL) {
        load_file(s, file, f);
    }
    if (file != NULL) {
        file->Close(file);
    }
    return true;
}

void tls_read(struct stub *s)
{
    (void)firmware_read_file(s, "tls/cert.pem", 0);
    (void)firmware_read_file(s, "tls/key.pem", 0);
}

void firmware_missing(struct stub *s, const char *path, uint16_t devid)
{
    if (!have_file(s, path, devid)) {
        file_add(s, path, devid);
    }
}

/* One entry of a directory; reads it when it is a firmware file. */
static void dir_entry(struct stub *s, const char *dir, const EFI_FILE_INFO *info, uint16_t devid)
{
    char name[FL_FILE_NAME_MAX], path[FL_FILE_NAME_MAX];
    if ((info->Attribute & EFI_FILE_DIRECTORY) != 0 ||
        !text_from_ucs2(name, sizeof(name), info->FileName) || !plan_is_firmware_name(name)) {
        return;
    }
    struct text t = text_on(path, sizeof(path));
    text_str(&t, dir);
    text_str(&t, "/");
    text_str(&t, name);
    if (t.cut) {
        return; /* no file of ours has such a name */
    }
    firmware_read_file(s, path, devid);
}

bool firmware_read_dir(struct stub *s, const char *path, uint16_t devid)
{
    EFI_FILE_HANDLE dir;
    if (EFI_ERROR(open_path(s, path, &dir))) {
        return false;
    }
    for (unsigned i = 0; i < MAX_DIR_ENTRIES; i++) {
        union file_info u;
        UINTN bytes = sizeof(u);
        EFI_STATUS status = dir->Read(dir, &bytes, &u);
        if (EFI_ERROR(status) || bytes == 0) {
            break;
        }
        /* The firmware ends the name with a NUL; make sure. */
        u.bytes[sizeof(u.bytes) - 1] = u.bytes[sizeof(u.bytes) - 2] = 0;
        dir_entry(s, path, &u.info, devid);
    }
    dir->Close(dir);
    return true;
}
