/* The configuration file: YAML read into a flat JSON object, "section.name" -> text. */
#pragma once

#include "base/error.h"
#include "base/json_read.h"

/* Nested mappings become dotted paths; scalars stay text; a list of scalars becomes comma separated
 * text; a list of mappings becomes a JSON array of objects of texts. A repeated key, an alias or a
 * file over 1 MiB is an error that names the line. The caller owns *ret. */
enum status yaml_file_read(const char *path, json_t **ret, struct error *err);
