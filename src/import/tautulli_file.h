/* Inside of the Tautulli reader: what opening the file and reading its rows share. */
#pragma once

#include "base/mem.h"
#include "base/str.h"
#include "import/dictionary.h"
#include "import/foreign_db.h"
#include "import/tautulli.h"

enum {
#define COLUMN(id, table, name) COL_##id,
#include "import/tautulli_columns.def"
#undef COLUMN
    COL_COUNT
};

enum { MACHINE_ID_MAX = 128, RAW_MAX = 2000, KEY_PARTS_MAX = 32 };

struct tautulli {
    struct foreign_db file;
    sqlite3_stmt *rows, *bound, *end;
    struct dictionary facts[FACT_KINDS];
    char key[KEY_PARTS_MAX * (RAW_MAX + 4)]; /* of the fact that is being looked up */
    size_t key_len;
    struct arena arena;
    struct tautulli_user *users;
    size_t user_count;
    struct tautulli_library *libraries;
    size_t library_count;
    char machine_id[MACHINE_ID_MAX];
    int64_t now_us;
};

/* The row that t->rows is at, added to the chunk or counted as left out. */
void tautulli_take_row(struct tautulli *t, struct import_chunk *c);
const struct tautulli_user *tautulli_user(const struct tautulli *t, int64_t user_id);

/* A text as it lies there, cut to RAW_MAX; of the row at hand. */
struct str tautulli_raw(sqlite3_stmt *q, int column);
/* In the arena, as proper UTF-8. */
const char *tautulli_text(struct arena *a, struct str raw);

static inline void close_tautulli(struct tautulli **t)
{
    tautulli_close(*t);
}

static inline void free_chunk(struct import_chunk **c)
{
    chunk_free(*c);
}
