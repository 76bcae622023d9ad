/* SPDX-License-Identifier: MIT */
/* Packed firmware files. The first byte is the format; the rest is the file. */
#include "gsp/files/unpack.h"
#include "tests/fuzz/fuzz_patch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* More is taken by no input: what is looked for is not found by waiting. */
#define ROOM MIB(1)

static unsigned live;

static void *give(void *arg, size_t bytes)
{
    (void)arg;
    live++;
    return malloc(bytes);
}

static void take(void *arg, void *at)
{
    (void)arg;
    FUZZ_REQUIRE(live > 0);
    live--;
    free(at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct unpack_memory memory = {.alloc = give, .free = take};
    static uint8_t out[ROOM];
    struct fl_fail fail = {0};
    uint64_t most = 0;
    uint64_t done = 0;

    if (size == 0) {
        return 0;
    }
    const enum unpack_format format = data[0] % 2 == 0 ? UNPACK_ZSTD : UNPACK_XZ;
    uint8_t *file = malloc(size); /* of its own, so that one byte too many is seen */
    FUZZ_REQUIRE(file != NULL);
    memcpy(file, data + 1, size - 1);
    const enum fl_err said = unpack_bytes(format, file, size - 1, "f", &most, &fail);
    FUZZ_REQUIRE(fail.err == said && (said != FL_OK || (most > 0 && most <= UNPACK_MAX_BYTES)));
    fail = (struct fl_fail){0};
    const enum fl_err err =
        unpack(format, file, size - 1, "f", out, ROOM, &memory, NULL, &done, &fail);
    FUZZ_REQUIRE(fail.err == err && done <= ROOM && live == 0);
    /* What was unpacked to its end is not longer than it said. */
    FUZZ_REQUIRE(err != FL_OK || done == 0 || (said == FL_OK && done <= most));
    free(file);
    return 0;
}
