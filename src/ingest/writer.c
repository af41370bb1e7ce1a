#include "ingest/writer.h"

#include "base/logger.h"
#include "base/mem.h"

#include "base/banned.h"

void writer_touch(struct writer *w, const struct fact_ids *ids)
{
    struct derive_key key = {ids->server, ids->account, ids->title};
    /* Records of one session come in a row: this keeps most doubles out. */
    if (w->key_count && memcmp(&w->keys[w->key_count - 1], &key, sizeof key) == 0)
        return;
    *GROW(w->keys, w->key_count, w->key_room) = key;
}

enum status writer_exec(struct writer *w, const char *sql, const struct store_value *v, size_t n,
                        struct error *err)
{
    auto_result duckdb_result r = {0};
    return store_query(w->conn, sql, v, n, &r, err);
}

void writer_skip(struct writer *w, const struct log_record *r, const char *why)
{
    w->skipped++;
    log_warn("ingest", "a record of the log makes no sense and is left out",
             LF_INT("position", r->seq), LF_TEXT("error", why));
}
