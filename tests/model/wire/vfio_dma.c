/* SPDX-License-Identifier: MIT */
/* The DMA map table: ranges sorted by address, files by (device, inode). */
#include "tests/model/wire/vfio_dma.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "arch/base.h"
#include "arch/range.h"
#include "tests/model/wire/guarded.h"

enum {
    MAP_FLAG_READ = 1,  /* the device may read */
    MAP_FLAG_WRITE = 2, /* the device may write */
    UNMAP_FLAG_ALL = 2,
    MAX_RANGES = 65535, /* what VERSION promises */
    MAX_FILES = 64,
};

struct file {
    dev_t dev;
    ino_t ino;
    uint8_t *base;
    uint64_t size;
    uint32_t users;
    bool writable;
};
struct mapping {
    struct range at;   /* in the guest */
    uint64_t offset;   /* in the file */
    struct file *file; /* NULL: nothing behind it */
    uint32_t flags;
};
struct vfio_dma {
    struct mapping *ranges; /* sorted by address, disjoint */
    size_t count, room;
    struct file files[MAX_FILES];
    uint64_t lost;
};

struct vfio_dma *vfio_dma_create(void) { return calloc(1, sizeof(struct vfio_dma)); }

static void file_put(struct file *f)
{
    if (f != NULL && --f->users == 0) {
        munmap(f->base, f->size);
        f->base = NULL;
    }
}

void vfio_dma_clear(struct vfio_dma *d)
{
    for (size_t i = 0; i < d->count; i++) {
        file_put(d->ranges[i].file);
    }
    d->count = 0;
}

void vfio_dma_destroy(struct vfio_dma *d)
{
    vfio_dma_clear(d);
    free(d->ranges);
    free(d);
}

static long file_get(struct vfio_dma *d, int fd, struct file **out)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0) {
        return -EINVAL;
    }
    struct file *spare = NULL;
    for (size_t i = 0; i < MAX_FILES; i++) {
        struct file *f = &d->files[i];
        if (f->users > 0 && f->dev == st.st_dev && f->ino == st.st_ino &&
            f->size == (uint64_t)st.st_size) {
            f->users++;
            *out = f;
            return 0;
        }
        if (f->users == 0 && spare == NULL) {
            spare = f;
        }
    }
    if (spare == NULL) {
        return -ENOSPC;
    }
    if (!guarded_init()) {
        return -errno;
    }
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    bool writable = p != MAP_FAILED;
    if (!writable) {
        p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    }
    if (p == MAP_FAILED) {
        return -errno;
    }
    *spare = (struct file){.dev = st.st_dev,
                           .ino = st.st_ino,
                           .base = p,
                           .size = (uint64_t)st.st_size,
                           .users = 1,
                           .writable = writable};
    *out = spare;
    return 0;
}

/* First range whose end lies beyond address; count when there is none. */
static size_t find(const struct vfio_dma *d, uint64_t address)
{
    size_t lo = 0, hi = d->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct mapping *r = &d->ranges[mid];
        if (range_last(r->at) < address) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

long vfio_dma_map(struct vfio_dma *d, const uint8_t *p, size_t size, int fd)
{
    if (size < 32) {
        return -EINVAL;
    }
    struct mapping r = {.flags = get_le32(p + 4),
                        .offset = get_le64(p + 8),
                        .at = {get_le64(p + 16), get_le64(p + 24)}};
    if (r.at.size == 0 || !range_valid(r.at)) {
        return -EINVAL;
    }
    size_t at = find(d, r.at.base);
    if (at < d->count && range_overlaps(d->ranges[at].at, r.at)) {
        return -EEXIST;
    }
    if (d->count == MAX_RANGES) {
        return -ENOSPC;
    }
    if (d->count == d->room) {
        size_t room = d->room == 0 ? 64 : d->room * 2;
        struct mapping *grown = realloc(d->ranges, room * sizeof(*grown));
        if (grown == NULL) {
            return -ENOMEM;
        }
        d->ranges = grown;
        d->room = room;
    }
    if (fd >= 0) {
        long e = file_get(d, fd, &r.file);
        if (e < 0) {
            return e;
        }
        if (!range_ok(r.offset, r.at.size, r.file->size)) {
            file_put(r.file);
            return -EINVAL;
        }
    }
    memmove(&d->ranges[at + 1], &d->ranges[at], (d->count - at) * sizeof(r));
    d->ranges[at] = r;
    d->count++;
    return 0;
}

long vfio_dma_unmap(struct vfio_dma *d, const uint8_t *p, size_t size)
{
    if (size < 24) {
        return -EINVAL;
    }
    if ((get_le32(p + 4) & UNMAP_FLAG_ALL) != 0) {
        vfio_dma_clear(d);
        return 0;
    }
    const struct range all = {get_le64(p + 8), get_le64(p + 16)};
    if (all.size == 0 || !range_valid(all)) {
        return -EINVAL;
    }
    size_t first = find(d, all.base), last = first;
    while (last < d->count && range_overlaps(all, d->ranges[last].at)) {
        if (!range_covers(all, d->ranges[last].at)) {
            return -EINVAL; /* would cut a range in two */
        }
        last++;
    }
    if (first == last) {
        return -ENOENT;
    }
    for (size_t i = first; i < last; i++) {
        file_put(d->ranges[i].file);
    }
    memmove(&d->ranges[first], &d->ranges[last], (d->count - last) * sizeof(d->ranges[0]));
    d->count -= last - first;
    return 0;
}

enum model_dma_result vfio_dma_copy(struct vfio_dma *d, uint64_t address, void *buf, size_t *len,
                                    enum model_dma_dir dir)
{
    const bool write = dir == MODEL_DMA_WRITE;
    size_t at = find(d, address);
    if (at == d->count || *len == 0) {
        return MODEL_DMA_UNMAPPED;
    }
    const struct mapping *r = &d->ranges[at];
    if (!range_contains(r->at, address) || r->file == NULL || (write && !r->file->writable) ||
        (r->flags & (write ? MAP_FLAG_WRITE : MAP_FLAG_READ)) == 0) {
        return MODEL_DMA_UNMAPPED;
    }
    *len = (size_t)min_u64(*len, range_left(r->at, address));
    uint8_t *p = r->file->base + r->offset + (address - r->at.base);
    if (!guarded_copy(write ? p : buf, write ? buf : p, *len)) {
        d->lost++;
        return MODEL_DMA_LOST;
    }
    return MODEL_DMA_DONE;
}

uint64_t vfio_dma_lost(const struct vfio_dma *d) { return d->lost; }
size_t vfio_dma_ranges(const struct vfio_dma *d) { return d->count; }
