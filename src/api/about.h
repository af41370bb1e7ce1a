/* What runs here and whether all is well: for the page and the support bundle. Without names. */
#pragma once

#include "base/json_write.h"

struct api;
struct store_conn;
/* As one JSON object. The connection's thread. */
void about_write(struct api *a, struct store_conn *c, struct json_writer *w);
