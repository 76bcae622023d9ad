/* SPDX-License-Identifier: MIT */
/*
 * PCI Express: enumeration over ECAM or port I/O, BARs, capabilities, MSI and MSI-X, link state,
 * resets. A struct pci lives as long as its user; devices are found once and stay at their address.
 * It is large (about 50 KB): static or on the heap, never on a fiber's stack.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "arch/irq.h"
#include "arch/mmio.h"

#define PCI_BAR_COUNT   6
#define PCI_MAX_DEVICES 256 /* a server's root complexes alone show more than 100 functions */

/* How configuration space and BARs are reached; the machine's (pci_machine_ops) or a test's. */
struct pci_ops {
    /* size 1, 2 or 4, off aligned and < 4096; all-ones when nothing answers. */
    uint32_t (*cfg_read)(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
                         unsigned size);
    void (*cfg_write)(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
                      unsigned size, uint32_t value);
    /* Gives access to a memory BAR; NULL: mmio_map() of its address. */
    enum fl_err (*map_bar)(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, unsigned bar,
                           struct mmio *out);
};

enum pci_bar_kind { PCI_BAR_NONE, PCI_BAR_MEM32, PCI_BAR_MEM64, PCI_BAR_IO };
struct pci_bar {
    enum pci_bar_kind kind;
    bool prefetchable;
    uint64_t address; /* as programmed by the firmware; 0 = unassigned */
    uint64_t size;
};

struct pci;
struct pci_dev {
    struct pci *pci; /* borrowed */
    uint16_t segment;
    uint8_t bus, devfn;
    uint8_t header_type; /* without the multi-function bit */
    uint16_t vendor, device, subvendor, subdevice;
    uint8_t revision;
    uint32_t class_code; /* 24 bits: base, sub, interface */
    struct pci_bar bar[PCI_BAR_COUNT];
    uint16_t cap_pcie, cap_msi, cap_msix, cap_pm; /* 0 = absent */
    bool postponed;                               /* BARs not read yet: pci_complete() */
    int parent; /* index of the bridge above in the device list, -1 = root bus */
    uint8_t secondary, subordinate; /* bridges */
};

struct pci {
    const struct pci_ops *ops; /* borrowed */
    void *ctx;                 /* borrowed */
    struct pci_dev dev[PCI_MAX_DEVICES];
    size_t count;
    bool extended;    /* offsets from 0x100 on are reachable */
    uint32_t skipped; /* devices beyond PCI_MAX_DEVICES */
};

/* The machine's access: every MCFG segment, else port I/O. Static, never NULL. */
const struct pci_ops *pci_machine_ops(void);

/* Walks all buses from every root (segment and first bus of MCFG). Fills p. Yields. FL_ENOTSUP when
 * there is no way to reach configuration space. */
FL_MUST_CHECK enum fl_err pci_enumerate(struct pci *p, const struct pci_ops *ops, void *ctx,
                                        struct fl_fail *fail);

/* The same in two steps: BARs of devices for which later() is true are left unread (kind NONE)
 * until pci_complete(), which sizes and logs them. Sizing the BARs of a GPU behind an emulator
 * takes 10 ms that the network need not wait for. */
FL_MUST_CHECK enum fl_err pci_enumerate_first(struct pci *p, const struct pci_ops *ops, void *ctx,
                                              bool (*later)(const struct pci_dev *d),
                                              struct fl_fail *fail);
void pci_complete(struct pci *p);

uint32_t pci_read(const struct pci_dev *d, uint16_t off, unsigned size);
void pci_write(const struct pci_dev *d, uint16_t off, unsigned size, uint32_t value);

/* "0000:01:00.0"; buf of at least PCI_NAME_MAX. Returns buf. */
#define PCI_NAME_MAX 16
char *pci_name(const struct pci_dev *d, char *buf);

/* Offset of a capability (id) or extended capability; 0 when absent. Bounded walks. */
uint16_t pci_find_cap(const struct pci_dev *d, uint8_t id);
/* The next capability of that id behind the one at `after`; vendor capabilities come in numbers. */
uint16_t pci_find_next_cap(const struct pci_dev *d, uint16_t after, uint8_t id);
uint16_t pci_find_ext_cap(const struct pci_dev *d, uint16_t id);

/* Memory decoding and bus mastering; true switches on. */
void pci_enable(const struct pci_dev *d, bool memory, bool master);
FL_MUST_CHECK enum fl_err pci_map_bar(const struct pci_dev *d, unsigned bar, struct mmio *out);
/* The first size bytes of a BAR, for data: writes are combined. FL_EINVAL: it is smaller. */
FL_MUST_CHECK enum fl_err pci_map_bar_data(const struct pci_dev *d, unsigned bar, uint64_t size,
                                           struct mmio *out);

/* The n-th memory BAR in order of the register file (0 = first), whatever its index; -1 when
 * absent. NVIDIA: 0 registers, 1 VRAM aperture, 2 instance aperture, on every family. */
int pci_mem_bar(const struct pci_dev *d, unsigned n);

/* Allocates one vector and enables MSI-X entry 0 or MSI with it (MSI-X preferred unless only_msi).
 * FL_ENOTSUP when the device has neither. */
FL_MUST_CHECK enum fl_err pci_enable_msi(const struct pci_dev *d, const char *name,
                                         void (*handler)(void *arg), void *arg, bool only_msi,
                                         struct irq_msi *out);
/* MSI-X entry n of a device that has MSI-X, e.g. one per queue. */
FL_MUST_CHECK enum fl_err pci_enable_msix_entry(const struct pci_dev *d, unsigned n,
                                                const char *name, void (*handler)(void *arg),
                                                void *arg, struct irq_msi *out);
void pci_disable_msi(const struct pci_dev *d);

struct pci_link {
    bool valid;
    uint8_t speed, width; /* now; speed 1..6 = 2.5, 5, 8, 16, 32, 64 GT/s */
    uint8_t max_speed, max_width;
};
/* valid false: there is no link, or the device does not answer now. */
void pci_get_link(const struct pci_dev *d, struct pci_link *out);
const char *pci_speed_name(uint8_t speed); /* "16.0 GT/s" */
#define PCI_SPEED_MAX 6u
/* Makes the link above d no faster than speed (1 .. PCI_SPEED_MAX; 0: leaves it) by the target
 * speed of both of its ends, trained anew where it is faster now; and switches its power saving
 * (ASPM) off. What was done is logged. FL_OK too where nothing had to be done; FL_ENOTSUP: there is
 * no port above, or it has no such register; FL_ETIMEDOUT: the link does not end its training,
 * FL_EIO: it stays faster. Yields. */
FL_MUST_CHECK enum fl_err pci_limit_link(const struct pci_dev *d, uint8_t speed, bool aspm_off,
                                         struct fl_fail *fail);
/* The port above d; NULL: it is on a root bus, or not known. Borrowed. */
const struct pci_dev *pci_port_of(const struct pci_dev *d);

/* Advanced Error Reporting: kinds of errors that the function has seen; a bit stays until somebody
 * clears it, which nobody here does. Reads only. */
struct pci_aer {
    bool valid; /* it has the capability, and answers */
    uint32_t uncorrectable, correctable;
};
void pci_get_aer(const struct pci_dev *d, struct pci_aer *out);
/* "bad_tlp", "completion_timeout", ... (PCI Express Base 5.0, 7.8.4); NULL: a reserved bit. */
const char *pci_aer_name(bool correctable, unsigned bit);

/* A BAR that may be made larger or smaller (Resizable BAR). */
struct pci_rebar {
    uint8_t bar;
    uint64_t size;  /* now, bytes; 0: a size that no BAR can have */
    uint64_t sizes; /* that it may have: bit n is 1 MiB << n */
};
#define PCI_REBARS_MAX PCI_BAR_COUNT
/* How many there are, at most PCI_REBARS_MAX. Reads only. */
size_t pci_get_rebars(const struct pci_dev *d, struct pci_rebar out[PCI_REBARS_MAX]);

/* What a function's registers need before anybody touches them, on its whole way from the root:
 * each bridge and the function itself in power state D0 (with the 10 ms that waking takes, and what
 * it forgot written back), bridges that pass memory accesses and DMA on, every memory BAR placed
 * and inside the windows of all bridges. What was not so and was mended is logged. FL_ELINKLOST:
 * configuration space does not answer; FL_EIO: it does not wake up; FL_ENOTSUP: a BAR that nobody
 * can reach, by name, with what to change in the firmware's set-up. Yields. */
FL_MUST_CHECK enum fl_err pci_make_ready(const struct pci_dev *d, struct fl_fail *fail);
/* Power state by its register: 0 (D0) to 3 (D3hot); 0 where it has none. */
unsigned pci_power_state(const struct pci_dev *d);

/* Function level reset. FL_ENOTSUP without the capability; FL_ETIMEDOUT when the device does not
 * come back within 60 s, FL_EIO when it comes back as another one. Saves and restores command,
 * BARs, their sizes, link and device control, and MSI; a link that comes back slower or narrower is
 * logged. Yields. */
FL_MUST_CHECK enum fl_err pci_flr(const struct pci_dev *d, struct fl_fail *fail);
/* The card's reset by whatever it has: a function level reset, and the bridge above when that one
 * does not bring it back within 10 s; without the capability the bridge at once. *by_bus: the
 * bridge did it. Errors as above. Yields. */
FL_MUST_CHECK enum fl_err pci_reset(const struct pci_dev *d, bool *by_bus, struct fl_fail *fail);
/* Resets the card through the bridge above it; its other functions (a GPU's audio) stay as the
 * reset leaves them. FL_ENOTSUP without a bridge or when other cards are on that bus; else as
 * pci_flr(). */
FL_MUST_CHECK enum fl_err pci_bus_reset(const struct pci_dev *d, struct fl_fail *fail);
/* Whether the device has them. Neither changes anything. */
bool pci_has_flr(const struct pci_dev *d);
bool pci_has_bus_reset(const struct pci_dev *d);

/* "VGA controller", "Ethernet controller", "PCI bridge" ...; never NULL. */
const char *pci_class_name(uint32_t class_code);
