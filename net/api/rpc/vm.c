/* SPDX-License-Identifier: MIT */
/* vm.*: GPU address spaces, what is mapped in them, and how the GPU gets there. */
#include <string.h>

#include "net/api/rpc/vm.h"

/* ---- vm.create, .destroy ---- */

enum { CREATE_SESSION, CREATE_KIND, CREATE_BYTES };
static const char *const kinds[] = {"engines", "bar1", NULL};

void vm_put_info(struct rpc_call *c, const struct gsp_vm_info *i)
{
    jw_u64(c->out, "vm", i->vm);
    jw_str(c->out, "kind", kinds[i->kind]);
    jw_hex(c->out, "base", i->base);
    jw_hex(c->out, "bytes", i->bytes);
    jw_hex(c->out, "page_directory", i->root);
    jw_str(c->out, "format", i->format);
    jw_u64(c->out, "mappings", i->mappings);
    jw_u64(c->out, "page_table_bytes", i->table_bytes);
    jw_object(c->out, "jobs");
    jw_u64(c->out, "submitted", i->jobs_submitted);
    jw_u64(c->out, "done", i->jobs_done);
    jw_u64(c->out, "failed", i->jobs_failed);
    jw_u64(c->out, "cancelled", i->jobs_cancelled);
    jw_u64(c->out, "waiting", i->jobs_waiting);
    jw_end_object(c->out);
}

static void describe(struct rpc_call *c, struct gsp_vram_client *m, uint32_t vm)
{
    struct gsp_vm_info info;
    if (gsp_vm_describe(m, vm, &info, &c->fail) != FL_OK) {
        rpc_failed(c);
        return;
    }
    jw_object(c->out, "result");
    vm_put_info(c, &info);
    jw_end_object(c->out);
}

static void create_in(struct rpc_call *c, struct gsp_vram_client *m)
{
    const bool bar1 = rpc_given(c, CREATE_KIND) && strcmp(c->arg[CREATE_KIND].text, "bar1") == 0;
    uint32_t vm;
    if (bar1 != rpc_given(c, CREATE_BYTES)) {
        rpc_fail(c, RPC_INVALID_PARAMS,
                 "bytes: how much of BAR1; for kind \"bar1\", and only then");
        return;
    }
    if (gsp_vm_create(m, bar1 ? GSP_VM_BAR1 : GSP_VM_ENGINES, c->arg[CREATE_BYTES].u, &vm,
                      &c->fail) != FL_OK) {
        rpc_failed(c);
        return;
    }
    describe(c, m, vm);
}
static void create(struct rpc_call *c) { session_with_memory(c, create_in); }

static void done(struct rpc_call *c, enum fl_err err, const char *key)
{
    if (err != FL_OK) {
        rpc_failed(c);
        return;
    }
    jw_object(c->out, "result");
    jw_bool(c->out, key, true);
    jw_end_object(c->out);
}

static void destroy_in(struct rpc_call *c, struct gsp_vram_client *m)
{
    done(c, gsp_vm_destroy(m, (uint32_t)c->arg[VM].u, &c->fail), "destroyed");
}
static void destroy(struct rpc_call *c) { session_with_memory(c, destroy_in); }

/* ---- vm.map, .unmap ---- */

enum {
    MAP_SESSION,
    MAP_VM,
    MAP_OBJECT,
    MAP_BYTES,
    MAP_OFFSET,
    MAP_VA,
    MAP_PAGE,
    MAP_READ_ONLY,
    MAP_KIND,
    MAP_QUEUED,
    MAP_AFTER
};
static const char *const pages[] = {"4K", "64K", "2M", "512M", "256G", NULL};

static enum gpu_page page_of(const struct rpc_call *c)
{
    unsigned i = 0;
    if (!rpc_given(c, MAP_PAGE)) {
        return GPU_PAGE_2M;
    }
    while (strcmp(c->arg[MAP_PAGE].text, pages[i]) != 0) { /* it is one of them */
        i++;
    }
    return (enum gpu_page)i;
}

/* The parameters `queued` and `after`, which follow each other. */
struct when {
    struct gsp_vm_when when;
    uint32_t after[GSP_VM_AFTER_MAX];
};

static struct gsp_vm_when *take_when(const struct rpc_call *c, unsigned queued, struct when *w)
{
    w->when = (struct gsp_vm_when){.queued = c->arg[queued].b,
                                   .after = w->after,
                                   .after_count = rpc_uints(c, queued + 1, w->after)};
    return &w->when;
}

static void put_job(struct rpc_call *c, const struct gsp_vm_when *w)
{
    if (w->queued) {
        jw_u64(c->out, "job", w->job);
        jw_u64(c->out, "fence", w->job); /* one number for both */
    }
}

static void map_in(struct rpc_call *c, struct gsp_vram_client *m)
{
    struct gsp_vm_map map = {.object = (uint32_t)c->arg[MAP_OBJECT].u,
                             .offset = c->arg[MAP_OFFSET].u,
                             .len = c->arg[MAP_BYTES].u,
                             .va = rpc_given(c, MAP_VA) ? c->arg[MAP_VA].u : GSP_VM_ANYWHERE,
                             .largest = page_of(c),
                             .read_only = c->arg[MAP_READ_ONLY].b,
                             .kind = (uint8_t)c->arg[MAP_KIND].u};
    if (rpc_given(c, MAP_VA) && map.va == GSP_VM_ANYWHERE) {
        rpc_fail(c, RPC_INVALID_PARAMS, "va: expected a multiple of 4 KiB");
        return;
    }
    struct when w;
    if (gsp_vm_map(m, (uint32_t)c->arg[VM].u, &map, take_when(c, MAP_QUEUED, &w), &c->fail) !=
        FL_OK) {
        rpc_failed(c);
        return;
    }
    jw_object(c->out, "result");
    jw_hex(c->out, "va", map.va);
    jw_hex(c->out, "bytes", map.len);
    put_job(c, &w.when);
    jw_end_object(c->out);
}
static void map(struct rpc_call *c) { session_with_memory(c, map_in); }

enum { UNMAP_SESSION, UNMAP_VM, UNMAP_VA, UNMAP_BYTES, UNMAP_QUEUED, UNMAP_AFTER };

static void unmap_in(struct rpc_call *c, struct gsp_vram_client *m)
{
    struct when w;
    const enum fl_err err =
        gsp_vm_unmap(m, (uint32_t)c->arg[VM].u, c->arg[UNMAP_VA].u, c->arg[UNMAP_BYTES].u,
                     take_when(c, UNMAP_QUEUED, &w), &c->fail);
    if (err != FL_OK || !w.when.queued) {
        done(c, err, "unmapped");
        return;
    }
    jw_object(c->out, "result");
    put_job(c, &w.when);
    jw_end_object(c->out);
}
static void unmap(struct rpc_call *c) { session_with_memory(c, unmap_in); }

/* ---- vm.walk, .dump ---- */

enum { WALK_SESSION, WALK_VM, WALK_VA };

static void put_attrs(struct jw *j, const struct gpu_pte_attrs *a)
{
    jw_str(j, "aperture", gpu_aperture_name(a->aperture));
    jw_bool(j, "read_only", a->read_only);
    jw_bool(j, "volatile", a->volatile_);
    jw_bool(j, "privileged", a->privileged);
    jw_u64(j, "kind", a->kind);
}

static void put_level(struct jw *j, const struct gpu_walk_level *l)
{
    jw_object(j, NULL);
    jw_str(j, "name", l->name);
    jw_hex(j, "table", l->table);
    jw_u64(j, "index", l->index);
    jw_hex(j, "entry_at", l->entry_at);
    jw_array(j, "entry");
    jw_fmt(j, NULL, "0x%016llx", (unsigned long long)l->entry[0]);
    if (strcmp(l->name, "PD0") == 0) { /* of two halves */
        jw_fmt(j, NULL, "0x%016llx", (unsigned long long)l->entry[1]);
    }
    jw_end_array(j);
    jw_end_object(j);
}

static const char *const ends[] = {"unmapped", "sparse", "mapped", "fault"};

static void walk_in(struct rpc_call *c, struct gsp_vram_client *m)
{
    struct gpu_walk w;
    bool agrees;
    if (gsp_vm_walk(m, (uint32_t)c->arg[VM].u, c->arg[WALK_VA].u, &w, &agrees, &c->fail) != FL_OK) {
        rpc_failed(c);
        return;
    }
    jw_object(c->out, "result");
    jw_hex(c->out, "va", c->arg[WALK_VA].u);
    jw_str(c->out, "end", ends[w.end]);
    jw_str(c->out, "reason", w.reason[0] != '\0' ? w.reason : NULL);
    jw_bool(c->out, "shadow_agrees", agrees);
    if (w.end == GPU_WALK_MAPPED) {
        jw_hex(c->out, "address", w.pa);
        jw_str(c->out, "page", gpu_page_name(w.page));
        put_attrs(c->out, &w.attrs);
    }
    jw_array(c->out, "levels");
    for (uint32_t i = 0; i < w.levels; i++) {
        put_level(c->out, &w.level[i]);
    }
    jw_end_array(c->out);
    jw_end_object(c->out);
}
static void walk(struct rpc_call *c) { session_with_memory(c, walk_in); }

enum { DUMP_SESSION, DUMP_VM, DUMP_VA, DUMP_BYTES };
#define DUMP_RUNS    1024u
#define DUMP_ENTRIES 262144u /* looked at */

struct dump {
    struct jw *j;
    uint32_t runs;
};

static bool put_run(void *ctx, const struct gpu_run *r)
{
    struct dump *d = ctx;
    jw_object(d->j, NULL);
    jw_hex(d->j, "va", r->va);
    jw_hex(d->j, "bytes", r->len);
    jw_str(d->j, "end", ends[r->end]);
    if (r->end == GPU_WALK_MAPPED) {
        jw_hex(d->j, "address", r->pa);
        jw_str(d->j, "page", gpu_page_name(r->page));
        put_attrs(d->j, &r->attrs);
    }
    jw_end_object(d->j);
    return ++d->runs < DUMP_RUNS;
}

static void dump_in(struct rpc_call *c, struct gsp_vram_client *m)
{
    const uint32_t vm = (uint32_t)c->arg[VM].u;
    struct dump d = {.j = c->out};
    struct gsp_vm_info info;
    if (gsp_vm_describe(m, vm, &info, &c->fail) != FL_OK) {
        rpc_failed(c);
        return;
    }
    const uint64_t va = rpc_given(c, DUMP_VA) ? c->arg[DUMP_VA].u : info.base;
    const uint64_t in = va - info.base; /* outside: as nothing, which is refused below */
    const uint64_t len = rpc_given(c, DUMP_BYTES) ? c->arg[DUMP_BYTES].u
                         : in < info.bytes        ? info.bytes - in
                                                  : 0;
    jw_object(c->out, "result");
    jw_array(c->out, "runs");
    const enum fl_err err = gsp_vm_dump(m, vm, va, len, DUMP_ENTRIES, put_run, &d, &c->fail);
    jw_end_array(c->out);
    jw_bool(c->out, "complete", err == FL_OK && d.runs < DUMP_RUNS);
    jw_end_object(c->out);
    if (err != FL_OK && err != FL_ENOSPC) {
        rpc_failed(c);
    }
}
static void dump(struct rpc_call *c) { session_with_memory(c, dump_in); }

/* ---- the tables ---- */

static const struct rpc_param create_params[] = {
    PARAM_SESSION,
    {.name = "kind",
     .type = RPC_TEXT,
     .most = 8,
     .choices = kinds,
     .summary = "\"engines\" (the default): one of its own, that RM knows; \"bar1\": a part of "
                "BAR1's, which the CPU reads and writes through the BAR"},
    {.name = "bytes", .type = RPC_UINT, .summary = "of BAR1, how much"},
    {.name = NULL},
};
static const struct rpc_param vm_params[] = {PARAM_SESSION, PARAM_VM, {.name = NULL}};
#define PARAMS_WHEN                                                                                \
    {.name = "queued",                                                                             \
     .type = RPC_BOOL,                                                                             \
     .summary = "answers at once, with a job and its fence; else when the GPU sees it"},           \
        {.name = "after",                                                                          \
         .type = RPC_UINTS,                                                                        \
         .most = GSP_VM_AFTER_MAX,                                                                 \
         .summary = "fences, of any session of this GPU, that it waits for"}
static const struct rpc_param map_params[] = {
    PARAM_SESSION,
    PARAM_VM,
    {.name = "object",
     .type = RPC_UINT,
     .required = true,
     .most = UINT32_MAX,
     .summary = "what memory.alloc gave; 0: sparse, reads as zero"},
    {.name = "bytes", .type = RPC_UINT, .required = true, .summary = "a multiple of 4 KiB"},
    {.name = "offset", .type = RPC_UINT, .summary = "in the object, a multiple of 4 KiB"},
    {.name = "va", .type = RPC_UINT, .summary = "where; absent: a free place is chosen"},
    {.name = "page",
     .type = RPC_TEXT,
     .most = 4,
     .choices = pages,
     .summary = "the largest page to use; absent: 2M"},
    {.name = "read_only", .type = RPC_BOOL, .summary = "writes are faults"},
    {.name = "kind", .type = RPC_UINT, .most = 15, .summary = "of the pages; 0: pitch"},
    PARAMS_WHEN,
    {.name = NULL},
};
static const struct rpc_param unmap_params[] = {
    PARAM_SESSION,
    PARAM_VM,
    {.name = "va", .type = RPC_UINT, .required = true, .summary = "from where"},
    {.name = "bytes", .type = RPC_UINT, .required = true, .summary = "how much"},
    PARAMS_WHEN,
    {.name = NULL},
};
static const struct rpc_param walk_params[] = {
    PARAM_SESSION,
    PARAM_VM,
    {.name = "va", .type = RPC_UINT, .required = true, .summary = "the address"},
    {.name = NULL},
};
static const struct rpc_param dump_params[] = {
    PARAM_SESSION,
    PARAM_VM,
    {.name = "va", .type = RPC_UINT, .summary = "from where; absent: all of it"},
    {.name = "bytes", .type = RPC_UINT, .summary = "how much"},
    {.name = NULL},
};

const struct rpc_method rpc_vm_methods[] = {
    {.name = "vm.create",
     .summary = "a GPU address space",
     .params = create_params,
     .flags = RPC_TOKEN | RPC_SLOW,
     .result = INFO_SCHEMA,
     .run = create},
    {.name = "vm.destroy",
     .summary = "unmaps what is mapped in it; it is gone",
     .params = vm_params,
     .flags = RPC_TOKEN | RPC_SLOW,
     .run = destroy},
    {.name = "vm.map",
     .summary = "maps a part of an object; replaces what was there; an error leaves that as it was",
     .params = map_params,
     .flags = RPC_TOKEN | RPC_SLOW,
     .result = "{\"type\":\"object\",\"required\":[\"va\",\"bytes\"]}",
     .run = map},
    {.name = "vm.unmap",
     .summary = "takes out what is mapped in a range",
     .params = unmap_params,
     .flags = RPC_TOKEN | RPC_SLOW,
     .run = unmap},
    {.name = "vm.walk",
     .summary = "every level of page tables that leads to an address, as it stands in video memory",
     .params = walk_params,
     .flags = RPC_TOKEN | RPC_SLOW,
     .result = "{\"type\":\"object\",\"required\":[\"va\",\"end\",\"levels\"]}",
     .run = walk},
    {.name = "vm.dump",
     .summary = "what is mapped, in stretches",
     .params = dump_params,
     .flags = RPC_TOKEN | RPC_SLOW,
     .result = "{\"type\":\"object\",\"required\":[\"runs\",\"complete\"]}",
     .run = dump},
    {.name = NULL},
};
