/* SPDX-License-Identifier: MIT */
/* The report of a GPU as a tar archive, made while it is sent (report.h). Source: POSIX.1-2017,
 * pax, "ustar Interchange Format". */
#include "net/api/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/log.h"
#include "arch/wallclock.h"
#include "net/api/api_priv.h"
#include "net/api/events.h"

#define BLOCK_BYTES  512u
#define CONFIG_BYTES 4096u

struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type;
    char link[100], magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155];
    char pad[12];
};
_Static_assert(sizeof(struct header) == BLOCK_BYTES, "a header is a block");

struct report {
    uint32_t index;       /* of the GPU */
    size_t member;        /* the next one to be made */
    struct text_buf text; /* header, content and padding of the one that is being sent */
    size_t sent;
};

/* --- members
 * --------------------------------------------------------------------------------------- */

static struct gsp_gpu *gpu_of(const struct report *r) { return api_context()->gpus[r->index].gpu; }

static void put_status(struct report *r, struct text_buf *b)
{
    struct jw j;
    jw_begin(&j, b);
    api_put_gpu(&j, NULL, r->index);
}

static void put_attempts(struct report *r, struct text_buf *b)
{
    struct jw j;
    jw_begin(&j, b);
    api_put_attempts(&j, NULL, gpu_of(r));
}

static void put_history(struct report *r, struct text_buf *b)
{
    struct jw j;
    jw_begin(&j, b);
    api_put_history(&j, NULL, gpu_of(r), 0);
}

static void put_events(struct report *r, struct text_buf *b)
{
    (void)r;
    events_put_json(b, 0);
}

static void put_pci(struct report *r, struct text_buf *b)
{
    static uint8_t space[CONFIG_BYTES];
    const struct pci_dev *d = api_context()->gpus[r->index].pci;
    char name[PCI_NAME_MAX];
    struct jw j;
    for (uint16_t off = 0; off < CONFIG_BYTES; off += 4) {
        const uint32_t v = pci_read(d, off, 4);
        memcpy(space + off, &v, sizeof(v));
    }
    jw_begin(&j, b);
    jw_object(&j, NULL);
    jw_str(&j, "address", pci_name(d, name));
    jw_base64(&j, "config", space, sizeof(space));
    jw_end_object(&j);
}

static void put_acpi(struct report *r, struct text_buf *b)
{
    struct jw j;
    (void)r;
    jw_begin(&j, b);
    api_put_acpi(&j, NULL);
}

static void put_flight(struct report *r, struct text_buf *b)
{
    uint64_t cursor = 0;
    enum { CHUNK = 4096 };
    char *at;
    size_t n;
    while (gpu_of(r) != NULL && (at = text_reserve(b, CHUNK)) != NULL &&
           (n = gsp_flight_read(gpu_of(r), &cursor, at, CHUNK)) > 0) {
        b->len += n;
    }
}

static void put_appliance_log(struct report *r, struct text_buf *b)
{
    (void)r;
    api_put_log(b);
}

static void put_log(struct report *r, struct text_buf *b, enum gsp_log l)
{
    uint64_t off = 0;
    enum { CHUNK = 16384 };
    char *at;
    size_t n;
    while (gpu_of(r) != NULL && (at = text_reserve(b, CHUNK)) != NULL &&
           (n = gsp_log_read(gpu_of(r), l, &off, at, CHUNK)) > 0) {
        b->len += n;
    }
}

static void put_init(struct report *r, struct text_buf *b) { put_log(r, b, GSP_LOG_INIT); }
static void put_intr(struct report *r, struct text_buf *b) { put_log(r, b, GSP_LOG_INTR); }
static void put_rm(struct report *r, struct text_buf *b) { put_log(r, b, GSP_LOG_RM); }

static const struct {
    const char *name;
    void (*put)(struct report *r, struct text_buf *b);
} members[] = {
    {"status.json", put_status},   {"attempts.json", put_attempts},
    {"history.json", put_history}, {"events.json", put_events},
    {"pci.json", put_pci},         {"acpi.json", put_acpi},
    {"flight.txt", put_flight},    {"appliance.log", put_appliance_log},
    {"logs/init.bin", put_init},   {"logs/intr.bin", put_intr},
    {"logs/rm.bin", put_rm},
};

/* --- the archive
 * ------------------------------------------------------------------------------------ */

#define TAR_TIME_END (1ull << 33) /* eleven octal digits */

static void fill_header(struct header *h, const char *name, size_t size)
{
    unsigned sum = 0;
    memset(h, 0, sizeof(*h));
    snprintf(h->name, sizeof(h->name), "%s", name);
    memcpy(h->mode, "0000644", 8);
    memcpy(h->uid, "0000000", 8);
    memcpy(h->gid, "0000000", 8);
    snprintf(h->size, sizeof(h->size), "%011zo", size);
    snprintf(h->mtime, sizeof(h->mtime), "%011llo",
             (unsigned long long)(wallclock_now_us() / US_PER_S % TAR_TIME_END));
    h->type = '0';
    memcpy(h->magic, "ustar", 6);
    memcpy(h->version, "00", 2);
    memset(h->checksum, ' ', sizeof(h->checksum)); /* as it counts */
    for (size_t i = 0; i < sizeof(*h); i++) {
        sum += ((const unsigned char *)h)[i];
    }
    snprintf(h->checksum, sizeof(h->checksum), "%06o", sum);
}

/* The next member becomes the text; false: there is none, or no memory. */
static bool make_member(struct report *r)
{
    static const char zeros[2 * BLOCK_BYTES];
    text_free(&r->text);
    r->sent = 0;
    if (r->member == ARRAY_SIZE(members)) { /* two empty blocks end an archive */
        text_append(&r->text, zeros, sizeof(zeros));
        r->member++;
        return !r->text.failed;
    }
    if (r->member > ARRAY_SIZE(members)) {
        return false;
    }
    text_append(&r->text, zeros, BLOCK_BYTES);
    members[r->member].put(r, &r->text);
    if (r->text.failed) {
        return false;
    }
    const size_t size = r->text.len - BLOCK_BYTES;
    fill_header((struct header *)r->text.data, members[r->member].name, size);
    text_append(&r->text, zeros, (BLOCK_BYTES - size % BLOCK_BYTES) % BLOCK_BYTES);
    r->member++;
    return !r->text.failed;
}

/* Without memory it ends early: the two blocks at its end are missing, and tar says so. */
static size_t read_piece(void *ctx, void *buf, size_t size, bool *end)
{
    struct report *r = ctx;
    if (r->sent == r->text.len && !make_member(r)) {
        *end = true;
        return 0;
    }
    const size_t n = min_u64(size, r->text.len - r->sent);
    memcpy(buf, r->text.data + r->sent, n);
    r->sent += n;
    *end = r->member > ARRAY_SIZE(members) && r->sent == r->text.len;
    return n;
}

static void close_report(void *ctx)
{
    struct report *r = ctx;
    text_free(&r->text);
    free(r);
}

void report_send(uint32_t index, const struct http_request *req, struct http_response *res)
{
    (void)req;
    struct report *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        http_error(res, 503, "no memory for a report now; try again");
        return;
    }
    r->index = index;
    r->text.budget = http_memory();
    res->type = "application/x-tar";
    res->extra = "Content-Disposition: attachment; filename=\"firstlight-report.tar\"\r\n";
    res->stream = (struct http_stream){
        .read = read_piece, .close = close_report, .ctx = r, .length = HTTP_LENGTH_UNKNOWN};
}
