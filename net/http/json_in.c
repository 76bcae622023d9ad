/* SPDX-License-Identifier: MIT */
/* jansson's reader with our memory limits (json_in.h). */
#include "net/http/json_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/machine.h"

/* Before each piece of memory: its size, in as much as keeps the alignment. */
#define HEAD_BYTES 16u

static struct {
    size_t used;
    bool refused; /* since it was last looked at */
    bool ready;
} in;

/* What jansson's file for this does from the time and the process's number, and we from the random
 * pool: which strings collide in its tables nobody outside can know. */
volatile uint32_t hashtable_seed;

void json_object_seed(size_t seed) { hashtable_seed = (uint32_t)seed | 1u; }

static void *take(size_t size)
{
    char *p =
        size <= JSON_IN_MEMORY - in.used - HEAD_BYTES && in.used + HEAD_BYTES <= JSON_IN_MEMORY
            ? malloc(size + HEAD_BYTES)
            : NULL;
    if (p == NULL) {
        in.refused = true;
        return NULL;
    }
    size += HEAD_BYTES;
    memcpy(p, &size, sizeof(size));
    in.used += size;
    return p + HEAD_BYTES;
}

static void give(void *at)
{
    if (at != NULL) {
        char *p = (char *)at - HEAD_BYTES;
        size_t size;
        memcpy(&size, p, sizeof(size));
        in.used -= size;
        free(p);
    }
}

static void begin(void)
{
    uint32_t seed = 0;
    (void)!machine_random(&seed, sizeof(seed));
    json_object_seed(seed);
    json_set_alloc_funcs(take, give);
    in.ready = true;
}

json_t *json_in(const char *text, size_t len, char *why, size_t why_size, bool *no_memory)
{
    json_error_t e;
    if (!in.ready) {
        begin();
    }
    in.refused = false;
    json_t *v = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    *no_memory = v == NULL && in.refused;
    if (v == NULL) {
        snprintf(why, why_size, "line %d, column %d: %s", e.line, e.column, e.text);
    }
    return v;
}

size_t json_in_memory(void) { return in.used; }
