/* SPDX-License-Identifier: MIT */
/*
 * The firmware files of the boot volume that came packed (gsp/files/unpack.h), unpacked before a
 * GPU is begun: the list that the stub made then reads as if the plain files had been there.
 */
#pragma once

#include "arch/handoff.h"

/* For each file whose name ends in .zst or .xz, unless the plain one was read too: unpacks it into
 * memory of its own, a GSP image so that its .fwimage lies on a page boundary, and writes the plain
 * name, address and size into the list. One that cannot be unpacked gets the plain name and
 * FL_FILE_PACKED, and note() is told why, in one line. Yields between pieces; in a fiber. */
void unpack_files(struct fl_file *files, uint32_t count, void (*note)(const char *text));
