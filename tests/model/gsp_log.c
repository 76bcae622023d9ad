/* SPDX-License-Identifier: MIT */
/*
 * The GSP's log buffers. The put pointer counts 64-bit words; word i goes to index 1 + i mod
 * (size/8 - 1), so the stream runs over the page-address words. An entry is its arguments, a
 * metadata pointer, a time stamp (measured.md 9). The words are made up; real ones are not
 * decodable without strings that linux-firmware does not carry.
 */
#include "tests/model/model_priv.h"

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
    m->gsp.log[index] = (struct gsp_log_state){.pa = pa, .size = size};
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

void model_log_write(struct gpu_model *m, uint32_t index, uint32_t entries)
{
    struct gsp_log_state *log = &m->gsp.log[index];
    uint8_t b[8];
    if (log->size == 0) {
        return;
    }
    for (uint32_t i = 0; i < entries; i++) {
        put_word(m, log, 0x6c6f672074657374ull + i); /* an argument */
        put_word(m, log, METADATA_BASE + 0x40ull * (i % 32));
        put_word(m, log, model_now(m));
    }
    put_le64(b, log->put);
    model_dma_write(m, log->pa, b, sizeof(b), "log buffer");
}
