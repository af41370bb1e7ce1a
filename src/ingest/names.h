/*
 * Whose an account is and what a server is called, for threads that cannot ask the store: the
 * writer's copy, made again when names have changed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "store/store.h"

struct names;
struct names *names_new(void);
void names_free(struct names *n);
/* Reads all names. Writer's thread. */
enum status names_load(struct names *n, struct store_conn *c, struct error *err);
/* The id of the person that an account belongs to, and the name, cut where it is too long; 0: not
 * known. Any thread, as the next one; neither waits for a statement. */
int32_t names_person(struct names *n, const char *server, const char *account_key, char *ret_name,
                     size_t size);
/* The id of a server by its key, and its name; 0: not known. */
int32_t names_server(struct names *n, const char *key, char *ret_name, size_t size);
/* By which machine identifier a server knows itself, by its key; false: it has not said yet. */
bool names_machine(struct names *n, const char *server, char *ret, size_t size);
