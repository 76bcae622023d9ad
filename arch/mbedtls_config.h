/* SPDX-License-Identifier: MIT */
/*
 * What is built of mbedTLS: base64, comparing in constant time, and two hashes, in the small form,
 * for they run over a few hundred KiB at a boot and over one block at a connection. mbedTLS
 * includes this file by MBEDTLS_CONFIG_FILE.
 */
#pragma once

#define MBEDTLS_BASE64_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA256_SMALLER
#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_SMALLER
