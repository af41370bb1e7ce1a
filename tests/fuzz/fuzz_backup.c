/*
 * A backup from somebody. "M": the rest is a manifest. "A": the rest is an archive. Else what follows
 * a right manifest in one, so that the members behind it are reached. Whatever it is, nothing but the
 * files that a backup may hold is written, and what is taken has the sums that the manifest says.
 */
#include "fuzz.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/files.h"
#include "backup/pack.h"

static char folder[] = "/tmp/cartographus-fuzz-XXXXXX";
static const char *const names[] = {BACKUP_STORE, BACKUP_ACCOUNTS, BACKUP_LOG};
static const char *const texts[] = {"store", "accounts", "log"};
static char *head; /* a tar's first member: a manifest of these */
static size_t head_len;

static void stop(void)
{
    rmdir(folder);
    free(head);
}

static char *in_folder(const char *name)
{
    return xasprintf("%s/%s", folder, name);
}

static void start(void)
{
    CHECK(mkdtemp(folder) != NULL && atexit(stop) == 0);
    struct store_table table = {.name = "play", .sum = "0"};
    struct manifest m = {.version = "1", .engine = "1", .store = {
        .schema = 1, .table_count = 1, .tables = &table}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        auto_free char *path = in_folder(names[i]);
        FILE *f = fopen(path, "we");
        CHECK(f && fputs(texts[i], f) >= 0 && fclose(f) == 0);
        m.files[m.file_count].name = names[i];
        CHECK(pack_sum(folder, &m.files[m.file_count++], NULL) == STATUS_OK);
        unlink(path);
    }
    auto_buf struct buf text = {0};
    manifest_write(&m, &text);
    static char tar[16 * 1024];
    size_t used = 0;
    struct archive *a = archive_write_new();
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, MANIFEST_NAME);
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_size(e, (la_int64_t)text.len);
    CHECK(archive_write_set_format_ustar(a) == ARCHIVE_OK);
    CHECK(archive_write_open_memory(a, tar, sizeof tar, &used) == ARCHIVE_OK);
    CHECK(archive_write_header(a, e) == ARCHIVE_OK);
    CHECK(archive_write_data(a, text.data, text.len) == (la_ssize_t)text.len);
    archive_entry_free(e);
    archive_write_free(a);
    head_len = 512 + (text.len + 511) / 512 * 512;
    head = xmalloc(head_len);
    memcpy(head, tar, head_len);
}

static void try_manifest(struct str text)
{
    struct manifest m, again;
    struct error err = {0};
    if (manifest_read(text, &m, &err) != STATUS_OK) {
        CHECK(*err.text);
        return;
    }
    auto_buf struct buf out = {0};
    manifest_write(&m, &out);
    CHECK(manifest_read(buf_str(&out), &again, &err) == STATUS_OK);
    CHECK(again.file_count == m.file_count && manifest_bytes(&again) == manifest_bytes(&m));
    manifest_done(&m);
    manifest_done(&again);
}

/* What is there is ours by name; with `is_whole`, by content too. Removes it. */
static void check_folder(bool is_whole)
{
    DIR *d = opendir(folder);
    CHECK(d);
    for (struct dirent *e; (e = readdir(d));)
        CHECK(e->d_name[0] == '.' || manifest_known_file(str_of(e->d_name)));
    closedir(d);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        auto_free char *path = in_folder(names[i]);
        char text[16] = "";
        FILE *f = fopen(path, "re");
        if (f) {
            CHECK(fread(text, 1, sizeof text - 1, f) < sizeof text);
            fclose(f);
        }
        CHECK(!is_whole || streq(text, texts[i]));
    }
    files_remove(folder);
    CHECK(mkdir(folder, 0700) == 0);
}

static void try_archive(struct str first, struct str rest, bool has_right_manifest)
{
    auto_fd int fd = memfd_create("backup", MFD_CLOEXEC);
    CHECK(write(fd, first.ptr, first.len) == (ssize_t)first.len);
    CHECK(write(fd, rest.ptr, rest.len) == (ssize_t)rest.len);
    auto_free char *path = xasprintf("/proc/self/fd/%d", fd);
    struct manifest m;
    struct error err = {0};
    enum status s = pack_unpack(&(struct pack_source){.file = path}, folder, &m, &err);
    if (s == STATUS_OK)
        manifest_done(&m);
    else
        CHECK(*err.text);
    check_folder(s == STATUS_OK && has_right_manifest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = input_of(data, size);
    if (!head)
        start();
    struct str rest = {input.ptr + (size ? 1 : 0), size ? size - 1 : 0};
    if (size && *input.ptr == 'M')
        try_manifest(rest);
    else if (size && *input.ptr == 'A')
        try_archive(STR(""), rest, false);
    else
        try_archive((struct str){head, head_len}, rest, true);
    return 0;
}
