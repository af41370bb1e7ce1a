#include "backup/restore_note.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "backup/files.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/mem.h"

#include "base/banned.h"

enum { NOTE_BYTES_MAX = 16 * 1024, NOTE_DEPTH_MAX = 2 };

static void write_facts(const struct restore_facts *f, struct buf *out)
{
    struct json_writer w;
    jw_begin(&w, out);
    jw_object(&w);
    jw_kv_text(&w, "file", f->file);
    jw_kv_int(&w, "file_bytes", f->file_bytes);
    jw_kv_int(&w, "bytes", f->bytes);
    jw_kv_bool(&w, "is_encrypted", f->is_encrypted);
    jw_kv_time(&w, "made_at", f->made_us);
    jw_kv_text(&w, "version", f->version);
    jw_kv_int(&w, "schema", f->schema);
    jw_kv_int(&w, "plays", f->plays);
    jw_kv_int(&w, "people", f->people);
    jw_kv_int(&w, "titles", f->titles);
    jw_kv_time(&w, "first_play", f->first_us);
    jw_kv_time(&w, "last_play", f->last_us);
    jw_kv_time(&w, "decided_at", f->decided_us);
    jw_kv_text(&w, "by", f->by);
    jw_kv_text(&w, "stamp", f->stamp);
    jw_object_end(&w);
    buf_putc(out, '\n');
}

enum status restore_note_write(const char *folder, const struct restore_facts *facts,
                               struct error *err)
{
    auto_free char *path = xasprintf("%s/" RESTORE_NOTE, folder);
    auto_buf struct buf text = {0};
    write_facts(facts, &text);
    auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail_errno(err, errno, "write '%s'", path);
    TRY(files_write(fd, path, text.data, text.len, err));
    return fsync(fd) == 0 ? STATUS_OK : fail_errno(err, errno, "write '%s'", path);
}

static void read_text(const json_t *root, const char *key, char *ret, size_t size)
{
    snprintf(ret, size, "%s", jstr(root, key));
}

static int64_t read_time(const json_t *root, const char *key)
{
    int64_t us;
    return time_parse(str_of(jstr(root, key)), &us) ? us : TIME_NONE;
}

bool restore_note_read(const char *folder, struct restore_facts *ret)
{
    *ret = (struct restore_facts){.made_us = TIME_NONE, .first_us = TIME_NONE, .last_us = TIME_NONE,
                                  .decided_us = TIME_NONE};
    auto_free char *path = xasprintf("%s/" RESTORE_NOTE, folder), *text = xmalloc(NOTE_BYTES_MAX);
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd >= 0 ? read(fd, text, NOTE_BYTES_MAX) : -1;
    auto_json json_t *root = NULL;
    if (n <= 0 || json_parse((struct str){text, (size_t)n}, NOTE_BYTES_MAX, NOTE_DEPTH_MAX, &root,
                             NULL) != STATUS_OK)
        return false;
    read_text(root, "file", ret->file, sizeof ret->file);
    read_text(root, "version", ret->version, sizeof ret->version);
    read_text(root, "by", ret->by, sizeof ret->by);
    read_text(root, "stamp", ret->stamp, sizeof ret->stamp);
    ret->file_bytes = jint(root, "file_bytes", 0);
    ret->bytes = jint(root, "bytes", 0);
    ret->is_encrypted = jbool(root, "is_encrypted") == 1;
    ret->made_us = read_time(root, "made_at");
    ret->schema = jint(root, "schema", 0);
    ret->plays = jint(root, "plays", 0);
    ret->people = jint(root, "people", 0);
    ret->titles = jint(root, "titles", 0);
    ret->first_us = read_time(root, "first_play");
    ret->last_us = read_time(root, "last_play");
    ret->decided_us = read_time(root, "decided_at");
    return true;
}
