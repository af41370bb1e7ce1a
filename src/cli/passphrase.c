#include "cli/passphrase.h"

#include <errno.h>
#include <stdio.h>

#include "base/logger.h"
#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

enum { PASSPHRASE_MAX = 1024 };

enum status passphrase_read(const char *file, const struct config *c, char **ret,
                            struct error *err)
{
    if (!file) {
        *ret = xstrdup(c->backup_passphrase);
        return STATUS_OK;
    }
    auto_file FILE *f = fopen(file, "re");
    if (!f)
        return fail_errno(err, errno, PASSPHRASE_OPTION ": open '%s'", file);
    char text[PASSPHRASE_MAX + 2];
    size_t n = fread(text, 1, sizeof text, f);
    struct str s = str_trim((struct str){text, n});
    enum status status = STATUS_OK;
    if (ferror(f))
        status = fail_errno(err, errno, PASSPHRASE_OPTION ": read '%s'", file);
    else if (!s.len || s.len > PASSPHRASE_MAX || memchr(s.ptr, '\0', s.len))
        status = fail(err, STATUS_INVALID, PASSPHRASE_OPTION ": '%s' must hold the passphrase, 1 to %d"
                      " bytes of text", file, PASSPHRASE_MAX);
    else
        *ret = xstrndup(s.ptr, s.len);
    secret_wipe(text, sizeof text);
    if (status == STATUS_OK)
        logger_add_secret(*ret);
    return status;
}

void passphrase_done(char **passphrase)
{
    if (*passphrase)
        secret_wipe(*passphrase, strlen(*passphrase));
    free(*passphrase);
}
