/* SPDX-License-Identifier: MIT */
/*
 * What is built of mbedTLS: base64, comparing in constant time, two hashes in the small form (they
 * run over a few hundred KiB at a boot and over one block at a connection), and a TLS 1.3 server
 * (docs/decisions/0009-tls.md). mbedTLS includes this file by MBEDTLS_CONFIG_FILE.
 */
#pragma once

#define MBEDTLS_BASE64_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA256_SMALLER
#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_SMALLER

/* --- the server: TLS 1.3 with a certificate, nothing to resume, no client certificates --- */

#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_SRV_C
#define MBEDTLS_SSL_PROTO_TLS1_3
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ENABLED
#define MBEDTLS_SSL_ALL_ALERT_MESSAGES
#define MBEDTLS_SSL_TLS1_3_COMPATIBILITY_MODE /* middleboxes: RFC 8446, D.4 */
#define MBEDTLS_SSL_KEEP_PEER_CERTIFICATE     /* TLS 1.3 of mbedTLS asks for it */
#ifdef FL_HOST
#define MBEDTLS_SSL_CLI_C /* the tests' client */
#endif
/* Bytes of plaintext in a record: a client may send as much, and we send less. */
#define MBEDTLS_SSL_IN_CONTENT_LEN  16384
#define MBEDTLS_SSL_OUT_CONTENT_LEN 4096

/* --- certificates: read from PEM, or written --- */

#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_OID_C
#define MBEDTLS_PEM_PARSE_C
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_PK_WRITE_C
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_REMOVE_INFO
#define MBEDTLS_X509_CREATE_C
#define MBEDTLS_X509_CRT_PARSE_C
#define MBEDTLS_X509_CRT_WRITE_C

/* --- ciphers, by way of PSA: which, says mbedtls_psa_config.h --- */

#define MBEDTLS_PSA_CRYPTO_C
#define MBEDTLS_PSA_CRYPTO_CONFIG
#define MBEDTLS_PSA_CRYPTO_CONFIG_FILE  "arch/mbedtls_psa_config.h"
#define MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG /* machine_random(), net/http/tls_port.c */
#define MBEDTLS_USE_PSA_CRYPTO
#define MBEDTLS_PSA_ASSUME_EXCLUSIVE_BUFFERS /* nobody changes what is given to it meanwhile */
#define MBEDTLS_ECP_NIST_OPTIM
#if defined(__has_feature)
#if __has_feature(memory_sanitizer) /* it does not see what assembly writes */
#define FL_NO_ASM
#endif
#endif
#ifndef FL_NO_ASM
#define MBEDTLS_HAVE_ASM
#define MBEDTLS_AESNI_C
#endif
#define MBEDTLS_AES_FEWER_TABLES
#define MBEDTLS_AES_ONLY_128_BIT_KEY_LENGTH
#define MBEDTLS_BLOCK_CIPHER_NO_DECRYPT

/* Asked at every step of a multiplication of points whether it knows better: tls_port.c says no,
 * and lets other fibers run. */
#define MBEDTLS_ECP_INTERNAL_ALT
#define MBEDTLS_ECP_DOUBLE_JAC_ALT
#define MBEDTLS_ECP_DOUBLE_ADD_MXZ_ALT

/* Memory comes from tls_port.c, which counts it. */
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY
