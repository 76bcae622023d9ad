/* SPDX-License-Identifier: MIT */
/*
 * The boards: each file of a family is read twice, once for the values and once for their sources,
 * so that neither is without the other.
 */
#include "tests/model/boards/boards.h"

#include <inttypes.h>
#include <string.h>

#include "tests/model/boards/classes.h"
#include "tests/model/model.h"

#define READING BOARD_READING
#define DERIVED BOARD_DERIVED
#define GUESS   BOARD_GUESS

enum board_field {
#define FIELD(type, name, shown, meaning) FIELD_##name,
#include "tests/model/boards/fields.def"
#undef FIELD
    FIELD_COUNT
};

#define BOARD(board_name, chip_name)                                                               \
    {                                                                                              \
        .name = (board_name), .chip = (chip_name),
#define V(field, value, kind, source_) .field = (value),
#define END                                                                                        \
    }                                                                                              \
    ,
static const struct model_board boards[] = {
#include "tests/model/boards/all.def"
};
#undef BOARD
#undef V
#undef END

struct source {
    enum board_kind kind;
    const char *text;
};
#define BOARD(board_name, chip_name)   {
#define V(field, value, kind, source_) [FIELD_##field] = {kind, source_},
#define END                                                                                        \
    }                                                                                              \
    ,
static const struct source sources[][FIELD_COUNT] = {
#include "tests/model/boards/all.def"
};
#undef BOARD
#undef V
#undef END
_Static_assert(ARRAY_SIZE(boards) == ARRAY_SIZE(sources), "a board and its sources");

const struct model_board *model_board_find(const struct model_chip *chip, const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(boards); i++) {
        if (strcmp(boards[i].chip, chip->name) == 0 &&
            (name == NULL || strcmp(boards[i].name, name) == 0)) {
            return &boards[i];
        }
    }
    /* A chip without a board of its own sits on one of its family's. */
    for (size_t i = 0; i < ARRAY_SIZE(boards) && name == NULL; i++) {
        if (model_chip_find(boards[i].chip)->family == chip->family) {
            return &boards[i];
        }
    }
    return NULL;
}

bool model_board_has_hbm(const struct model_board *b)
{
    return b->ram_type == RAM_HBM2 || b->ram_type == RAM_HBM3;
}

const char *model_board_name(size_t index, const char **chip)
{
    if (index >= ARRAY_SIZE(boards)) {
        return NULL;
    }
    if (chip != NULL) {
        *chip = boards[index].chip;
    }
    return boards[index].name;
}

/* ---- where values come from ---- */

enum shown { TEXT, LAYOUT, HEX, NUMBER, BYTES, MIBS, YES_NO };
static const struct {
    const char *name, *meaning;
    enum shown shown;
    size_t off, size;
} fields[FIELD_COUNT] = {
#define FIELD(type, name, shown, meaning)                                                          \
    {#name, meaning, shown, offsetof(struct model_board, name), sizeof(type)},
#include "tests/model/boards/fields.def"
#undef FIELD
};

static uint64_t load(const struct model_board *b, size_t field)
{
    const char *p = (const char *)b + fields[field].off;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    switch (fields[field].size) {
    case 1:
        memcpy(&u8, p, sizeof(u8));
        return u8;
    case 2:
        memcpy(&u16, p, sizeof(u16));
        return u16;
    case 4:
        memcpy(&u32, p, sizeof(u32));
        return u32;
    default:
        memcpy(&u64, p, sizeof(u64));
        return u64;
    }
}

static void show(const struct model_board *b, size_t field, char *out, size_t size)
{
    const enum shown shown = fields[field].shown;
    if (shown == TEXT) {
        const char *s;
        memcpy(&s, (const char *)b + fields[field].off, sizeof(s));
        snprintf(out, size, "%s", s);
        return;
    }
    const uint64_t v = load(b, field);
    switch (shown) {
    case LAYOUT:
        snprintf(out, size, "P%" PRIu64, v - CFG_P1 + 1);
        break;
    case HEX:
        snprintf(out, size, "0x%" PRIx64, v);
        break;
    case BYTES:
        snprintf(out, size, "%" PRIu64 " MiB", v >> 20);
        break;
    case MIBS:
        snprintf(out, size, "%" PRIu64 " MiB", v);
        break;
    case YES_NO:
        snprintf(out, size, "%s", v != 0 ? "yes" : "no");
        break;
    case NUMBER:
    case TEXT:
        snprintf(out, size, "%" PRIu64, v);
        break;
    }
}

bool model_board_value(size_t board, size_t field, struct board_value *out)
{
    if (board >= ARRAY_SIZE(boards) || field >= FIELD_COUNT) {
        return false;
    }
    const struct source *s = &sources[board][field];
    *out = (struct board_value){.field = fields[field].name,
                                .meaning = fields[field].meaning,
                                .source = s->text,
                                .kind = s->kind};
    show(&boards[board], field, out->text, sizeof(out->text));
    return true;
}

const char *model_board_kind_name(enum board_kind kind)
{
    static const char *const names[] = {[BOARD_NO_SOURCE] = "without a source",
                                        [BOARD_READING] = "reading",
                                        [BOARD_DERIVED] = "derived",
                                        [BOARD_GUESS] = "guess"};
    return names[kind];
}

bool model_board_explain(const char *name, FILE *out)
{
    bool found = false;
    struct board_value v;
    for (size_t i = 0; i < ARRAY_SIZE(boards); i++) {
        if (name != NULL && strcmp(boards[i].name, name) != 0) {
            continue;
        }
        fprintf(out, "%s%s, chip %s\n", found ? "\n" : "", boards[i].name, boards[i].chip);
        for (size_t f = 0; model_board_value(i, f, &v); f++) {
            fprintf(out, "  %-16s  %-37s  %-7s  %s\n", v.field, v.text,
                    model_board_kind_name(v.kind), v.source);
        }
        found = true;
    }
    return found;
}
