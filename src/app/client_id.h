/*
 * DATA/client-id: the name by which media servers know this installation, a random UUID made at the
 * first start and the same for good, so that servers list one device for it, and not the same one
 * for every installation there is.
 */
#pragma once

#include "base/error.h"

enum { CLIENT_ID_MAX = 65 };

/* NOT_FOUND when there is none yet, INVALID when the file holds something else. */
enum status client_id_read(const char *folder, char ret[static CLIENT_ID_MAX], struct error *err);
/* Makes it where there is none that can be used. */
enum status client_id_ensure(const char *folder, char ret[static CLIENT_ID_MAX], struct error *err);
