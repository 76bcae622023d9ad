/* SPDX-License-Identifier: MIT */
/* The parser of /firstlight.conf: lines, keys, values; pure. */
#include "boot/config_priv.h"

#include <stdarg.h>
#include <string.h>

#include "arch/text.h"

enum { LINE_MAX_BYTES = 256, ATTEMPTS_DEFAULT = 3, SYSLOG_PORT = 514 };

static void complain(struct boot_config *c, unsigned line, const char *fmt, ...) FL_PRINTF(3, 4);
static void complain(struct boot_config *c, unsigned line, const char *fmt, ...)
{
    if (c->message_count < CONFIG_MESSAGES_MAX) {
        char *to = c->message[c->message_count];
        struct text t = text_on(to, CONFIG_MESSAGE_MAX);
        text_fmt(&t, "firstlight.conf:%u: ", line);
        va_list ap;
        va_start(ap, fmt);
        text_vfmt(&t, fmt, ap);
        va_end(ap);
        for (; *to != '\0'; to++) {
            *to = *to < ' ' || *to > '~' ? '?' : *to;
        }
    }
    c->message_count++;
}

void config_defaults(struct boot_config *c)
{
    *c = (struct boot_config){.hostname = "firstlight",
                              .dhcp = true,
                              .ipv6 = true,
                              .mdns = true,
                              .ntp = true,
                              .attempts = ATTEMPTS_DEFAULT,
                              .for_gpu = -1,
                              .screen = true,
                              .log_level = LOG_INFO};
}

/* "a.b.c.d" at *p; moves *p behind it. */
static bool parse_ipv4(const char **p, uint32_t *out)
{
    uint32_t ip = 0;
    for (int part = 0; part < 4; part++) {
        if (part > 0) {
            if (**p != '.') {
                return false;
            }
            (*p)++;
        }
        unsigned n = 0, digits = 0;
        while (**p >= '0' && **p <= '9' && digits < 3) {
            n = n * 10 + (unsigned)(**p - '0');
            (*p)++;
            digits++;
        }
        if (digits == 0 || n > 255) {
            return false;
        }
        ip = ip << 8 | n;
    }
    *out = ip;
    return true;
}

static bool parse_address(const char *value, uint32_t *out)
{
    uint32_t ip;
    if (!parse_ipv4(&value, &ip) || *value != '\0') {
        return false;
    }
    *out = ip;
    return true;
}

/* "dhcp" or "a.b.c.d/nn" */
static bool set_ip(struct boot_config *c, const char *value)
{
    if (strcmp(value, "dhcp") == 0) {
        c->dhcp = true;
        return true;
    }
    uint32_t ip;
    unsigned bits = 0, digits = 0;
    if (!parse_ipv4(&value, &ip) || *value++ != '/') {
        return false;
    }
    for (; *value >= '0' && *value <= '9' && digits < 2; value++, digits++) {
        bits = bits * 10 + (unsigned)(*value - '0');
    }
    if (digits == 0 || *value != '\0' || bits < 1 || bits > 32) {
        return false;
    }
    c->dhcp = false;
    c->ip = ip;
    c->mask = (uint32_t)(0xffffffffull << (32 - bits));
    return true;
}

static bool is_alnum(char ch)
{
    return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
}
static bool is_host_char(char ch) { return is_alnum(ch) || ch == '-'; }
static bool is_token_char(char ch) { return ch > ' ' && ch <= '~'; }

static bool set_hostname(struct boot_config *c, const char *v)
{
    return v[0] != '-' && config_set_text(c->hostname, sizeof(c->hostname), v, is_host_char);
}
static bool set_gateway(struct boot_config *c, const char *v)
{
    return parse_address(v, &c->gateway);
}
static bool set_dns(struct boot_config *c, const char *v) { return parse_address(v, &c->dns); }
static bool set_token(struct boot_config *c, const char *v)
{
    return config_set_text(c->token, sizeof(c->token), v, is_token_char);
}
static bool set_yes(bool *to, const char *v)
{
    const bool yes = strcmp(v, "yes") == 0;
    if (!yes && strcmp(v, "no") != 0) {
        return false;
    }
    *to = yes;
    return true;
}
static bool set_read_token(struct boot_config *c, const char *v)
{
    return set_yes(&c->read_token, v);
}
static bool set_ipv6(struct boot_config *c, const char *v) { return set_yes(&c->ipv6, v); }
/* "dhcp", "no" or an address */
static bool set_ntp(struct boot_config *c, const char *v)
{
    uint32_t ip = 0;
    const bool no = strcmp(v, "no") == 0;
    if (!no && strcmp(v, "dhcp") != 0 && (!parse_address(v, &ip) || ip == 0)) {
        return false;
    }
    c->ntp = !no;
    c->ntp_server = ip;
    return true;
}
/* "no", or an address with or without ":port" */
static bool set_syslog(struct boot_config *c, const char *v)
{
    uint32_t ip = 0, port = SYSLOG_PORT;
    if (strcmp(v, "no") == 0) {
        c->syslog_server = 0;
        return true;
    }
    if (!parse_ipv4(&v, &ip) || ip == 0) {
        return false;
    }
    if (*v == ':') {
        unsigned digits = 0;
        for (port = 0, v++; *v >= '0' && *v <= '9' && digits < 5; v++, digits++) {
            port = port * 10 + (uint32_t)(*v - '0');
        }
    }
    if (*v != '\0' || port == 0 || port > UINT16_MAX) {
        return false;
    }
    c->syslog_server = ip;
    c->syslog_port = (uint16_t)port;
    return true;
}
static bool set_mdns(struct boot_config *c, const char *v) { return set_yes(&c->mdns, v); }
static const char *const tls_names[] = {
    [CONFIG_TLS_NO] = "no", [CONFIG_TLS_YES] = "yes", [CONFIG_TLS_ONLY] = "only"};
static bool set_tls(struct boot_config *c, const char *v)
{
    for (unsigned i = 0; i < ARRAY_SIZE(tls_names); i++) {
        if (strcmp(v, tls_names[i]) == 0) {
            c->tls = (enum config_tls)i;
            return true;
        }
    }
    return false;
}
static bool is_hosts_char(char ch) { return is_host_char(ch) || ch == '.' || ch == ' '; }
static bool set_hosts(struct boot_config *c, const char *v)
{
    return config_set_text(c->hosts, sizeof(c->hosts), v, is_hosts_char);
}
/* One digit: the API shows no more than that. */
static bool set_expect_gpus(struct boot_config *c, const char *v)
{
    if (v[0] < '0' || v[0] > '0' + CONFIG_EXPECT_MAX || v[1] != '\0') {
        return false;
    }
    c->expect_gpus = (uint32_t)(v[0] - '0');
    return true;
}
static const char *const label_names[] = {
    [CONFIG_LABEL_LOWER] = "hostname", [CONFIG_LABEL_UPPER] = "Hostname", [CONFIG_LABEL_NO] = "no"};
static bool set_host_label(struct boot_config *c, const char *v)
{
    for (unsigned i = 0; i < ARRAY_SIZE(label_names); i++) {
        if (strcmp(v, label_names[i]) == 0) {
            c->host_label = (enum config_host_label)i;
            return true;
        }
    }
    return false;
}
static bool set_log_level(struct boot_config *c, const char *v)
{
    return log_level_parse(v, &c->log_level);
}

static bool set_screen(struct boot_config *c, const char *v)
{
    c->screen = strcmp(v, "off") != 0;
    return !c->screen || strcmp(v, "on") == 0;
}

static const struct {
    const char *name;
    bool (*set)(struct boot_config *c, const char *value);
    const char *expected;
    bool secret;  /* no message shows its value: messages go to the API and the serial line */
    bool per_gpu; /* "name[1] = ..." is for that GPU alone */
} keys[] = {
    {"hostname", set_hostname, "letters, digits and '-', at most 63", false, false},
    {"ip", set_ip, "'dhcp' or an address with prefix such as 192.168.1.20/24", false, false},
    {"gateway", set_gateway, "an IPv4 address", false, false},
    {"dns", set_dns, "an IPv4 address", false, false},
    {"ipv6", set_ipv6, "yes or no", false, false},
    {"mdns", set_mdns, "yes or no", false, false},
    {"ntp", set_ntp, "dhcp, no or an IPv4 address", false, false},
    {"syslog", set_syslog, "no, or an IPv4 address such as 192.168.1.9 or 192.168.1.9:514", false,
     false},
    {"token", set_token, "1 to 127 visible characters", true, false},
    {"read_token", set_read_token, "yes or no", false, false},
    {"hosts", set_hosts, "names with blanks between, at most 191 bytes", false, false},
    {"tls", set_tls, "no, yes or only", false, false},
    {"firmware", config_set_firmware, "a version such as 570.144", false, true},
    {"attempts", config_set_attempts, "a number from 1 to 8", false, true},
    {"when_hung", config_set_when_hung, "stay or boot", false, true},
    {"link_speed", config_set_link_speed, "keep, or a generation of PCI Express from 1 to 6", false,
     true},
    {"aspm", config_set_aspm, "keep or off", false, true},
    {"registry", config_set_registry,
     "keys such as RMPcieLinkSpeed=0x800002aa with blanks between, at most 16 in all", false, true},
    {"expect_gpus", set_expect_gpus, "a number from 0 to 8", false, false},
    {"metrics_hostname", set_host_label, "hostname, Hostname or no", false, false},
    {"log_level", set_log_level, "error, warn, info, debug or trace", false, false},
    {"screen", set_screen, "on or off", false, false},
};

/* Whether an unknown key may be shown. What looks like anything else than a mistyped name may be a
 * secret that slipped to the wrong place: the second line of one, or one in base64 that ends in
 * '='. */
static bool may_be_shown(const char *key, const char *value)
{
    enum { SHOWN_MAX = 16 }; /* the longest key has 16 */
    size_t n = strspn(key, "abcdefghijklmnopqrstuvwxyz_-");
    return n > 0 && n <= SHOWN_MAX && key[n] == '\0' && value[strspn(value, "=")] != '\0';
}

static void trim(char **text)
{
    while (**text == ' ' || **text == '\t') {
        (*text)++;
    }
    size_t n = strlen(*text);
    while (n > 0 && ((*text)[n - 1] == ' ' || (*text)[n - 1] == '\t')) {
        (*text)[--n] = '\0';
    }
}

/* "attempts[1]" for the key "attempts". gpu: -1 when there is no such end. False: it is another
 * key, or one that does not take it. */
static bool key_matches(const char *text, size_t i, int *gpu)
{
    const size_t n = strlen(keys[i].name);

    *gpu = -1;
    if (strncmp(text, keys[i].name, n) != 0) {
        return false;
    }
    text += n;
    if (*text == '\0' || !keys[i].per_gpu) {
        return *text == '\0';
    }
    if (text[0] != '[' || text[1] < '0' || text[1] >= '0' + CONFIG_GPUS_MAX || text[2] != ']' ||
        text[3] != '\0') {
        return false;
    }
    *gpu = text[1] - '0';
    return true;
}

static void parse_line(struct boot_config *c, unsigned number, char *line)
{
    for (char *p = line; *p != '\0'; p++) {
        if (*p == '#' && (p == line || p[-1] == ' ' || p[-1] == '\t')) {
            *p = '\0';
            break;
        }
    }
    trim(&line);
    if (*line == '\0') {
        return;
    }
    char *value = strchr(line, '=');
    if (value == NULL) {
        /* Nothing of it is shown: "token s3cret" is such a line. */
        complain(c, number, "expected 'key = value', found no '='");
        return;
    }
    *value++ = '\0';
    char *key = line;
    trim(&key);
    trim(&value);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (key_matches(key, i, &c->for_gpu)) {
            if (keys[i].set(c, value)) {
                return;
            }
            if (keys[i].secret) {
                complain(c, number, "%s: expected %s, found %zu bytes; the default is kept", key,
                         keys[i].expected, strlen(value));
            } else {
                complain(c, number, "%s = '%.40s': expected %s; the default is kept", key, value,
                         keys[i].expected);
            }
            return;
        }
    }
    bool show = may_be_shown(key, value);
    complain(
        c, number,
        "unknown key%s%s%s; known are hostname, ip, gateway, dns, ipv6, mdns, ntp, syslog, token, "
        "read_token, hosts, "
        "tls, firmware, "
        "attempts, when_hung, link_speed, aspm, registry, expect_gpus, metrics_hostname, "
        "log_level, screen",
        show ? " '" : "", show ? key : "", show ? "'" : "");
}

void config_parse(struct boot_config *c, const char *text, size_t len)
{
    char line[LINE_MAX_BYTES];
    unsigned number = 0;
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* an editor's byte order mark */
        text += 3;
        len -= 3;
    }
    for (size_t at = 0; at < len;) {
        number++;
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end != NULL ? (size_t)(end - (text + at)) : len - at;
        size_t used = n;
        if (n > 0 && text[at + n - 1] == '\r') {
            n--;
        }
        if (n >= sizeof(line)) {
            complain(c, number, "the line is longer than %d bytes", LINE_MAX_BYTES - 1);
        } else if (memchr(text + at, '\0', n) != NULL) {
            complain(c, number, "the line has a NUL byte: is this a text file?");
        } else {
            memcpy(line, text + at, n);
            line[n] = '\0';
            parse_line(c, number, line);
        }
        at += used + 1;
    }
}

const char *config_host_label(const struct boot_config *c)
{
    return c->host_label != CONFIG_LABEL_NO ? label_names[c->host_label] : NULL;
}

static void put_ipv4(struct text *t, const char *key, uint32_t ip)
{
    if (ip != 0) {
        text_fmt(t, "%s = %u.%u.%u.%u\n", key, (unsigned)(ip >> 24), (unsigned)(ip >> 16 & 0xff),
                 (unsigned)(ip >> 8 & 0xff), (unsigned)(ip & 0xff));
    }
}

void config_text(const struct boot_config *c, char *buf, size_t size)
{
    struct text t = text_on(buf, size);
    text_fmt(&t, "hostname = %s\n", c->hostname);
    if (c->dhcp) {
        text_fmt(&t, "ip = dhcp\n");
    } else {
        unsigned bits = 0;
        while (bits < 32 && (c->mask << bits) != 0) {
            bits++;
        }
        text_fmt(&t, "ip = %u.%u.%u.%u/%u\n", (unsigned)(c->ip >> 24),
                 (unsigned)(c->ip >> 16 & 0xff), (unsigned)(c->ip >> 8 & 0xff),
                 (unsigned)(c->ip & 0xff), bits);
    }
    put_ipv4(&t, "gateway", c->gateway);
    put_ipv4(&t, "dns", c->dns);
    text_fmt(&t, "ipv6 = %s\n", c->ipv6 ? "yes" : "no");
    text_fmt(&t, "mdns = %s\n", c->mdns ? "yes" : "no");
    if (c->ntp && c->ntp_server != 0) {
        put_ipv4(&t, "ntp", c->ntp_server);
    } else {
        text_fmt(&t, "ntp = %s\n", c->ntp ? "dhcp" : "no");
    }
    if (c->syslog_server != 0) {
        const uint32_t ip = c->syslog_server;
        text_fmt(&t, "syslog = %u.%u.%u.%u:%u\n", (unsigned)(ip >> 24), (unsigned)(ip >> 16 & 0xff),
                 (unsigned)(ip >> 8 & 0xff), (unsigned)(ip & 0xff), (unsigned)c->syslog_port);
    }
    text_fmt(&t, "read_token = %s\n", c->read_token ? "yes" : "no");
    if (c->hosts[0] != '\0') {
        text_fmt(&t, "hosts = %s\n", c->hosts);
    }
    text_fmt(&t, "tls = %s\n", tls_names[c->tls]);
    config_gpu_text(c, &t);
    text_fmt(&t, "expect_gpus = %u\n", (unsigned)c->expect_gpus);
    text_fmt(&t, "metrics_hostname = %s\n", label_names[c->host_label]);
    text_fmt(&t, "log_level = %s\n", log_level_name(c->log_level));
    text_fmt(&t, "screen = %s\n", c->screen ? "on" : "off");
}
