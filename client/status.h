/* SPDX-License-Identifier: MIT */
/* The appliance's status, and how a person sees it. Whatever it does not say is N/A. */
#pragma once

#include <stdio.h>

#include "client/client.h"

/* GET path, which must give a JSON object; owned by the caller. NULL: c has failed. */
json_t *status_get_object(struct client *c, const char *what, const char *path);
/* /api/v1/status with an array "gpus", of which with --gpu only that one is left; owned by the
 * caller. NULL: c has failed. */
json_t *status_get(struct client *c);

/* What a GPU measures, by the name in "sensors". False: it is not known. */
bool status_sensor(const json_t *gpu, const char *name, json_int_t *value);
/* The board's power in milliwatts, by what the firmware gives of it. False: it is not known. */
bool status_power(const json_t *gpu, json_int_t *value);
/* The worst of the GPUs' states of health; "ok" without any. Static. */
const char *status_health(const json_t *status);
/* How long the appliance has been up: "3 min 12 s"; "-" when it does not say. */
const char *status_uptime(const json_t *status, char buf[32]);

/* The table, and below it why a GPU is not well. url: where it answers. */
void status_table(FILE *f, const json_t *status, const char *url);
/* The exit statuses of plugins for monitoring systems. */
enum check_state { CHECK_OK, CHECK_WARNING, CHECK_CRITICAL, CHECK_UNKNOWN };
/* Asks, and prints one line as such a plugin does, also when nothing answers. Returns a
 * check_state; c has not failed then. */
int status_check(struct client *c);
/* A GPU in one line. */
void status_line(FILE *f, const json_t *gpu);
