/* SPDX-License-Identifier: MIT */
/*
 * Pages, the clock, and the three functions that a compiler calls without being asked.
 */
#include "boot/stub/stub.h"

/* Below 2^47: what Turing..Ada reach by DMA (boot.md, table at the top). */
#define HIGHEST_ADDRESS ((1ull << 47) - 1)
#define LOWEST_ADDRESS  MIB(1)
/* Long enough for a few per cent, short enough not to be noticed. */
#define CLOCK_WINDOW_US 2000u

void *memcpy(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/* Eight bytes at a time, because an emulated CPU takes as long for one byte as for eight. */
void *memcpy(void *dst, const void *src, size_t n)
{
    void *to = dst;
    size_t words = n / sizeof(uint64_t), rest = n % sizeof(uint64_t);
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(src), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(src), "+c"(rest) : : "memory");
    return dst;
}

void *memset(void *dst, int c, size_t n)
{
    void *to = dst;
    size_t words = n / sizeof(uint64_t), rest = n % sizeof(uint64_t);
    uint64_t pattern = (uint8_t)c * 0x0101010101010101ull;
    __asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(rest) : "a"(pattern) : "memory");
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;
    for (size_t i = 0; i < n; i++) {
        if (x[i] != y[i]) {
            return x[i] < y[i] ? -1 : 1;
        }
    }
    return 0;
}

uint64_t pages_alloc(struct stub *s, uint64_t bytes, EFI_MEMORY_TYPE type)
{
    EFI_PHYSICAL_ADDRESS at = HIGHEST_ADDRESS;
    UINTN pages = (UINTN)div_up_u64(bytes, FL_PAGE_SIZE);
    if (pages == 0 || EFI_ERROR(s->bs->AllocatePages(AllocateMaxAddress, type, pages, &at))) {
        return 0;
    }
    if (at < LOWEST_ADDRESS) {
        /* The firmware searches from the top: there is nothing left above. */
        s->bs->FreePages(at, pages);
        return 0;
    }
    return at;
}

void pages_free(struct stub *s, uint64_t address, uint64_t bytes)
{
    s->bs->FreePages(address, (UINTN)div_up_u64(bytes, FL_PAGE_SIZE));
}

uint64_t tsc_now(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

void clock_start(struct stub *s)
{
    uint64_t start = tsc_now();
    s->bs->Stall(CLOCK_WINDOW_US);
    s->tsc_per_ms = max_u64((tsc_now() - start) * US_PER_MS / CLOCK_WINDOW_US, 1);
}

uint64_t clock_us(const struct stub *s, uint64_t ticks)
{
    /* Whole milliseconds apart, so that the product cannot overflow. */
    return ticks / s->tsc_per_ms * US_PER_MS + ticks % s->tsc_per_ms * US_PER_MS / s->tsc_per_ms;
}
