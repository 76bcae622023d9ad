/* SPDX-License-Identifier: MIT */
/*
 * Registers and descriptors of the 82574L, by the names of Intel's "82574 GbE Controller Family
 * Datasheet" (chapters 7 and 10). BAR 0.
 */
#pragma once

#define E1000E_VENDOR  0x8086u
#define E1000E_82574L  0x10d3u
#define E1000E_82574LA 0x10f6u

#define E1000E_BAR       0u
#define E1000E_BAR_BYTES 0x20000u

#define CTRL                    0x00000u
#define CTRL_GIO_MASTER_DISABLE (1u << 2)
#define CTRL_SLU                (1u << 6) /* set link up */
#define CTRL_FRCSPD             (1u << 11)
#define CTRL_FRCDPLX            (1u << 12)
#define CTRL_RST                (1u << 26)

#define STATUS                   0x00008u
#define STATUS_LU                (1u << 1)
#define STATUS_SPEED(v)          ((v) >> 6 & 3u) /* 10, 100, 1000, 1000 Mbit/s */
#define STATUS_GIO_MASTER_ENABLE (1u << 19)

#define EECD         0x00010u
#define EECD_AUTO_RD (1u << 9) /* the NVM has been read into the registers */

#define ICR        0x000c0u /* reading clears it */
#define ITR        0x000c4u
#define IMS        0x000d0u
#define IMC        0x000d8u
#define INT_TXDW   (1u << 0) /* a descriptor with RS was written back */
#define INT_LSC    (1u << 2)
#define INT_RXDMT0 (1u << 4)
#define INT_RXO    (1u << 6)
#define INT_RXT0   (1u << 7)
#define INT_ALL    0xffffffffu

#define RCTL       0x00100u
#define RCTL_EN    (1u << 1)
#define RCTL_MPE   (1u << 4) /* every multicast frame */
#define RCTL_BAM   (1u << 15)
#define RCTL_SECRC (1u << 26) /* without the check sequence */
/* BSIZE 17:16 = 0 and BSEX 25 = 0: buffers of 2048 bytes */

#define TCTL        0x00400u
#define TCTL_EN     (1u << 1)
#define TCTL_PSP    (1u << 3)
#define TCTL_CT     (0x0fu << 4)
#define TCTL_COLD   (0x3fu << 12) /* full duplex */
#define TIPG        0x00410u
#define TIPG_COPPER 0x00602008u /* IPGT 8, IPGR1 8, IPGR2 6: what the datasheet asks for */

#define RDBAL             0x02800u
#define RDBAH             0x02804u
#define RDLEN             0x02808u
#define RDH               0x02810u
#define RDT               0x02818u
#define RDTR              0x02820u
#define RADV              0x0282cu
#define TDBAL             0x03800u
#define TDBAH             0x03804u
#define TDLEN             0x03808u
#define TDH               0x03810u
#define TDT               0x03818u
#define TIDV              0x03820u
#define TXDCTL            0x03828u
#define TXDCTL_COUNT_DESC (1u << 22) /* must be 1 */
#define RXCSUM            0x05000u
#define RFCTL             0x05008u
#define MTA               0x05200u
#define MTA_WORDS         128u
#define RAL0              0x05400u
#define RAH0              0x05404u
#define RAH_AV            (1u << 31)
#define GCR               0x05b00u
#define GCR_L1_ENTRY      (1u << 22) /* specification update, erratum on completions under ASPM */
#define GCR2              0x05b64u
#define GCR2_FIX          (1u << 0) /* the same erratum's second half */

/* Legacy receive descriptor (7.1.4), after the 64-bit address */
#define RX_STATUS_DD  (1u << 0)
#define RX_STATUS_EOP (1u << 1)
#define RX_ERRORS     0x97u /* RXE, CXE, SEQ, SE, CE; the checksum bits are off */
/* Legacy transmit descriptor (7.2.10) */
#define TX_CMD_EOP   (1u << 0)
#define TX_CMD_IFCS  (1u << 1)
#define TX_CMD_RS    (1u << 3)
#define TX_STATUS_DD (1u << 0)
