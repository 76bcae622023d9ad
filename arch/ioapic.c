/* SPDX-License-Identifier: MIT */
/* Silencing an I/O APIC; see the header. */
#include "arch/ioapic.h"

#include "arch/mmio.h"

/* Two registers in memory: which of the others to reach, and the window to it. */
enum { IOREGSEL = 0x00, IOWIN = 0x10, SPAN_BYTES = 0x20 };
enum { IOAPICVER = 0x01, IOREDTBL = 0x10 };
/* IOAPICVER 23:16 is the index of the last input. */
#define IOAPICVER_LAST(version) ((version) >> 16 & 0xff)
/* Low half of an entry; the high half is the destination. */
#define REDIR_MASKED   (1u << 16)
#define REDIR_MODE     0x700u /* delivery mode */
#define REDIR_MODE_SMI 0x200u
#define ALL_ONES       0xffffffffu

static uint32_t reg_read(const struct mmio *m, uint32_t index)
{
    mmio_write32(m, IOREGSEL, index);
    return mmio_read32(m, IOWIN);
}

static void reg_write(const struct mmio *m, uint32_t index, uint32_t v)
{
    mmio_write32(m, IOREGSEL, index);
    mmio_write32(m, IOWIN, v);
}

enum fl_err ioapic_mask_all(struct phys_addr at, unsigned *opened, struct fl_fail *fail)
{
    struct mmio m;
    *opened = 0;
    enum fl_err err = mmio_map(at, SPAN_BYTES, MMIO_UNCACHED, &m);
    if (err != FL_OK) {
        return FL_FAIL(fail, err, "I/O APIC", "the one at 0x%llx cannot be mapped: %s",
                       (unsigned long long)at.raw, fl_err_name(err));
    }
    uint32_t version = reg_read(&m, IOAPICVER);
    if (version == ALL_ONES) {
        return FL_FAIL(fail, FL_ENOENT, "IOAPICVER", "nothing answers at 0x%llx",
                       (unsigned long long)at.raw);
    }
    for (uint32_t input = 0; input <= IOAPICVER_LAST(version); input++) {
        uint32_t entry = IOREDTBL + 2 * input, low = reg_read(&m, entry);
        if ((low & REDIR_MASKED) != 0 || (low & REDIR_MODE) == REDIR_MODE_SMI) {
            continue;
        }
        reg_write(&m, entry, low | REDIR_MASKED);
        (*opened)++;
        uint32_t now = reg_read(&m, entry);
        if ((now & REDIR_MASKED) == 0) {
            err = FL_FAIL(fail, FL_EIO, "IOREDTBL",
                          "input %u of the I/O APIC at 0x%llx reads 0x%08x after it was masked",
                          (unsigned)input, (unsigned long long)at.raw, (unsigned)now);
        }
    }
    return err;
}
