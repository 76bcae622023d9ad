/* SPDX-License-Identifier: MIT */
/*
 * Configuration space: offsets and bits. Sources: PCI Local Bus Specification 3.0 chapter 6, PCI
 * Express Base Specification 4.0 chapter 7, PCI-to-PCI Bridge Architecture 1.2 chapter 3.
 */
#pragma once

/* Sizes of the space */
#define PCI_CFG_SIZE      256u  /* without extended capabilities */
#define PCI_CFG_EXT_SIZE  4096u /* PCI Express */
#define PCI_CFG_FIRST_CAP 0x40u /* capabilities lie behind the header */

/* Geometry */
#define PCI_BUSES           256u
#define PCI_SLOTS_PER_BUS   32u
#define PCI_FUNCTIONS       8u
#define PCI_DEVFN(slot, fn) ((uint8_t)((slot) << 3 | (fn)))
#define PCI_SLOT(devfn)     ((devfn) >> 3)
#define PCI_FN(devfn)       ((devfn) & 7u)

/* Common header */
#define PCI_CFG_ID               0x00u
#define PCI_CFG_COMMAND          0x04u
#define PCI_COMMAND_IO           0x0001u
#define PCI_COMMAND_MEMORY       0x0002u
#define PCI_COMMAND_MASTER       0x0004u
#define PCI_COMMAND_INTX_DISABLE 0x0400u
#define PCI_CFG_STATUS           0x06u
#define PCI_STATUS_CAP_LIST      0x0010u
#define PCI_CFG_CLASS_REV        0x08u
#define PCI_CFG_CACHE_LINE       0x0cu
#define PCI_CFG_HEADER_TYPE      0x0eu
#define PCI_HEADER_MULTI         0x80u
#define PCI_HEADER_TYPE_MASK     0x7fu
#define PCI_HEADER_NORMAL        0u
#define PCI_HEADER_BRIDGE        1u
#define PCI_HEADER_CARDBUS       2u
#define PCI_CFG_BAR0             0x10u
#define PCI_CFG_INTERRUPT_LINE   0x3cu
#define PCI_CFG_CAP_PTR          0x34u
#define PCI_CFG_SUBSYSTEM        0x2cu /* header type 0 */

/* Vendor IDs that mean "nothing here" and "ask again" (Request Retry Status, when visible) */
#define PCI_ID_NONE      0xffffffffu
#define PCI_VENDOR_NONE  0xffffu
#define PCI_VENDOR_RETRY 0x0001u

/* Base address registers */
#define PCI_BAR_IS_IO       0x1u
#define PCI_BAR_IO_MASK     0xfffffffcu
#define PCI_BAR_TYPE_MASK   0x6u
#define PCI_BAR_TYPE_32     0x0u
#define PCI_BAR_TYPE_LOW    0x2u /* below 1 MiB, obsolete */
#define PCI_BAR_TYPE_64     0x4u
#define PCI_BAR_IS_PREFETCH 0x8u
#define PCI_BAR_MEM_MASK    0xfffffff0u
#define PCI_BARS_NORMAL     6u
#define PCI_BARS_BRIDGE     2u

/* Bridges (header type 1) */
#define PCI_CFG_BUSES           0x18u /* primary 7:0, secondary 15:8, subordinate 23:16 */
#define PCI_CFG_MEM_WINDOW      0x20u
#define PCI_CFG_PREF_WINDOW     0x24u
#define PCI_CFG_PREF_BASE_HIGH  0x28u
#define PCI_CFG_PREF_LIMIT_HIGH 0x2cu
#define PCI_CFG_BRIDGE_CONTROL  0x3eu
#define PCI_BRIDGE_BUS_RESET    0x0040u
#define PCI_WINDOW_ADDR_MASK    0xfff0u /* address bits 31:20 */
#define PCI_WINDOW_64           0x1u
#define PCI_WINDOW_LOW_BITS     0xfffffu

/* Capabilities */
#define PCI_CAP_PM          0x01u
#define PCI_CAP_MSI         0x05u
#define PCI_CAP_VENDOR      0x09u
#define PCI_CAP_PCIE        0x10u
#define PCI_CAP_MSIX        0x11u
#define PCI_CAP_CARDBUS_PTR 0x14u /* where header type 2 keeps its list pointer */
#define PCI_CAP_PTR_MASK    0xfcu

/* Extended capabilities: id 15:0, version 19:16, next 31:20 */
#define PCI_EXT_CAP_START   0x100u
#define PCI_EXT_CAP_ID(h)   ((h) & 0xffffu)
#define PCI_EXT_CAP_NEXT(h) ((h) >> 20 & 0xffcu)
#define PCI_EXT_CAP_AER     0x01u
#define PCI_EXT_CAP_SRIOV   0x10u
#define PCI_EXT_CAP_REBAR   0x15u

/* MSI: offsets from the capability */
#define PCI_MSI_CONTROL      0x02u
#define PCI_MSI_ENABLE       0x0001u
#define PCI_MSI_MULTI_ENABLE 0x0070u
#define PCI_MSI_64           0x0080u
#define PCI_MSI_MASKABLE     0x0100u
#define PCI_MSI_ADDRESS      0x04u
#define PCI_MSI_ADDRESS_HIGH 0x08u /* 64-bit layout only */
#define PCI_MSI_DATA_32      0x08u
#define PCI_MSI_DATA_64      0x0cu
#define PCI_MSI_MASK_32      0x0cu
#define PCI_MSI_MASK_64      0x10u
#define PCI_MSI_LENGTH_MAX   0x18u
#define PCI_MSI_LENGTH_MIN   0x0cu

/* MSI-X */
#define PCI_MSIX_CONTROL            0x02u
#define PCI_MSIX_COUNT_MASK         0x07ffu /* entries - 1 */
#define PCI_MSIX_FUNCTION_MASK      0x4000u
#define PCI_MSIX_ENABLE             0x8000u
#define PCI_MSIX_TABLE              0x04u
#define PCI_MSIX_BIR_MASK           0x7u
#define PCI_MSIX_LENGTH             0x0cu
#define PCI_MSIX_ENTRY_SIZE         16u
#define PCI_MSIX_ENTRY_ADDRESS      0u
#define PCI_MSIX_ENTRY_ADDRESS_HIGH 4u
#define PCI_MSIX_ENTRY_DATA         8u
#define PCI_MSIX_ENTRY_CONTROL      12u
#define PCI_MSIX_ENTRY_MASKED       0x1u

/* PCI Express capability */
#define PCI_EXP_FLAGS            0x02u
#define PCI_EXP_FLAGS_VERSION    0x000fu
#define PCI_EXP_PORT_TYPE(flags) ((flags) >> 4 & 0xfu)
#define PCI_EXP_TYPE_RC_ENDPOINT 9u
#define PCI_EXP_TYPE_RC_EVENTS   10u
#define PCI_EXP_DEVCAP           0x04u
#define PCI_EXP_DEVCAP_FLR       0x10000000u
#define PCI_EXP_DEVCTL           0x08u
#define PCI_EXP_DEVCTL_FLR       0x8000u
#define PCI_EXP_DEVSTA           0x0au
#define PCI_EXP_DEVSTA_PENDING   0x0020u
#define PCI_EXP_LNKCAP           0x0cu
#define PCI_EXP_LNKCTL           0x10u
#define PCI_EXP_LNKCTL_ASPM      0x0003u
#define PCI_EXP_LNKCTL_RETRAIN   0x0020u
#define PCI_EXP_LNKSTA           0x12u
#define PCI_EXP_LNKSTA_TRAINING  0x0800u
#define PCI_EXP_LINK_SPEED(v)    ((v) & 0xfu)
#define PCI_EXP_LINK_WIDTH(v)    ((v) >> 4 & 0x3fu)
#define PCI_EXP_DEVCTL2          0x28u
#define PCI_EXP_LNKCTL2          0x30u
#define PCI_EXP_LNKCTL2_SPEED    0x000fu
#define PCI_EXP_LENGTH_V1        0x14u /* up to and with link status: all that endpoints must have */
#define PCI_EXP_LENGTH_V2        0x3cu

/* Resizable BAR: one capability and one control register per BAR, from +4 on */
#define PCI_REBAR_FIRST          0x04u
#define PCI_REBAR_STRIDE         0x08u
#define PCI_REBAR_CONTROL        0x04u /* within a pair */
#define PCI_REBAR_BAR(control)   ((control) & 0x7u)
#define PCI_REBAR_COUNT(control) ((control) >> 5 & 0x7u)
#define PCI_REBAR_SIZE(control)  ((control) >> 8 & 0x3fu) /* 0 is 1 MiB */
/* Sizes that the BAR may have, bit n: 1 MiB << n; 2^28 MiB and more are in the control register. */
#define PCI_REBAR_SIZES(cap, control) ((uint64_t)(cap) >> 4 | (uint64_t)((control) >> 16) << 28)
#define PCI_REBAR_MAX                 6u

/* Advanced Error Reporting */
#define PCI_AER_UNCORRECTABLE 0x04u
#define PCI_AER_CORRECTABLE   0x10u

/* Class codes (base, sub, interface) */
#define PCI_CLASS_BASE(c)     ((c) >> 16 & 0xffu)
#define PCI_CLASS_SUB(c)      ((c) >> 8 & 0xffu)
#define PCI_CLASS_PROG(c)     ((c) & 0xffu)
#define PCI_CLASS_HOST_BRIDGE 0x0600u /* base and sub */
#define PCI_CLASS_PCI_BRIDGE  0x0604u
#define PCI_CLASS_ETHERNET    0x0200u
#define PCI_PROG_SUBTRACTIVE  0x01u

/* Power management (PCI Bus Power Management Interface 1.2, 3.2.4) */
#define PCI_PM_CONTROL       4u      /* PMCSR */
#define PCI_PM_STATE         0x0003u /* 0: D0 .. 3: D3hot */
#define PCI_PM_NO_SOFT_RESET 0x0008u /* D3hot to D0 keeps the configuration */
#define PCI_PM_STATUS        0x8000u /* PME: a one clears it */
