/* SPDX-License-Identifier: MIT */
/* What people read, made harmless and put into columns (output.h). */
#include "client/output.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_LEAST 8u
#define ESCAPE_MOST                                                                                \
    4u /* bytes that one byte of input may become: "\\x1b"; "<token>" stands for 8 */

static const char *secret;

void out_hide(const char *text) { secret = text; }

void out_no_memory(void)
{
    fputs("firstlight: no memory\n", stderr);
    exit(EXIT_FAILURE);
}

void *out_alloc(void *old, size_t bytes)
{
    void *p = realloc(old, bytes != 0 ? bytes : 1);
    if (p == NULL) {
        out_no_memory();
    }
    return p;
}

char *out_vformat(const char *fmt, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, fmt, args) < 0) {
        out_no_memory();
    }
    return text;
}

char *out_format(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = out_vformat(fmt, ap);
    va_end(ap);
    return text;
}

/* --- harmless text
 * ------------------------------------------------------------------------------- */

/* Bytes of the UTF-8 character at s and its number; 0: it is none. RFC 3629, section 4. */
static size_t utf8(const unsigned char *s, size_t len, uint32_t *out)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* no longer form than needed */
    const size_t n = s[0] < 0x80       ? 1
                     : s[0] >> 5 == 6  ? 2
                     : s[0] >> 4 == 14 ? 3
                     : s[0] >> 3 == 30 ? 4
                                       : 0;
    if (n == 0 || n > len) {
        return 0;
    }
    uint32_t c = n == 1 ? s[0] : s[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (s[i] >> 6 != 2) {
            return 0;
        }
        c = c << 6 | (s[i] & 0x3fu);
    }
    *out = c;
    return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : n;
}

static bool is_harmless(uint32_t c, bool keep_lines)
{
    if (c < 0x20) {
        return keep_lines && (c == '\n' || c == '\t');
    }
    return !(c >= 0x7f && c <= 0x9f) &&                   /* DEL and the C1 controls */
           !(c == 0x61c || c == 0x200e || c == 0x200f) && /* marks of direction */
           !(c >= 0x2028 && c <= 0x202e) &&               /* separators, embeddings, overrides */
           !(c >= 0x2066 && c <= 0x2069) && c != 0xfeff;  /* isolates, byte order mark */
}

char *out_escape(const char *text, size_t len, bool keep_lines)
{
    const size_t hidden = secret != NULL && strlen(secret) >= SECRET_LEAST ? strlen(secret) : 0;
    char *out = out_alloc(NULL, ESCAPE_MOST * len + 1);
    size_t n = 0;
    for (size_t i = 0; i < len;) {
        const unsigned char *s = (const unsigned char *)text + i;
        uint32_t c = 0;
        const size_t bytes = utf8(s, len - i, &c);
        if (hidden != 0 && len - i >= hidden && memcmp(s, secret, hidden) == 0) {
            n += (size_t)sprintf(out + n, "<token>");
            i += hidden;
        } else if (bytes == 0) {
            n += (size_t)sprintf(out + n, "\\x%02x", *s);
            i++;
        } else if (!is_harmless(c, keep_lines)) {
            n += (size_t)sprintf(out + n, c < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)c);
            i += bytes;
        } else {
            memcpy(out + n, s, bytes);
            n += bytes;
            i += bytes;
        }
    }
    out[n] = '\0';
    return out;
}

void out_text(FILE *f, const char *text, size_t len)
{
    char *safe = out_escape(text, len, true);
    fputs(safe, f);
    free(safe);
}

void out_printf(FILE *f, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = out_vformat(fmt, ap);
    va_end(ap);
    out_text(f, text, strlen(text));
    free(text);
}

/* --- values
 * -------------------------------------------------------------------------------------- */

void out_json(const json_t *value, bool indented)
{
    /* ASCII only: what a terminal may take for a control is then written as \u.... */
    const size_t flags =
        JSON_ENCODE_ANY | JSON_ENSURE_ASCII | (indented ? JSON_INDENT(2) : JSON_COMPACT);
    char *text = json_dumps(value, flags);
    if (text == NULL) {
        out_no_memory();
    }
    out_text(stdout, text, strlen(text));
    putchar('\n');
    free(text);
}

char *out_value(const json_t *value)
{
    char *text = value == NULL || json_is_null(value) ? strdup("-")
                 : json_is_string(value)              ? strdup(json_string_value(value))
                                         : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    if (text == NULL) {
        out_no_memory();
    }
    return text;
}

void out_pair(FILE *f, const char *key, const json_t *value)
{
    if (value == NULL || json_is_null(value) ||
        (json_is_string(value) && json_string_length(value) == 0)) {
        return;
    }
    char *text = out_value(value);
    char *safe = out_escape(text, strlen(text), false);
    fprintf(f, "  %-9s %s\n", key, safe);
    free(safe);
    free(text);
}

const char *out_us(const json_t *us, char buf[32])
{
    const json_int_t n = json_integer_value(us);
    if (!json_is_integer(us) || n < 0) {
        snprintf(buf, 32, "-");
    } else if ((uint64_t)n < US_PER_MS) {
        snprintf(buf, 32, "%lld us", (long long)n);
    } else if ((uint64_t)n < US_PER_S) {
        snprintf(buf, 32, "%.1f ms", (double)n / (double)US_PER_MS);
    } else {
        snprintf(buf, 32, "%.3f s", (double)n / (double)US_PER_S);
    }
    return buf;
}

/* --- columns
 * ------------------------------------------------------------------------------------- */

void out_cell(struct out_table *t, const char *text)
{
    if (t->cells == t->room) {
        t->room = t->room != 0 ? 2 * t->room : 64;
        t->cell = out_alloc(t->cell, t->room * sizeof(*t->cell));
    }
    t->cell[t->cells++] =
        out_escape(text != NULL ? text : "-", text != NULL ? strlen(text) : 1, false);
}

void out_cell_value(struct out_table *t, const json_t *value)
{
    char *text = out_value(value);
    out_cell(t, text);
    free(text);
}

/* Characters, of which each is one column wide: near enough for what the appliance says. */
static size_t width(const char *s)
{
    size_t n = 0;
    for (; *s != '\0'; s++) {
        n += ((unsigned char)*s >> 6) != 2;
    }
    return n;
}

void out_table_end(FILE *f, struct out_table *t)
{
    size_t widest[OUT_COLUMNS_MAX] = {0};
    for (size_t i = 0; i < t->cells; i++) {
        size_t *w = &widest[i % t->columns];
        *w = width(t->cell[i]) > *w ? width(t->cell[i]) : *w;
    }
    for (size_t i = 0; i < t->cells; i++) {
        const size_t column = i % t->columns;
        const bool last = column == t->columns - 1;
        const size_t blanks = last ? 0 : widest[column] - width(t->cell[i]);
        fprintf(f, "  %s%*s%s", t->cell[i], (int)blanks, "", last ? "\n" : "");
        free(t->cell[i]);
    }
    free(t->cell);
    *t = (struct out_table){.columns = t->columns};
}
