/* SPDX-License-Identifier: MIT */
/* picolibc (LIBC=picolibc): the standard streams. Source: picolibc 1.8.10, doc/os.md. */
#include <stdio.h>

#include "arch/x86_64/x86_priv.h"

const char x86_libc_name[] = "picolibc " __PICOLIBC_VERSION__;

static int put_char(char c, FILE *file)
{
    (void)file;
    x86_libc_put_char(c);
    return (unsigned char)c;
}

static FILE stream = FDEV_SETUP_STREAM(put_char, NULL, NULL, _FDEV_SETUP_WRITE);
FILE *const stdin = &stream;
FILE *const stdout = &stream;
FILE *const stderr = &stream;
