/* Records of the log: what is read back after writing is the same again. */
#include "fuzz.h"

#include "model/observation.h"

static void write_out(const struct observation *o, struct buf *out)
{
    struct json_writer w;
    jw_begin(&w, out);
    observation_write(&w, o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena a = {0};
    struct observation first, second, copy;
    struct error err = {0};
    if (observation_read(input_of(data, size).ptr, size, &a, &first, &err) != STATUS_OK) {
        CHECK(err.text[0] != '\0');
        return 0;
    }
    auto_buf struct buf once = {0}, twice = {0};
    write_out(&first, &once);
    CHECK(observation_read(once.data, once.len, &a, &second, &err) == STATUS_OK);
    write_out(&second, &twice);
    CHECK(str_eq(buf_str(&once), buf_str(&twice)));
    observation_copy(&a, &first, &copy);
    CHECK(observation_same_but_progress(&first, &copy));
    CHECK(observation_same_but_progress(&first, &second));
    return 0;
}
