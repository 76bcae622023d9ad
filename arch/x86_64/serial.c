/* SPDX-License-Identifier: MIT */
/*
 * The first serial port, to write only: 115200 baud, 8 data bits, no parity. Never waits, except in
 * an emergency. Source: National Semiconductor PC16550D data sheet.
 */
#include "arch/x86_64/x86_priv.h"

#define COM1 0x3f8u
enum {
    UART_DATA = 0,
    UART_IER = 1,
    UART_FCR = 2,
    UART_LCR = 3,
    UART_MCR = 4,
    UART_LSR = 5,
    UART_SCRATCH = 7,
    UART_DIVISOR_LOW = 0,
    UART_DIVISOR_HIGH = 1
};
#define LCR_8N1             0x03u
#define LCR_DIVISOR         0x80u
#define MCR_DTR_RTS         0x03u
#define FCR_ENABLE_CLEAR_RX 0x03u
#define LSR_THR_EMPTY       0x20u
#define DIVISOR_115200      1u
enum { FIFO_BYTES = 16 };
/* 16 bytes take 1.4 ms at 115200 baud. A UART that is not ready after many times that is dead: on
 * any CPU this many TSC ticks are more than 12 ms. */
#define PATIENCE_TICKS 100000000ull

static struct {
    bool present;
} serial;

void x86_serial_start(void)
{
    enum { PROBE = 0x5a };
    cpu_out8(COM1 + UART_SCRATCH, PROBE);
    serial.present = cpu_in8(COM1 + UART_SCRATCH) == PROBE && cpu_in8(COM1 + UART_LSR) != 0xff;
    if (!serial.present) {
        return;
    }
    cpu_out8(COM1 + UART_IER, 0);
    cpu_out8(COM1 + UART_LCR, LCR_DIVISOR | LCR_8N1);
    uint8_t low = cpu_in8(COM1 + UART_DIVISOR_LOW), high = cpu_in8(COM1 + UART_DIVISOR_HIGH);
    if (low != DIVISOR_115200 || high != 0) {
        /* Only when it must be: it garbles what the firmware is still sending. */
        cpu_out8(COM1 + UART_DIVISOR_LOW, DIVISOR_115200);
        cpu_out8(COM1 + UART_DIVISOR_HIGH, 0);
    }
    cpu_out8(COM1 + UART_LCR, LCR_8N1);
    cpu_out8(COM1 + UART_FCR, FCR_ENABLE_CLEAR_RX);
    cpu_out8(COM1 + UART_MCR, MCR_DTR_RTS);
}

bool x86_serial_present(void) { return serial.present; }

size_t x86_serial_put(const char *s, size_t n)
{
    if (!serial.present || (cpu_in8(COM1 + UART_LSR) & LSR_THR_EMPTY) == 0) {
        return 0;
    }
    size_t count = n < FIFO_BYTES ? n : FIFO_BYTES;
    for (size_t i = 0; i < count; i++) {
        cpu_out8(COM1 + UART_DATA, (uint8_t)s[i]);
    }
    return count;
}

void x86_serial_put_wait(const char *s, size_t n)
{
    uint64_t since = cpu_tsc();
    while (n > 0 && serial.present) {
        size_t done = x86_serial_put(s, n);
        s += done;
        n -= done;
        if (done > 0) {
            since = cpu_tsc();
        } else if (cpu_tsc() - since > PATIENCE_TICKS) {
            serial.present = false;
        }
    }
}
