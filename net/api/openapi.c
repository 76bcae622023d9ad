/* SPDX-License-Identifier: MIT */
/* /openapi.json: the paths as an OpenAPI 3.1 document, from the table of routes. */
#include <string.h>

#include "net/api/access.h"
#include "net/api/api_priv.h"

#define EVENTS_PATH "/api/v1/events"

#define EVENT_LIST                                                                                 \
    "{\"type\":\"object\",\"required\":[\"events\",\"next\",\"lost\"],\"properties\":{\"events\":" \
    "{"                                                                                            \
    "\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"id\",\"event\",\"at_ms\","  \
    "\"text\"]"                                                                                    \
    ",\"properties\":{\"id\":{\"type\":\"integer\"},\"event\":{\"type\":\"string\"},\"at_ms\":{"   \
    "\"type\":\"integer\"},\"text\":{\"type\":\"string\"}}}},\"next\":{\"type\":\"integer\"},"     \
    "\"lost\":{"                                                                                   \
    "\"type\":\"integer\"}}}"

static void put_type(struct jw *j, const char *type, const char *schema)
{
    jw_object(j, type);
    jw_raw(j, "schema", schema);
    jw_end_object(j);
}

/* schema NULL: of the events, which come in two forms. */
static void put_content(struct jw *j, const char *type, const char *schema)
{
    jw_object(j, "content");
    put_type(j, type, schema != NULL ? schema : "{\"type\":\"string\"}");
    if (schema == NULL) {
        put_type(j, "application/json", EVENT_LIST);
    }
    jw_end_object(j);
}

static void put_answer(struct jw *j, const char *status, const char *text, const char *type,
                       const char *schema)
{
    jw_object(j, status);
    jw_str(j, "description", text);
    put_content(j, type, schema);
    jw_end_object(j);
}

static void put_answers(struct jw *j, const struct http_route *r)
{
    const bool health = strncmp(r->path, "/health", strlen("/health")) == 0;
    const bool events = strcmp(r->path, EVENTS_PATH) == 0;
    jw_object(j, "responses");
    if ((r->methods & HTTP_METHOD_PUT) != 0) {
        jw_object(j, "204");
        jw_str(j, "description", "written");
        jw_end_object(j);
    } else {
        put_answer(j, "200", r->summary, r->type, events ? NULL : r->schema);
    }
    put_answer(j, "4XX", "what is wrong with the request (RFC 9457)", "application/problem+json",
               "{\"$ref\":\"#/components/schemas/Problem\"}");
    if (health) {
        put_answer(j, "503", "why not", r->type, r->schema);
    } else if (events) {
        put_answer(j, "503", "too many streams are open", "application/problem+json",
                   "{\"$ref\":\"#/components/schemas/Problem\"}");
    }
    jw_end_object(j);
}

/* What may stand behind "?" of a path, or in a field of the request. */
static const struct {
    const char *path, *name, *in, *text, *schema;
} queries[] = {
    {EVENTS_PATH, "after", "query", "only events after this id",
     "{\"type\":\"integer\",\"minimum\":0}"},
    {EVENTS_PATH, "format", "query", "sse: a stream; json: what is kept, at once",
     "{\"type\":\"string\",\"enum\":[\"sse\",\"json\"]}"},
    {EVENTS_PATH, "Last-Event-ID", "header", "as after, of a stream that comes back; it wins",
     "{\"type\":\"string\"}"},
};

static void put_queries(struct jw *j, const char *path)
{
    for (size_t i = 0; i < ARRAY_SIZE(queries); i++) {
        if (strcmp(path, queries[i].path) == 0) {
            jw_object(j, NULL);
            jw_str(j, "name", queries[i].name);
            jw_str(j, "in", queries[i].in);
            jw_str(j, "description", queries[i].text);
            jw_raw(j, "schema", queries[i].schema);
            jw_end_object(j);
        }
    }
}

/* "{name}" of a path. */
static void put_parameters(struct jw *j, const char *path)
{
    const char *at = path;
    jw_array(j, "parameters");
    put_queries(j, path);
    while ((at = strchr(at, '{')) != NULL) {
        char name[32];
        const size_t n = strcspn(++at, "}");
        struct text t = text_on(name, sizeof(name));
        text_fmt(&t, "%.*s", (int)n, at);
        jw_object(j, NULL);
        jw_str(j, "name", name);
        jw_str(j, "in", "path");
        jw_bool(j, "required", true);
        jw_raw(j, "schema",
               strcmp(name, "gpu") == 0
                   ? "{\"type\":\"integer\",\"minimum\":0}"
                   : "{\"type\":\"string\",\"enum\":[\"init\",\"intr\",\"rm\"]}");
        jw_end_object(j);
    }
    jw_end_array(j);
}

static void put_operation(struct jw *j, const struct http_route *r)
{
    const bool post = (r->methods & HTTP_METHOD_POST) != 0;
    const bool put = (r->methods & HTTP_METHOD_PUT) != 0;
    jw_object(j, post ? "post" : put ? "put" : "get");
    jw_str(j, "operationId", r->id);
    jw_str(j, "summary", r->summary);
    jw_str(j, "description", r->summary);
    jw_array(j, "tags");
    jw_str(j, NULL, post ? "rpc" : put ? "write" : "read");
    jw_end_array(j);
    jw_raw(j, "security", "[{},{\"token\":[]}]");
    put_parameters(j, r->path);
    if (post) {
        jw_object(j, "requestBody");
        jw_bool(j, "required", true);
        put_content(
            j, "application/json",
            "{\"oneOf\":[{\"$ref\":\"#/components/schemas/Call\"},{\"type\":\"array\",\"items\":"
            "{\"$ref\":\"#/components/schemas/Call\"},\"minItems\":1,\"maxItems\":64}]}");
        jw_end_object(j);
    }
    if (put) {
        jw_object(j, "requestBody");
        jw_bool(j, "required", true);
        put_content(j, r->type, r->schema);
        jw_end_object(j);
    }
    put_answers(j, r);
    jw_end_object(j);
}

static const char components[] =
    "{\"securitySchemes\":{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":\"of "
    "firstlight.conf, or shown on the machine's screen and serial "
    "line\"}},\"schemas\":{\"Problem\":"
    "{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\",\"detail\"],\"properties\":{"
    "\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},\"status\":{\"type\":"
    "\"integer\"},"
    "\"detail\":{\"type\":\"string\"}}},\"Call\":{\"type\":\"object\",\"required\":[\"jsonrpc\","
    "\"method\"],\"properties\":{\"jsonrpc\":{\"const\":\"2.0\"},\"method\":{\"type\":\"string\","
    "\"description\":\"rpc.discover describes "
    "all\"},\"params\":{\"type\":[\"object\",\"array\"],\"items\":{}},"
    "\"id\":{\"type\":[\"string\",\"integer\",\"null\"]}}},\"Answer\":{\"type\":\"object\","
    "\"required\":"
    "[\"jsonrpc\",\"id\"],\"properties\":{\"jsonrpc\":{\"const\":\"2.0\"},\"result\":{},\"error\":{"
    "\"type\":\"object\",\"required\":[\"code\",\"message\"],\"properties\":{\"code\":{\"type\":"
    "\"integer\"},\"message\":{\"type\":\"string\"},\"data\":{}}},\"id\":{\"type\":[\"string\","
    "\"integer\",\"null\"]}}}}}";

void api_get_openapi(const struct http_request *req, struct http_response *res)
{
    struct jw j;
    (void)req;
    jw_begin(&j, &res->body);
    jw_object(&j, NULL);
    jw_str(&j, "openapi", "3.1.0");
    jw_object(&j, "info");
    jw_str(&j, "title", "Firstlight");
    jw_str(&j, "version", api_context()->version);
    jw_str(&j, "description", "A bare-metal GPU appliance: what it says of itself, and JSON-RPC.");
    jw_raw(&j, "license", "{\"name\":\"MIT\",\"identifier\":\"MIT\"}");
    jw_raw(&j, "contact", "{\"name\":\"Firstlight\"}");
    jw_end_object(&j);
    jw_raw(&j, "servers", "[{\"url\":\"/\",\"description\":\"this appliance\"}]");
    jw_raw(&j, "tags",
           "[{\"name\":\"read\",\"description\":\"what is known\"},{\"name\":\"write\","
           "\"description\":\"what is changed without JSON\"},{\"name\":\"rpc\",\"description\":"
           "\"JSON-RPC 2.0\"}]");
    jw_object(&j, "paths");
    for (const struct http_route *r = api_routes(); r->path != NULL; r++) {
        jw_object(&j, r->path);
        put_operation(&j, r);
        while (r[1].path != NULL && strcmp(r[1].path, r->path) == 0) { /* another method of it */
            put_operation(&j, ++r);
        }
        jw_end_object(&j);
    }
    jw_end_object(&j);
    jw_raw(&j, "components", components);
    jw_end_object(&j);
    text_append(&res->body, "\n", 1);
}
