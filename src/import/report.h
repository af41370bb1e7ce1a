/* Inside of import: how an import stands, in memory and in the store's import table. */
#pragma once

#include "import/import.h"
#include "import/rows.h"
#include "store/store.h"

void report_init(struct import_report *r);
/* Adds what was counted while reading a chunk. */
void report_add(struct import_report *r, const struct import_chunk *c);
/* Writes everything but state and times of the row of r->import_id; within a transaction. */
enum status report_save(struct store_conn *c, const struct import_report *r, int32_t server,
                        int64_t position, struct error *err);
/* As import_get(), and where it goes on. */
enum status report_load(struct store_conn *c, int64_t id, struct import_report *ret,
                        int32_t *ret_server, int64_t *ret_position, struct error *err);
