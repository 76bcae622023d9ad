/* SPDX-License-Identifier: MIT */
/* The memory that a remote client shares with the GPU (remote_memory.h). */
#include "tests/model/wire/remote_memory.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "arch/base.h"

struct buffer {
    uint8_t *mem; /* owned mapping of room bytes */
    uint64_t size, room;
    uint64_t bus; /* of its lowest page */
    bool contiguous;
};

struct remote_memory {
    struct buffer buf[RPCI_BUFFERS_MAX]; /* by rising bus address */
    uint32_t count;
    uint64_t bytes, next_bus;
};

struct remote_memory *remote_memory_create(void)
{
    struct remote_memory *rm = calloc(1, sizeof(*rm));
    if (rm != NULL) {
        rm->next_bus = RPCI_MEMORY_BASE;
    }
    return rm;
}

void remote_memory_clear(struct remote_memory *rm)
{
    for (uint32_t i = 0; i < rm->count; i++) {
        (void)munmap(rm->buf[i].mem, rm->buf[i].room);
    }
    rm->count = 0;
    rm->bytes = 0;
    rm->next_bus = RPCI_MEMORY_BASE;
}

void remote_memory_destroy(struct remote_memory *rm)
{
    if (rm != NULL) {
        remote_memory_clear(rm);
        free(rm);
    }
}

const char *remote_memory_add(struct remote_memory *rm, uint64_t size, bool contiguous,
                              uint32_t *handle)
{
    if (size == 0) {
        return "a buffer of 0 bytes";
    }
    if (rm->count == RPCI_BUFFERS_MAX) {
        return "too many buffers in one connection";
    }
    if (size > RPCI_MEMORY_MAX_BYTES || rm->bytes > RPCI_MEMORY_MAX_BYTES - size) {
        return "more memory than one connection may have (512 MiB)";
    }
    /* Of whole pages; size is far below the point where this wraps. */
    const uint64_t room = align_up_u64(size, FL_PAGE_SIZE);
    void *mem = mmap(NULL, room, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mem == MAP_FAILED) {
        return "the server is out of memory";
    }
    rm->buf[rm->count] = (struct buffer){
        .mem = mem, .size = size, .room = room, .bus = rm->next_bus, .contiguous = contiguous};
    rm->next_bus += room + FL_PAGE_SIZE;
    rm->bytes += room;
    *handle = rm->count++;
    return NULL;
}

uint64_t remote_memory_page(const struct remote_memory *rm, uint32_t handle, uint64_t page)
{
    const struct buffer *b = &rm->buf[handle];
    const uint64_t at = b->contiguous ? page : (b->room >> FL_PAGE_SHIFT) - 1 - page;
    return b->bus + (at << FL_PAGE_SHIFT);
}

bool remote_memory_size(const struct remote_memory *rm, uint32_t handle, uint64_t *size)
{
    if (handle >= rm->count) {
        return false;
    }
    *size = rm->buf[handle].size;
    return true;
}

uint8_t *remote_memory_client(struct remote_memory *rm, uint32_t handle)
{
    return handle < rm->count ? rm->buf[handle].mem : NULL;
}

void *remote_memory_bus(struct remote_memory *rm, uint64_t addr, size_t *len)
{
    uint32_t low = 0, high = rm->count;

    while (low < high) { /* the last buffer that does not begin behind addr */
        const uint32_t mid = low + (high - low) / 2;
        if (rm->buf[mid].bus <= addr) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    if (low == 0 || addr - rm->buf[low - 1].bus >= rm->buf[low - 1].room) {
        return NULL;
    }
    const struct buffer *b = &rm->buf[low - 1];
    const uint64_t off = addr - b->bus, in_page = off & (FL_PAGE_SIZE - 1);
    if (b->contiguous) {
        *len = (size_t)min_u64(*len, b->room - off);
        return b->mem + off;
    }
    *len = (size_t)min_u64(*len, FL_PAGE_SIZE - in_page);
    const uint64_t page = (b->room >> FL_PAGE_SHIFT) - 1 - (off >> FL_PAGE_SHIFT);
    return b->mem + (page << FL_PAGE_SHIFT) + in_page;
}

uint64_t remote_memory_bytes(const struct remote_memory *rm) { return rm->bytes; }
