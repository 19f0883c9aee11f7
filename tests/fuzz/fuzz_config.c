/* fuzz_config.c - config files of any content. What is taken must print as a file that is taken
 * again and prints the same; what is refused must say where. */
#include "common/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sample {
    char *name, *word;
    bool on;
    uint64_t count, size, wait, colour;
};

static const struct config_key keys[] = {
    { "one", "name", CONFIG_TEXT, offsetof(struct sample, name), "", 0, 0, NULL, "A name." },
    { "one", "word", CONFIG_SECRET, offsetof(struct sample, word), "", 0, 0, NULL, "A secret." },
    { "one", "on", CONFIG_BOOL, offsetof(struct sample, on), "yes", 0, 0, NULL, "A switch." },
    { "one", "count", CONFIG_NUMBER, offsetof(struct sample, count), "7", 1, 100, NULL, "N." },
    { "two", "size", CONFIG_SIZE, offsetof(struct sample, size), "64K", 0, 0, NULL, "A size." },
    { "two", "wait", CONFIG_DURATION, offsetof(struct sample, wait), "1m", 0, 0, NULL, "A time." },
    { "two", "colour", CONFIG_CHOICE, offsetof(struct sample, colour), "red", 0, 0, "red|green",
      "A colour." },
};

/* Loads bytes as if they were a file on disk. */
static bool load(struct slice bytes, struct sample *sample, struct error *err)
{
    char path[64];
    int fd = memfd_create("config", MFD_CLOEXEC);
    bool ok;

    if (fd < 0 || write(fd, bytes.data, bytes.len) != (ssize_t)bytes.len)
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    ok = config_load(keys, COUNT_OF(keys), path, sample, err);
    close(fd);
    if (!ok && !slice_starts(slice_of(err->text), path))
        abort();
    return ok;
}

static void print(struct sample *sample, struct buf *out)
{
    AUTO(buf_free) struct buf json = { 0 };

    config_print(keys, COUNT_OF(keys), sample, true, &json);
    sample->word[0] = '\0'; /* is not printed */
    config_print(keys, COUNT_OF(keys), sample, false, out);
    config_free(keys, COUNT_OF(keys), sample);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf_free) struct buf first = { 0 };
    AUTO(buf_free) struct buf second = { 0 };
    struct sample sample;
    struct error err;

    if (!load(slice_make(data, size), &sample, &err))
        return 0;
    print(&sample, &first);
    if (!load(buf_slice(&first), &sample, &err))
        abort();
    print(&sample, &second);
    if (!slice_equal(buf_slice(&first), buf_slice(&second)))
        abort();
    return 0;
}
