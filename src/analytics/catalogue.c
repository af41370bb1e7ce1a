#include "analytics/catalogue.h"

#include "base/banned.h"

const char *query_type_name(enum query_type t)
{
    switch (t) {
    case QUERY_INT:
        return "int";
    case QUERY_DOUBLE:
        return "double";
    case QUERY_TEXT:
        return "text";
    case QUERY_BOOL:
        return "bool";
    case QUERY_TIME:
        return "time";
    }
    return "text";
}

static const char *behind_name(enum query_behind b)
{
    switch (b) {
    case BEHIND_EXACT:
        return "exact";
    case BEHIND_AMONG:
        return "among";
    case BEHIND_NONE:
        return "none";
    }
    return "none";
}

const struct query *query_find(const char *name)
{
    for (size_t i = 0; i < query_count; i++)
        if (streq(query_catalogue[i].name, name))
            return &query_catalogue[i];
    return NULL;
}

static void write_param(const struct query_param *p, struct json_writer *w)
{
    jw_object(w);
    jw_kv_text(w, "name", p->name);
    jw_kv_text(w, "type", query_type_name(p->type));
    jw_kv_text(w, "default", p->default_value);
    if (p->choices) {
        jw_kv_array(w, "choices");
        for (const char *const *c = p->choices; *c; c++)
            jw_text(w, *c);
        jw_array_end(w);
    } else {
        jw_kv_double(w, "least", p->least);
        jw_kv_double(w, "most", p->most);
    }
    jw_kv_text(w, "help", p->help);
    jw_object_end(w);
}

void query_write(const struct query *q, struct json_writer *w)
{
    jw_object(w);
    jw_kv_text(w, "name", q->name);
    jw_kv_text(w, "title", q->title);
    jw_kv_text(w, "question", q->question);
    jw_kv_text(w, "row", q->row);
    jw_kv_text(w, "about", q->about);
    jw_kv_text(w, "role", role_name(q->role));
    jw_kv_text(w, "behind", behind_name(q->behind));
    jw_kv_text(w, "behind_why", q->behind_why);
    jw_kv_array(w, "params");
    for (size_t i = 0; i < q->param_count; i++)
        write_param(&q->params[i], w);
    jw_array_end(w);
    jw_kv_array(w, "columns");
    for (size_t i = 0; i < q->column_count; i++) {
        const struct query_column *c = &q->columns[i];
        jw_object(w);
        jw_kv_text(w, "name", c->name);
        jw_kv_text(w, "type", query_type_name(c->type));
        jw_kv_bool(w, "may_be_null", c->may_be_null);
        jw_kv_text(w, "help", c->help);
        jw_object_end(w);
    }
    jw_array_end(w);
    jw_object_end(w);
}
