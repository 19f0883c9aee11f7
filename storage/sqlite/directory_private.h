/* directory_private.h - what the files of the directory share: statements of postane.db, names,
 * and the frame of a change.
 */
#pragma once

#include "storage/directory.h"
#include "storage/sqlite/sql.h"
#include "storage/sqlite/store_private.h"

enum directory_statement {
    DOMAIN_INSERT,
    DOMAIN_DELETE,
    DOMAIN_FIND,
    DOMAIN_LIST,
    DOMAIN_DELETE_ALIASES,
    DOMAIN_DELETE_KEYS,
    DOMAIN_COUNT_ACCOUNTS,
    ACCOUNT_INSERT,
    ACCOUNT_DELETE,
    ACCOUNT_SET_PASSWORD,
    ACCOUNT_SET_LIMITS,
    ACCOUNT_SET_DISABLED,
    ACCOUNT_SET_TOTP,
    ACCOUNT_USE_TOTP,
    ACCOUNT_SET_SHARED,
    ACCOUNT_LIST,
    ACCOUNT_BY_ADDRESS,
    ACCOUNT_BY_ID,
    ACCOUNT_OLDEST,
    ALIAS_INSERT,
    ALIAS_DELETE,
    ALIAS_LIST,
    ALIAS_TARGETS,
    SECRET_READ,
    KEY_INSERT,
    KEY_LIST,
    KEY_SET_STATE,
    KEY_DELETE,
    TALLY_UPDATE,
    TALLY_INSERT,
    TALLY_COUNT,
    TALLY_DUE,
    TALLY_READ,
    TALLY_DELETE,
    STS_LIST,
    STS_COUNT,
    STS_INSERT,
    STS_DELETE,
    SHARE_ADD,
    SHARE_REMOVE,
    SHARE_REMOVE_ACCOUNT,
    SHARE_FIND,
    SHARE_OWNERS,
    SHARE_OF_OWNER,
    APP_PASSWORD_COUNT,
    APP_PASSWORD_INSERT,
    APP_PASSWORD_LIST,
    APP_PASSWORD_BY_ID,
    APP_PASSWORD_FIND,
    APP_PASSWORD_ID,
    APP_PASSWORD_DELETE,
    APP_PASSWORD_USED,
    DIRECTORY_STATEMENTS,
};

/* An address in the stored form of names.h. */
struct stored_address {
    struct slice local, domain;
};

/* Errors: ERROR_INVALID when it is no address that could be ours. */
bool stored_address_parse(struct arena *arena, struct slice text, struct stored_address *out,
                          struct error *err) MUST_CHECK;
struct slice stored_address_print(struct arena *arena, struct slice local, struct slice domain);

/* Is there such a domain (in the stored form)? */
bool domain_exists(struct sql_db *db, struct slice domain, bool *exists_out,
                   struct error *err) MUST_CHECK;

/* Has the address an account, an alias? */
bool account_exists(struct sql_db *db, const struct stored_address *address, bool *exists_out,
                    struct error *err) MUST_CHECK;
bool alias_exists(struct sql_db *db, const struct stored_address *address, bool *exists_out,
                  struct error *err) MUST_CHECK;

/* Copies a row of ACCOUNT_LIST, ACCOUNT_BY_ADDRESS, ACCOUNT_BY_ID or ACCOUNT_OLDEST. */
void account_from_row(struct arena *arena, const struct sql_row *row, struct account_info *out);

/* All rows of such a query. */
bool account_list_read(struct sql_row *row, struct arena *arena, struct account_list *list_out,
                       struct error *err) MUST_CHECK;

/* A change: begin; work; finish with how it went. Finishing commits and tells everybody, or rolls
 * back and returns false. */
bool directory_begin(struct desk *desk, struct sql_db **db_out, struct error *err) MUST_CHECK;
bool directory_finish(struct desk *desk, bool ok, struct error *err) MUST_CHECK;
