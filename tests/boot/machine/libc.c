/* SPDX-License-Identifier: MIT */
/*
 * What the kernel expects of its C library, whichever it is built with: the formats that it prints
 * with, blocks that are aligned and come back, errno, and streams that end in the log.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/log.h"
#include "tests/boot/machine/case.h"

enum { TEXT_MAX_BYTES = 160, BLOCKS = 64, BLOCK_BYTES = 24, ROUNDS = 96 };

static void check_formats(void)
{
    char s[TEXT_MAX_BYTES];
    const uint64_t large = 0xfedcba9876543210ull;
    static const char expected[] =
        "18364758544493064720 -1 fedcba9876543210 00000042 7 0x2a,|ab  |  ab|abc|"
        "%|ff -3 12345678901";
    int n = snprintf(s, sizeof(s),
                     "%llu %lld %" PRIx64 " %08x %zu %#x,|%-4s|%4s|%.3s|%c|%hhx %td %" PRIu64,
                     (unsigned long long)large, -1ll, large, 0x42u, (size_t)7, 0x2au, "ab", "ab",
                     "abcd", '%', 0xfffu, (ptrdiff_t)-3, (uint64_t)12345678901ull);
    CHECK("libc-formats", n == (int)strlen(expected) && strcmp(s, expected) == 0, "\"%s\", %d", s,
          n);

    memset(s, 'x', sizeof(s));
    n = snprintf(s, 4, "%s", "123456");
    CHECK("libc-cut", n == 6 && strcmp(s, "123") == 0 && s[4] == 'x', "\"%.5s\", %d", s, n);
}

/* Blocks of every size up to BLOCKS bytes: where they lie, and that none lies in another. */
static void check_blocks(void)
{
    uint8_t *block[BLOCKS];
    unsigned missing = 0, crooked = 0, mixed = 0;
    for (unsigned i = 0; i < BLOCKS; i++) {
        block[i] = malloc(i + 1);
        missing += block[i] == NULL;
        crooked += (uintptr_t)block[i] % alignof(max_align_t) != 0;
        if (block[i] != NULL) {
            memset(block[i], (int)i, i + 1);
        }
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        for (unsigned k = 0; block[i] != NULL && k <= i; k++) {
            mixed += block[i][k] != i;
        }
        free(block[i]);
    }
    CHECK("libc-aligned", missing == 0 && crooked == 0, "%u missing, %u not at a multiple of %zu",
          missing, crooked, alignof(max_align_t));
    CHECK("libc-apart", mixed == 0, "%u bytes were changed by another block", mixed);

    uint8_t *p = malloc(BLOCK_BYTES);
    if (p != NULL) {
        memset(p, 0xa5, BLOCK_BYTES);
    }
    p = realloc(p, MIB(1));
    CHECK("libc-realloc", p != NULL && p[0] == 0xa5 && p[BLOCK_BYTES - 1] == 0xa5, "%p", (void *)p);
    free(p);
    /* So much that malloc gives it back to sbrk() and then gets it anew, as it was. */
    p = malloc(MIB(2));
    if (p != NULL) {
        memset(p, 0xa5, MIB(2));
    }
    free(p);
    p = calloc(MIB(1), 2);
    unsigned dirty = 0;
    for (unsigned i = 0; p != NULL && i < MIB(2); i++) {
        dirty += p[i] != 0;
    }
    CHECK("libc-calloc", p != NULL && dirty == 0, "%p, %u bytes are not zero", (void *)p, dirty);
    free(p);
}

/* More in sum than the heap ever has (64 MiB): what is freed must be given out again. */
static void check_heap_comes_back(void)
{
    unsigned i = 0;
    for (bool good = true; i < ROUNDS && good; i += good) {
        void *large = malloc(MIB(1));
        void *small = malloc(BLOCK_BYTES);
        good = large != NULL && small != NULL;
        free(large);
        free(small);
    }
    CHECK("libc-free", i == ROUNDS, "no memory in round %u of %u", i, ROUNDS);

    /* The first is refused by our sbrk(), the second by the library. */
    volatile size_t too_much[] = {GIB(2), SIZE_MAX / 2};
    for (i = 0; i < ARRAY_SIZE(too_much); i++) {
        errno = 0;
        void *p = malloc(too_much[i]);
        CHECK("libc-enomem", p == NULL && errno == ENOMEM, "%zu bytes: %p, errno %d", too_much[i],
              p, errno);
        free(p);
    }
    void *p = calloc(too_much[1], 4);
    CHECK("libc-overflow", p == NULL, "calloc of more than an address reaches gives %p", p);
    free(p);
    p = malloc(BLOCK_BYTES);
    CHECK("libc-after", p != NULL, "nothing is left after a request that was too large");
    free(p);
}

/* stdout and stderr: whole lines, in the order printed, once each. */
static void check_streams(void)
{
    static const char *const expected[] = {"in two parts", "to stderr, 5", "a last one"};
    struct log_entry e;
    uint64_t cursor = 0;
    unsigned i = 0;
    while (log_read(&cursor, &e, NULL)) {
    }
    printf("in %s ", "two");
    printf("parts\n");
    fprintf(stderr, "to stderr, %d\n", 5);
    puts("a last one");
    while (log_read(&cursor, &e, NULL)) {
        if (i == ARRAY_SIZE(expected) || strcmp(e.text, expected[i]) != 0) {
            break;
        }
        i++;
    }
    CHECK("libc-streams", i == ARRAY_SIZE(expected), "line %u of stdout and stderr: \"%s\"", i,
          e.text);
}

void case_libc(void)
{
    check_formats();
    check_blocks();
    check_heap_comes_back();
    check_streams();
}
