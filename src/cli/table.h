/* Rows of JSON objects as an aligned table for people. */
#pragma once

#include <jansson.h>
#include <stdio.h>

/* Columns in the order of the first row. Times and durations (columns ending in _ms) are put in
 * words; numbers stand to the right. */
void table_print(FILE *to, json_t *rows);
