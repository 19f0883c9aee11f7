/* cmd_language.c - LANGUAGE (RFC 5255 section 3): the language of the texts for people.
 *
 * There is one, English; "i-default" is the name of what is spoken before anything is chosen
 * (RFC 2277 section 4.5), which every server has.
 */
#include "imapd/args.h"
#include "imapd/command.h"
#include "imapd/reply.h"

static const char *const languages[] = { "EN", "i-default" };

/* A range names a language when it is its tag or goes on behind a "-" (RFC 4647 section 3.4):
 * "en-GB" finds EN. "default" is i-default (RFC 5255 section 3.2). */
static const char *find_language(struct slice range)
{
    if (slice_is(range, "default"))
        return "i-default";
    if (slice_is(range, "*"))
        return languages[0];
    for (size_t i = 0; i < COUNT_OF(languages); i++) {
        size_t len = strlen(languages[i]);

        if (range.len >= len && slice_is(slice_part(range, 0, len), languages[i]) &&
            (range.len == len || range.data[len] == '-'))
            return languages[i];
    }
    return NULL;
}

/* language-cmd = "LANGUAGE" *(SP lang-range-quoted) */
enum next imap_language(struct call *call, struct args *args)
{
    const char *found = NULL;
    struct slice range;

    if (args_at_end(args)) {
        reply_untagged(call, "LANGUAGE (%s %s)", languages[0], languages[1]);
        return reply_ok(call, "These are the languages");
    }
    while (!args_at_end(args)) {
        if (!args_space(args) || !args_astring(args, &range))
            return reply_syntax(call, args);
        if (found == NULL)
            found = find_language(range);
    }
    if (found == NULL)
        return reply_no(call, NULL, "None of these languages is spoken here");
    reply_untagged(call, "LANGUAGE (%s)", found);
    return reply_ok(call, "LANGUAGE completed");
}
