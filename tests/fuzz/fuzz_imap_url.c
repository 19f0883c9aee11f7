/* fuzz_imap_url.c - URLs of messages, and the section that they name. What is accepted names a
 * message, and what is signed of it is its beginning. */
#include "message/imap_url.h"
#include "message/section.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct slice text = slice_make(data, size);
    struct imap_url url;
    struct section section;

    if (imap_url_parse(text, &arena, &url)) {
        if (url.uid == 0 || (url.absolute && url.mailbox.len == 0))
            abort();
        if (url.access != URL_ACCESS_NONE &&
            (url.rump.data != text.data || url.rump.len > text.len))
            abort();
        (void)section_text_parse(url.section, &arena, &section);
    }
    if (section_text_parse(text, &arena, &section) && section_picks(&section) &&
        section.n_fields == 0)
        abort();
    return 0;
}
