/* The environment, one NAME=value a line: read, or told what is wrong, for every option. */
#include "fuzz.h"

#include "config/config.h"

enum { LINES_MAX = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = xstrndup(input_of(data, size).ptr, size);
    const char *lines[LINES_MAX + 1] = {0};
    size_t count = 0;
    for (char *line = text; line && count < LINES_MAX;) {
        char *end = strchr(line, '\n');
        if (end)
            *end++ = '\0';
        lines[count++] = line;
        line = end;
    }
    struct config_origin origin = {.environment = lines, .file = "/dev/null"};
    struct config c = {0};
    char *faults = NULL;
    if (config_load(&origin, true, &c, &faults) == STATUS_OK) {
        CHECK(c.http_port >= 1 && c.http_port <= 65535);
    } else {
        CHECK(faults && *faults);
    }
    config_done(&c);
    free(faults);
    return 0;
}
