/* flags.c - see flags.h. */
#include "imapd/flags.h"

#include <stdlib.h>

#define KEYWORD_LENGTH_MAX 100

static const struct {
    const char *name;
    uint64_t bit;
} system_flags[] = {
    { "\\Answered", MAIL_ANSWERED }, { "\\Flagged", MAIL_FLAGGED }, { "\\Deleted", MAIL_DELETED },
    { "\\Seen", MAIL_SEEN },         { "\\Draft", MAIL_DRAFT },
};

static void add_keyword(struct flag_list *list, struct arena *arena, struct slice name)
{
    if (list->keywords == NULL)
        list->keywords = ARENA_ARRAY(arena, struct slice, FLAG_LIST_MAX);
    list->keywords[list->n_keywords++] = name;
}

bool flag_list_add(struct flag_list *list, struct arena *arena, struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(system_flags); i++) {
        if (!slice_is(name, system_flags[i].name))
            continue;
        list->system |= system_flags[i].bit;
        return true;
    }
    if (slice_is(name, "\\Recent")) {
        list->recent = true;
        return true;
    }
    if (name.len == 0 || name.data[0] == '\\' || name.len > KEYWORD_LENGTH_MAX ||
        list->n_keywords == FLAG_LIST_MAX)
        return false;
    add_keyword(list, arena, name);
    return true;
}

bool keywords_load(struct keywords *keywords, struct account *account, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct keyword_list list = { 0 };

    if (keywords->account != account_id(account))
        keywords_free(keywords);
    keywords->account = account_id(account);
    if (!keyword_all(account, &arena, &list, err))
        return false;
    for (unsigned bit = MAIL_KEYWORD_FIRST; bit <= MAIL_KEYWORD_LAST; bit++) {
        if (list.names[bit].len == 0 || keywords->names[bit] != NULL)
            continue;
        keywords->names[bit] = slice_strdup(list.names[bit]);
        keywords->known |= 1ull << bit;
    }
    return true;
}

#define SYSTEM_BITS ((1ull << MAIL_KEYWORD_FIRST) - 1)

bool keywords_full(const struct keywords *keywords)
{
    for (unsigned bit = MAIL_KEYWORD_FIRST; bit <= MAIL_KEYWORD_LAST; bit++)
        if (keywords->names[bit] == NULL)
            return false;
    return true;
}

bool keywords_learn(struct keywords *keywords, struct account *account, uint64_t flags,
                    struct error *err)
{
    if ((flags & ~SYSTEM_BITS & ~keywords->known) == 0)
        return true;
    return keywords_load(keywords, account, err);
}

uint64_t keywords_mask(const struct keywords *keywords, struct slice name)
{
    for (unsigned bit = MAIL_KEYWORD_FIRST; bit <= MAIL_KEYWORD_LAST; bit++)
        if (keywords->names[bit] != NULL && slice_is(name, keywords->names[bit]))
            return 1ull << bit;
    return 0;
}

bool keywords_bits(struct keywords *keywords, struct account *account, const struct flag_list *list,
                   uint64_t *flags_out, struct error *err)
{
    *flags_out = list->system;
    for (size_t i = 0; i < list->n_keywords; i++) {
        uint64_t mask = keywords_mask(keywords, list->keywords[i]);
        unsigned bit;

        if (mask == 0) {
            if (!keyword_bit(account, list->keywords[i], &bit, err))
                return false;
            mask = 1ull << bit;
        }
        *flags_out |= mask;
    }
    return keywords_learn(keywords, account, *flags_out, err);
}

void keywords_free(struct keywords *keywords)
{
    for (size_t i = 0; i < COUNT_OF(keywords->names); i++)
        free(keywords->names[i]);
    *keywords = (struct keywords){ 0 };
}

/* Both kinds are written with a blank behind, which the ")" then takes the place of. */
static char *print_system(char *at, uint64_t flags)
{
    for (size_t i = 0; i < COUNT_OF(system_flags); i++)
        if ((flags & system_flags[i].bit) != 0) {
            at = stpcpy(at, system_flags[i].name);
            *at++ = ' ';
        }
    return at;
}

static void print_keywords(const struct keywords *keywords, uint64_t flags, struct buf *out)
{
    for (uint64_t left = flags & ~SYSTEM_BITS & keywords->known; left != 0; left &= left - 1) {
        buf_add_text(out, keywords->names[__builtin_ctzll(left)]);
        buf_add_byte(out, ' ');
    }
}

void flags_print(const struct keywords *keywords, uint64_t flags, bool recent, struct buf *out)
{
    char *start = buf_reserve(out, 64), *at = start;

    *at++ = '(';
    at = print_system(at, flags);
    if (recent)
        at = stpcpy(at, "\\Recent ");
    buf_wrote(out, (size_t)(at - start));
    print_keywords(keywords, flags, out);
    if (out->data[out->len - 1] == ' ')
        out->data[out->len - 1] = ')';
    else
        buf_add_byte(out, ')');
}
