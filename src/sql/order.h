/*
 * What goes between the server and the process that answers one question. Both are the same program,
 * so these are the structures as they are. To the process: an order and the question's text after it,
 * in a file that is its standard input. From it: the answer, in the file SQL_ANSWER_FD, and one report
 * by a pipe. What that process sends is believed no further than this: it is not ours any more once it
 * has begun to run somebody's SQL.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

#define SQL_CHILD_WORD "sql-child" /* the subcommand, which no help names */

enum { SQL_ORDER_FD = 0, SQL_ANSWER_FD = 3, SQL_EXTRACT_FD, SQL_REPORT_FD, SQL_FDS };
enum { SQL_TEXT_MAX = 60 * 1024, SQL_ZONE_MAX = 64, SQL_COLUMNS_MAX = 1000 };

enum sql_format { SQL_JSON = 1, SQL_NDJSON, SQL_CSV };

struct sql_order {
    uint32_t magic;
    enum sql_format format;
    int64_t parent;       /* process that waits for the report */
    int64_t most_rows;
    bool is_cut;          /* further rows are left out; else they are an error */
    int64_t most_bytes;   /* of the answer */
    int64_t max_memory;   /* DuckDB's */
    int64_t most_cpu_s;
    int64_t as_of_us;     /* when what is asked was copied */
    char time_zone[SQL_ZONE_MAX];
};

struct sql_report {
    uint32_t magic;
    int32_t status; /* enum status */
    int64_t rows, bytes, took_us;
    uint8_t has_more;
    char field[ERROR_FIELD_MAX];
    char text[ERROR_TEXT_MAX];
};

#define SQL_MAGIC UINT32_C(0x43475351)

/* PROTOCOL where the bytes are no whole report with a status that there is; texts are cleaned. */
enum status sql_report_read(const void *bytes, size_t len, struct sql_report *ret, struct error *err);
