/* SPDX-License-Identifier: MIT */
/*
 * /firstlight.conf: `key = value` lines; '#' starts a comment at the start of a line and behind a
 * blank. An unknown key or a bad value is one
 * message with its line number, and the default is kept: a typing error never stops a boot.
 */
#pragma once

#include "arch/base.h"
#include "arch/log.h"
#include "gsp/gsp.h"

#define CONFIG_MESSAGES_MAX 8
#define CONFIG_MESSAGE_MAX  320
#define CONFIG_HOSTNAME_MAX 64
#define CONFIG_TOKEN_MAX    128
#define CONFIG_HOSTS_MAX    192

#define CONFIG_EXPECT_MAX 8
#define CONFIG_GPUS_MAX   8

/* How the host's label in dcgm-exporter's metrics is called: by it, or by dashboards of
 * before 4.8.3.
 */
enum config_host_label { CONFIG_LABEL_LOWER, CONFIG_LABEL_UPPER, CONFIG_LABEL_NO };

enum config_tls { CONFIG_TLS_NO, CONFIG_TLS_YES, CONFIG_TLS_ONLY };

/* What one GPU has that others have not ("attempts[1] = 2"): what is set here counts. */
struct config_gpu {
    bool has_attempts, has_revive, has_firmware, has_link_speed, has_aspm;
    uint8_t link_speed;
    bool aspm_off;
    uint32_t attempts;
    bool revive;
    char firmware[32];
};
struct config_registry {
    int gpu; /* -1: all */
    struct gsp_registry_key key;
};

struct boot_config {
    char hostname[CONFIG_HOSTNAME_MAX]; /* letters, digits, '-'; default "firstlight" */
    bool dhcp;                          /* default true */
    uint32_t ip, mask, gateway, dns;    /* IPv4, host byte order, 0 = none */
    bool ipv6, mdns;                    /* default true */
    bool ntp;                           /* default true: ask for the time; */
    uint32_t ntp_server;                /* 0 = whom DHCP names */
    uint32_t syslog_server;             /* 0 = nobody */
    uint16_t syslog_port;
    char token[CONFIG_TOKEN_MAX];      /* "" = none: one is made */
    bool read_token;                   /* readers need it, too; default false */
    char hosts[CONFIG_HOSTS_MAX];      /* further names of this machine, blanks between */
    char firmware[32];                 /* version to force, "" = newest that is complete */
    enum config_tls tls;               /* default no */
    uint32_t attempts;                 /* of each GPU's boot, 1 to 8; default 3 */
    uint8_t link_speed;                /* PCI Express generation at most; 0 = as it is */
    bool aspm_off;                     /* default false: as the firmware left it */
    bool revive;                       /* a GSP that hangs is brought up again; default false */
    uint32_t expect_gpus;              /* fewer are a failure, 0 to 8; default 0 */
    enum config_host_label host_label; /* default hostname */
    enum log_level log_level;          /* default info */
    bool screen;                       /* drawn on at all; default true */

    struct config_gpu gpu[CONFIG_GPUS_MAX];
    struct config_registry registry[GSP_REGISTRY_MAX];
    uint32_t registry_count;
    int for_gpu; /* while a line is parsed: whose it is; -1: of all */

    /* What was wrong, one sentence each: "firstlight.conf:3: unknown key 'ipp'; known are ...".
     * Printable ASCII; never a token's value nor what could be a part of one. */
    char message[CONFIG_MESSAGES_MAX][CONFIG_MESSAGE_MAX];
    uint32_t message_count; /* may exceed CONFIG_MESSAGES_MAX: the rest was only counted */
};

void config_defaults(struct boot_config *c);
/* "hostname", "Hostname"; NULL: none. */
const char *config_host_label(const struct boot_config *c);
/* Parses len bytes of text (not necessarily NUL-terminated) over the defaults. Any bytes are fine.
 */
void config_parse(struct boot_config *c, const char *text, size_t len);
/* What GPU number n (as in /api/v1/gpus/n) is to be given: version, attempts, revive, registry.
 * keys: where its registry is put, GSP_REGISTRY_MAX of them; borrowed by *o, and so is c. */
void config_for_gpu(const struct boot_config *c, unsigned n, struct gsp_options *o,
                    struct gsp_registry_key *keys);
/* The settings in force as such lines, but for the token. NUL-terminated, cut at size. */
void config_text(const struct boot_config *c, char *buf, size_t size);
