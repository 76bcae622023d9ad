/* SPDX-License-Identifier: MIT */
/*
 * The GSP's log buffers. The put pointer counts 64-bit words; word i goes to index 1 + i mod
 * (size/8 - 1), so the stream runs over the page-address words. An entry is its arguments, a
 * metadata pointer, a time stamp (measured.md 9). The words are made up; real ones are not
 * decodable without strings that linux-firmware does not carry.
 */
#include "tests/model/gsp/gsp_log.h"

#include "arch/base.h"
#include "tests/model/books/strict.h"
#include "tests/model/books/trace_data.h"
#include "tests/model/bus/dma.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_state.h"

enum { METADATA_BASE = 0x20015000, PAGE_WORDS_CHECKED = 16 };

static void put_word(struct gpu_model *m, struct gsp_log_state *log, uint64_t word)
{
    uint8_t b[8];
    put_le64(b, word);
    model_dma_write(m, log->pa + 8 * (1 + log->put % (log->size / 8 - 1)), b, sizeof(b),
                    "log buffer");
    log->put++;
}

void model_log_setup(struct gpu_model *m, uint32_t index, uint64_t pa, uint64_t size)
{
    uint8_t head[8 * (1 + PAGE_WORDS_CHECKED)];
    if (index >= GSP_LOGS || size < 2 * FL_PAGE_SIZE ||
        !model_dma_read(m, pa, head, sizeof(head), "log buffer")) {
        return;
    }
    uint32_t words = 0;
    while (words < PAGE_WORDS_CHECKED && get_le64(head + 8 * (1 + (size_t)words)) != 0) {
        words++;
    }
    model_trace_value(m, "log", "put", get_le64(head));
    model_trace_value(m, "log", "page words", words);
    m->gsp->log[index] = (struct gsp_log_state){.pa = pa, .size = size};
    for (uint32_t i = 0; i < PAGE_WORDS_CHECKED && (uint64_t)i * FL_PAGE_SIZE < size; i++) {
        const uint64_t page = get_le64(head + 8 * (1 + (size_t)i));
        /* Some drivers leave the table out (boot.md 15); a wrong one is an error. */
        if (page != 0 && page != pa + (uint64_t)i * FL_PAGE_SIZE) {
            model_rule_broken(m, RULE_LIBOS_LOG, "log buffer at 0x%llx: page word %u is 0x%llx",
                              (unsigned long long)pa, i, (unsigned long long)page);
            return;
        }
    }
}

static void put_entry(struct gpu_model *m, struct gsp_log_state *log, uint32_t metadata,
                      const uint64_t *args, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put_word(m, log, args[i]);
    }
    put_word(m, log, METADATA_BASE + metadata);
    put_word(m, log, model_now(m));
}

static void put_put(struct gpu_model *m, const struct gsp_log_state *log)
{
    uint8_t b[8];
    put_le64(b, log->put);
    model_dma_write(m, log->pa, b, sizeof(b), "log buffer");
}

void model_log_crash(struct gpu_model *m, uint32_t cause)
{
    enum { EXCEPTION = 0x5000, REPORTED = 0x5040, CSRS = 0x5080, GPRS = 0x50c0 }; /* metadata */
    enum { PARTITION = 4, TASK = 3, REPORTER = 5, GPR_COUNT = 31, GPRS_PER_ENTRY = 4 };
    const uint64_t pc = 0x5a1c40, stval = 0x10; /* in the image; a null pointer's member */
    const uint64_t exception[] = {cause, pc, PARTITION, 0, TASK};
    const uint64_t reported[] = {PARTITION, REPORTER, 3, 1, 0};
    const uint64_t csrs[] = {0x8000000200006000ull, 0, 0x20, 0, pc, stval, cause};
    struct gsp_log_state *log = &m->gsp->log[0];
    if (log->size == 0) {
        return;
    }
    put_entry(m, log, EXCEPTION, exception, ARRAY_SIZE(exception));
    put_entry(m, log, REPORTED, reported, ARRAY_SIZE(reported));
    put_entry(m, log, CSRS, csrs, ARRAY_SIZE(csrs));
    for (uint64_t r = 1; r <= GPR_COUNT; r += GPRS_PER_ENTRY) {
        const uint64_t gprs[GPRS_PER_ENTRY] = {r << 32, stval, pc, 0};
        put_entry(m, log, GPRS, gprs, GPRS_PER_ENTRY);
    }
    put_put(m, log);
}

void model_log_write(struct gpu_model *m, uint32_t index, uint32_t entries)
{
    struct gsp_log_state *log = &m->gsp->log[index];
    if (log->size == 0) {
        return;
    }
    for (uint32_t i = 0; i < entries; i++) {
        const uint64_t arg = 0x6c6f672074657374ull + i;
        put_entry(m, log, 0x40 * (i % 32), &arg, 1);
    }
    put_put(m, log);
}
