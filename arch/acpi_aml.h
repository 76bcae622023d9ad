/* SPDX-License-Identifier: MIT */
/* The pattern of \_S5 in a table's AML, for acpi.c and its tests only. */
#pragma once

#include "arch/base.h"

/* NameOp, with which the pattern starts. */
enum { ACPI_AML_NAME = 0x08 };

/* NameOp, root, name, PackageOp, PkgLength, count, two integers. */
enum { ACPI_S5_BYTES_MAX = 1 + 1 + 4 + 1 + 4 + 1 + 2 * 5 };

/* Do n bytes at b, of a table of which `left` bytes follow from there, start with Name(_S5_,
 * Package { x, y, ... }), a package that lies in the table and holds both numbers, which are sleep
 * types? n >= 1. */
bool acpi_aml_s5(const uint8_t *b, size_t n, uint64_t left, uint32_t type[2]);
