/* bdat.c - see bdat.h.
 *
 * A chunk follows its command whether we like the command or not, so it is always taken off the
 * input before the reply (section 2).
 */
#include "smtpd/bdat.h"

#include "smtpd/accept.h"
#include "smtpd/reply.h"

/* "BDAT size [LAST]" */
static bool parse(struct slice arguments, uint64_t *size_out, bool *last_out)
{
    struct slice size;

    if (!slice_split(&arguments, ' ', &size) || !slice_number(size, INT64_MAX, size_out))
        return false;
    arguments = slice_trim(arguments);
    *last_out = slice_is(arguments, "LAST");
    return *last_out || arguments.len == 0;
}

enum next cmd_bdat(struct smtp *smtp, struct slice arguments)
{
    struct transaction *mail = &smtp->mail;
    bool is_last;
    uint64_t size;

    if (!parse(arguments, &size, &is_last)) {
        refuse(smtp, "501 5.5.4 Syntax: BDAT size [LAST]");
        return NEXT_CLOSE; /* nobody knows where the chunk ends */
    }
    mail->chunk_left = size;
    mail->chunk_is_last = is_last;
    mail->chunk_is_refused = mail->n_accepted == 0;
    if (!mail->chunk_is_refused && !mail->has_content) {
        accept_begin(smtp);
        mail->data.no_dots = true;
    }
    smtp->call->idle_ms = smtp->smtpd->settings->data_timeout;
    smtp->step = STEP_CHUNK;
    return bdat_octets(smtp);
}

/* Lines are checked as after DATA, unless BODY=BINARYMIME says that there are none. */
void bdat_add(struct smtp *smtp, struct slice chunk)
{
    struct transaction *mail = &smtp->mail;
    struct slice bytes;

    if (mail->letter->message.binary) {
        content_add(&mail->content, chunk);
        return;
    }
    while (data_next(&mail->data, &chunk, &bytes) == DATA_BYTES)
        content_add(&mail->content, bytes);
}

static enum next refuse_chunk(struct smtp *smtp, const char *text)
{
    smtp_reset(smtp);
    return refuse(smtp, "%s", text);
}

static enum next finish(struct smtp *smtp)
{
    struct slice bytes = data_finish(&smtp->mail.data);

    if (bytes.len > 0)
        content_add(&smtp->mail.content, bytes);
    return accept_message(smtp);
}

enum next bdat_end_of_piece(struct smtp *smtp, bool is_last)
{
    const char *fault = accept_fault(&smtp->mail.content);

    smtp->step = STEP_COMMAND;
    if (is_last)
        return finish(smtp);
    if (fault != NULL)
        return refuse_chunk(smtp, fault);
    smtp->phase = PHASE_BDAT;
    return reply(smtp, "250 2.0.0 Ok");
}

static enum next end_of_chunk(struct smtp *smtp)
{
    if (!smtp->mail.chunk_is_refused)
        return bdat_end_of_piece(smtp, smtp->mail.chunk_is_last);
    smtp->step = STEP_COMMAND;
    return refuse(smtp, smtp->phase == PHASE_MAIL ? "554 5.5.1 No valid recipients"
                                                  : "503 5.5.1 MAIL and RCPT first");
}

enum next bdat_octets(struct smtp *smtp)
{
    struct transaction *mail = &smtp->mail;
    struct buf *input = &smtp->call->in;
    size_t len = (size_t)MIN(mail->chunk_left, input->len);

    if (!mail->chunk_is_refused)
        bdat_add(smtp, slice_make(input->data, len));
    buf_drop(input, len);
    mail->chunk_left -= len;
    return mail->chunk_left == 0 ? end_of_chunk(smtp) : NEXT_INPUT;
}
