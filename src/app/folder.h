/*
 * The data folder and what is in it: made with mode 0700, its files 0600, all ours. What a person
 * has made wider is made narrow again and logged; what belongs to somebody else is told.
 */
#pragma once

#include "base/error.h"

/* Says whether the folder can be used; makes and changes nothing. NOT_FOUND: it is not there yet. */
enum status data_folder_check(const char *path, struct error *err);
/* Makes it if needed, checks it and its files, narrows their modes. */
enum status data_folder_prepare(const char *path, struct error *err);
