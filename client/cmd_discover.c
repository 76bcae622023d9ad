/* SPDX-License-Identifier: MIT */
/* firstlight discover: the appliances on this network, by multicast DNS. */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "client/client.h"
#include "client/dns.h"
#include "client/http_link.h"
#include "client/output.h"

#define MDNS_GROUP   "224.0.0.251" /* RFC 6762, 3 */
#define MDNS_PORT    5353
#define MDNS_TTL     255 /* RFC 6762, 11 */
#define HTTP_PORT    80
#define FOUND_MAX    64u
#define ASK_AGAIN_MS 1000 /* RFC 6762, 5.2: the second question comes a second later */
#define STATE_S      3.0  /* what an appliance may take to say how it is */
#define STATE_MOST   KIB(8)
#define NAME_PREFIX  "firstlight"

struct search {
    struct client *c;
    int fd;
    struct sockaddr_in to;
    bool direct; /* FIRSTLIGHT_MDNS: one address is asked, not the network */
    json_t *found;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Where FIRSTLIGHT_MDNS says, ADDRESS:PORT, else the group. */
static bool take_target(struct search *s)
{
    const char *text = getenv("FIRSTLIGHT_MDNS");
    char address[INET_ADDRSTRLEN] = MDNS_GROUP;
    unsigned long port = MDNS_PORT;
    char *end = NULL;
    s->direct = text != NULL && text[0] != '\0';
    if (s->direct) {
        const size_t n = strcspn(text, ":");
        snprintf(address, sizeof(address), "%.*s", (int)n, text);
        port = text[n] == ':' ? strtoul(text + n + 1, &end, 10) : 0;
    }
    s->to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return port != 0 && port <= UINT16_MAX && (end == NULL || *end == '\0') &&
           inet_pton(AF_INET, address, &s->to.sin_addr) == 1;
}

/* Sends the question on every network that takes it. Returns how many. */
static unsigned ask(const struct search *s)
{
    uint8_t query[DNS_QUERY_MAX];
    const size_t n = dns_make_query(query);
    const struct sockaddr *to = (const struct sockaddr *)&s->to;
    struct ifaddrs *all = NULL;
    unsigned sent = 0;
    if (s->direct) {
        return sendto(s->fd, query, n, 0, to, sizeof(s->to)) == (ssize_t)n;
    }
    if (getifaddrs(&all) != 0) {
        return 0;
    }
    for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
        const unsigned wanted = IFF_UP | IFF_MULTICAST;
        if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET ||
            (i->ifa_flags & wanted) != wanted) {
            continue;
        }
        struct sockaddr_in from;
        memcpy(&from, i->ifa_addr, sizeof(from));
        sent += setsockopt(s->fd, IPPROTO_IP, IP_MULTICAST_IF, &from.sin_addr,
                           sizeof(from.sin_addr)) == 0 &&
                sendto(s->fd, query, n, 0, to, sizeof(s->to)) == (ssize_t)n;
    }
    freeifaddrs(all);
    return sent;
}

/* --- what answers
 * ------------------------------------------------------------------------------- */

static bool is_ours(const struct dns_service *v)
{
    const size_t n = strlen(NAME_PREFIX);
    return v->is_appliance || strncasecmp(v->instance, NAME_PREFIX, n) == 0 ||
           strncasecmp(v->host, NAME_PREFIX, n) == 0;
}

static json_t *harmless(const char *text)
{
    char *safe = out_escape(text, strlen(text), false);
    json_t *string = json_string(safe);
    free(safe);
    return string;
}

/* Keeps a service that was found, once; by its own address, else by the one that answered. */
static void keep(struct search *s, const struct dns_service *v, const struct sockaddr_in *from)
{
    char address[INET_ADDRSTRLEN] = "", port[16] = "";
    json_t *one;
    size_t i;
    inet_ntop(AF_INET, v->has_ipv4 ? (const void *)v->ipv4 : (const void *)&from->sin_addr, address,
              sizeof(address));
    if (v->port != 0 && v->port != HTTP_PORT) {
        snprintf(port, sizeof(port), ":%u", v->port);
    }
    char *url = out_format("http://%s%s", address, port);
    bool known = json_array_size(s->found) >= FOUND_MAX;
    json_array_foreach(s->found, i, one)
    {
        known = known || strcmp(json_string_value(json_object_get(one, "url")), url) == 0;
    }
    if (!known) {
        one = json_object();
        json_object_set_new(one, "name", harmless(v->host[0] != '\0' ? v->host : v->instance));
        json_object_set_new(one, "address", json_string(address));
        json_object_set_new(one, "url", json_string(url));
        json_array_append_new(s->found, one);
    }
    free(url);
}

static void receive(struct search *s)
{
    static uint8_t data[DNS_MESSAGE_MAX];
    static struct dns_answer answer;
    struct sockaddr_in from = {0};
    socklen_t len = sizeof(from);
    const ssize_t n = recvfrom(s->fd, data, sizeof(data), MSG_DONTWAIT | MSG_TRUNC,
                               (struct sockaddr *)&from, &len);
    if (n < 0 || (size_t)n > sizeof(data) || from.sin_family != AF_INET ||
        !dns_read_answer(data, (size_t)n, &answer)) {
        return;
    }
    for (size_t i = 0; i < answer.count; i++) {
        if (is_ours(&answer.service[i])) {
            keep(s, &answer.service[i], &from);
        }
    }
}

/* Asks twice, and takes what comes in the time. False: nobody could be asked. */
static bool search_network(struct search *s)
{
    const int64_t begin = now_ms(), end = begin + (int64_t)(client_patience_s(s->c) * 1000);
    int64_t again = begin + ASK_AGAIN_MS, now;
    bool asked = ask(s) > 0;
    while (asked && (now = now_ms()) < end) {
        if (again != 0 && now >= again) {
            ask(s);
            again = 0;
        }
        struct pollfd p = {.fd = s->fd, .events = POLLIN};
        const int64_t until = again != 0 && again < end ? again : end;
        if (poll(&p, 1, (int)(until - now) + 1) > 0) {
            receive(s);
        }
    }
    return asked;
}

/* How it is, by its own words: the first line of /healthz. Whoever answers there is a stranger, so
 * the token stays here. */
static void put_state(const struct search *s, json_t *one)
{
    struct options o = *s->c->o;
    struct client c = {.o = &o};
    struct http_answer a = {0};
    char *url = out_format("%s", json_string_value(json_object_get(one, "url")));
    o.url = url;
    o.token = NULL;
    c.link = http_open(&c);
    if (c.link != NULL && http_ask(&c, "healthz", "/healthz", NULL, STATE_MOST, STATE_S, &a) &&
        (a.status == 200 || a.status == 503)) {
        char *line = out_format("%.*s", (int)strcspn(a.body != NULL ? a.body : "", "\r\n"),
                                a.body != NULL ? a.body : "");
        json_object_set_new(one, "state", harmless(line));
        free(line);
    } else if (a.status != 0) {
        json_object_set_new(one, "state", json_string("no appliance answers there"));
    } else {
        json_object_set_new(one, "state", json_string("cannot be reached"));
    }
    http_close(c.link);
    json_decref(c.error);
    free(a.body);
    free(url);
}

static void show(const struct search *s)
{
    static const char *const keys[] = {"name", "address", "url", "state"};
    struct out_table t = {.columns = ARRAY_SIZE(keys)};
    json_t *one;
    size_t i;
    if (s->c->o->json) {
        out_json(s->found, false);
        return;
    }
    json_array_foreach(s->found, i, one)
    {
        for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
            out_cell_value(&t, json_object_get(one, keys[k]));
        }
    }
    out_table_end(stdout, &t);
}

int cmd_discover(struct client *c, int argc, char **argv)
{
    struct search s = {.c = c, .fd = -1};
    const uint8_t ttl = MDNS_TTL;
    json_t *one;
    size_t i;
    (void)argc;
    (void)argv;
    if (!take_target(&s)) {
        return client_usage(c->o->command, "FIRSTLIGHT_MDNS: expected ADDRESS:PORT, of IPv4");
    }
    s.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s.fd < 0) {
        return client_fail(c, EXIT_REFUSED, NULL, "no socket: %s", strerror(errno));
    }
    (void)setsockopt(s.fd, IPPROTO_IP, IP_MULTICAST_TTL, &ttl, sizeof(ttl)); /* a "should" */
    s.found = json_array();
    if (!search_network(&s)) {
        client_fail(c, EXIT_UNREACHABLE, "is a network up, with an IPv4 address?",
                    "nobody could be asked: %s", strerror(errno));
    } else if (json_array_size(s.found) == 0) {
        client_fail(c, EXIT_UNREACHABLE,
                    "multicast DNS ends at a router, and mdns = no in firstlight.conf leaves it "
                    "out: the machine's screen shows its address; --timeout S waits longer",
                    "no appliance answers on this network within %g s", client_patience_s(c));
    } else {
        json_array_foreach(s.found, i, one) { put_state(&s, one); }
        show(&s);
    }
    json_decref(s.found);
    close(s.fd);
    return c->status;
}
