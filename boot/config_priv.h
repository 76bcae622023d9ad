/* SPDX-License-Identifier: MIT */
/* What the files of the config parser share. Nobody else includes this. */
#pragma once

#include "arch/text.h"
#include "boot/config.h"

/* Copies value when it is 1..size-1 characters long, all of the set. */
bool config_set_text(char *to, size_t size, const char *value, bool (*allowed)(char));

/* Keys that may be meant for one GPU: c->for_gpu says for which. False: the value is bad, nothing
 * is changed. */
bool config_set_firmware(struct boot_config *c, const char *v);
bool config_set_attempts(struct boot_config *c, const char *v);
bool config_set_link_speed(struct boot_config *c, const char *v);
bool config_set_aspm(struct boot_config *c, const char *v);
bool config_set_when_hung(struct boot_config *c, const char *v);
/* Adds to what other lines have set. */
bool config_set_registry(struct boot_config *c, const char *v);
/* Their settings in force. */
void config_gpu_text(const struct boot_config *c, struct text *t);
