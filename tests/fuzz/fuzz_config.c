/* SPDX-License-Identifier: MIT */
/*
 * The config file parser on arbitrary bytes: names end, messages are printable, and none depends on
 * the value of a token. The last is seen by parsing twice, the second time with every token changed
 * to another of the same kind.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "boot/config.h"

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

/* Another visible character, never '#', which begins a comment. */
static char other(char c)
{
    if (c <= ' ' || c > '~') {
        return c;
    }
    char next = c == '~' ? '!' : (char)(c + 1);
    return next == '#' ? '$' : next;
}

/* Changes the value of a line "token = value" in place; leaves any other line. */
static void change_token(char *line, const char *end)
{
    static const char key[] = "token";
    while (line < end && is_blank(*line)) {
        line++;
    }
    if ((size_t)(end - line) < sizeof(key) || memcmp(line, key, sizeof(key) - 1) != 0) {
        return;
    }
    line += sizeof(key) - 1;
    while (line < end && is_blank(*line)) {
        line++;
    }
    if (line == end || *line++ != '=') {
        return;
    }
    for (; line < end && *line != '#'; line++) {
        *line = other(*line);
    }
}

static void change_tokens(char *text, size_t size)
{
    char *end = text + size;
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
    }
    while (text < end) {
        char *stop = memchr(text, '\n', (size_t)(end - text));
        stop = stop != NULL ? stop : end;
        change_token(text, stop);
        text = stop == end ? end : stop + 1;
    }
}

static void parse(struct boot_config *c, const char *text, size_t size)
{
    memset(c, 0, sizeof(*c)); /* compared as a whole */
    config_defaults(c);
    config_parse(c, text, size);
}

static void check(const struct boot_config *c)
{
    if (memchr(c->hostname, '\0', sizeof(c->hostname)) == NULL || c->hostname[0] == '\0') {
        abort();
    }
    for (size_t i = 0; i < CONFIG_MESSAGES_MAX && i < c->message_count; i++) {
        for (const char *m = c->message[i]; *m != '\0'; m++) {
            if (*m < ' ' || *m > '~') {
                abort();
            }
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct boot_config c, changed;
    parse(&c, (const char *)data, size);
    check(&c);

    char *text = malloc(size + 1);
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    change_tokens(text, size);
    parse(&changed, text, size);
    free(text);
    if (c.message_count != changed.message_count ||
        memcmp(c.message, changed.message, sizeof(c.message)) != 0) {
        abort();
    }
    return 0;
}
