/* SPDX-License-Identifier: MIT */
/*
 * Channels: what a driver asks the GSP for (objects, controls) ends here; from then on a channel is
 * the GPU's own. Sources: channels.md 5-10, 15.
 */
#pragma once

#include "tests/model/memory/mmu.h"

struct rm_object;

/* Kinds of errors, channels.md 14.2. */
enum { XID_PBDMA = 32 };
/* From a doorbell to the first look at the ring. */
enum { DOORBELL_NS = 2000 };

enum { SUBCHANNELS = 8, CE_METHODS = 0x740 / 4, FETCH_WORDS = 256 };
/* A copy under way. Its channel goes on when it is done, so the engine's methods are as they were
 * at the launch. */
struct ce_job {
    bool active;
    uint32_t launch, line, lines;
    uint64_t done; /* of the line: bytes, or elements with remapping */
};
struct channel {
    struct channel *next;
    uint32_t client, handle, chid, runlist, engine_type, entries, gp_get;
    uint32_t vas_client, vas_handle;
    uint64_t ring_va, userd;
    bool userd_sysmem, privileged;
    bool bound, scheduled, dead;
    bool kicked;         /* there may be work */
    struct page_dir dir; /* of its address space, in this turn */
    /* the segment being read */
    uint64_t pb_va;
    uint32_t pb_words;
    uint32_t fetch[FETCH_WORDS], fetch_at, fetch_count;
    /* the method group being read */
    uint32_t left, method, subchannel;
    bool increasing, once;
    /* host methods */
    uint32_t cls[SUBCHANNELS];
    uint32_t sem[5];     /* SEM_ADDR_LO .. SEM_PAYLOAD_HI, [4] unused */
    uint32_t old_sem[3]; /* SEMAPHOREA..C */
    uint32_t mem_op[3];  /* MEM_OP_A .. C */
    uint32_t reference;
    bool waiting; /* an acquire does not hold yet; its method is done again */
    uint32_t ce[CE_METHODS];
    struct ce_job copy;
};
struct host_state {
    struct channel *channels;
    int64_t budget; /* what is left of this turn */
    uint64_t doorbells, methods, releases, launches, bytes_copied, faults;
    uint64_t ignored_methods; /* of engines that are not modelled */
};

void model_host_free(struct gpu_model *m); /* all channels are gone */
/* A channel object was made / objects were removed. NV_STATUS. */
uint32_t model_channel_new(struct gpu_model *m, const struct rm_object *o, uint8_t *params,
                           uint32_t size);
void model_channel_sweep(struct gpu_model *m);
uint32_t model_channel_bind(struct gpu_model *m, const struct rm_object *o, uint32_t engine_type);
uint32_t model_channel_schedule(struct gpu_model *m, const struct rm_object *o, bool enable);
struct channel *model_channel_of(struct gpu_model *m, const struct rm_object *o);
/* A turn of all channels together does work of HOST_TURN units, some milliseconds at most, and the
 * rest in later turns: a word of a pushbuffer is one. False: the turn is over, nothing more now. */
enum {
    HOST_TURN = 65536,
    HOST_COPY = 16 /* up to 4 KiB */,
    HOST_INVALIDATE = 256,
    HOST_INVALIDATE_LEVELS = 16384 /* walks all tables again */
};
bool model_host_spend(struct gpu_model *m, uint32_t units);
/* The address space of a channel; false: it has none. */
bool model_channel_dir(struct gpu_model *m, const struct channel *c, struct page_dir *dir);
/* The channel is stopped and the driver told. xid: what kind (channels.md 14.2); data: the word
 * that it is about. */
void model_channel_fault(struct gpu_model *m, struct channel *c, uint32_t xid, uint64_t data);
/* The same after an access that the MMU refused. */
void model_channel_mmu_fault(struct gpu_model *m, struct channel *c, const struct mmu_fault *f);
void model_channel_nonstall(struct gpu_model *m, const struct channel *c);
