/*
 * Whose an account is, for threads that cannot ask the store: the writer's copy of the names, made
 * again when they have changed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "store/store.h"

struct people;
struct people *people_new(void);
void people_free(struct people *p);
/* Reads all names. Writer's thread. */
enum status people_load(struct people *p, struct store_conn *c, struct error *err);
/* The name of the person that an account belongs to, cut where it is too long; false: not known. Any
 * thread; waits for no statement. */
bool people_find(struct people *p, const char *server, const char *account_key, char *ret_name,
                 size_t size);
