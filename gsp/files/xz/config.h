/* SPDX-License-Identifier: MIT */
/* Our configuration of liblzma, which includes this file by its name: one decoder, LZMA2, as Linux
 * takes in its firmware files, with every check that a .xz file may have; no threads, no encoder,
 * no assembler. */
#pragma once

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L /* sigset_t, of which it speaks but makes no use */
#endif

#define HAVE_STDBOOL_H  1
#define HAVE_STDINT_H   1
#define HAVE_INTTYPES_H 1
#define HAVE__BOOL      1
#define SIZEOF_SIZE_T   8

#define HAVE_DECODERS      1
#define HAVE_DECODER_LZMA2 1

#define HAVE_CHECK_CRC32  1
#define HAVE_CHECK_CRC64  1
#define HAVE_CHECK_SHA256 1

#define TUKLIB_FAST_UNALIGNED_ACCESS 1
#define LZMA_RANGE_DECODER_CONFIG    0 /* plain C */

#define PACKAGE_NAME      "liblzma"
#define PACKAGE_BUGREPORT ""
#define PACKAGE_URL       ""
