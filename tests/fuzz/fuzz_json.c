/* JSON from outside: limits hold, every getter takes every type, and what we write parses. */
#include "fuzz.h"

#include "base/json_read.h"
#include "base/json_write.h"

enum { DEPTH = 20, BYTES = 1 << 16 };

static void write_value(struct json_writer *w, const json_t *v);

static void read_and_write_object(struct json_writer *w, const json_t *object)
{
    const char *key;
    size_t len;
    json_t *v, *root = json_deep_copy(object);
    jw_object(w);
    json_object_keylen_foreach(root, key, len, v) {
        char scratch[32];
        (void)jtext(root, key, scratch);
        (void)jstr(root, key);
        (void)jint(root, key, -1);
        (void)jdouble(root, key, -1);
        (void)jpath(root, key);
        int yes = jbool(root, key);
        CHECK(yes >= -1 && yes <= 1);
        jw_key_str(w, (struct str){key, len});
        write_value(w, v);
    }
    jw_object_end(w);
    json_decref(root);
}

static void write_value(struct json_writer *w, const json_t *v)
{
    size_t i;
    json_t *one;
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        read_and_write_object(w, v);
        break;
    case JSON_ARRAY:
        jw_array(w);
        json_array_foreach(v, i, one)
            write_value(w, one);
        jw_array_end(w);
        break;
    case JSON_STRING:
        jw_str(w, (struct str){json_string_value(v), json_string_length(v)});
        break;
    case JSON_INTEGER:
        jw_int(w, json_integer_value(v));
        break;
    case JSON_REAL:
        jw_double(w, json_real_value(v));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        jw_bool(w, json_is_true(v));
        break;
    case JSON_NULL:
        jw_null(w);
        break;
    }
}

/* Whatever bytes a text holds, what is written around it parses. */
static void write_bytes(struct str bytes)
{
    auto_buf struct buf out = {0};
    auto_json json_t *root = NULL;
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_key_str(&w, bytes);
    jw_str(&w, bytes);
    jw_object_end(&w);
    CHECK(json_parse(buf_str(&out), out.len, 2, &root, NULL) == STATUS_OK);
    CHECK(json_object_size(root) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = input_of(data, size);
    auto_json json_t *root = NULL, *again = NULL;
    struct error err = {0};
    write_bytes(text);
    if (json_parse(text, BYTES, DEPTH, &root, &err) != STATUS_OK) {
        CHECK(err.text[0] != '\0');
        return 0;
    }
    auto_buf struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    write_value(&w, root);
    CHECK(json_parse(buf_str(&out), out.len, DEPTH, &again, NULL) == STATUS_OK);
    /* Written once more it is the same to the letter: a NUL in a text became U+FFFD, and 1.0 a 1, the
     * first time. */
    auto_buf struct buf twice = {0};
    jw_begin(&w, &twice);
    write_value(&w, again);
    CHECK(str_eq(buf_str(&out), buf_str(&twice)));
    return 0;
}
