/* SPDX-License-Identifier: MIT */
/* Register access (io.h). */
#include "gsp/hw/io.h"

#include <stdio.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/machine.h"
#include "gsp/hw/lost.h"

#define ALL_ONES       0xffffffffu
#define PRI_ERROR_MASK 0xfff00000u
#define PRI_ERROR      0xbad00000u
#define REG_NAME_MAX   64u
#define LOST_WORDS_MAX 112u

void gsp_io_begin(struct gsp_io *io, struct fl_fail *fail)
{
    io->lost = false;
    io->fail = fail;
}

static uint32_t raw_read(struct gsp_io *io, uint32_t off)
{
    const uint32_t v = mmio_read32(&io->bar0, off);
    io->reads++;
    gsp_recorder_add(io->rec, GSP_REC_READ, off, v, NULL);
    return v;
}

static void link_lost(struct gsp_io *io, uint32_t off)
{
    char name[REG_NAME_MAX];
    char seen[LOST_WORDS_MAX];
    const char *hint;

    io->lost = true;
    reg_name(off, io->rec->family, name, sizeof(name));
    (void)gsp_lost_why(io->pci, seen, sizeof(seen), &hint);
    FL_FAIL_MORE(io->fail, FL_ELINKLOST, name, (.hint = hint),
                 "link lost: %s reads 0xffffffff, NV_PMC_BOOT_0 too: %s", name, seen);
}

uint32_t gsp_io_read(struct gsp_io *io, uint32_t off)
{
    FL_ASSERT((off & 3) == 0 && off < io->size);
    if (io->lost) {
        return ALL_ONES;
    }
    const uint32_t v = raw_read(io, off);
    if (v == ALL_ONES &&
        (off == NV_PMC_BOOT_0__OFFSET || raw_read(io, NV_PMC_BOOT_0__OFFSET) == ALL_ONES)) {
        link_lost(io, off);
    }
    return v;
}

uint32_t gsp_io_read_bulk(struct gsp_io *io, uint32_t off)
{
    FL_ASSERT((off & 3) == 0 && off < io->size);
    if (io->lost) {
        return ALL_ONES;
    }
    io->reads++;
    return mmio_read32(&io->bar0, off);
}

void gsp_io_write(struct gsp_io *io, uint32_t off, uint32_t value)
{
    FL_ASSERT((off & 3) == 0 && off < io->size);
    if (io->lost) {
        return;
    }
    io->writes++;
    gsp_recorder_add(io->rec, GSP_REC_WRITE, off, value, NULL);
    mmio_write32(&io->bar0, off, value);
}

void gsp_io_write_bulk(struct gsp_io *io, uint32_t off, uint32_t value)
{
    FL_ASSERT((off & 3) == 0 && off < io->size);
    if (!io->lost) {
        io->writes++;
        mmio_write32(&io->bar0, off, value);
    }
}

uint64_t gsp_io_bar_read(struct gsp_io *io, const struct mmio *bar, uint64_t off, uint32_t size)
{
    FL_ASSERT(off % size == 0 && range_ok(off, size, bar->size));
    if (io->lost) {
        return UINT64_MAX;
    }
    io->reads++;
    switch (size) {
    case sizeof(uint64_t):
        return mmio_read64(bar, off);
    case sizeof(uint32_t):
        return mmio_read32(bar, off);
    case sizeof(uint16_t):
        return mmio_read16(bar, off);
    default:
        return mmio_read8(bar, off);
    }
}

void gsp_io_bar_write(struct gsp_io *io, const struct mmio *bar, uint64_t off, uint32_t size,
                      uint64_t value)
{
    FL_ASSERT(off % size == 0 && range_ok(off, size, bar->size));
    if (io->lost) {
        return;
    }
    io->writes++;
    switch (size) {
    case sizeof(uint64_t):
        mmio_write64(bar, off, value);
        break;
    case sizeof(uint32_t):
        mmio_write32(bar, off, (uint32_t)value);
        break;
    case sizeof(uint16_t):
        mmio_write16(bar, off, (uint16_t)value);
        break;
    default:
        mmio_write8(bar, off, (uint8_t)value);
        break;
    }
}

uint64_t gsp_io_read_sized(struct gsp_io *io, uint32_t off, uint32_t size)
{
    FL_ASSERT(off < io->size);
    return gsp_io_bar_read(io, &io->bar0, off, size);
}

void gsp_io_write_sized(struct gsp_io *io, uint32_t off, uint32_t size, uint64_t value)
{
    FL_ASSERT(off < io->size);
    gsp_io_bar_write(io, &io->bar0, off, size, value);
}

enum fl_err gsp_io_check(const struct gsp_io *io) { return io->lost ? FL_ELINKLOST : FL_OK; }

enum fl_err gsp_io_ping(struct gsp_io *io)
{
    (void)gsp_io_read(io, NV_PMC_BOOT_0__OFFSET);
    return gsp_io_check(io);
}

const char *gsp_io_pri_error(uint32_t v)
{
    static const struct {
        uint32_t code; /* value >> 8 */
        const char *name;
    } table[] = {
        {0xbad001, "host PRI timeout"},
        {0xbad00f, "host FECS error"},
        {0xbad0b0, "FB acknowledge timeout"},
        {0xbadf10, "PRI timeout"},
        {0xbadf11, "no such register"},
        {0xbadf12, "target in reset"},
        {0xbadf13, "target is fused off"},
        {0xbadf14, "stuck acknowledge"},
        {0xbadf15, "zero expected"},
        {0xbadf16, "fence error"},
        {0xbadf17, "sub-id error"},
        {0xbadf20, "orphan"},
        {0xbadf30, "dead ring"},
        {0xbadf40, "trap"},
        {0xbadf41, "locked by target mask"},
        {0xbadf50, "privilege violation"},
        {0xbadf51, "privilege violation"},
        {0xbadf56, "not accessible"},
        {0xbadf57, "not accessible"},
    };

    if ((v & PRI_ERROR_MASK) != PRI_ERROR) {
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (v >> 8 == table[i].code) {
            return table[i].name;
        }
    }
    return "PRI error";
}

bool gsp_io_no_value(uint32_t v) { return v == ALL_ONES || gsp_io_pri_error(v) != NULL; }

/* One register and the value that it is to have. */
struct poll {
    struct gsp_io *io;
    uint32_t off, mask, want;
    uint32_t last; /* read last */
    bool ones;     /* all-ones is a value */
};

static void tell(const struct poll *p, const char *pri, struct wait_report *r)
{
    reg_name(p->off, p->io->rec->family, r->where, sizeof(r->where));
    snprintf(r->text, sizeof(r->text),
             "%s reads 0x%08x%s%s%s, expected 0x%08x in the bits of 0x%08x", r->where,
             (unsigned)p->last, pri != NULL ? " (" : "", pri != NULL ? pri : "",
             pri != NULL ? ")" : "", (unsigned)p->want, (unsigned)p->mask);
    r->seen = p->last;
    r->expected = p->want;
}

static enum fl_err look(void *ctx, struct wait_report *last, struct fl_fail *fail)
{
    struct poll *p = ctx;
    const uint32_t v = p->last = gsp_io_read(p->io, p->off);

    (void)fail;
    if (p->io->lost) {
        return FL_ELINKLOST;
    }
    /* An error pattern is no value, though some of its bits may look right. */
    const bool whole = p->mask == ALL_ONES;
    const bool no_value = !whole && gsp_io_no_value(v) && !(v == ALL_ONES && p->ones);
    if ((v & p->mask) == p->want && !no_value) {
        return FL_OK;
    }
    if (last != NULL) {
        tell(p, whole ? NULL : gsp_io_pri_error(v), last);
    }
    return FL_EBUSY;
}

enum fl_err gsp_io_poll(struct gsp_io *io, uint32_t off, uint32_t mask, uint32_t want,
                        const struct wait *w, uint32_t *last, struct fl_fail *fail)
{
    struct poll p = {.io = io, .off = off, .mask = mask, .want = want};
    const enum fl_err err = wait_until(w, look, &p, fail);

    if (last != NULL) {
        *last = p.last;
    }
    return err;
}

/* A wait, and what lies beside it. */
struct beside {
    struct gsp_io *io;
    wait_look *looks;
    void *ctx;
};

static enum fl_err look_beside(void *ctx, struct wait_report *last, struct fl_fail *fail)
{
    const struct beside *b = ctx;
    enum fl_err err = b->looks(b->ctx, last, fail);

    if (err == FL_EBUSY && b->io->beside != NULL) {
        const enum fl_err seen = b->io->beside(b->io->beside_ctx, fail);
        err = seen != FL_OK ? seen : err;
    }
    return err;
}

enum fl_err gsp_io_wait_program(struct gsp_io *io, const struct wait *w, wait_look *looks,
                                void *ctx, struct fl_fail *fail)
{
    const uint64_t start_us = clock_now_us();
    struct beside b = {.io = io, .looks = looks, .ctx = ctx};
    const enum fl_err err = wait_until(w, look_beside, &b, fail);

    io->program_us += clock_now_us() - start_us;
    return err;
}

enum fl_err gsp_io_poll_program(struct gsp_io *io, uint32_t off, uint32_t mask, uint32_t want,
                                const struct wait *w, struct fl_fail *fail)
{
    struct poll p = {.io = io, .off = off, .mask = mask, .want = want};

    return gsp_io_wait_program(io, w, look, &p, fail);
}

enum fl_err gsp_io_poll_program_mask(struct gsp_io *io, uint32_t off, uint32_t mask,
                                     const struct wait *w, struct fl_fail *fail)
{
    struct poll p = {.io = io, .off = off, .mask = mask, .want = mask, .ones = true};

    return gsp_io_wait_program(io, w, look, &p, fail);
}
