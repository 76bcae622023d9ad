/* SPDX-License-Identifier: MIT */
/* A bench with one GPU in it (rig.h). */
#include "tests/unit/rig.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/host/host.h"
#include "gsp/files/fwelf.h"
#include "gsp/hw/chips.h"
#include "mm/dma.h"
#include "tests/synth/synth.h"

/* Where the firmware of a PC would have put the BARs. */
#define GPU_DEVFN           0x08u /* 00:01.0: no bridge in front of it */
#define BAR_LOW_BASE        0xa0000000ull
#define BAR_HIGH_BASE       0x6000000000ull
#define BAR_IO_BASE         0xe000u
#define PCI_CFG_COMMAND     0x04u
#define PCI_CFG_BAR0        0x10u
#define PCI_COMMAND_MASTER  4u
#define PCI_CFG_CAP_POINTER 0x34u
#define PCI_CAP_MSI         0x05u
#define PCI_CAP_MSIX        0x11u
#define MSI_ENABLE          1u
#define PCI_EXP_DEVCAP      4u
/* MSI-X: control word, place of the table, words of an entry. */
#define MSIX_CONTROL       2u
#define MSIX_ENABLE        0x8000u
#define MSIX_TABLE         4u
#define MSIX_BIR_MASK      7u
#define MSIX_ENTRY_WORDS   4u
#define MSIX_MASKED        1u
#define PCI_EXP_DEVCAP_FLR (1u << 28)

static void die(const char *what, const char *why)
{
    fprintf(stderr, "rig: %s: %s\n", what, why);
    abort();
}

/* ---- the bus, as the driver sees it ---- */

static bool is_gpu(uint8_t bus, uint8_t devfn) { return bus == 0 && devfn == GPU_DEVFN; }

static uint16_t cap_at(struct gpu_model *m, uint32_t id)
{
    uint8_t at = (uint8_t)model_cfg_read(m, PCI_CFG_CAP_POINTER, 1);

    for (unsigned i = 0; i < 48 && at >= 0x40; i++) {
        if (model_cfg_read(m, at, 1) == id) {
            return at;
        }
        at = (uint8_t)model_cfg_read(m, (uint16_t)(at + 1), 1);
    }
    return 0;
}

static uint32_t cfg_read(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
                         unsigned size)
{
    struct rig *r = ctx;

    (void)seg;
    if (!is_gpu(bus, devfn)) {
        return size == 4 ? UINT32_MAX : (1u << 8 * size) - 1;
    }
    uint32_t v = model_cfg_read(r->model, off, size);
    if (r->no_flr && r->dev != NULL && off == r->dev->cap_pcie + PCI_EXP_DEVCAP) {
        v &= ~PCI_EXP_DEVCAP_FLR;
    }
    const bool hidden =
        r->no_msi && off != 0 &&
        (off == cap_at(r->model, PCI_CAP_MSI) || off == cap_at(r->model, PCI_CAP_MSIX));
    return hidden ? v & ~0xffu : v; /* the id reads 0, as that of MSI on data-centre boards */
}

static void cfg_write(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
                      unsigned size, uint32_t value)
{
    struct rig *r = ctx;

    (void)seg;
    if (is_gpu(bus, devfn) && !r->cut) {
        model_cfg_write(r->model, off, size, value);
    }
}

static uint64_t bar_read(void *ctx, uint64_t off, unsigned size)
{
    const struct rig_bar *b = ctx;
    return b->rig->cut ? UINT64_MAX : model_bar_read(b->rig->model, b->bar, off, size);
}
/* The MSI-X table is kept by who delivers, as QEMU does; the model stores it, too. */
static void keep_msix_entry(struct rig *r, unsigned bar, uint64_t off, unsigned size,
                            uint64_t value)
{
    const uint16_t cap = cap_at(r->model, PCI_CAP_MSIX);
    const uint32_t where = cap != 0 ? model_cfg_read(r->model, (uint16_t)(cap + MSIX_TABLE), 4) : 0;
    const uint64_t table = where & ~MSIX_BIR_MASK;
    if (cap != 0 && bar == (where & MSIX_BIR_MASK) && size == 4 && off >= table &&
        off - table < sizeof(r->msix)) {
        r->msix[(off - table) / 4] = (uint32_t)value;
    }
}

static void bar_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
    const struct rig_bar *b = ctx;
    if (!b->rig->cut) {
        keep_msix_entry(b->rig, b->bar, off, size, value);
        model_bar_write(b->rig->model, b->bar, off, size, value);
    }
}
static const struct mmio_ops bar_ops = {bar_read, bar_write};

static enum fl_err map_bar(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, unsigned bar,
                           struct mmio *out)
{
    struct rig *r = ctx;
    struct model_bar info;

    (void)seg;
    (void)bus;
    (void)devfn;
    model_bar_info(r->model, bar, &info);
    if (info.size == 0 || info.is_io) {
        return FL_ENOENT;
    }
    r->bar[bar] = (struct rig_bar){.rig = r, .bar = bar};
    *out = (struct mmio){.ops = &bar_ops, .ctx = &r->bar[bar], .size = info.size};
    return FL_OK;
}

static const struct pci_ops pci_ops = {cfg_read, cfg_write, map_bar};

/* ---- the bus, as the GPU sees it ---- */

static enum model_dma_result bus_dma(void *ctx, uint64_t addr, void *buf, size_t *len,
                                     enum model_dma_dir dir)
{
    struct rig *r = ctx;

    if ((model_cfg_read(r->model, PCI_CFG_COMMAND, 2) & PCI_COMMAND_MASTER) == 0) {
        return MODEL_DMA_UNMAPPED; /* a device that is not a bus master reaches nothing */
    }
    void *p = host_dma_ptr(addr, len);
    if (p == NULL) {
        return MODEL_DMA_UNMAPPED;
    }
    memcpy(dir == MODEL_DMA_WRITE ? p : buf, dir == MODEL_DMA_WRITE ? buf : p, *len);
    return MODEL_DMA_DONE;
}

/* The message of a vector: false when the driver has not enabled it. */
static bool message_of(struct rig *r, unsigned vector, uint64_t *address, uint32_t *data)
{
    const uint16_t msi = cap_at(r->model, PCI_CAP_MSI), msix = cap_at(r->model, PCI_CAP_MSIX);

    if (msi != 0 && (model_cfg_read(r->model, (uint16_t)(msi + 2), 2) & MSI_ENABLE) != 0) {
        *address = model_cfg_read(r->model, (uint16_t)(msi + 4), 4) |
                   (uint64_t)model_cfg_read(r->model, (uint16_t)(msi + 8), 4) << 32;
        *data = model_cfg_read(r->model, (uint16_t)(msi + 12), 2);
        return true;
    }
    if (msix != 0 && vector < RIG_MSIX_MAX &&
        (model_cfg_read(r->model, (uint16_t)(msix + MSIX_CONTROL), 2) & MSIX_ENABLE) != 0) {
        const uint32_t *entry = r->msix + (size_t)vector * MSIX_ENTRY_WORDS;
        *address = entry[0] | (uint64_t)entry[1] << 32;
        *data = entry[2];
        return (entry[3] & MSIX_MASKED) == 0;
    }
    return false;
}

static void bus_irq(void *ctx, unsigned vector)
{
    struct rig *r = ctx;
    uint64_t address = 0;
    uint32_t data = 0;

    if (message_of(r, vector, &address, &data) && host_irq_raise_msi(address, data)) {
        r->irqs++;
    } else {
        r->irqs_lost++;
    }
}

static uint64_t bus_now(void *ctx)
{
    (void)ctx;
    return clock_now_ns();
}

static uint64_t idle_hook(void *ctx)
{
    struct rig *r = ctx;
    model_run(r->model);
    return model_next_ns(r->model);
}

/* What a PC's firmware does: addresses into the BARs. */
static void assign_bars(struct rig *r)
{
    uint64_t low = BAR_LOW_BASE, high = BAR_HIGH_BASE;

    for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
        struct model_bar b;
        model_bar_info(r->model, i, &b);
        const uint16_t off = (uint16_t)(PCI_CFG_BAR0 + 4 * i);
        if (b.size == 0) {
            continue;
        }
        if (b.is_io) {
            model_cfg_write(r->model, off, 4, BAR_IO_BASE);
        } else if (b.is_64bit) {
            high = align_up_u64(high, b.size);
            model_cfg_write(r->model, off, 4, (uint32_t)high);
            model_cfg_write(r->model, (uint16_t)(off + 4), 4, (uint32_t)(high >> 32));
            high += b.size;
            i++;
        } else {
            low = align_up_u64(low, b.size);
            model_cfg_write(r->model, off, 4, (uint32_t)low);
            low += b.size;
        }
    }
}

void rig_power_cycle(struct rig *r)
{
    model_reset(r->model, MODEL_RESET_POWER);
    assign_bars(r);
}

/* ---- files ---- */

static struct synth_blob read_real(const char *dir, const char *path)
{
    char full[512];
    struct synth_blob b = {0};

    snprintf(full, sizeof(full), "%s/%s", dir, path);
    FILE *f = fopen(full, "rb");
    if (f == NULL) {
        return b;
    }
    fseek(f, 0, SEEK_END);
    b.size = (size_t)ftell(f);
    rewind(f);
    b.data = malloc(b.size);
    if (b.data == NULL || fread(b.data, 1, b.size, f) != b.size) {
        die(full, "cannot be read");
    }
    fclose(f);
    return b;
}

/* Where the image must start within the buffer so that .fwimage is page aligned. */
static size_t image_shift(const struct synth_blob *b, const struct gsp_chip *chip, bool unaligned)
{
    struct fw_gsp gsp;

    if (fw_gsp_parse(b->data, b->size, "gsp", NULL, chip->signature_section, &gsp, NULL) != FL_OK) {
        return 0;
    }
    const size_t shift = (size_t)(align_up_u64(gsp.image_offset, FL_PAGE_SIZE) - gsp.image_offset);
    return unaligned ? (shift + 256) % FL_PAGE_SIZE : shift;
}

static void add_file(struct rig *r, const struct rig_options *opt, const struct gsp_chip *chip,
                     enum gsp_fw_kind kind)
{
    const char *version = opt->version != NULL ? opt->version : "570.144";
    struct synth_blob blob = {0};
    char path[FL_FILE_NAME_MAX];

    for (unsigned i = 0; i < GSP_FW_PATH_CANDIDATES && blob.data == NULL; i++) {
        if (gsp_fw_path(chip, kind, version, i, path, sizeof(path)) == 0) {
            break;
        }
        if (opt->firmware_dir != NULL) {
            blob = read_real(opt->firmware_dir, path);
            continue;
        }
        for (unsigned f = 0; f < SYNTH_FILE_COUNT; f++) {
            if (strcmp(synth_file_name((enum synth_file)f), gsp_fw_kind_name(kind)) == 0) {
                /* The falcon's loader has one version for every firmware: the path tells. */
                const char *of = strstr(path, version) != NULL ? version : "570.144";
                const struct synth_fw_options fo = {
                    .chip = chip->name, .version = of, .image_bytes = opt->image_bytes};
                blob = synth_firmware((enum synth_file)f, &fo);
            }
        }
    }
    if (blob.data == NULL) {
        die(gsp_fw_kind_name(kind), "no such file");
    }
    const size_t shift = kind == GSP_FW_GSP ? image_shift(&blob, chip, opt->unaligned_image) : 0;
    struct dma_buf *buf = calloc(1, sizeof(*buf));
    if (buf == NULL || dma_alloc(buf, shift + blob.size, FL_PAGE_SIZE, 47, "rig file") != FL_OK) {
        die(path, "no DMA memory");
    }
    memcpy((uint8_t *)buf->cpu + shift, blob.data, blob.size);
    struct fl_file *file = &r->files[r->file_count];
    *file = (struct fl_file){
        .address = (uint64_t)(uintptr_t)buf->cpu + shift,
        .size = blob.size,
        .dir_size = blob.size,
        .state = FL_FILE_OK,
    };
    snprintf(file->path, sizeof(file->path), "/firmware/%.*s", (int)sizeof(file->path) - 11, path);
    r->file_memory[r->file_count++] = buf;
    free(blob.data);
}

struct fl_file *rig_file(struct rig *r, const char *kind)
{
    for (size_t i = 0; i < r->file_count; i++) {
        const char *base = strrchr(r->files[i].path, '/') + 1;
        if (strncmp(base, kind, strlen(kind)) == 0 && base[strlen(kind)] == '-') {
            return &r->files[i];
        }
    }
    die(kind, "no such file");
    return NULL;
}

/* ---- files for the model to compare with ---- */

/* Writes the synthetic set to a directory of its own; dir: room for the name. */
static void write_files(char *dir, size_t size, const char *chip, const struct rig_options *opt)
{
    const char *tmp = getenv("TMPDIR");
    const struct synth_fw_options fo = {
        .chip = chip, .version = opt->version, .image_bytes = opt->image_bytes};

    snprintf(dir, size, "%s/rig-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(dir) == NULL || synth_firmware_write(dir, &fo) != 0) {
        die(dir, "cannot write the firmware files");
    }
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

/* ---- building and tearing down ---- */

static void enumerate(void *arg)
{
    struct rig *r = arg;
    struct fl_fail fail = {0};

    if (pci_enumerate(&r->pci, &pci_ops, r, &fail) != FL_OK) {
        die("PCI", fail.text);
    }
}

void rig_new_gpu(struct rig *r)
{
    struct fl_fail fail = {0};

    if (r->gpu != NULL) {
        gsp_destroy(r->gpu);
    }
    r->gpu = gsp_create(r->dev, &r->gsp_options, &fail);
    if (r->gpu == NULL) {
        die("gsp_create", fail.text);
    }
}

static void destroy_gpu(void *arg)
{
    struct rig *r = arg;

    gsp_destroy(r->gpu);
    r->gpu = NULL;
}

void rig_killed(struct rig *r)
{
    r->cut = true;
    rig_run(destroy_gpu, r);
    r->cut = false;
    model_reset(r->model, MODEL_RESET_WARM);
    assign_bars(r);
    rig_new_gpu(r);
}

void rig_open(struct rig *r, const struct rig_options *opt)
{
    static const struct rig_options defaults;
    struct dma_stats dma;
    char err[256];

    opt = opt != NULL ? opt : &defaults;
    if (!opt->beside) {
        host_reset();
    }
    *r = (struct rig){.no_msi = opt->no_msi, .no_flr = opt->no_flr, .beside = opt->beside};
    dma_get_stats(&dma);
    r->dma_bytes_before = dma.live_bytes;

    const char *name = opt->chip != NULL ? opt->chip : "ga102";
    const struct gsp_chip *chip = gsp_chip_by_name(name);
    if (chip == NULL) {
        die(name, "unknown chip");
    }
    char dir[256] = "";
    if (opt->compare && opt->firmware_dir == NULL) {
        write_files(dir, sizeof(dir), name, opt);
    }
    const struct model_config cfg = {
        .chip = name,
        .board = opt->board,
        .strict = opt->strict,
        .faults = opt->faults,
        .vbios = opt->vbios,
        .rom = opt->rom,
        .fwsec_version = opt->fwsec_version,
        .trace = opt->trace,
        .seed = opt->seed != 0 ? opt->seed : 1,
        .fw_version = opt->untold ? NULL : opt->version,
        .firmware_dir = dir[0] != '\0' ? dir : opt->firmware_dir,
    };
    const struct model_bus bus = {.ctx = r, .dma = bus_dma, .irq = bus_irq, .now_ns = bus_now};
    r->model = model_create(&cfg, &bus, err, sizeof(err));
    if (r->model == NULL) {
        die("model", err);
    }
    if (dir[0] != '\0') { /* the model has it mapped */
        (void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    }
    host_idle_hook(idle_hook, r);
    assign_bars(r);
    rig_run(enumerate, r);
    for (size_t i = 0; i < r->pci.count; i++) {
        if (gsp_match(&r->pci.dev[i])) {
            r->dev = &r->pci.dev[i];
        }
    }
    if (r->dev == NULL) {
        die("PCI", "the GPU was not found");
    }
    for (unsigned k = 0; k < GSP_FW_KIND_COUNT; k++) {
        if (gsp_chip_needs(chip, (enum gsp_fw_kind)k)) {
            add_file(r, opt, chip, (enum gsp_fw_kind)k);
        }
    }
    r->gsp_options = (struct gsp_options){
        .files = r->files, .file_count = r->file_count, .force_version = opt->version};
    rig_new_gpu(r);
}

bool rig_close(struct rig *r)
{
    struct dma_stats dma;

    rig_run(destroy_gpu, r);
    host_idle_unhook(idle_hook, r);
    model_destroy(r->model);
    for (size_t i = 0; i < r->file_count; i++) {
        dma_free(r->file_memory[i]);
        free(r->file_memory[i]);
    }
    dma_get_stats(&dma);
    if (!r->beside && dma.live_bytes != r->dma_bytes_before) { /* the first one counts for all */
        fprintf(stderr, "rig: %llu bytes of DMA memory are left over\n",
                (unsigned long long)(dma.live_bytes - r->dma_bytes_before));
        return false;
    }
    return true;
}

/* ---- running ---- */

struct job {
    void (*fn)(void *arg);
    void *arg;
    bool done;
};

static void job_fiber(void *arg)
{
    struct job *j = arg;
    j->fn(j->arg);
    j->done = true;
}
static bool job_done(void *arg) { return ((struct job *)arg)->done; }

void rig_run(void (*fn)(void *arg), void *arg)
{
    struct job j = {.fn = fn, .arg = arg};

    if (fiber_spawn("rig", job_fiber, &j, FIBER_STACK_DEFAULT * 2) == NULL) {
        die("fiber", "no memory");
    }
    fiber_run(job_done, &j);
    if (!j.done) {
        die("fiber", "did not end");
    }
}

struct call {
    struct rig *r;
    enum fl_err err;
};
static void do_boot(void *arg)
{
    struct call *c = arg;
    c->err = gsp_boot(c->r->gpu);
}
static void do_unload(void *arg)
{
    struct call *c = arg;
    c->err = gsp_unload(c->r->gpu);
}
enum fl_err rig_boot(struct rig *r)
{
    struct call c = {.r = r};
    rig_run(do_boot, &c);
    return c.err;
}
enum fl_err rig_unload(struct rig *r)
{
    struct call c = {.r = r};
    rig_run(do_unload, &c);
    return c.err;
}

struct gsp_snapshot rig_snapshot(struct rig *r)
{
    struct gsp_snapshot s;
    gsp_get_snapshot(r->gpu, &s);
    return s;
}

struct gsp_stage rig_stage(struct rig *r, const char *name)
{
    const struct gsp_snapshot s = rig_snapshot(r);
    for (uint32_t i = 0; i < s.stage_count; i++) {
        if (strcmp(s.stage[i].name, name) == 0) {
            return s.stage[i];
        }
    }
    die(name, "no such stage");
    return s.stage[0];
}
