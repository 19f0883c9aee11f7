/* acl.h - what somebody may do in a mailbox (RFC 4314 section 2.1). */
#pragma once

enum acl_right {
    RIGHT_LOOKUP = 1 << 0,          /* l: sees it in LIST, may subscribe */
    RIGHT_READ = 1 << 1,            /* r: SELECT, STATUS, FETCH, SEARCH, COPY from it */
    RIGHT_SEEN = 1 << 2,            /* s: \Seen is kept */
    RIGHT_WRITE = 1 << 3,           /* w: other flags and keywords */
    RIGHT_INSERT = 1 << 4,          /* i: APPEND, COPY into it */
    RIGHT_POST = 1 << 5,            /* p: mail sent to its address comes in */
    RIGHT_CREATE = 1 << 6,          /* k: mailboxes below it, RENAME to there */
    RIGHT_DELETE_MAILBOX = 1 << 7,  /* x: DELETE, RENAME from there */
    RIGHT_DELETE_MESSAGES = 1 << 8, /* t: \Deleted */
    RIGHT_EXPUNGE = 1 << 9,         /* e: EXPUNGE, and on CLOSE */
    RIGHT_ADMIN = 1 << 10,          /* a: SETACL, DELETEACL, GETACL, LISTRIGHTS */
};
#define RIGHTS_ALL ((RIGHT_ADMIN << 1) - 1)
