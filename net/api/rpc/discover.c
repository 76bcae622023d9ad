/* SPDX-License-Identifier: MIT */
/* rpc.discover: the methods as an OpenRPC document, from their tables. */
#include "net/api/rpc/rpc.h"

static void put_choices(struct jw *j, const struct rpc_param *p)
{
    jw_array(j, "enum");
    for (size_t i = 0; p->choices[i] != NULL; i++) {
        jw_str(j, NULL, p->choices[i]);
    }
    jw_end_array(j);
}

static void put_types(struct jw *j, const char *one, const char *other)
{
    jw_array(j, "type");
    jw_str(j, NULL, one);
    jw_str(j, NULL, other);
    jw_end_array(j);
}

static void put_schema(struct jw *j, const struct rpc_param *p)
{
    jw_object(j, "schema");
    switch (p->type) {
    case RPC_UINT:
        put_types(j, "integer", "string");
        jw_u64(j, "minimum", 0);
        if (p->most != 0) {
            jw_u64(j, "maximum", p->most);
        }
        jw_str(j, "pattern", "^(0[xX][0-9a-fA-F]+|[0-9]+)$");
        if (!p->required) {
            jw_u64(j, "default", p->fallback);
        }
        break;
    case RPC_GPU:
    case RPC_NAME:
        put_types(j, "integer", "string");
        break;
    case RPC_BOOL:
        jw_str(j, "type", "boolean");
        jw_bool(j, "default", p->fallback != 0);
        break;
    case RPC_UINTS:
        jw_str(j, "type", "array");
        jw_u64(j, "maxItems", p->most);
        jw_raw(j, "items", "{\"type\":[\"integer\",\"string\"]}");
        break;
    case RPC_OBJECT:
        jw_str(j, "type", "object");
        break;
    case RPC_TEXT:
    default:
        jw_str(j, "type", "string");
        if (p->most != 0) {
            jw_u64(j, "maxLength", p->most);
        }
        if (p->choices != NULL) {
            put_choices(j, p);
        }
        break;
    }
    jw_end_object(j);
}

static void put_method(struct jw *j, const struct rpc_method *m)
{
    jw_object(j, NULL);
    jw_str(j, "name", m->name);
    jw_fmt(j, "summary", "%s%s", m->summary,
           (m->flags & RPC_TOKEN) != 0 ? " (needs the token)" : "");
    jw_str(j, "paramStructure", "either");
    jw_array(j, "params");
    for (const struct rpc_param *p = m->params; p != NULL && p->name != NULL; p++) {
        jw_object(j, NULL);
        jw_str(j, "name", p->name);
        jw_str(j, "summary", p->summary);
        jw_bool(j, "required", p->required);
        put_schema(j, p);
        jw_end_object(j);
    }
    jw_end_array(j);
    jw_object(j, "result");
    jw_str(j, "name", "result");
    jw_raw(j, "schema", m->result != NULL ? m->result : "{\"type\":\"object\"}");
    jw_end_object(j);
    jw_end_object(j);
}

void rpc_discover(struct jw *j, const char *key)
{
    const struct rpc_method *m;
    jw_object(j, key);
    jw_str(j, "openrpc", "1.3.2");
    jw_object(j, "info");
    jw_str(j, "title", "Firstlight");
    jw_str(j, "version", api_context()->version);
    jw_end_object(j);
    jw_array(j, "methods");
    for (size_t i = 0; (m = rpc_method_at(i)) != NULL; i++) {
        put_method(j, m);
    }
    jw_end_array(j);
    jw_end_object(j);
}
