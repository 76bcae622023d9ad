/* SPDX-License-Identifier: MIT */
/* memory.*: objects in a GPU's memory, and what stands in it. */
#include <stdlib.h>
#include <string.h>

#include "net/api/rpc/session.h"

#define DATA_MAX KIB(256)        /* of one call */
#define FILL_US  (10 * US_PER_S) /* of one call: it says how far it got */
#define LIST_MAX 256u            /* objects: finding each one takes a look at all */

/* ---- what calls have in common ---- */

#define SESSION 0 /* the first parameter of all but stats and list */
#define PARAM_SESSION                                                                              \
    {.name = "session",                                                                            \
     .type = RPC_TEXT,                                                                             \
     .required = true,                                                                             \
     .most = SESSION_ID_TEXT,                                                                      \
     .summary = "what session.open gave; the memory is its, and goes with it"}

static const char *const ways[] = {"bar1", "pramin", NULL};
#define PARAM_WAY                                                                                  \
    {.name = "through",                                                                            \
     .type = RPC_TEXT,                                                                             \
     .most = 8,                                                                                    \
     .choices = ways,                                                                              \
     .summary = "\"bar1\" (the default) or \"pramin\"; by address and by object only"}

static void put_object(struct jw *j, const char *key, const struct gsp_vram_info *o)
{
    jw_object(j, key);
    jw_u64(j, "object", o->handle);
    jw_u64(j, "bytes", o->bytes);
    jw_u64(j, "uses", o->mappings);
    jw_bool(j, "pinned", o->pinned);
    jw_bool(j, "evicted", o->evicted);
    jw_u64(j, "extent_count", o->extent_count);
    jw_array(j, "extents");
    for (uint32_t i = 0; i < o->extent_count && i < GSP_VRAM_EXTENTS_SHOWN; i++) {
        jw_object(j, NULL);
        jw_hex(j, "address", o->extent[i].base);
        jw_u64(j, "bytes", o->extent[i].size);
        jw_end_object(j);
    }
    jw_end_array(j);
    jw_end_object(j);
}

/* ---- memory.alloc, .free ---- */

enum {
    ALLOC_SESSION,
    ALLOC_BYTES,
    ALLOC_ALIGN,
    ALLOC_MIN,
    ALLOC_MAX,
    ALLOC_CONTIGUOUS,
    ALLOC_CLEAR,
    ALLOC_PINNED
};

static void alloc_in(struct rpc_call *c, struct gsp_vram_client *m)
{
    const struct gsp_vram_request want = {.bytes = c->arg[ALLOC_BYTES].u,
                                          .align = c->arg[ALLOC_ALIGN].u,
                                          .min = c->arg[ALLOC_MIN].u,
                                          .max = c->arg[ALLOC_MAX].u,
                                          .contiguous = c->arg[ALLOC_CONTIGUOUS].b,
                                          .clear = c->arg[ALLOC_CLEAR].b,
                                          .pinned = c->arg[ALLOC_PINNED].b};
    struct gsp_vram_info info;
    uint32_t handle;
    enum fl_err err = gsp_vram_alloc(m, &want, &handle, &c->fail);
    err = FL_THEN(err, gsp_vram_describe(m, handle, &info, &c->fail));
    if (err != FL_OK) {
        rpc_failed(c);
        return;
    }
    put_object(c->out, "result", &info);
}
static void alloc(struct rpc_call *c) { session_with_memory(c, alloc_in); }

enum { FREE_SESSION, FREE_OBJECT };

static void put_true(struct rpc_call *c, const char *key)
{
    jw_object(c->out, "result");
    jw_bool(c->out, key, true);
    jw_end_object(c->out);
}

static void free_in(struct rpc_call *c, struct gsp_vram_client *m)
{
    if (gsp_vram_free(m, (uint32_t)c->arg[FREE_OBJECT].u, &c->fail) != FL_OK) {
        rpc_failed(c);
        return;
    }
    put_true(c, "freed");
}
static void free_object(struct rpc_call *c) { session_with_memory(c, free_in); }

/* ---- memory.read, .write, .fill ---- */

enum { AT_SESSION, AT_OBJECT, AT_OFFSET, AT_ADDRESS, AT_VM, AT_VA, AT_BYTES, AT_WAY };
enum { AT_DATA = AT_BYTES };

/* Where a call reads or writes: exactly one of an object, an address and a VA is given, and nothing
 * that would mean nothing there. */
static bool one_place(struct rpc_call *c)
{
    const int given = rpc_given(c, AT_OBJECT) + rpc_given(c, AT_ADDRESS) + rpc_given(c, AT_VA);
    if (given != 1 || rpc_given(c, AT_VA) != rpc_given(c, AT_VM)) {
        rpc_fail(c, RPC_INVALID_PARAMS,
                 "expected one of: object (with offset), address, vm with va");
    } else if (rpc_given(c, AT_OFFSET) && !rpc_given(c, AT_OBJECT)) {
        rpc_fail(c, RPC_INVALID_PARAMS, "offset: of an object only");
    } else if (rpc_given(c, AT_WAY) && rpc_given(c, AT_VA)) {
        rpc_fail(c, RPC_INVALID_PARAMS, "through: an address space has one way only");
    }
    return c->code == 0;
}

static enum gsp_vram_way way_of(const struct rpc_call *c, unsigned param)
{
    return rpc_given(c, param) && strcmp(c->arg[param].text, "pramin") == 0 ? GSP_VRAM_PRAMIN
                                                                            : GSP_VRAM_BAR1;
}

static enum fl_err get(struct rpc_call *c, struct gsp_vram_client *m, void *buf, uint64_t n)
{
    if (rpc_given(c, AT_OBJECT)) {
        return gsp_vram_read(m, (uint32_t)c->arg[AT_OBJECT].u, c->arg[AT_OFFSET].u, buf, n,
                             way_of(c, AT_WAY), &c->fail);
    }
    if (rpc_given(c, AT_ADDRESS)) {
        return gsp_vram_read_at(m, c->arg[AT_ADDRESS].u, buf, n, way_of(c, AT_WAY), &c->fail);
    }
    return gsp_vm_read(m, (uint32_t)c->arg[AT_VM].u, c->arg[AT_VA].u, buf, n, &c->fail);
}

static enum fl_err put(struct rpc_call *c, struct gsp_vram_client *m, const void *buf, uint64_t n)
{
    if (rpc_given(c, AT_OBJECT)) {
        return gsp_vram_write(m, (uint32_t)c->arg[AT_OBJECT].u, c->arg[AT_OFFSET].u, buf, n,
                              way_of(c, AT_WAY), &c->fail);
    }
    if (rpc_given(c, AT_ADDRESS)) {
        return gsp_vram_write_at(m, c->arg[AT_ADDRESS].u, buf, n, way_of(c, AT_WAY), &c->fail);
    }
    return gsp_vm_write(m, (uint32_t)c->arg[AT_VM].u, c->arg[AT_VA].u, buf, n, &c->fail);
}

static void read_in(struct rpc_call *c, struct gsp_vram_client *m)
{
    const uint64_t n = c->arg[AT_BYTES].u;
    if (!one_place(c)) {
        return;
    }
    uint8_t *buf = malloc(n != 0 ? n : 1);
    if (buf == NULL) {
        rpc_fail(c, RPC_BUSY, "no memory for %llu bytes now", (unsigned long long)n);
        return;
    }
    if (get(c, m, buf, n) == FL_OK) {
        jw_object(c->out, "result");
        jw_u64(c->out, "bytes", n);
        jw_base64(c->out, "data", buf, n);
        jw_end_object(c->out);
    } else {
        rpc_failed(c);
    }
    free(buf);
}
static void read(struct rpc_call *c) { session_with_memory(c, read_in); }

static void write_in(struct rpc_call *c, struct gsp_vram_client *m)
{
    size_t n;
    if (!one_place(c)) {
        return;
    }
    uint8_t *buf = rpc_decode(c, "data", c->arg[AT_DATA].text, &n);
    if (buf == NULL && c->code != 0) {
        return;
    }
    if (put(c, m, buf, n) != FL_OK) {
        rpc_failed(c);
    } else {
        jw_object(c->out, "result");
        jw_u64(c->out, "bytes", n);
        jw_end_object(c->out);
    }
    free(buf);
}
static void write(struct rpc_call *c) { session_with_memory(c, write_in); }

enum { FILL_SESSION, FILL_OBJECT, FILL_OFFSET, FILL_BYTES, FILL_PATTERN, FILL_WAY };

static void fill_in(struct rpc_call *c, struct gsp_vram_client *m)
{
    size_t n;
    uint8_t *pattern = rpc_decode(c, "pattern", c->arg[FILL_PATTERN].text, &n);
    if (pattern == NULL && c->code != 0) {
        return;
    }
    uint64_t filled;
    if (gsp_vram_fill(m, (uint32_t)c->arg[FILL_OBJECT].u, c->arg[FILL_OFFSET].u,
                      c->arg[FILL_BYTES].u, pattern, (uint32_t)n, way_of(c, FILL_WAY), FILL_US,
                      &filled, &c->fail) != FL_OK) {
        rpc_failed(c);
    } else {
        jw_object(c->out, "result");
        jw_u64(c->out, "bytes", filled);
        jw_bool(c->out, "complete", filled == c->arg[FILL_BYTES].u);
        jw_end_object(c->out);
    }
    free(pattern);
}
static void fill(struct rpc_call *c) { session_with_memory(c, fill_in); }

/* ---- memory.stats, .list ---- */

static void put_map(struct rpc_call *c)
{
    struct range r;
    const char *zone;
    jw_array(c->out, "map");
    for (uint32_t i = 0; gsp_vram_span(c->gpu, i, &r, &zone); i++) {
        jw_object(c->out, NULL);
        jw_hex(c->out, "address", r.base);
        jw_hex(c->out, "bytes", r.size);
        jw_str(c->out, "zone", zone);
        jw_end_object(c->out);
    }
    jw_end_array(c->out);
}

static void stats(struct rpc_call *c)
{
    struct gsp_vram_stats s;
    gsp_vram_get_stats(c->gpu, &s);
    jw_object(c->out, "result");
    jw_bool(c->out, "managed", s.managed);
    jw_u64(c->out, "total_bytes", s.total_bytes);
    jw_u64(c->out, "free_bytes", s.free_bytes);
    jw_u64(c->out, "largest_free_bytes", s.largest_bytes);
    jw_u64(c->out, "objects", s.objects);
    jw_u64(c->out, "object_bytes", s.object_bytes);
    jw_u64(c->out, "evicted_bytes", s.evicted_bytes);
    jw_u64(c->out, "evicted_limit_bytes", s.evicted_limit_bytes);
    jw_u64(c->out, "evictions", s.evictions);
    jw_u64(c->out, "returns", s.returns);
    jw_u64(c->out, "address_spaces", s.spaces);
    jw_u64(c->out, "page_table_bytes", s.table_bytes);
    jw_array(c->out, "zones");
    for (uint32_t i = 0; i < s.zone_count; i++) {
        const struct gsp_vram_zone *z = &s.zone[i];
        jw_object(c->out, NULL);
        jw_str(c->out, "name", z->name);
        jw_u64(c->out, "total_bytes", z->total_bytes);
        jw_u64(c->out, "free_bytes", z->free_bytes);
        jw_u64(c->out, "longest_free_bytes", z->longest_run_bytes);
        jw_u64(c->out, "allocs", z->allocs);
        jw_u64(c->out, "frees", z->frees);
        jw_u64(c->out, "failures", z->failures);
        jw_end_object(c->out);
    }
    jw_end_array(c->out);
    put_map(c);
    jw_array(c->out, "free_blocks_by_order");
    for (size_t i = 0; i < ARRAY_SIZE(s.free_blocks); i++) {
        jw_u64(c->out, NULL, s.free_blocks[i]);
    }
    jw_end_array(c->out);
    jw_object(c->out, "bar1_windows");
    jw_u64(c->out, "shown", s.bar1_windows);
    jw_u64(c->out, "hits", s.bar1_hits);
    jw_u64(c->out, "misses", s.bar1_misses);
    jw_end_object(c->out);
    jw_u64(c->out, "pramin_moves", s.window_moves);
    jw_u64(c->out, "tlb_invalidates", s.invalidates);
    jw_end_object(c->out);
}

enum { LIST_GPU, LIST_AFTER };

static void list(struct rpc_call *c)
{
    struct gsp_vram_info o;
    uint32_t cursor = (uint32_t)c->arg[LIST_AFTER].u;
    jw_array(c->out, "result");
    for (unsigned i = 0; i < LIST_MAX && gsp_vram_list(c->gpu, &cursor, &o); i++) {
        put_object(c->out, NULL, &o);
    }
    jw_end_array(c->out);
}

/* ---- the tables ---- */

#define PARAM_OBJECT                                                                               \
    {.name = "object",                                                                             \
     .type = RPC_UINT,                                                                             \
     .required = true,                                                                             \
     .most = UINT32_MAX,                                                                           \
     .summary = "what memory.alloc gave"}

static const struct rpc_param alloc_params[] = {
    PARAM_SESSION,
    {.name = "bytes", .type = RPC_UINT, .required = true, .summary = "rounded up to 4 KiB"},
    {.name = "align", .type = RPC_UINT, .summary = "of each piece: a power of two"},
    {.name = "min", .type = RPC_UINT, .summary = "all of it at or above this address"},
    {.name = "max", .type = RPC_UINT, .summary = "and below this one; 0: no limit"},
    {.name = "contiguous", .type = RPC_BOOL, .summary = "in one piece"},
    {.name = "clear", .type = RPC_BOOL, .summary = "filled with zeros"},
    {.name = "pinned",
     .type = RPC_BOOL,
     .summary = "never moved to RAM when others are short of memory"},
    {.name = NULL},
};
static const struct rpc_param free_params[] = {PARAM_SESSION, PARAM_OBJECT, {.name = NULL}};
#define PARAMS_PLACE                                                                               \
    {.name = "object", .type = RPC_UINT, .most = UINT32_MAX, .summary = "what memory.alloc gave"}, \
        {.name = "offset", .type = RPC_UINT, .summary = "in the object"},                          \
        {.name = "address", .type = RPC_UINT, .summary = "or: of video memory"},                   \
        {.name = "vm", .type = RPC_UINT, .most = UINT32_MAX, .summary = "or: of vm.create"},       \
        {.name = "va", .type = RPC_UINT, .summary = "and an address in it"}
static const struct rpc_param read_params[] = {
    PARAM_SESSION,
    PARAMS_PLACE,
    {.name = "bytes", .type = RPC_UINT, .required = true, .most = DATA_MAX, .summary = "how many"},
    PARAM_WAY,
    {.name = NULL},
};
static const struct rpc_param write_params[] = {
    PARAM_SESSION,
    PARAMS_PLACE,
    {.name = "data",
     .type = RPC_TEXT,
     .required = true,
     .most = DATA_MAX / 3 * 4 + 4,
     .summary = "base64"},
    PARAM_WAY,
    {.name = NULL},
};
static const struct rpc_param fill_params[] = {
    PARAM_SESSION,
    PARAM_OBJECT,
    {.name = "offset", .type = RPC_UINT, .summary = "in the object"},
    {.name = "bytes", .type = RPC_UINT, .required = true, .summary = "how many"},
    {.name = "pattern",
     .type = RPC_TEXT,
     .required = true,
     .most = 400,
     .summary = "base64 of 1 to 256 bytes, repeated"},
    PARAM_WAY,
    {.name = NULL},
};
static const struct rpc_param gpu_params[] = {RPC_PARAM_GPU, {.name = NULL}};
static const struct rpc_param list_params[] = {
    RPC_PARAM_GPU,
    {.name = "after",
     .type = RPC_UINT,
     .most = UINT32_MAX,
     .summary = "the last object of the list before"},
    {.name = NULL},
};

const struct rpc_method rpc_memory_methods[] = {
    {.name = "memory.alloc",
     .summary = "an object in the GPU's memory",
     .params = alloc_params,
     .flags = RPC_TOKEN | RPC_SLOW,
     .result = "{\"type\":\"object\",\"required\":[\"object\",\"bytes\",\"extents\"]}",
     .run = alloc},
    {.name = "memory.free",
     .summary = "gives it back; it may not be mapped",
     .params = free_params,
     .flags = RPC_TOKEN | RPC_SLOW,
     .run = free_object},
    {.name = "memory.read",
     .summary = "bytes of an object, of video memory, or by an address of an address space",
     .params = read_params,
     .flags = RPC_TOKEN | RPC_SLOW,
     .result = "{\"type\":\"object\",\"required\":[\"bytes\",\"data\"]}",
     .run = read},
    {.name = "memory.write",
     .summary = "writes them",
     .params = write_params,
     .flags = RPC_TOKEN | RPC_SLOW,
     .run = write},
    {.name = "memory.fill",
     .summary =
         "repeats a pattern over a part of an object, for 10 s at most: `bytes` is how far it "
         "got, `complete` whether that is all",
     .params = fill_params,
     .flags = RPC_TOKEN | RPC_SLOW,
     .result = "{\"type\":\"object\",\"required\":[\"bytes\",\"complete\"]}",
     .run = fill},
    {.name = "memory.stats",
     .summary = "how much is free, in which pieces, and what page tables take",
     .params = gpu_params,
     .run = stats},
    {.name = "memory.list",
     .summary = "the objects of all sessions, at most 256",
     .params = list_params,
     .result = "{\"type\":\"array\",\"items\":{\"type\":\"object\"}}",
     .run = list},
    {.name = NULL},
};
