/*
 * Makes texts fit to be shown to strangers: what may be a name, title, address or path becomes a
 * pseudonym, the same for the same thing as long as the scrubber lives ("address-2"). Of a line of the
 * log only what is known to be harmless stays: its own words, numbers, words of a few keys. One thread.
 */
#pragma once

#include "base/str.h"

struct scrubber;
struct scrubber *scrubber_new(void);
void scrubber_free(struct scrubber *s); /* NULL is fine */
/* From now on `name` is a name wherever it stands as a word, whatever its case. Of two bytes or less
 * it is none. */
void scrubber_add_name(struct scrubber *s, const char *name);
/* Words that somebody has written, such as an error's. */
void scrub_text(struct scrubber *s, struct str text, struct buf *out);
/* Lines of logfmt. What is none is left out. */
void scrub_log(struct scrubber *s, struct str lines, struct buf *out);
