/* SPDX-License-Identifier: MIT */
/* What the GSP's software knows: how far it is, its queues, logs, the programme for the CPU. */
#pragma once

#include "gsp_layout.h"
#include "tests/model/gpu.h"

struct gsp_version;
struct fw_set;
struct rm_object;

enum gsp_phase {
    GSPP_OFF,       /* not started */
    GSPP_STARTING,  /* RISC-V runs, arguments not read yet */
    GSPP_WAIT_INFO, /* queues up, waits for commands 72 and 73 */
    GSPP_SEQUENCER, /* the CPU runs the programme; the GSP core waits for CORE_RESUME */
    GSPP_INIT,      /* back, finishing */
    GSPP_UP,        /* INIT_DONE sent */
    GSPP_SUSPENDED, /* UNLOADING_GUEST_DRIVER answered */
    GSPP_DEAD,      /* crashed or hung */
};

enum { QUEUE_PAGES_MAX = 1024, QUEUE_SLOTS_MAX = 512, QUEUE_SLOT_BYTES = 4096 };
enum { GSP_MSG_MAX_BYTES = 65536, GSP_MSG_MAX_SLOTS = 16 };
enum { GSP_LARGE_MAX_BYTES = 256 * 1024 }; /* a request over several records */

struct gsp_queue_state {
    bool up;
    uint64_t page[QUEUE_PAGES_MAX]; /* bus addresses */
    uint32_t page_count;
    uint64_t cmd_off, stat_off;
    uint32_t cmd_size, cmd_slots, stat_slots, entry_off_cmd, entry_off_stat;
    uint32_t cmd_rx_off, stat_rx_off;
    uint32_t cmd_read;          /* our read index in the command queue */
    uint32_t stat_write;        /* our write index in the status queue */
    uint32_t cmd_seq, stat_seq; /* next message numbers */
    uint8_t *shadow; /* what the status slots hold, to see whether the driver wrote there */
    uint32_t shadow_len[QUEUE_SLOTS_MAX];
    uint8_t *out;                    /* messages waiting for space: u32 length, then the bytes */
    size_t out_at, out_len, out_cap; /* out_at: the first that waits */
    uint64_t blocked_since_ns;
    bool blocked_said;
    uint32_t stat_read_seen; /* the driver's read index as last looked at */
    uint32_t pending_len,
        pending_slots; /* a command copied, to be looked at again before it counts */
    uint32_t sent, received;
};

struct gsp_log_state {
    uint64_t pa, size, put;
};
enum { GSP_LOGS = 5 };

struct gsp_state {
    enum gsp_phase phase;
    const struct gsp_layout *l;
    const struct gsp_version *v;
    const struct fw_set *fw; /* that booter loaded; NULL without files */
    uint64_t libos_args;
    struct gsp_queue_state q;
    struct gsp_log_state log[GSP_LOGS];
    uint32_t log_count;
    bool have_info, have_registry;
    uint64_t rmargs;   /* where the RM arguments lie */
    uint32_t pm_level; /* of the power transition it was told of; 0: none */
    uint32_t init_result;
    uint32_t init_step;
    uint64_t info_deadline_ns;
    /* sequencer */
    uint32_t seq_words, seq_expect[16], seq_modify_expect;
    uint64_t seq_image_off; /* of the code piece in video memory */
    uint32_t seq_image_bytes;
    uint32_t seq_resets_before;
    bool seq_program_ran;
    /* a request in several records */
    bool more_refused; /* records may follow that belong to a refused request */
    uint8_t *large;
    uint32_t large_len, large_need, large_function, large_sequence;
    /* objects */
    struct rm_object *objects;
    size_t object_count, object_cap;
};

enum { SEQ_WORDS_MAX = 16000 }; /* what one message holds */
struct gsp_buffers {
    uint8_t msg[GSP_LARGE_MAX_BYTES];  /* the message being handled */
    uint8_t out[GSP_MSG_MAX_BYTES];    /* the message being made */
    uint32_t programme[SEQ_WORDS_MAX]; /* for the CPU sequencer, being made */
};
