/* What a support bundle says of the log: a name, an address and a URL never come through, whatever is
 * around them. */
#include "fuzz.h"

#include "api/scrub.h"
#include "base/json_write.h"

static const char NAME[] = "Zaphod Beeblebrox";

static bool has(const struct buf *out, const char *what)
{
    return strstr(buf_text(out), what) != NULL;
}

static void words(struct str s)
{
    auto_buf struct buf clean = {0}, text = {0}, out = {0};
    buf_add_clean_utf8(&clean, s);
    /* What is planted counts: a name within a word is none. */
    if (has(&clean, NAME) || has(&clean, "203.0.113.7"))
        return;
    buf_printf(&text, "%s Zaphod Beeblebrox 203.0.113.77 http://203.0.113.78/x", buf_text(&clean));
    struct scrubber *one = scrubber_new();
    scrubber_add_name(one, NAME);
    scrub_text(one, buf_str(&text), &out);
    CHECK(!has(&out, NAME) && !has(&out, "203.0.113.7"));
    scrubber_free(one);
}

/* A line as the logger writes it: the input is a value. */
static void value(struct str s)
{
    auto_buf struct buf clean = {0}, line = {0}, out = {0};
    buf_add_clean_utf8(&clean, s);
    buf_puts(&line, "level=info module=x msg=\"some words\" user=");
    struct json_writer w;
    jw_begin(&w, &line);
    jw_text(&w, buf_text(&clean));
    buf_puts(&line, " took_us=7\n");
    struct scrubber *one = scrubber_new();
    scrub_log(one, buf_str(&line), &out);
    CHECK(streq(buf_text(&out), "level=info module=x msg=\"some words\" user=user-1 took_us=7\n"));
    scrubber_free(one);
}

static void lines(struct str s)
{
    auto_buf struct buf out = {0};
    struct scrubber *one = scrubber_new();
    scrub_log(one, s, &out);
    scrubber_free(one);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = input_of(data, size);
    words(s);
    value(s);
    lines(s);
    return 0;
}
