/* search_call.c - see search_call.h. */
#include "imapd/search_call.h"

#include "imapd/reply.h"
#include "storage/metadata.h"

/* A filter is a server annotation; the user's own goes before one for all (RFC 5466 section 3.2).
 * False with ERROR_NOT_FOUND: there is none. */
static bool find_filter(void *context, struct arena *arena, struct slice name,
                        struct slice *value_out, struct error *err)
{
    static const char *const folders[] = { "/private/filters/values/", "/shared/filters/values/" };
    const struct client *client = client_of(context);

    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        AUTO(buf_free) struct buf entry = { 0 };
        struct metadata_list list;

        buf_add_text(&entry, folders[i]);
        buf_add_slice(&entry, name);
        for (size_t k = 0; k < entry.len; k++) /* names of entries are kept in lower case */
            entry.data[k] += (entry.data[k] >= 'A' && entry.data[k] <= 'Z') * ('a' - 'A');
        if (!metadata_get(client->account, 0, client->account_id, buf_slice(&entry), false, arena,
                          &list, err))
            return false;
        if (list.count == 0)
            continue;
        *value_out = list.items[0].value;
        return true;
    }
    return error_set(err, ERROR_NOT_FOUND, "no such filter");
}

void search_call_prepare(struct call *call, struct search_program *program)
{
    program->filters = (struct search_filters){ .find = find_filter, .context = call };
}

bool search_call_check(struct args *args, const struct search_return *ret,
                       const struct search_program *program)
{
    return (ret->options & RETURN_RELEVANCY) == 0 || program->has_fuzzy ||
           args_fail(args, "RELEVANCY is for FUZZY");
}

enum next search_call_refuse(struct call *call, const struct search_program *program,
                             const struct search_return *ret, const struct args *args)
{
    AUTO(buf_free) struct buf code = { 0 };

    if (!args->bad_charset && program->undefined.len == 0)
        return reply_syntax(call, args);
    if (ret != NULL)
        search_return_fail(client_of(call), ret);
    if (args->bad_charset)
        return reply_no(call, "BADCHARSET (US-ASCII UTF-8)", "I don't know this charset");
    buf_add_text(&code, "UNDEFINED-FILTER ");
    buf_add_slice(&code, program->undefined);
    return reply_no(call, buf_text(&code), args->error);
}

enum next search_call_bad_number(struct call *call)
{
    return reply_bad(call, "There is no message with such a number");
}
