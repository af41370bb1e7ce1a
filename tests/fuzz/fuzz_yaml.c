/* The configuration file: read flat, or an error that names the file; then every option's reader. */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"
#include "config/yaml_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_fd int fd = memfd_create("config", 0);
    CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct error err = {0};
    auto_json json_t *flat = NULL;
    if (yaml_file_read(path, &flat, &err) == STATUS_OK) {
        const char *name;
        json_t *value;
        json_object_foreach(flat, name, value)
            CHECK(json_is_string(value) || json_is_array(value));
    } else {
        CHECK(strstr(err.text, path) != NULL);
    }
    static const char *const nothing[] = {NULL};
    struct config_origin origin = {.environment = nothing, .file = path};
    struct config c = {0};
    char *faults = NULL;
    if (config_load(&origin, false, &c, &faults) == STATUS_OK) {
        auto_buf struct buf shown = {0};
        config_show(&c, &shown);
        CHECK(shown.len > 0);
    } else {
        CHECK(faults && *faults);
    }
    config_done(&c);
    free(faults);
    return 0;
}
