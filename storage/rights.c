/* rights.c - rights as letters (RFC 4314 section 2.1); declared in acl.h. */
#include "storage/acl.h"

#include <string.h>

/* By their bits. */
static const char letters[] = "lrswipkxtea";

/* Section 2.1.1: of its two ways to read RFC 2086, the one in which DELETE belongs to "c". */
#define RIGHTS_C (RIGHT_CREATE | RIGHT_DELETE_MAILBOX)
#define RIGHTS_D (RIGHT_DELETE_MESSAGES | RIGHT_EXPUNGE)

void rights_print(unsigned rights, char text_out[RIGHTS_TEXT_MAX])
{
    char *at = text_out;

    for (size_t i = 0; letters[i] != '\0'; i++)
        if ((rights & 1u << i) != 0)
            *at++ = letters[i];
    if ((rights & RIGHTS_C) != 0)
        *at++ = 'c';
    if ((rights & RIGHTS_D) != 0)
        *at++ = 'd';
    *at = '\0';
}

bool rights_parse(struct slice text, unsigned *rights_out)
{
    *rights_out = 0;
    for (size_t i = 0; i < text.len; i++) {
        const char *letter = text.data[i] != '\0' ? strchr(letters, text.data[i]) : NULL;

        if (letter != NULL)
            *rights_out |= 1u << (letter - letters);
        else if (text.data[i] == 'c')
            *rights_out |= RIGHTS_C;
        else if (text.data[i] == 'd')
            *rights_out |= RIGHTS_D;
        else
            return false;
    }
    return true;
}
