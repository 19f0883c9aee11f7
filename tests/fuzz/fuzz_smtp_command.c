/* fuzz_smtp_command.c - command lines: the table, and the arguments of MAIL and RCPT. */
#include "smtpd/command.h"
#include "smtpd/parameters.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct slice line = slice_make(data, size);
    struct slice arguments;
    struct mail_parameters mail;
    struct rcpt_parameters rcpt;
    const char *reply = NULL;

    if (command_find(SERVICE_SUBMISSION, PHASE_READY, line, &arguments) == NULL)
        abort();
    if (!mail_parse(&arena, line, &mail, &reply) && reply == NULL)
        abort();
    if (!rcpt_parse(&arena, arguments, &rcpt, &reply) && reply == NULL)
        abort();
    return 0;
}
