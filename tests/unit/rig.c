/* SPDX-License-Identifier: MIT */
/* A bench with one GPU in it (rig.h). */
#include "tests/unit/rig.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/fiber.h"
#include "arch/host/host.h"
#include "gsp/files/fwelf.h"
#include "gsp/hw/chips.h"
#include "mm/dma.h"
#include "tests/synth/synth.h"
#include "tests/unit/rig_priv.h"

static void die(const char *what, const char *why)
{
    fprintf(stderr, "rig: %s: %s\n", what, why);
    abort();
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

    if (pci_enumerate(&r->pci, &rig_pci_ops, r, &fail) != FL_OK) {
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

void rig_power_cycle(struct rig *r)
{
    model_reset(r->model, MODEL_RESET_POWER);
    rig_assign_bars(r);
}

void rig_killed(struct rig *r)
{
    r->cut = true;
    rig_run(destroy_gpu, r);
    r->cut = false;
    model_reset(r->model, MODEL_RESET_WARM);
    rig_assign_bars(r);
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
    *r = (struct rig){
        .no_msi = opt->no_msi, .no_flr = opt->no_flr, .bridge = opt->bridge, .beside = opt->beside};
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
    const struct model_bus bus = rig_model_bus(r);
    r->model = model_create(&cfg, &bus, err, sizeof(err));
    if (r->model == NULL) {
        die("model", err);
    }
    if (dir[0] != '\0') { /* the model has it mapped */
        (void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    }
    host_idle_hook(rig_idle, r);
    rig_assign_bars(r);
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
    host_idle_unhook(rig_idle, r);
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
