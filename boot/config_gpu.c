/* SPDX-License-Identifier: MIT */
/* Keys of the config file that are for all GPUs, or for one (config.h). */
#include "boot/config_priv.h"

#include <string.h>

static const char *const aspm_names[] = {[false] = "keep", [true] = "off"};
static const char *const hung_names[] = {[false] = "stay", [true] = "boot"};

bool config_set_text(char *to, size_t size, const char *value, bool (*allowed)(char))
{
    size_t n = strlen(value);
    if (n == 0 || n >= size) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (!allowed(value[i])) {
            return false;
        }
    }
    memcpy(to, value, n + 1);
    return true;
}

static bool is_version_char(char ch) { return (ch >= '0' && ch <= '9') || ch == '.'; }

bool config_set_firmware(struct boot_config *c, const char *v)
{
    struct config_gpu *g = c->for_gpu >= 0 ? &c->gpu[c->for_gpu] : NULL;
    const bool good = config_set_text(g != NULL ? g->firmware : c->firmware, sizeof(c->firmware), v,
                                      is_version_char);

    if (g != NULL) {
        g->has_firmware |= good;
    }
    return good;
}

/* One digit: GSP_MAX_ATTEMPTS is 8. */
bool config_set_attempts(struct boot_config *c, const char *v)
{
    struct config_gpu *g = c->for_gpu >= 0 ? &c->gpu[c->for_gpu] : NULL;

    if (v[0] < '1' || v[0] > '0' + GSP_MAX_ATTEMPTS || v[1] != '\0') {
        return false;
    }
    *(g != NULL ? &g->attempts : &c->attempts) = (uint32_t)(v[0] - '0');
    if (g != NULL) {
        g->has_attempts = true;
    }
    return true;
}

bool config_set_when_hung(struct boot_config *c, const char *v)
{
    struct config_gpu *g = c->for_gpu >= 0 ? &c->gpu[c->for_gpu] : NULL;
    const bool boot = strcmp(v, hung_names[true]) == 0;

    if (!boot && strcmp(v, hung_names[false]) != 0) {
        return false;
    }
    *(g != NULL ? &g->revive : &c->revive) = boot;
    if (g != NULL) {
        g->has_revive = true;
    }
    return true;
}

/* One digit: a generation of PCI Express. */
bool config_set_link_speed(struct boot_config *c, const char *v)
{
    struct config_gpu *g = c->for_gpu >= 0 ? &c->gpu[c->for_gpu] : NULL;
    const bool keep = strcmp(v, aspm_names[false]) == 0;

    if (!keep && (v[0] < '1' || v[0] > '0' + (int)PCI_SPEED_MAX || v[1] != '\0')) {
        return false;
    }
    *(g != NULL ? &g->link_speed : &c->link_speed) = keep ? 0 : (uint8_t)(v[0] - '0');
    if (g != NULL) {
        g->has_link_speed = true;
    }
    return true;
}

bool config_set_aspm(struct boot_config *c, const char *v)
{
    struct config_gpu *g = c->for_gpu >= 0 ? &c->gpu[c->for_gpu] : NULL;
    const bool off = strcmp(v, aspm_names[true]) == 0;

    if (!off && strcmp(v, aspm_names[false]) != 0) {
        return false;
    }
    *(g != NULL ? &g->aspm_off : &c->aspm_off) = off;
    if (g != NULL) {
        g->has_aspm = true;
    }
    return true;
}

static bool is_name_char(char ch)
{
    return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
           ch == '_';
}

static int digit_of(char ch)
{
    const char low = ascii_lower(ch);

    return low >= '0' && low <= '9' ? low - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : 16;
}

/* A number of 32 bits, decimal or 0x..., up to a blank or the end; moves *p there. */
static bool parse_u32(const char **p, uint32_t *out)
{
    const bool hex = (*p)[0] == '0' && ascii_lower((*p)[1]) == 'x';
    const uint64_t base = hex ? 16 : 10;
    uint64_t value = 0;
    unsigned digits = 0;

    for (*p += hex ? 2 : 0; **p != '\0' && **p != ' ' && **p != '\t'; (*p)++, digits++) {
        const int d = digit_of(**p);
        if (d >= (int)base) {
            return false;
        }
        value = value * base + (uint64_t)d;
        if (value > UINT32_MAX) {
            return false;
        }
    }
    *out = (uint32_t)value;
    return digits > 0;
}

/* "NAME=VALUE" at *p; moves *p behind it. */
static bool parse_key(const char **p, struct gsp_registry_key *key)
{
    size_t n = 0;

    while (is_name_char((*p)[n])) {
        n++;
    }
    if (n == 0 || n >= sizeof(key->name) || (*p)[n] != '=') {
        return false;
    }
    *key = (struct gsp_registry_key){0};
    memcpy(key->name, *p, n);
    *p += n + 1;
    return parse_u32(p, &key->value);
}

bool config_set_registry(struct boot_config *c, const char *v)
{
    struct config_registry found[GSP_REGISTRY_MAX];
    const uint32_t room = GSP_REGISTRY_MAX - c->registry_count;
    uint32_t count = 0;

    for (v += strspn(v, " \t"); *v != '\0'; v += strspn(v, " \t")) {
        if (count == room || !parse_key(&v, &found[count].key)) {
            return false; /* of a bad line nothing counts */
        }
        found[count++].gpu = c->for_gpu;
    }
    memcpy(&c->registry[c->registry_count], found, count * sizeof(found[0]));
    c->registry_count += count;
    return count > 0;
}

void config_for_gpu(const struct boot_config *c, unsigned n, struct gsp_options *o,
                    struct gsp_registry_key *keys)
{
    static const struct config_gpu none = {0};
    const struct config_gpu *g = n < CONFIG_GPUS_MAX ? &c->gpu[n] : &none;
    const char *version = g->has_firmware ? g->firmware : c->firmware;

    o->force_version = version[0] != '\0' ? version : NULL;
    o->attempts = g->has_attempts ? g->attempts : c->attempts;
    o->revive = g->has_revive ? g->revive : c->revive;
    o->link_speed = g->has_link_speed ? g->link_speed : c->link_speed;
    o->aspm_off = g->has_aspm ? g->aspm_off : c->aspm_off;
    o->registry = keys;
    o->registry_count = 0;
    /* Those of all first, so that one GPU's count. */
    for (int own = 0; own <= 1; own++) {
        for (uint32_t i = 0; i < c->registry_count; i++) {
            if (own != 0 ? c->registry[i].gpu == (int)n : c->registry[i].gpu < 0) {
                keys[o->registry_count++] = c->registry[i].key;
            }
        }
    }
}

/* "link_speed = 3", "aspm[1] = off" */
static void put_link(struct text *t, const char *whose, uint8_t speed, bool has_speed, bool off,
                     bool has_aspm)
{
    if (has_speed && speed != 0) {
        text_fmt(t, "link_speed%s = %u\n", whose, (unsigned)speed);
    } else if (has_speed) {
        text_fmt(t, "link_speed%s = %s\n", whose, aspm_names[false]);
    }
    if (has_aspm) {
        text_fmt(t, "aspm%s = %s\n", whose, aspm_names[off]);
    }
}

static void put_registry(const struct boot_config *c, struct text *t, int gpu)
{
    bool any = false;

    for (uint32_t i = 0; i < c->registry_count; i++) {
        if (c->registry[i].gpu != gpu) {
            continue;
        }
        if (!any && gpu >= 0) {
            text_fmt(t, "registry[%d] =", gpu);
        } else if (!any) {
            text_fmt(t, "registry =");
        }
        any = true;
        text_fmt(t, " %s=0x%x", c->registry[i].key.name, (unsigned)c->registry[i].key.value);
    }
    if (any) {
        text_fmt(t, "\n");
    }
}

void config_gpu_text(const struct boot_config *c, struct text *t)
{
    if (c->firmware[0] != '\0') {
        text_fmt(t, "firmware = %s\n", c->firmware);
    }
    text_fmt(t, "attempts = %u\nwhen_hung = %s\n", (unsigned)c->attempts, hung_names[c->revive]);
    put_link(t, "", c->link_speed, c->link_speed != 0, c->aspm_off, c->aspm_off);
    put_registry(c, t, -1);
    for (int n = 0; n < CONFIG_GPUS_MAX; n++) {
        const struct config_gpu *g = &c->gpu[n];
        if (g->has_firmware) {
            text_fmt(t, "firmware[%d] = %s\n", n, g->firmware);
        }
        if (g->has_attempts) {
            text_fmt(t, "attempts[%d] = %u\n", n, (unsigned)g->attempts);
        }
        if (g->has_revive) {
            text_fmt(t, "when_hung[%d] = %s\n", n, hung_names[g->revive]);
        }
        const char whose[] = {'[', (char)('0' + n), ']', '\0'};
        put_link(t, whose, g->link_speed, g->has_link_speed, g->aspm_off, g->has_aspm);
        put_registry(c, t, n);
    }
}
