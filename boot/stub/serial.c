/* SPDX-License-Identifier: MIT */
/*
 * The serial port by hand: it works before, beside and after the firmware's console.
 *
 * Source of the UART registers: 16550 data sheet (THR at +0, LSR at +5, bit 5 = THR empty).
 */
#include "boot/stub/stub.h"

enum { COM1 = 0x3f8, UART_LSR = 5, UART_LSR_THRE = 0x20, UART_ABSENT = 0xff };
/* Polls of LSR before a character is given up: one takes 87 us at 115200 baud, a port access ~1 us.
 */
enum { UART_POLLS = 20000 };

static uint8_t port_read(uint16_t port)
{
    uint8_t v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static void port_write(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

void serial_char(char c)
{
    for (unsigned i = 0; i < UART_POLLS; i++) {
        uint8_t lsr = port_read(COM1 + UART_LSR);
        if (lsr == UART_ABSENT) {
            return;
        }
        if ((lsr & UART_LSR_THRE) != 0) {
            port_write(COM1, (uint8_t)c);
            return;
        }
    }
}

void serial_str(const char *s)
{
    for (; *s != '\0'; s++) {
        serial_char(*s);
    }
}
