/* fuzz_tags.c - lists of tags: names are unique and all slices lie in the text, in order. */
#include "message/proof/dkim_private.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(dkim_key_free) struct dkim_key key = { 0 };
    struct slice text = slice_make(data, size);
    const char *end = text.data;
    struct tag_list list;

    if (!tag_list_parse(text, &list)) {
        if (dkim_key_parse(text, &key) == NULL)
            abort();
        return 0;
    }
    for (size_t i = 0; i < list.count; i++) {
        AUTO(buf_free) struct buf name = { 0 };
        const struct tag *tag = &list.tags[i];

        buf_add_slice(&name, tag->name);
        if (tag_find(&list, buf_text(&name)) != tag || tag->name.data < end ||
            tag->value.len > tag->whole.len)
            abort();
        end = tag->whole.data + tag->whole.len;
    }
    if (end > text.data + text.len)
        abort();
    (void)!dkim_key_parse(text, &key);
    return 0;
}
