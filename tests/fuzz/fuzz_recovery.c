/* fuzz_recovery.c - any file is taken for a damaged mail.db: what is found in it can be read. */
#include "storage/recover.h"
#include "storage/sqlite/store_private.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct store store;

static void remove_files(void)
{
    struct error ignored;

    if (!tree_remove(store.options.path, &ignored))
        fprintf(stderr, "%s\n", ignored.text);
}

/* In memory, where there is such a place. */
static void make_folder(char *mail)
{
    static char folder[] = "/dev/shm/fuzz-recovery-XXXXXX";
    static const char *const parts[] = { "/accounts", "/accounts/00",
                                         "/accounts/00/0000000000000001" };
    struct error err;

    if (mkdtemp(folder) == NULL)
        abort();
    store.options.path = folder;
    atexit(remove_files);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        sprintf(mail, "%s%s", folder, parts[i]);
        if (!dir_make(mail, &err))
            abort();
    }
    strcat(mail, "/mail.db");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char mail[100];
    AUTO(recovery_free) struct recovery *recovery = NULL;
    struct error err;

    if (mail[0] == '\0')
        make_folder(mail);
    int fd = open(mail, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || close(fd) != 0)
        abort();
    if (!recovery_open(&store, 1, &recovery, &err))
        abort();
    for (size_t i = 0; i < recovery_count(recovery); i++) {
        AUTO(buf_free) struct buf bytes = { 0 };

        if (recovery_read(recovery, i, &bytes) == RECOVERY_GONE && bytes.len > 0)
            abort();
    }
    return 0;
}
