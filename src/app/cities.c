#include "app/cities.h"

#include <dirent.h>

#include "app/installed.h"
#include "base/logger.h"
#include "base/mem.h"

#include "base/banned.h"

enum { CITY_FILES_MAX = 8 };

static size_t city_files(const char *path, char *ret[CITY_FILES_MAX])
{
    size_t n = 0;
    DIR *folder = opendir(path);
    if (!folder) {
        ret[n++] = xstrdup(path);
        return n;
    }
    for (struct dirent *e; n < CITY_FILES_MAX && (e = readdir(folder));) {
        size_t len = strlen(e->d_name);
        if (len > 5 && streq(e->d_name + len - 5, ".mmdb"))
            ret[n++] = xasprintf("%s/%s", path, e->d_name);
    }
    closedir(folder);
    return n;
}

enum status cities_open(const struct config *c, struct places **ret, struct error *err)
{
    const char *own = c->city_database;
    auto_free char *path = *own ? xstrdup(own) : installed_city_folder();
    char *files[CITY_FILES_MAX];
    size_t n = path ? city_files(path, files) : 0;
    if (!n)
        log_warn("app", "no city database: addresses are told apart, but have no places",
                 LF_TEXT("folder", path ? path : "none installed"));
    enum status s = places_open((const char *const *)files, n, ret, err);
    for (size_t i = 0; i < n; i++)
        free(files[i]);
    return s;
}
