#include "helpers.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>

#include "backup/pack.h"

/* What an archive is made of. */
struct member {
    const char *name;
    const char *text;
    const char *link; /* of a link */
    mode_t type;      /* 0: a plain file */
};

static const char *const plain[] = {BACKUP_STORE, BACKUP_ACCOUNTS, BACKUP_LOG};
static const char *const texts[] = {"store", "accounts", "log"};
static char *in_root(const char *name)
{
    return xasprintf("%s/%s", root, name);
}

/* The manifest of the three files above, as text. */
static char *manifest_text(void)
{
    struct store_table table = {.name = "play", .rows = 3, .sum = "17"};
    struct manifest m = {.version = "1.2.3", .engine = "v1", .made_us = 1000000,
                         .store = {.schema = 1, .position = 9, .table_count = 1, .tables = &table}};
    auto_buf struct buf out = {0};
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        auto_free char *path = in_root(plain[i]);
        write_text(path, texts[i]);
        m.files[m.file_count].name = plain[i];
        OK(pack_sum(root, &m.files[m.file_count++], &err));
        unlink(path);
    }
    manifest_write(&m, &out);
    return buf_steal(&out);
}

static void write_archive(const char *path, const struct member *members, size_t count)
{
    struct archive *a = archive_write_new();
    archive_write_set_format_pax_restricted(a);
    archive_write_add_filter_gzip(a);
    assert_int_equal(archive_write_open_filename(a, path), ARCHIVE_OK);
    for (size_t i = 0; i < count; i++) {
        struct archive_entry *e = archive_entry_new();
        archive_entry_set_pathname(e, members[i].name);
        archive_entry_set_filetype(e, members[i].type ? members[i].type : AE_IFREG);
        archive_entry_set_perm(e, 0644);
        if (members[i].link && members[i].type == AE_IFLNK)
            archive_entry_set_symlink(e, members[i].link);
        else if (members[i].link)
            archive_entry_set_hardlink(e, members[i].link);
        size_t size = members[i].text ? strlen(members[i].text) : 0;
        archive_entry_set_size(e, (la_int64_t)size);
        assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
        if (size)
            archive_write_data(a, members[i].text, size);
        archive_entry_free(e);
    }
    archive_write_free(a);
}

static enum status unpack(const char *archive, const char *folder, struct error *why)
{
    struct manifest m;
    mkdir(folder, 0700);
    struct pack_source from = {.file = archive};
    enum status s = pack_unpack(&from, folder, &m, why);
    if (s == STATUS_OK)
        manifest_done(&m);
    return s;
}

static void what_is_packed_comes_back(void **state)
{
    (void)state;
    auto_free char *text = manifest_text();
    auto_free char *folder = in_root("same"), *archive = in_root("same.tar.gz"), *out = in_root("out");
    auto_manifest struct manifest m = {0}, read = {0};
    OK(manifest_read(str_of(text), &m, &err));
    mkdir(folder, 0700);
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        auto_free char *path = xasprintf("%s/%s", folder, plain[i]);
        write_text(path, texts[i]);
    }
    static const struct pack_form plain_form = {0};
    struct pack_source from = {.file = archive};
    OK(pack_write(archive, folder, &m, &plain_form, &err));
    mkdir(out, 0700);
    OK(pack_unpack(&from, out, &read, &err));
    assert_int_equal(read.store.position, 9);
    assert_int_equal(read.made_us, 1000000);
    auto_free char *store = xasprintf("%s/%s", out, BACKUP_STORE), *back = read_text(store);
    assert_string_equal(back, "store");
    struct stat st;
    assert_int_equal(stat(store, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void hostile_archives_are_refused_and_write_nothing_outside(void **state)
{
    (void)state;
    auto_free char *text = manifest_text();
#define MANIFEST {MANIFEST_NAME, text, NULL, 0}
#define STORE {BACKUP_STORE, "store", NULL, 0}
#define ACCOUNTS {BACKUP_ACCOUNTS, "accounts", NULL, 0}
#define LOG_FILE {BACKUP_LOG, "log", NULL, 0}
    const struct {
        const char *what;
        const char *error;
        struct member members[6];
        size_t count;
    } rows[] = {
        {"a path upwards", "named by its", {MANIFEST, {"../cartographus.duckdb", "store", NULL, 0}}, 2},
        {"a path from the root", "named by its", {MANIFEST, {"/cartographus.duckdb", "store", NULL, 0}}, 2},
        {"a path below", "named by its", {MANIFEST, {"x/cartographus.duckdb", "store", NULL, 0}}, 2},
        {"a symbolic link", "no plain file", {MANIFEST, {BACKUP_STORE, NULL, "/etc/passwd", AE_IFLNK}}, 2},
        {"a hard link", "no plain file", {MANIFEST, STORE, {BACKUP_LOG, NULL, BACKUP_STORE, 0}}, 3},
        {"a folder", "no plain file", {MANIFEST, {"imports", NULL, NULL, AE_IFDIR}}, 2},
        {"a device", "no plain file", {MANIFEST, {BACKUP_STORE, NULL, NULL, AE_IFCHR}}, 2},
        {"a name that no backup has", "named by its", {MANIFEST, {"cartographus.yaml", "x", NULL, 0}}, 2},
        {"a file the manifest does not name", "named by its", {MANIFEST, {"client-id", "x", NULL, 0}}, 2},
        {"another size", "named by its", {MANIFEST, {BACKUP_STORE, "store!", NULL, 0}}, 2},
        {"other bytes", "is not what its", {MANIFEST, {BACKUP_STORE, "stork", NULL, 0}}, 2},
        {"a file twice", "in it twice", {MANIFEST, STORE, STORE}, 3},
        {"a second manifest", "named by its", {MANIFEST, STORE, MANIFEST}, 3},
        {"a file too few", "2 of the 3 files", {MANIFEST, STORE, ACCOUNTS}, 3},
        {"a file too many", "named by its", {MANIFEST, STORE, ACCOUNTS, LOG_FILE, {"evil", "x", NULL, 0}}, 5},
        {"no manifest", "begins with 'cartographus.duckdb'", {STORE, MANIFEST}, 2},
        {"a foreign archive", "begins with 'notes.txt'", {{"notes.txt", "x", NULL, 0}}, 1},
        {"an empty archive", "begins with 'nothing'", {{0}}, 0},
        {"an empty manifest", "has 0 bytes", {{MANIFEST_NAME, NULL, NULL, 0}}, 1},
        {"a manifest that is a link", "no plain file", {{MANIFEST_NAME, NULL, "/etc/passwd", AE_IFLNK}}, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_free char *name = xasprintf("hostile-%zu", i), *folder = in_root(name);
        auto_free char *archive = xasprintf("%s.tar.gz", folder);
        write_archive(archive, rows[i].members, rows[i].count);
        if (unpack(archive, folder, &err) != STATUS_INVALID)
            fail_msg("%s is taken: %s", rows[i].what, err.text);
        if (!strstr(err.text, rows[i].error) || !strstr(err.text, archive))
            fail_msg("%s: %s", rows[i].what, err.text);
        DIR *d = opendir(folder);
        for (struct dirent *e; (e = readdir(d));)
            if (e->d_name[0] != '.')
                assert_non_null(manifest_known_file(str_of(e->d_name)));
        closedir(d);
    }
    assert_false(is_there(root, BACKUP_STORE));
    assert_int_not_equal(access("/cartographus.duckdb", F_OK), 0);
}

static void wherever_it_is_cut_or_changed_it_is_refused(void **state)
{
    (void)state;
    auto_free char *text = manifest_text();
    const struct member members[] = {MANIFEST, STORE, ACCOUNTS, LOG_FILE};
    auto_free char *whole = in_root("whole.tar.gz"), *cut = in_root("cut.tar.gz");
    write_archive(whole, members, ARRAY_LEN(members));
    FILE *f = fopen(whole, "re");
    char bytes[8192];
    size_t size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    assert_in_range(size, 300, sizeof bytes - 1);
    for (size_t n = 0; n < size; n += 7) {
        f = fopen(cut, "we");
        fwrite(bytes, 1, n, f);
        fclose(f);
        auto_free char *folder = xasprintf("%s/cut-%zu", root, n);
        if (unpack(cut, folder, &err) == STATUS_OK && n + 8 < size)
            fail_msg("cut at %zu of %zu it is taken", n, size);
    }
    for (size_t n = 12; n + 8 < size; n += 11) {
        bytes[n] ^= 0x10;
        f = fopen(cut, "we");
        fwrite(bytes, 1, size, f);
        fclose(f);
        bytes[n] ^= 0x10;
        auto_free char *folder = xasprintf("%s/changed-%zu", root, n);
        if (unpack(cut, folder, &err) != STATUS_OK)
            continue;
        /* Of no meaning: a name of an owner, a time. What is unpacked is right all the same. */
        auto_free char *store = xasprintf("%s/%s", folder, BACKUP_STORE), *back = read_text(store);
        assert_string_equal(back, "store");
    }
}

static void manifests_are_read_strictly(void **state)
{
    (void)state;
    auto_free char *text = manifest_text();
    static const struct {
        const char *from, *to, *error;
        enum status status;
    } rows[] = {
        {"\"schema\":1", "\"schema\":999", "newer version 1.2.3", STATUS_CONFLICT},
        {"\"format\":1", "\"format\":2", "newer version 1.2.3", STATUS_CONFLICT},
        {"\"schema\":1", "\"schema\":0", "schema, log_position or made_at", STATUS_INVALID},
        {"\"log_position\":9", "\"log_position\":-9", "schema, log_position or made_at", STATUS_INVALID},
        {"\"made_at\":\"1970", "\"made_at\":\"x970", "schema, log_position or made_at", STATUS_INVALID},
        {"\"program\":\"cartographus", "\"program\":\"other", "is not of Cartographus", STATUS_INVALID},
        {"\"log.sqlite\"", "\"../x\"", "names '../x'", STATUS_INVALID},
        {"\"log.sqlite\"", "\"cartographus.duckdb\"", "names 'cartographus.duckdb'", STATUS_INVALID},
        {"\"log.sqlite\"", "\"alive\"", "names no log.sqlite", STATUS_INVALID},
        {"\"bytes\":5", "\"bytes\":-5", "without size", STATUS_INVALID},
        {"\"bytes\":5", "\"bytes\":9223372036854775807", "beyond all bounds", STATUS_INVALID},
        {"\"sha256\":\"", "\"sha256\":\"x", "without size or sum", STATUS_INVALID},
        {"\"rows\":3", "\"rows\":-3", "without name, rows", STATUS_INVALID},
        {"\"sum\":\"17\"", "\"sum\":\"x\"", "without name, rows", STATUS_INVALID},
        {"\"tables\":[", "\"other\":[", "no list of tables", STATUS_INVALID},
        {"{", "[", "cannot be read", STATUS_INVALID},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *at = strstr(text, rows[i].from);
        assert_non_null(at);
        auto_free char *changed = xasprintf("%.*s%s%s", (int)(at - text), text, rows[i].to,
                                            at + strlen(rows[i].from));
        struct manifest m;
        assert_int_equal(manifest_read(str_of(changed), &m, &err), rows[i].status);
        if (!strstr(err.text, rows[i].error))
            fail_msg("%s: %s", rows[i].to, err.text);
    }
}

static void more_than_the_disk_holds_is_refused_before_the_first_byte(void **state)
{
    (void)state;
    auto_free char *text = manifest_text();
    char *at = strstr(text, "\"bytes\":5");
    auto_free char *huge = xasprintf("%.*s\"bytes\":4611686018427387904%s", (int)(at - text), text,
                                     at + strlen("\"bytes\":5"));
    const struct member members[] = {{MANIFEST_NAME, huge, NULL, 0}, STORE};
    auto_free char *archive = in_root("huge.tar.gz"), *folder = in_root("huge");
    write_archive(archive, members, ARRAY_LEN(members));
    assert_int_equal(unpack(archive, folder, &err), STATUS_IO);
    assert_non_null(strstr(err.text, "not enough room"));
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_packed_comes_back),
        cmocka_unit_test(hostile_archives_are_refused_and_write_nothing_outside),
        cmocka_unit_test(wherever_it_is_cut_or_changed_it_is_refused),
        cmocka_unit_test(manifests_are_read_strictly),
        cmocka_unit_test(more_than_the_disk_holds_is_refused_before_the_first_byte),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
