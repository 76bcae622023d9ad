/* SPDX-License-Identifier: MIT */
/* Multicast DNS, as much of it as finding web servers needs (dns.h). */
#include "client/dns.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SERVICE      "_http._tcp.local"
#define PRODUCT      "product=firstlight"
#define HEADER_BYTES 12u
#define LABEL_MAX    63u  /* RFC 1035, 2.3.4 */
#define NAME_BYTES   255u /* likewise */
#define RECORDS_MAX  256u /* of one message: more is none of an appliance's */

enum { TYPE_A = 1, TYPE_PTR = 12, TYPE_TXT = 16, TYPE_SRV = 33 };
enum { CLASS_IN = 1, CLASS_MASK = 0x7fff, UNICAST_ANSWER = 0x8000 }; /* RFC 6762, 5.4, 10.2 */
enum { FLAG_ANSWER = 0x80, OPCODE_MASK = 0x78 };                     /* of the third byte */
enum { POINTER = 0xc0 };
enum { SRV_PORT_AT = 4 }; /* RFC 2782 */

struct reader {
    const uint8_t *data;
    size_t len, at;
    bool bad;
};

static unsigned get_u8(struct reader *r)
{
    r->bad = r->bad || r->at >= r->len;
    return r->bad ? 0 : r->data[r->at++];
}

static unsigned get_u16(struct reader *r)
{
    const unsigned high = get_u8(r);
    return high << 8 | get_u8(r);
}

static void skip(struct reader *r, size_t n)
{
    r->bad = r->bad || n > r->len - r->at;
    r->at += r->bad ? 0 : n;
}

/* One label behind what out has; what is no letter of a name comes out as \DDD (RFC 1035, 5.1). */
static void put_label(char out[DNS_NAME_MAX], const uint8_t *label, size_t n)
{
    size_t len = strlen(out);
    len += (size_t)snprintf(out + len, DNS_NAME_MAX - len, "%s", len > 0 ? "." : "");
    for (size_t i = 0; i < n; i++) {
        const bool odd = label[i] < ' ' || label[i] == '.' || label[i] == '\\' || label[i] == 0x7f;
        len += (size_t)snprintf(out + len, DNS_NAME_MAX - len, odd ? "\\%03u" : "%c", label[i]);
    }
}

/* A name, with the pointers of its compression, each of which must lead to before where the last
 * began: so it ends. */
static void get_name(struct reader *r, char out[DNS_NAME_MAX])
{
    struct reader at = *r;
    size_t before = r->at, bytes = 0;
    bool jumped = false;
    out[0] = '\0';
    for (;;) {
        const unsigned n = get_u8(&at);
        if (!at.bad && (n & POINTER) == POINTER) {
            const size_t target = (n & ~(unsigned)POINTER) << 8 | get_u8(&at);
            if (!jumped) {
                r->at = at.at;
            }
            jumped = true;
            at.bad = at.bad || target >= before;
            before = at.at = target;
        } else if (!at.bad && n <= LABEL_MAX) {
            const uint8_t *label = at.data + at.at;
            skip(&at, n);
            bytes += n + 1;
            at.bad = at.bad || bytes > NAME_BYTES;
            if (at.bad || n == 0) {
                break;
            }
            put_label(out, label, n);
        } else {
            at.bad = true;
        }
        if (at.bad) {
            break;
        }
    }
    r->bad = at.bad;
    r->at = jumped ? r->at : at.at;
}

static size_t put_name(uint8_t *out, const char *name)
{
    size_t n = 0;
    while (*name != '\0') {
        const size_t label = strcspn(name, ".");
        out[n++] = (uint8_t)label;
        memcpy(out + n, name, label);
        n += label;
        name += label + (name[label] == '.');
    }
    out[n++] = 0;
    return n;
}

size_t dns_make_query(uint8_t out[DNS_QUERY_MAX])
{
    _Static_assert(HEADER_BYTES + sizeof(SERVICE) + 1 + 4 <= DNS_QUERY_MAX, "the question fits");
    memset(out, 0, HEADER_BYTES);
    out[5] = 1; /* one question */
    size_t n = HEADER_BYTES + put_name(out + HEADER_BYTES, SERVICE);
    out[n++] = TYPE_PTR >> 8;
    out[n++] = TYPE_PTR;
    out[n++] = (UNICAST_ANSWER | CLASS_IN) >> 8;
    out[n++] = CLASS_IN;
    return n;
}

/* --- answers
 * ------------------------------------------------------------------------------------ */

struct record {
    char name[DNS_NAME_MAX];
    unsigned type;
    struct reader rdata; /* ends where the record does; pointers go into the message */
};

static void get_record(struct reader *r, struct record *out)
{
    get_name(r, out->name);
    out->type = get_u16(r);
    const unsigned class = get_u16(r);
    skip(r, 4); /* how long it holds */
    const size_t n = get_u16(r), at = r->at;
    skip(r, n);
    out->rdata = (struct reader){.data = r->data, .len = at + n, .at = at, .bad = r->bad};
    if ((class & CLASS_MASK) != CLASS_IN) {
        out->type = 0;
    }
}

/* The service of this instance's full name; NULL: the message does not offer it. */
static struct dns_service *find(struct dns_answer *a, const char *name)
{
    for (size_t i = 0; i < a->count; i++) {
        const size_t n = strlen(a->service[i].instance);
        if (strncasecmp(a->service[i].instance, name, n) == 0 &&
            strcasecmp(name + n, "." SERVICE) == 0) {
            return &a->service[i];
        }
    }
    return NULL;
}

/* PTR: an instance of the service. */
static void take_ptr(struct dns_answer *a, struct record *rec)
{
    char name[DNS_NAME_MAX];
    get_name(&rec->rdata, name);
    const size_t n = strlen(name), end = strlen("." SERVICE);
    if (rec->rdata.bad || strcasecmp(rec->name, SERVICE) != 0 || n <= end ||
        strcasecmp(name + n - end, "." SERVICE) != 0 || find(a, name) != NULL ||
        a->count == DNS_SERVICES_MAX) {
        return;
    }
    name[n - end] = '\0';
    struct dns_service *s = &a->service[a->count++];
    *s = (struct dns_service){0};
    memcpy(s->instance, name, n - end + 1);
}

static void take_srv(struct dns_answer *a, struct record *rec)
{
    struct dns_service *s = find(a, rec->name);
    char host[DNS_NAME_MAX];
    if (s == NULL) {
        return;
    }
    skip(&rec->rdata, SRV_PORT_AT);
    const unsigned port = get_u16(&rec->rdata);
    get_name(&rec->rdata, host);
    if (!rec->rdata.bad) {
        s->port = (uint16_t)port;
        memcpy(s->host, host, sizeof(host));
    }
}

static void take_txt(struct dns_answer *a, struct record *rec)
{
    struct dns_service *s = find(a, rec->name);
    while (s != NULL && !rec->rdata.bad && rec->rdata.at < rec->rdata.len) {
        const size_t n = get_u8(&rec->rdata);
        const char *text = (const char *)rec->rdata.data + rec->rdata.at;
        skip(&rec->rdata, n);
        s->is_appliance = s->is_appliance || (!rec->rdata.bad && n == strlen(PRODUCT) &&
                                              strncasecmp(text, PRODUCT, n) == 0);
    }
}

static void take_a(struct dns_answer *a, const struct record *rec)
{
    for (size_t i = 0; i < a->count; i++) {
        struct dns_service *s = &a->service[i];
        if (rec->rdata.len - rec->rdata.at == sizeof(s->ipv4) && s->host[0] != '\0' &&
            strcasecmp(s->host, rec->name) == 0) {
            memcpy(s->ipv4, rec->rdata.data + rec->rdata.at, sizeof(s->ipv4));
            s->has_ipv4 = true;
        }
    }
}

/* All records in their order, those of one kind. */
static bool walk(const uint8_t *data, size_t len, unsigned type, struct dns_answer *out)
{
    struct reader r = {.data = data, .len = len, .at = HEADER_BYTES - 8};
    struct record rec;
    const unsigned questions = get_u16(&r);
    unsigned records = get_u16(&r);
    records += get_u16(&r);
    records += get_u16(&r);
    if (questions + records > RECORDS_MAX) {
        return false;
    }
    for (unsigned i = 0; i < questions && !r.bad; i++) {
        get_name(&r, rec.name);
        skip(&r, 4); /* type and class */
    }
    for (unsigned i = 0; i < records && !r.bad; i++) {
        get_record(&r, &rec);
        if (r.bad || rec.type != type) {
            continue;
        }
        switch (type) {
        case TYPE_PTR:
            take_ptr(out, &rec);
            break;
        case TYPE_SRV:
            take_srv(out, &rec);
            break;
        case TYPE_TXT:
            take_txt(out, &rec);
            break;
        default:
            take_a(out, &rec);
            break;
        }
    }
    return !r.bad;
}

bool dns_read_answer(const uint8_t *data, size_t len, struct dns_answer *out)
{
    /* Each kind finds its place by the one before it, whatever their order in the message. */
    static const unsigned order[] = {TYPE_PTR, TYPE_SRV, TYPE_TXT, TYPE_A};
    out->count = 0;
    bool good = len >= HEADER_BYTES && (data[2] & FLAG_ANSWER) != 0 && (data[2] & OPCODE_MASK) == 0;
    for (size_t i = 0; i < ARRAY_SIZE(order) && good; i++) {
        good = walk(data, len, order[i], out);
    }
    out->count = good ? out->count : 0;
    return good;
}
