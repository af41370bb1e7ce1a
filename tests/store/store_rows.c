/* For the tests in other languages: the rows of a query on a copy of a store, one JSON object a
 * line. Opening it replays its WAL and so changes it. usage: store_rows FILE SQL ... */
#include <stdio.h>

#include "store/cursor.h"

static enum status print_rows(struct store_conn *c, const char *query, struct error *err)
{
    auto_free char *sql = xasprintf("select to_json(r)::varchar from (%s) r", query);
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(c, sql, NULL, 0, &r, err));
    while (cursor_next(&r)) {
        struct str row = cursor_text(&r, 0);
        printf("%.*s\n", (int)row.len, row.ptr);
    }
    return STATUS_OK;
}

static enum status print_all(const char *path, char **queries, struct error *err)
{
    struct store *store;
    struct store_conn *conn;
    bool was_damaged = false;
    TRY(store_open(&(struct store_config){.path = path, .max_memory = "512MB", .threads = 1},
                   &store, &was_damaged, err));
    enum status s = store_connect(store, &conn, err);
    if (s == STATUS_OK) {
        for (; *queries && s == STATUS_OK; queries++)
            s = print_rows(conn, *queries, err);
        store_disconnect(conn);
    }
    store_close(store);
    return s;
}

int main(int argc, char **argv)
{
    struct error err;
    if (argc < 3)
        return 2;
    if (print_all(argv[1], argv + 2, &err) == STATUS_OK)
        return 0;
    fprintf(stderr, "%s\n", err.text);
    return 1;
}
