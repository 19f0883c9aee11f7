/* build.c - what the messages of APPEND are made of, when the command is whole. */
#include "imapd/append/append.h"
#include "imapd/reply.h"

struct body *append_body(const struct append_message *message)
{
    return message->built != NULL ? message->built : message->text;
}

static enum append_build refuse(struct call *call, const char *code, const char *text)
{
    reply_no(call, code, text);
    return APPEND_REFUSED;
}

static enum append_build refuse_error(struct call *call, const struct error *err)
{
    reply_error(call, err);
    return APPEND_REFUSED;
}

static enum append_build build_message(struct call *call, struct append_message *message)
{
    struct error err;

    if (message->nul)
        return refuse(call, NULL, "A message cannot hold NUL");
    if (message->catenate)
        return refuse(call, "CANNOT", "Not yet");
    if (!body_finish(message->text, &err))
        return refuse_error(call, &err);
    return APPEND_BUILT;
}

enum append_build append_build(struct call *call)
{
    struct appending *appending = client_of(call)->append;
    enum append_build built = APPEND_BUILT;

    if (appending->failed)
        return refuse_error(call, &appending->error);
    if (appending->building == NULL)
        appending->building = appending->messages;
    while (built == APPEND_BUILT && appending->building != NULL) {
        built = build_message(call, appending->building);
        if (built == APPEND_BUILT)
            appending->building = appending->building->next;
    }
    return built;
}
