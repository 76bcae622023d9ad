/* SPDX-License-Identifier: MIT */
/* PRAMIN (window.h). */
#include "gsp/hw/window.h"

#include <string.h>

#include "arch/lockorder.h"
#include "arch/machine.h"
#include "gsp/hw/hw.h"

#define WINDOW_BYTES    MIB(1)
#define WINDOW_SHIFT    16u /* the register counts in 64 KiB; we move by whole windows */
#define GH100_BASE_BITS 22u
#define GB_BASE_BITS    23u /* of GB20x only the register's address is published */
#define OLD_BASE_BITS   24u
#define UNKNOWN         UINT32_MAX /* no register holds this: bits are reserved */

static LOCK_CLASS(window_class, "PRAMIN window");

void gsp_window_init(struct gsp_hw *hw)
{
    hw->window = (struct gsp_window){0};
    mutex_init(&hw->window.lock, &window_class);
}

/* ---- the register ---- */

static bool has_old_register(const struct gsp_hw *hw)
{
    return (hw->family->parts & GSP_PART_FSP) == 0;
}

static uint32_t base_bits(const struct gsp_hw *hw)
{
    return has_old_register(hw)            ? OLD_BASE_BITS
           : hw->family->family == F_GH100 ? GH100_BASE_BITS
                                           : GB_BASE_BITS;
}

static void put(struct gsp_hw *hw, uint32_t value)
{
    hw->window.moves++;
    hw->window.at = value;
    if (has_old_register(hw)) {
        REG_WRITE(&hw->io, NV_PBUS_BAR0_WINDOW, (struct NV_PBUS_BAR0_WINDOW){value});
    } else {
        REG_WRITE(&hw->io, NV_XAL_EP_BAR0_WINDOW, (struct NV_XAL_EP_BAR0_WINDOW){value});
    }
}

void gsp_window_begin(struct gsp_hw *hw)
{
    struct gsp_window *w = &hw->window;

    if (w->users++ == 0) {
        w->found = w->at = has_old_register(hw) ? REG_READ(&hw->io, NV_PBUS_BAR0_WINDOW).raw
                                                : REG_READ(&hw->io, NV_XAL_EP_BAR0_WINDOW).raw;
    }
}

void gsp_window_forget(struct gsp_hw *hw)
{
    hw->window.found = 0;
    hw->window.at = UNKNOWN;
}

void gsp_window_written(struct gsp_hw *hw, uint32_t off, uint32_t value)
{
    const uint32_t mine = hw->family == NULL     ? UNKNOWN
                          : has_old_register(hw) ? (uint32_t)NV_PBUS_BAR0_WINDOW__OFFSET
                                                 : (uint32_t)NV_XAL_EP_BAR0_WINDOW__OFFSET;

    if (off == mine) {
        hw->window.found = hw->window.at = value;
    }
}

void gsp_window_end(struct gsp_hw *hw)
{
    struct gsp_window *w = &hw->window;

    FL_ASSERT(w->users > 0);
    if (--w->users == 0 && w->at != w->found && !hw->in_reset) {
        put(hw, w->found);
    }
}

/* ---- what it shows ---- */

/* The window shows addr; the offset of addr in BAR0, and how much follows. */
static uint32_t show(struct gsp_hw *hw, uint64_t addr, uint64_t *left)
{
    const uint64_t in = addr % WINDOW_BYTES;
    const uint32_t value = (uint32_t)((addr - in) >> WINDOW_SHIFT); /* target 0: video memory */

    if (hw->window.at != value) {
        put(hw, value);
    }
    *left = WINDOW_BYTES - in;
    return NV_PRAMIN_BASE + (uint32_t)in;
}

static enum fl_err check(const struct gsp_hw *hw, uint64_t addr, uint64_t len, struct fl_fail *fail)
{
    const uint64_t end = UINT64_C(1) << (base_bits(hw) + WINDOW_SHIFT);

    FL_ASSERT(hw->window.users > 0);
    if (len <= end && addr <= end - len) {
        return FL_OK;
    }
    return FL_FAIL(fail, FL_EINVAL, "PRAMIN",
                   "video memory at 0x%llx, 0x%llx bytes; the window reaches to 0x%llx",
                   (unsigned long long)addr, (unsigned long long)len, (unsigned long long)end);
}

/* The widest access that addr and what is left allow. */
static uint32_t width(uint64_t addr, uint64_t len)
{
    uint32_t size = sizeof(uint64_t);

    while (addr % size != 0 || size > len) {
        size /= 2;
    }
    return size;
}

enum fl_err gsp_window_read(struct gsp_hw *hw, uint64_t addr, void *buf, uint64_t len,
                            struct fl_fail *fail)
{
    uint8_t *to = buf;
    bool ones = false;
    enum fl_err err = check(hw, addr, len, fail);

    if (err != FL_OK) {
        return err;
    }
    mutex_lock(&hw->window.lock);
    while (len > 0) {
        uint64_t left;
        uint32_t off = show(hw, addr, &left);
        left = min_u64(left, len);
        len -= left;
        addr += left;
        while (left > 0) {
            const uint32_t size = width(off, left);
            const uint64_t v = gsp_io_read_sized(&hw->io, off, size);
            memcpy(to, &v, size);
            ones |= (uint32_t)v == UINT32_MAX && size >= sizeof(uint32_t);
            to += size;
            off += size;
            left -= size;
        }
    }
    mutex_unlock(&hw->window.lock);
    return ones ? gsp_io_ping(&hw->io) : gsp_io_check(&hw->io);
}

enum fl_err gsp_window_write(struct gsp_hw *hw, uint64_t addr, const void *buf, uint64_t len,
                             struct fl_fail *fail)
{
    const uint8_t *from = buf;
    enum fl_err err = check(hw, addr, len, fail);

    if (err != FL_OK) {
        return err;
    }
    mutex_lock(&hw->window.lock);
    while (len > 0) {
        uint64_t left;
        uint32_t off = show(hw, addr, &left);
        left = min_u64(left, len);
        len -= left;
        addr += left;
        while (left > 0) {
            const uint32_t size = width(off, left);
            uint64_t v = 0;
            memcpy(&v, from, size);
            gsp_io_write_sized(&hw->io, off, size, v);
            from += size;
            off += size;
            left -= size;
        }
    }
    mutex_unlock(&hw->window.lock);
    return gsp_io_check(&hw->io);
}

enum fl_err gsp_window_flush(struct gsp_hw *hw, struct fl_fail *fail)
{
    (void)fail;
    FL_ASSERT(hw->window.users > 0);
    const uint64_t v = gsp_io_read_sized(&hw->io, NV_PRAMIN_BASE, sizeof(uint32_t));
    return v == UINT32_MAX ? gsp_io_ping(&hw->io) : gsp_io_check(&hw->io);
}
