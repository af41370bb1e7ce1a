/* The media servers as the collector wants them. */
#pragma once

#include "config/config.h"
#include "ingest/ingest.h"
#include "servers/servers.h"
#include "sources/source.h"

/* Opens the list of media servers of the data folder (servers/servers.h). is_looking: for `check`. */
enum status servers_of_folder(const struct config *c, bool is_looking, struct servers **ret,
                              struct error *err);
/* One for each of the list, in its order; free() the array. Texts are the list's, the client's and the
 * arena's. `ingest` NULL: nobody knows how far their histories were read. */
struct source_config *sources_of(const struct config *c, const struct server_list *l,
                                 const char *client_id, struct ingest *ingest, struct arena *a);
/* The key of the only Plex server; false: there is none, or several. */
bool servers_only_plex(const struct server_list *l, char ret[static SERVER_KEY_MAX + 1]);
