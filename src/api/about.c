#include "api/about.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "api/backups.h"
#include "api/process.h"
#include "api/servers_now.h"
#include "auth/audit.h"
#include "base/clock.h"
#include "base/mem.h"
#include "ingest/ingest.h"
#include "log/log.h"
#include "sources/source.h"

#include "base/banned.h"

#define DISK_LEAST (INT64_C(512) * 1024 * 1024)
enum { LAG_MOST = 10000 };

/* --- checks ------------------------------------------------------------------------------------ */

static void write_check(struct json_writer *w, const char *what, bool is_well, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void write_check(struct json_writer *w, const char *what, bool is_well, const char *fmt, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    jw_object(w);
    jw_kv_text(w, "what", what);
    jw_kv_bool(w, "is_well", is_well);
    jw_kv_text(w, "text", text);
    jw_object_end(w);
}

static void check_store(struct store_conn *c, struct json_writer *w)
{
    struct error err = {0};
    bool is_well = store_check(c, &err) == STATUS_OK;
    write_check(w, "store", is_well, "%s", is_well ? "it can be read, and is where it was" : err.text);
}

static void check_log(const struct api *a, struct json_writer *w)
{
    struct ingest_stats s;
    ingest_get_stats(a->config.ingest, &s);
    int64_t lag = log_last(a->config.log) - s.position;
    lag = lag > 0 ? lag : 0;
    write_check(w, "log", lag < LAG_MOST && s.failures == 0 && s.skipped == 0,
                "%lld records wait for the store, %lld were left out, %lld batches failed since the start",
                (long long)lag, (long long)s.skipped, (long long)s.failures);
}

static void check_servers(struct api *a, struct json_writer *w)
{
    auto_servers_now struct servers_now now = servers_now_get(a);
    size_t wanted = 0, watched = 0;
    for (size_t i = 0; i < now.list->count; i++) {
        wanted += now.all[i].entry->is_enabled;
        watched += server_is_watched(&now.all[i]);
    }
    write_check(w, "servers", watched == wanted, "%zu of %zu are watched", watched, wanted);
}

static void check_backups(const struct api *a, struct json_writer *w)
{
    const struct config *k = a->config.config;
    int64_t every_us = k->is_demo ? 0 : k->backup_schedule, now = clock_now_us();
    auto_free struct backup_entry *list = NULL;
    struct error err = {0};
    size_t count = 0;
    char age[DURATION_TEXT_MAX];
    if (backup_list(a->config.backups->folder, &list, &count, &err) != STATUS_OK) {
        write_check(w, "backups", false, "%s", err.text);
        return;
    }
    bool is_young = clock_monotonic_us() - a->started_us < US_PER_HOUR;
    if (count == 0) {
        write_check(w, "backups", every_us == 0 || is_young, "there is none yet%s",
                    every_us == 0 ? ", and none is made by itself (BACKUP_SCHEDULE)" : "");
        return;
    }
    int64_t age_us = now > list[0].made_us ? now - list[0].made_us : 0;
    write_check(w, "backups", every_us == 0 || is_young || age_us < 2 * every_us + US_PER_HOUR,
                "%zu, the newest made %s ago, with %lld bytes", count, duration_format(age_us, age),
                (long long)list[0].bytes);
}

static void check_audit(const struct api *a, struct json_writer *w)
{
    struct audit_counts c;
    audit_get_counts(a->config.auth, &c);
    write_check(w, "audit", c.lost == 0, "%lld rows could not be written since the start",
                (long long)c.lost);
}

static int64_t disk_free(const struct api *a)
{
    struct statvfs v;
    if (statvfs(a->config.config->data_dir, &v) != 0)
        return -1;
    return (int64_t)v.f_bavail * (int64_t)v.f_frsize;
}

static void check_disk(int64_t free_bytes, struct json_writer *w)
{
    if (free_bytes < 0)
        write_check(w, "disk", false, "how much is free cannot be told");
    else
        write_check(w, "disk", free_bytes >= DISK_LEAST, "%.1f GB are free", (double)free_bytes / 1e9);
}

/* --- the whole --------------------------------------------------------------------------------- */

static int64_t store_bytes(const struct api *a)
{
    auto_free char *path = xasprintf("%s/cartographus.duckdb", a->config.config->data_dir);
    struct stat st;
    return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

static int64_t ask_number(struct store_conn *c, const char *sql)
{
    int64_t n = 0;
    return store_query_int(c, sql, NULL, 0, 0, &n, NULL) == STATUS_OK ? n : 0;
}

void about_write(struct api *a, struct store_conn *c, struct json_writer *w)
{
    struct process_facts p;
    struct utsname u;
    process_look(&p);
    int64_t uptime_us = clock_monotonic_us() - a->started_us, free_bytes = disk_free(a);
    char kernel[160];
    if (uname(&u) != 0)
        snprintf(kernel, sizeof kernel, "unknown");
    else
        snprintf(kernel, sizeof kernel, "%.40s %.60s %.40s", u.sysname, u.release, u.machine);
    jw_object(w);
    jw_kv_text(w, "version", a->config.version);
    jw_kv_time(w, "started_at", clock_now_us() - uptime_us);
    jw_kv_int(w, "uptime_s", uptime_us / US_PER_S);
    jw_kv_text(w, "system", kernel);
    jw_kv_int(w, "processors", sysconf(_SC_NPROCESSORS_ONLN));
    jw_kv_int(w, "memory_bytes", p.memory_bytes);
    jw_kv_int(w, "memory_peak_bytes", p.memory_peak_bytes);
    if (free_bytes < 0)
        jw_kv_null(w, "disk_free_bytes");
    else
        jw_kv_int(w, "disk_free_bytes", free_bytes);
    jw_kv_int(w, "store_bytes", store_bytes(a));
    jw_kv_int(w, "plays", ask_number(c, "select count(*) from play where not is_hidden and kind = 'play'"));
    jw_kv_int(w, "schema", ask_number(c, "select max(number) from schema_version"));
    jw_kv_array(w, "checks");
    check_store(c, w);
    check_servers(a, w);
    check_log(a, w);
    check_backups(a, w);
    check_disk(free_bytes, w);
    check_audit(a, w);
    jw_array_end(w);
    jw_object_end(w);
}

void handle_about(struct request *r)
{
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    about_write(r->api, r->conn, &w);
    request_reply(r, 200, &out);
}
