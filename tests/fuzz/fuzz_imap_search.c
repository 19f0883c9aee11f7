/* fuzz_imap_search.c - the input is what stands behind SEARCH, UID SEARCH and ESEARCH, or the value
 * of a filter that SEARCH names, or behind COMPARATOR.
 */
#include "tests/fuzz/imap_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void say_filter(struct world *world, const uint8_t *data, size_t size)
{
    AUTO(buf_free) struct buf input = { 0 };

    buf_fmt(&input, "\"\" (/private/filters/values/f {%zu+}\r\n", size);
    buf_add(&input, (const char *)data, size);
    buf_add_text(&input, ")\r\n2 SEARCH FILTER f");
    world_say(world, "SETMETADATA", (const uint8_t *)input.data, input.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const commands[] = { "SEARCH", "UID SEARCH", "ESEARCH", "COMPARATOR" };
    static struct world world;

    if (size == 0)
        return 0;
    if (data[0] % 5 < 4)
        world_say(&world, commands[data[0] % 5], data + 1, size - 1);
    else
        say_filter(&world, data + 1, size - 1);
    return 0;
}
