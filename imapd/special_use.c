/* special_use.c - see special_use.h. */
#include "imapd/special_use.h"

static const char *const names[] = {
    [SPECIAL_NONE] = NULL,
    [SPECIAL_DRAFTS] = "\\Drafts",
    [SPECIAL_SENT] = "\\Sent",
    [SPECIAL_TRASH] = "\\Trash",
    [SPECIAL_JUNK] = "\\Junk",
    [SPECIAL_ARCHIVE] = "\\Archive",
    [SPECIAL_ALL] = "\\All",
    [SPECIAL_FLAGGED] = "\\Flagged",
    [SPECIAL_IMPORTANT] = "\\Important",
};

const char *special_use_name(enum special_use use)
{
    return names[use];
}

bool special_use_is_given(enum special_use use)
{
    return use != SPECIAL_ALL && use != SPECIAL_FLAGGED;
}

bool special_use_by_name(struct slice name, enum special_use *use_out)
{
    for (size_t i = SPECIAL_NONE + 1; i < COUNT_OF(names); i++) {
        if (!slice_is(name, names[i]))
            continue;
        *use_out = (enum special_use)i;
        return true;
    }
    return false;
}
