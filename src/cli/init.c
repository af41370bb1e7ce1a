#include "cli/args.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>

#include "app/folder.h"
#include "base/mem.h"

#include "base/banned.h"

static void random_text(size_t bytes, char *dst, size_t room)
{
    unsigned char raw[64];
    randombytes_buf(raw, bytes);
    sodium_bin2base64(dst, room, raw, bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    secret_wipe(raw, sizeof raw);
}

static const struct args args = {
    .usage = "init",
    .about = "Writes DATA/cartographus.yaml with an administrator and fresh secrets, unless it exists.",
    .statuses = "0 it is there, 1 failed, 2 wrong usage",
};

int cli_init(struct cli *c, int argc, char **argv)
{
    int status = args_read(c, &args, &argc, argv);
    if (status != ARGS_GO_ON)
        return status;
    const char *data = c->data ? c->data + strlen("DATA_DIR=") : getenv("DATA_DIR");
    if (data == NULL || data[0] == '\0')
        data = "./data";
    struct error err = {0};
    if (data_folder_prepare(data, &err) != STATUS_OK || sodium_init() < 0) {
        fprintf(stderr, "cartographus: %s\n", err.text);
        return EXIT_FAILED;
    }
    auto_free char *path = xasprintf("%s/cartographus.yaml", data);
    auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return EXIT_OK;
    char secret[80], password[40];
    random_text(48, secret, sizeof secret);
    random_text(18, password, sizeof password);
    auto_free char *text = xasprintf("security:\n  jwt_secret: \"%s\"\n  admin_username: admin\n"
                                     "  admin_password: \"%s\"\n",
                                     secret, password);
    size_t len = strlen(text);
    bool is_written = fd >= 0 && write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
    secret_wipe(text, len);
    secret_wipe(secret, sizeof secret);
    secret_wipe(password, sizeof password);
    if (!is_written) {
        fprintf(stderr, "cartographus: write '%s': %s\n", path, strerror(errno));
        return EXIT_FAILED;
    }
    printf("wrote %s: log in as admin with the password in it\n", path);
    return EXIT_OK;
}
