/* SPDX-License-Identifier: MIT */
/* The config file parser on arbitrary bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "boot/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct boot_config c;
    config_defaults(&c);
    config_parse(&c, (const char *)data, size);
    if (memchr(c.hostname, '\0', sizeof(c.hostname)) == NULL || c.hostname[0] == '\0') {
        abort();
    }
    return 0;
}
