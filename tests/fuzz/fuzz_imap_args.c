/* fuzz_imap_args.c - the readers of IMAP arguments, in whatever order the first byte says. */
#include "imapd/args.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool print(const struct seqset *set)
{
    AUTO(buf_free) struct buf text = { 0 };

    seqset_print(set, &text);
    return text.len > 0;
}

static bool read_one(struct args *args, unsigned which)
{
    struct slice text;
    struct seqset set;
    struct flag_list flags = { 0 };
    struct literal literal;
    uint64_t number64;
    uint32_t number;
    int64_t time;
    bool nil;

    switch (which % 16) {
    case 0:
        return args_atom(args, &text);
    case 1:
        return args_word(args, &text);
    case 2:
        return args_string(args, &text);
    case 3:
        return args_astring(args, &text);
    case 4:
        return args_nstring(args, &nil, &text);
    case 5:
        return args_number(args, &number);
    case 6:
        return args_nz_number(args, &number);
    case 7:
        return args_number64(args, &number64);
    case 8:
        return args_seqset(args, &set) && print(&set);
    case 9:
        return args_mailbox(args, &text);
    case 10:
        return args_list_mailbox(args, &text);
    case 11:
        return args_flag_list(args, &flags);
    case 12:
        return args_store_flags(args, &flags);
    case 13:
        return args_date(args, &time);
    case 14:
        return args_date_time(args, &time);
    default:
        return args_literal_head(args, &literal);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = { 0 };
    struct args args = { .arena = &arena };

    if (size < 2)
        return 0;
    args.utf8 = (data[0] & 16) != 0;
    args.rest = slice_make(data + 1, size - 1);
    for (unsigned i = data[0]; !args_at_end(&args); i++) {
        size_t left = args.rest.len;

        if (!read_one(&args, i) && args.rest.len == left)
            args_try_byte(&args, args_peek(&args));
    }
    arena_free(&arena);
    return 0;
}
