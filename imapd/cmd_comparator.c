/* cmd_comparator.c - COMPARATOR (RFC 5255 section 4.7): how texts are compared by SEARCH, SORT and
 * THREAD. There is one way, i;unicode-casemap (RFC 5051), which is also the default.
 */
#include "imapd/args.h"
#include "imapd/command.h"
#include "imapd/reply.h"

#define ORDERS_MAX 100

static const char comparator[] = "i;unicode-casemap";

static bool is_collation_char(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || (byte != '\0' && strchr("-;=.*", byte) != NULL);
}

/* collation-order = ("default" / collation-wild), RFC 4790 section 3.3 */
static bool take_order(struct args *args, struct slice *order_out)
{
    if (!args_space(args) || !args_astring(args, order_out))
        return false;
    for (size_t i = 0; i < order_out->len; i++)
        if (!is_collation_char(order_out->data[i]))
            return args_fail(args, "a collation was expected");
    return order_out->len > 0 || args_fail(args, "a collation was expected");
}

/* "*" stands for any characters; RFC 4790 section 3.2 has case matter. */
static bool matches(struct slice pattern, struct slice name)
{
    size_t star = 0, from = 0, p = 0, n = 0;
    bool has_star = false;

    while (n < name.len) {
        if (p < pattern.len && pattern.data[p] == '*') {
            has_star = true;
            star = p++;
            from = n;
        } else if (p < pattern.len && pattern.data[p] == name.data[n]) {
            p++;
            n++;
        } else if (has_star) {
            p = star + 1;
            n = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.data[p] == '*')
        p++;
    return p == pattern.len;
}

enum next imap_comparator(struct call *call, struct args *args)
{
    bool found = args_at_end(args);
    struct slice order;

    for (size_t i = 0; !args_at_end(args); i++) {
        if (i == ORDERS_MAX || !take_order(args, &order))
            return reply_syntax(call, args);
        found = found || slice_is(order, "default") || matches(order, slice_of(comparator));
    }
    if (!found)
        return reply_no(call, "BADCOMPARATOR", "I don't have any of these");
    reply_untagged(call, "COMPARATOR %s", comparator);
    return reply_ok(call, "COMPARATOR completed");
}
