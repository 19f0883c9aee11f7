/* progress.c - see progress.h. */
#include "imapd/progress.h"
#include "common/clock.h"
#include "imapd/reply.h"

void progress_set(struct client *client, uint64_t done, uint64_t goal)
{
    client->progress.known = true;
    client->progress.done = done;
    client->progress.goal = goal;
}

void progress_begin(struct client *client)
{
    client->progress = (struct progress){ .told_ms = clock_coarse_ms() };
}

/* inprogress-state-counting or -known-goal, RFC 9585 section 4. */
static void print(struct call *call, const struct progress *progress)
{
    struct buf *out = &call->out;

    buf_add_text(out, "* OK [INPROGRESS (");
    reply_string(out, client_of(call)->tag);
    if (progress->goal > progress->done)
        buf_fmt(out, " %llu %llu)] Processed %llu of %llu\r\n", (unsigned long long)progress->done,
                (unsigned long long)progress->goal, (unsigned long long)progress->done,
                (unsigned long long)progress->goal);
    else
        buf_fmt(out, " %llu NIL)] Still working\r\n", (unsigned long long)progress->done);
}

void progress_tell(struct call *call)
{
    struct progress *progress = &client_of(call)->progress;
    uint64_t now = clock_coarse_ms();

    if (progress->known && now - progress->told_ms >= client_of(call)->imap->settings->progress) {
        print(call, progress);
        progress->told_ms = now;
    }
    progress->known = false;
}
