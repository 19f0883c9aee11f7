/* limit.c - see limit.h. */
#include "imapd/limit.h"
#include "imapd/reply.h"

uint64_t limit_max(const struct client *client)
{
    return client->imap->settings->message_limit;
}

/* COPY and APPEND keep the lower one of the two limits. */
static uint64_t save_max(const struct settings *settings)
{
    return MIN(settings->save_limit, settings->message_limit);
}

/* The indexes of a range of UIDs, and *end_out behind the last. */
static size_t range_rows(const struct view *view, struct uid_range range, size_t *end_out)
{
    *end_out = range.hi < UINT32_MAX ? view_lower(view, range.hi + 1) : view->count;
    return view_lower(view, range.lo);
}

/* The lowest UID of the `max` newest messages of a set; 0 if there are not more. */
static uint32_t lowest_of(const struct view *view, const struct uidset *uids, uint64_t max)
{
    uint32_t lowest = 0;

    for (size_t i = uids->count; i > 0; i--) {
        size_t end, first = range_rows(view, uids->ranges[i - 1], &end);

        if (end - first > max)
            return max > 0 ? view_uid(view, end - max) : lowest;
        max -= end - first;
        if (end > first)
            lowest = view_uid(view, first);
    }
    return 0;
}

/* Where the command stops; 0: it does not. */
static bool cut(struct client *client, struct uidset *uids, uint32_t lowest)
{
    if (lowest == 0)
        return false;
    if (lowest > 1)
        uidset_remove(uids, 1, lowest - 1);
    client->limited_to = lowest;
    return true;
}

bool limit_messages(struct client *client, struct uidset *uids)
{
    return cut(client, uids, lowest_of(&client->view, uids, limit_max(client)));
}

bool limit_deleted(struct client *client, struct uidset *uids)
{
    const struct view *view = &client->view;
    uint64_t count = 0, max = limit_max(client);
    struct view_walk walk = { 0 };
    uint32_t lowest = 0;
    size_t index;

    if (view->count <= max)
        return false;
    while (view_previous(view, uids, &walk, &index)) {
        if ((view_flags(view, index) & MAIL_DELETED) == 0)
            continue;
        if (count++ == max)
            return cut(client, uids, lowest);
        lowest = view_uid(view, index);
    }
    return false;
}

bool limit_search(struct client *client, const struct search_program *program,
                  struct uidset *among_out)
{
    *among_out = (struct uidset){ 0 };
    if (client->view.count <= limit_max(client))
        return false;
    search_among(program, among_out);
    if (limit_messages(client, among_out))
        return true;
    uidset_free(among_out);
    return false;
}

uint64_t limit_count(const struct search_program *program, const struct view *view)
{
    AUTO(uidset_free) struct uidset among = { 0 };

    search_among(program, &among);
    return view_count(view, &among);
}

/* `lowest` 0: there are no UIDs that could be told. */
static void print_code(struct buf *code, uint64_t max, uint32_t lowest)
{
    buf_fmt(code, "MESSAGELIMIT %llu", (unsigned long long)max);
    if (lowest > 0)
        buf_fmt(code, " %u", lowest);
}

static enum next refuse(struct call *call, uint64_t max, uint32_t lowest, const char *text)
{
    AUTO(buf_free) struct buf code = { 0 };

    print_code(&code, max, lowest);
    return reply_no(call, buf_text(&code), text);
}

enum next limit_refuse(struct call *call, const char *text)
{
    return refuse(call, limit_max(client_of(call)), 0, text);
}

bool limit_refuses_copy(struct call *call, const struct uidset *uids)
{
    const struct client *client = client_of(call);
    uint64_t max = save_max(client->imap->settings);
    uint32_t lowest = lowest_of(&client->view, uids, max);

    if (lowest == 0)
        return false;
    refuse(call, max, lowest, "Too many messages to copy, try a smaller subset");
    return true;
}

static uint64_t append_max(const struct settings *settings)
{
    return MIN(save_max(settings), APPEND_MESSAGES_MAX);
}

bool limit_refuses_append(struct call *call, uint64_t messages)
{
    uint64_t max = append_max(client_of(call)->imap->settings);

    if (messages <= max)
        return false;
    refuse(call, max, 0, "Too many messages at once");
    return true;
}

void limit_print(const struct client *client, struct buf *code)
{
    if (client->limited_to > 0)
        print_code(code, limit_max(client), client->limited_to);
}

/* A SAVELIMIT that is not lower than the limit of all commands would say nothing. */
void limit_announce(const struct settings *settings, struct buf *out)
{
    buf_fmt(out, " MESSAGELIMIT=%llu", (unsigned long long)settings->message_limit);
    if (append_max(settings) < settings->message_limit)
        buf_fmt(out, " SAVELIMIT=%llu", (unsigned long long)append_max(settings));
}
