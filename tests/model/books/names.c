/* SPDX-License-Identifier: MIT */
/* Looking names up. Small tables, read only while a trace is written: a linear search will do. */
#include "tests/model/books/names.h"

#define NAMED(number, name, structure) {number, #name, structure},

static const struct number_name functions[] = {
#define FUNCTION NAMED
#include "tests/model/books/names.def"
};
static const struct number_name classes[] = {
#define CLASS NAMED
#include "tests/model/books/names.def"
};
static const struct number_name controls[] = {
#define CONTROL NAMED
#include "tests/model/books/names.def"
};
static const struct number_name events[2][10] = {
    {
#define EVENT(r570, r535, name, structure) NAMED(r570, name, structure)
#include "tests/model/books/names.def"
    },
    {
#define EVENT(r570, r535, name, structure) NAMED(r535, name, structure)
#include "tests/model/books/names.def"
    },
};

static const struct number_name *find(const struct number_name *table, size_t count, uint32_t n)
{
    for (size_t i = 0; i < count; i++) {
        if (table[i].number == n) {
            return &table[i];
        }
    }
    return NULL;
}

const struct number_name *function_name(uint32_t number, bool r535)
{
    const struct number_name *f = find(functions, ARRAY_SIZE(functions), number);
    return f != NULL || number == 0 ? f : find(events[r535], ARRAY_SIZE(events[r535]), number);
}
const struct number_name *class_name(uint32_t number)
{
    return find(classes, ARRAY_SIZE(classes), number);
}
const struct number_name *control_name(uint32_t number)
{
    return find(controls, ARRAY_SIZE(controls), number);
}
