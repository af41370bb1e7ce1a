#include "config/yaml_file.h"

#include <errno.h>
#include <stdio.h>
#include <yaml.h>

#include "base/banned.h"

enum { FILE_MAX = 1024 * 1024, DEPTH_MAX = 6 };

static void auto_document_fn(yaml_document_t *d)
{
    yaml_document_delete(d);
}

static void auto_parser_fn(yaml_parser_t *p)
{
    yaml_parser_delete(p);
}

static const char *scalar(const yaml_node_t *n)
{
    return n && n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;
}

/* YAML's own ways to say nothing. */
static bool is_null(const yaml_node_t *n)
{
    const char *s = scalar(n);
    return s && n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (!*s || streq(s, "~") || streq(s, "null"));
}

static enum status put(json_t *flat, const char *path, json_t *value, const yaml_node_t *at,
                       struct error *err)
{
    if (json_object_get(flat, path)) {
        json_decref(value);
        return fail(err, STATUS_INVALID, "line %zu: %s is given twice", at->start_mark.line + 1,
                    path);
    }
    json_object_set_new(flat, path, value);
    return STATUS_OK;
}

static enum status read_list(yaml_document_t *doc, const yaml_node_t *list, const char *path,
                             json_t *flat, struct error *err)
{
    auto_json json_t *objects = json_array();
    auto_buf struct buf joined = {0};
    for (yaml_node_item_t *i = list->data.sequence.items.start; i < list->data.sequence.items.top;
         i++) {
        const yaml_node_t *item = yaml_document_get_node(doc, *i);
        if (item->type == YAML_SCALAR_NODE) {
            if (joined.len)
                buf_putc(&joined, ',');
            buf_puts(&joined, scalar(item));
            continue;
        }
        if (item->type != YAML_MAPPING_NODE)
            return fail(err, STATUS_INVALID, "line %zu: %s: a list in a list",
                        item->start_mark.line + 1, path);
        json_t *o = json_object();
        json_array_append_new(objects, o);
        for (yaml_node_pair_t *p = item->data.mapping.pairs.start;
             p < item->data.mapping.pairs.top; p++) {
            const char *key = scalar(yaml_document_get_node(doc, p->key));
            const char *value = scalar(yaml_document_get_node(doc, p->value));
            if (!key || !value)
                return fail(err, STATUS_INVALID, "line %zu: %s: expected name: text",
                            item->start_mark.line + 1, path);
            TRY(put(o, key, json_string(value), item, err));
        }
    }
    if (json_array_size(objects))
        return put(flat, path, steal_ptr(&objects), list, err);
    return put(flat, path, json_string(buf_text(&joined)), list, err);
}

static enum status read_map(yaml_document_t *doc, const yaml_node_t *map, const char *prefix,
                            unsigned depth, json_t *flat, struct error *err)
{
    if (depth > DEPTH_MAX)
        return fail(err, STATUS_INVALID, "line %zu: nested too deep", map->start_mark.line + 1);
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top;
         p++) {
        const yaml_node_t *value = yaml_document_get_node(doc, p->value);
        const char *key = scalar(yaml_document_get_node(doc, p->key));
        if (!key)
            return fail(err, STATUS_INVALID, "line %zu: a name must be text",
                        value->start_mark.line + 1);
        auto_free char *path = *prefix ? xasprintf("%s.%s", prefix, key) : xstrdup(key);
        if (is_null(value))
            continue;
        if (value->type == YAML_MAPPING_NODE)
            TRY(read_map(doc, value, path, depth + 1, flat, err));
        else if (value->type == YAML_SEQUENCE_NODE)
            TRY(read_list(doc, value, path, flat, err));
        else
            TRY(put(flat, path, json_string(scalar(value)), value, err));
    }
    return STATUS_OK;
}

enum status yaml_file_read(const char *path, json_t **ret, struct error *err)
{
    auto_file FILE *f = fopen(path, "re");
    if (!f)
        return fail_errno(err, errno, "read '%s'", path);
    fseek(f, 0, SEEK_END);
    if (ftell(f) > FILE_MAX)
        return fail(err, STATUS_TOO_LARGE, "'%s' is larger than 1 MiB", path);
    rewind(f);
    auto_cleanup(auto_parser_fn) yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return fail(err, STATUS_NOMEM, "no memory to read '%s'", path);
    yaml_parser_set_input_file(&parser, f);
    auto_cleanup(auto_document_fn) yaml_document_t doc = {0};
    if (!yaml_parser_load(&parser, &doc))
        return fail(err, STATUS_INVALID, "'%s', line %zu: %s", path, parser.problem_mark.line + 1,
                    parser.problem ? parser.problem : "not YAML");
    auto_json json_t *flat = json_object();
    const yaml_node_t *root = yaml_document_get_root_node(&doc);
    if (root && !is_null(root)) {
        if (root->type != YAML_MAPPING_NODE)
            return fail(err, STATUS_INVALID, "'%s': expected lines such as name: value", path);
        if (read_map(&doc, root, "", 0, flat, err) != STATUS_OK)
            return fail_prefix(err, "'%s'", path);
    }
    *ret = steal_ptr(&flat);
    return STATUS_OK;
}
