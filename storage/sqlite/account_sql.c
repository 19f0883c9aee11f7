/* account_sql.c - the schema of mail.db and every statement on it, and nothing else.
 *
 * `message` rows are narrow and in key order, so that 100,000 of them are read in a few
 * milliseconds; what is large (`body`) and what is counted (`msg`.refs) are tables of their own,
 * since SQLite writes whole rows. Summaries are in cache.db (cache_private.h).
 *
 *     mailbox 1--n message n--1 msg 1--1 body               expunged: tombstones, for VANISHED
 *
 * msg.inline_bytes of a message lie in `body`, the rest in the file big/<msg>. msg.dead_ms is when
 * its last reference went. A mailbox in `doomed` has been deleted: its rows wait for the collector.
 */
#include "storage/sqlite/account_private.h"

static const char schema_1[] =
    "CREATE TABLE account("
    "  one INTEGER PRIMARY KEY CHECK(one = 1),"
    "  uidvalidity INTEGER NOT NULL," /* the last one given */
    "  bytes INTEGER NOT NULL, messages INTEGER NOT NULL,"
    "  relaxed_boot TEXT NOT NULL);" /* boot id, where flags were stored without fsync */
    "INSERT INTO account VALUES(1, 0, 0, 0, '');"

    "CREATE TABLE mailbox("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,"
    "  uidvalidity INTEGER NOT NULL, uidnext INTEGER NOT NULL DEFAULT 1,"
    "  modseq INTEGER NOT NULL DEFAULT 1, vanished_floor INTEGER NOT NULL DEFAULT 0,"
    "  recent_from INTEGER NOT NULL DEFAULT 1,"
    "  n_total INTEGER NOT NULL DEFAULT 0, n_unseen INTEGER NOT NULL DEFAULT 0,"
    "  n_deleted INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,"
    "  special_use INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE doomed(mailbox INTEGER PRIMARY KEY);"
    "CREATE TABLE subscription(name TEXT PRIMARY KEY) WITHOUT ROWID;"
    "CREATE TABLE keyword("
    "  bit INTEGER PRIMARY KEY CHECK(bit BETWEEN 8 AND 62),"
    "  name TEXT NOT NULL UNIQUE COLLATE NOCASE);"

    "CREATE TABLE message("
    "  mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, modseq INTEGER NOT NULL,"
    "  flags INTEGER NOT NULL, idate INTEGER NOT NULL, size INTEGER NOT NULL,"
    "  msg INTEGER NOT NULL, saved INTEGER NOT NULL,"
    "  PRIMARY KEY(mailbox, uid)) WITHOUT ROWID;"
    "CREATE INDEX message_modseq ON message(mailbox, modseq);"
    "CREATE TABLE expunged("
    "  mailbox INTEGER NOT NULL, modseq INTEGER NOT NULL,"
    "  uid_lo INTEGER NOT NULL, uid_hi INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
    "  PRIMARY KEY(mailbox, modseq, uid_lo)) WITHOUT ROWID;"

    "CREATE TABLE msg("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, refs INTEGER NOT NULL, dead_ms INTEGER NOT NULL,"
    "  size INTEGER NOT NULL, inline_bytes INTEGER NOT NULL, hash BLOB NOT NULL,"
    "  delivery_id BLOB);"
    "CREATE UNIQUE INDEX msg_delivery ON msg(delivery_id) WHERE delivery_id IS NOT NULL;"
    "CREATE INDEX msg_dead ON msg(dead_ms) WHERE refs = 0;"
    "CREATE TABLE cache("
    "  msg INTEGER PRIMARY KEY, v INTEGER NOT NULL, sent_ms INTEGER NOT NULL,"
    "  header_len INTEGER NOT NULL, envelope BLOB NOT NULL, structure BLOB NOT NULL,"
    "  body BLOB NOT NULL);"
    "CREATE TABLE body(msg INTEGER PRIMARY KEY, data BLOB NOT NULL);";

/* Annotations (RFC 5464); value NULL: it was removed. */
static const char schema_2[] =
    "ALTER TABLE account ADD COLUMN metadata_change INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE metadata("
    "  mailbox INTEGER NOT NULL, reader INTEGER NOT NULL, name TEXT NOT NULL, value BLOB,"
    "  change INTEGER NOT NULL, PRIMARY KEY(mailbox, reader, name)) WITHOUT ROWID;"
    "CREATE INDEX metadata_change ON metadata(change);";

/* Rights (acl.h); who 0: anyone. */
static const char schema_3[] =
    "CREATE TABLE acl("
    "  mailbox INTEGER NOT NULL, who INTEGER NOT NULL, negative INTEGER NOT NULL,"
    "  rights INTEGER NOT NULL, PRIMARY KEY(mailbox, who, negative)) WITHOUT ROWID;";

static const char schema_4[] = "DROP TABLE cache"; /* it is in cache.db */

/* Mailbox access keys (RFC 4467 section 5). */
static const char schema_5[] =
    "CREATE TABLE url_key(mailbox INTEGER PRIMARY KEY, key BLOB NOT NULL);";

/* Which thread the messages with an id belong to; both are as message_id_hash() makes them. */
static const char schema_6[] =
    "ALTER TABLE msg ADD COLUMN thread INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE thread(id INTEGER PRIMARY KEY, thread INTEGER NOT NULL);";

/* Who else than the owner has seen what, seen_private.h. */
static const char schema_7[] =
    "CREATE TABLE seen("
    "  mailbox INTEGER NOT NULL, reader INTEGER NOT NULL, lo INTEGER NOT NULL,"
    "  hi INTEGER NOT NULL, seen INTEGER NOT NULL, modseq INTEGER NOT NULL,"
    "  PRIMARY KEY(mailbox, reader, lo)) WITHOUT ROWID;"
    "CREATE INDEX seen_modseq ON seen(mailbox, reader, modseq);"
    "CREATE TABLE reader("
    "  mailbox INTEGER NOT NULL, reader INTEGER NOT NULL, recent_from INTEGER NOT NULL,"
    "  PRIMARY KEY(mailbox, reader)) WITHOUT ROWID;";

/* Messages on their way to another account (leaving.c). */
static const char schema_8[] =
    "CREATE TABLE leaving("
    "  token BLOB NOT NULL, target INTEGER NOT NULL, mailbox INTEGER NOT NULL,"
    "  lo INTEGER NOT NULL, hi INTEGER NOT NULL, PRIMARY KEY(token, lo)) WITHOUT ROWID;";

/* What copies have made that are under way (copying.c). */
static const char schema_9[] =
    "CREATE TABLE copying("
    "  copy INTEGER NOT NULL, mailbox INTEGER NOT NULL, lo INTEGER NOT NULL, hi INTEGER NOT NULL,"
    "  PRIMARY KEY(copy, lo)) WITHOUT ROWID;";

const char *const account_schema[] = { schema_1, schema_2, schema_3, schema_4, schema_5,
                                       schema_6, schema_7, schema_8, schema_9 };
const size_t account_schema_version = COUNT_OF(account_schema);

#define MAILBOX_INFO                                                                               \
    "SELECT id, name, uidvalidity, uidnext, modseq, n_total, n_unseen, n_deleted, bytes,"          \
    " recent_from, special_use,"                                                                   \
    " EXISTS(SELECT 1 FROM subscription s WHERE s.name = mailbox.name) FROM mailbox "
#define MAIL "SELECT uid, size, modseq, flags, idate, saved, msg FROM message "

/* A mailbox and its inferiors: '0' is the character behind '/'. */
#define TREE "(name = ?1 OR (name > ?1 || '/' AND name < ?1 || '0'))"

/* Of a reader's ranges the last one that begins at or before a UID. */
#define SEEN_LAST(uid)                                                                             \
    "(SELECT max(lo) FROM seen WHERE mailbox = ?1 AND reader = ?2 AND lo <= " uid ")"
#define SEEN_OF "mailbox = ?1 AND reader = ?2 AND lo "
#define SEEN_NOBODYS                                                                               \
    "mailbox = ?1 AND NOT EXISTS(SELECT 1 FROM message m WHERE m.mailbox = ?1"                     \
    " AND m.uid BETWEEN lo AND hi)"

const char *const account_statements[ACCOUNT_SLOTS] = {
    [SQL_VERSION] = "PRAGMA user_version",
    [SQL_ACCOUNT_ROW] = "SELECT bytes, messages, relaxed_boot FROM account",
    [SQL_ACCOUNT_ADD] = "UPDATE account SET bytes = bytes + ?, messages = messages + ?",
    [SQL_ACCOUNT_BOOT] = "UPDATE account SET relaxed_boot = ?",
    [SQL_ACCOUNT_UIDVALIDITY] = "UPDATE account SET uidvalidity = max(uidvalidity + 1, ?)"
                                " RETURNING uidvalidity",
    [SQL_MODSEQ_JUMP] = "UPDATE mailbox SET modseq = modseq + ?",

    [SQL_MAILBOX_ALL] = MAILBOX_INFO "ORDER BY name <> 'INBOX', name",
    [SQL_MAILBOX_BY_NAME] = MAILBOX_INFO "WHERE name = ?",
    [SQL_MAILBOX_BY_ID] = MAILBOX_INFO "WHERE id = ?",
    [SQL_MAILBOX_ROW] = "SELECT uidvalidity, uidnext, recent_from, modseq, vanished_floor, n_total,"
                        " n_deleted FROM mailbox WHERE id = ?",
    [SQL_MAILBOX_COUNT] = "SELECT count(*) FROM mailbox",
    [SQL_MAILBOX_SPECIAL] = "SELECT 1 FROM mailbox WHERE special_use = ?",
    [SQL_MAILBOX_USE] = "UPDATE mailbox SET special_use = ? WHERE id = ?",
    [SQL_MAILBOX_INSERT] = "INSERT INTO mailbox(name, uidvalidity, special_use) VALUES(?, ?, ?)",
    [SQL_MAILBOX_DELETE] = "DELETE FROM mailbox WHERE id = ?",
    [SQL_MAILBOX_DOOM] = "INSERT OR IGNORE INTO doomed VALUES(?)",
    [SQL_MAILBOX_APPLY] = "UPDATE mailbox SET n_total = n_total + ?, n_unseen = n_unseen + ?,"
                          " n_deleted = n_deleted + ?, bytes = bytes + ?,"
                          " uidnext = max(uidnext, ?), modseq = max(modseq, ?) WHERE id = ?",
    [SQL_MAILBOX_CLAIM] = "UPDATE mailbox SET recent_from = uidnext WHERE id = ?",

    [SQL_TREE_SIZE] = "SELECT count(*), max(length(CAST(name AS BLOB))),"
                      " max(length(name) - length(replace(name, '/', ''))),"
                      " length(CAST(?1 AS BLOB)), length(?1) - length(replace(?1, '/', ''))"
                      " FROM mailbox WHERE " TREE,
    [SQL_TREE_CLASH] = "SELECT 1 FROM mailbox WHERE " TREE " AND EXISTS(SELECT 1 FROM mailbox b"
                       " WHERE b.name = ?2 || substr(mailbox.name, length(?1) + 1))",
    [SQL_TREE_RENAME] = "UPDATE mailbox SET name = ?2 || substr(name, length(?1) + 1) WHERE " TREE,
    [SQL_SUBSCRIBE] = "INSERT OR IGNORE INTO subscription VALUES(?)",
    [SQL_UNSUBSCRIBE] = "DELETE FROM subscription WHERE name = ?",
    [SQL_SUBSCRIPTIONS] = "SELECT name FROM subscription ORDER BY name <> 'INBOX', name LIMIT ?",
    [SQL_SUBSCRIPTION_COUNT] = "SELECT count(*) FROM subscription",

    [SQL_METADATA_GET] = "SELECT mailbox, name, value FROM metadata WHERE mailbox = ?1"
                         " AND reader IN (0, ?2) AND value IS NOT NULL"
                         " AND (name = ?3 OR (?4 AND (?3 = '' OR"
                         " (name > ?3 || '/' AND name < ?3 || '0'))))"
                         " ORDER BY name",
    [SQL_METADATA_PUT] = "INSERT INTO metadata VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE"
                         " SET value = ?4, change = ?5",
    [SQL_METADATA_REMOVE] = "UPDATE metadata SET value = NULL, change = ?4"
                            " WHERE mailbox = ?1 AND reader = ?2 AND name = ?3",
    [SQL_METADATA_NEXT] = "UPDATE account SET metadata_change = metadata_change + 1"
                          " RETURNING metadata_change",
    [SQL_METADATA_LAST] = "SELECT metadata_change FROM account",
    [SQL_METADATA_CHANGED] = "SELECT mailbox, name, NULL FROM metadata WHERE change > ?1"
                             " AND reader IN (0, ?2) ORDER BY mailbox, name",
    [SQL_METADATA_COUNT] = "SELECT count(*) FROM metadata WHERE mailbox = ? AND value IS NOT NULL",
    [SQL_METADATA_BYTES] = "SELECT coalesce(sum(length(CAST(name AS BLOB)) + length(value)), 0)"
                           " FROM metadata WHERE value IS NOT NULL",
    [SQL_METADATA_OF] = "SELECT count(*), coalesce(sum(length(CAST(name AS BLOB)) + length(value)),"
                        " 0) FROM metadata WHERE reader = ? AND value IS NOT NULL",
    [SQL_METADATA_FORGET] = "DELETE FROM metadata WHERE value IS NULL AND change < ?",
    [SQL_METADATA_DROP] = "DELETE FROM metadata WHERE mailbox = ?",
    [SQL_METADATA_COPY] = "INSERT INTO metadata SELECT ?2, reader, name, value, change"
                          " FROM metadata WHERE mailbox = ?1 AND value IS NOT NULL",

    [SQL_ACL] = "SELECT who, negative, rights FROM acl WHERE mailbox = ? ORDER BY who, negative",
    [SQL_ACL_COUNT] = "SELECT count(*) FROM acl WHERE mailbox = ?",
    [SQL_ACL_ADD] = "INSERT INTO acl VALUES(?1, ?2, ?3, ?5) ON CONFLICT DO UPDATE"
                    " SET rights = (rights & ?4) | ?5",
    [SQL_ACL_TAKE] = "UPDATE acl SET rights = rights & ?4"
                     " WHERE mailbox = ?1 AND who = ?2 AND negative = ?3",
    [SQL_ACL_CLEAN] = "DELETE FROM acl WHERE mailbox = ? AND rights = 0",
    [SQL_ACL_OF] =
        "SELECT mailbox, negative, rights FROM acl WHERE mailbox = ?1 AND who IN (0, ?2)",
    [SQL_ACL_OF_ALL] = "SELECT mailbox, negative, rights FROM acl WHERE who IN (0, ?)"
                       " ORDER BY mailbox",
    [SQL_ACL_WHO] = "SELECT DISTINCT who FROM acl WHERE negative = 0 ORDER BY who",
    [SQL_ACL_HAS] = "SELECT 1 FROM acl WHERE who = ? AND negative = 0 LIMIT 1",
    [SQL_ACL_DROP] = "DELETE FROM acl WHERE mailbox = ?",
    [SQL_ACL_COPY] = "INSERT INTO acl SELECT ?2, who, negative, rights FROM acl"
                     " JOIN mailbox ON id = mailbox WHERE name = ?1",

    [SQL_KEYWORDS] = "SELECT bit, name FROM keyword ORDER BY bit",
    [SQL_KEYWORD_FIND] = "SELECT bit FROM keyword WHERE name = ?",
    [SQL_KEYWORD_INSERT] = "INSERT INTO keyword VALUES(?, ?)",

    [SQL_SCAN] = MAIL "WHERE mailbox = ? AND uid BETWEEN ? AND ? ORDER BY uid",
    [SQL_SCAN_SINCE] = MAIL "WHERE mailbox = ? AND uid BETWEEN ? AND ? AND +modseq > ?"
                            " ORDER BY uid",
    [SQL_SCAN_DELETED] = MAIL "WHERE mailbox = ? AND uid BETWEEN ? AND ? AND flags & 8"
                              " ORDER BY uid",
    [SQL_CHANGED] = "SELECT uid, size, modseq, flags, idate, saved, msg"
                    " FROM message INDEXED BY message_modseq"
                    " WHERE mailbox = ? AND modseq > ? ORDER BY uid",
    [SQL_CHANGED_COUNT] = "SELECT count(*) FROM (SELECT 1 FROM message INDEXED BY message_modseq"
                          " WHERE mailbox = ? AND modseq > ? LIMIT ?)",
    [SQL_VANISHED] = "SELECT uid_lo, uid_hi FROM expunged WHERE mailbox = ? AND modseq > ?"
                     " ORDER BY uid_lo",
    [SQL_UIDS] = "SELECT uid FROM message WHERE mailbox = ? ORDER BY uid",
    [SQL_MESSAGE_INSERT] = "INSERT INTO message(mailbox, uid, modseq, flags, idate, size, msg,"
                           " saved) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
    [SQL_MESSAGE_DELETE] = "DELETE FROM message WHERE mailbox = ? AND uid BETWEEN ? AND ?",
    [SQL_FLAGS_UPDATE] = "UPDATE message SET flags = (flags & ?4) | ?5, modseq = ?6"
                         " WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3"
                         " AND flags <> ((flags & ?4) | ?5)",
    [SQL_TOMBSTONE] = "INSERT INTO expunged(mailbox, modseq, uid_lo, uid_hi, at_ms)"
                      " VALUES(?, ?, ?, ?, ?)",

    [SQL_SEEN] = "SELECT lo, hi, seen, modseq FROM seen WHERE " SEEN_OF
                 "BETWEEN coalesce(" SEEN_LAST("?3") ", ?3) AND ?4 ORDER BY lo",
    [SQL_SEEN_CHANGED] = "SELECT lo, hi FROM seen INDEXED BY seen_modseq"
                         " WHERE mailbox = ? AND reader = ? AND modseq > ? ORDER BY lo",
    [SQL_SEEN_COUNT] = "SELECT coalesce(sum((SELECT count(*) FROM message m WHERE m.mailbox = ?1"
                       " AND m.uid BETWEEN lo AND hi)), 0)"
                       " FROM seen WHERE mailbox = ?1 AND reader = ?2 AND seen",
    [SQL_SEEN_SPLIT] = "INSERT INTO seen SELECT mailbox, reader, ?3 + 1, hi, seen, modseq FROM seen"
                       " WHERE " SEEN_OF "= " SEEN_LAST("?3") " AND hi > ?3",
    [SQL_SEEN_CUT] = "UPDATE seen SET hi = ?3 - 1"
                     " WHERE " SEEN_OF "= " SEEN_LAST("?3 - 1") " AND hi >= ?3",
    [SQL_SEEN_CLEAR] = "DELETE FROM seen WHERE " SEEN_OF "BETWEEN ?3 AND ?4",
    [SQL_SEEN_EXTEND] = "UPDATE seen SET hi = ?4 WHERE " SEEN_OF
                        "= " SEEN_LAST("?3 - 1") " AND hi = ?3 - 1 AND seen = ?5 AND modseq = ?6",
    [SQL_SEEN_INSERT] = "INSERT INTO seen VALUES(?, ?, ?, ?, ?, ?)",
    [SQL_SEEN_FULL] = "SELECT 1 FROM seen WHERE mailbox = ? AND reader = ? LIMIT 1 OFFSET ?",
    [SQL_SEEN_DROP] = "DELETE FROM seen WHERE mailbox = ?1 AND (reader, lo) IN"
                      " (SELECT reader, lo FROM seen WHERE mailbox = ?1 LIMIT ?2)",
    [SQL_SEEN_STALE] = "SELECT 1 FROM seen WHERE " SEEN_NOBODYS " LIMIT 1",
    [SQL_SEEN_TRIM] = "DELETE FROM seen WHERE mailbox = ?1 AND (reader, lo) IN"
                      " (SELECT reader, lo FROM seen WHERE " SEEN_NOBODYS " LIMIT ?2)",
    [SQL_READERS] = "SELECT reader FROM reader WHERE mailbox = ?",
    [SQL_READER_NOTE] = "INSERT OR IGNORE INTO reader VALUES(?, ?, 1)",
    [SQL_READER_RECENT] = "SELECT recent_from FROM reader WHERE mailbox = ? AND reader = ?",
    [SQL_READER_CLAIM] = "INSERT INTO reader SELECT id, ?2, uidnext FROM mailbox WHERE id = ?1"
                         " ON CONFLICT DO UPDATE SET recent_from = excluded.recent_from",
    [SQL_READER_DROP] = "DELETE FROM reader WHERE mailbox = ?",

    [SQL_MSG_INSERT] =
        "INSERT INTO msg(refs, dead_ms, size, inline_bytes, hash, delivery_id, thread)"
        " VALUES(1, 0, ?, ?, ?, nullif(?, x''), ?)"
        " ON CONFLICT(delivery_id) WHERE delivery_id IS NOT NULL DO NOTHING",
    [SQL_MSG_REF] = "UPDATE msg SET refs = refs + 1, dead_ms = 0 WHERE id = ?",
    [SQL_MSG_UNREF] = "UPDATE msg SET refs = max(refs - 1, 0),"
                      " dead_ms = CASE WHEN refs <= 1 THEN ? ELSE 0 END WHERE id = ?",
    [SQL_MSG_FIND] = "SELECT 1 FROM msg WHERE id = ?",
    [SQL_MSG_READ] = "SELECT size, inline_bytes, data FROM msg LEFT JOIN body ON msg = id"
                     " WHERE id = ?",
    [SQL_MSG_LAST] = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'msg'",
    [SQL_MSG_OBJECT] = "SELECT hash, thread FROM msg WHERE id = ?",
    [SQL_MSG_THREAD] = "UPDATE msg SET thread = ? WHERE id = ?",
    [SQL_THREAD_FIND] = "SELECT thread FROM thread WHERE id = ?",
    [SQL_THREAD_PUT] = "INSERT OR IGNORE INTO thread VALUES(?, ?)",
    [SQL_MSG_COPY] = "SELECT size, inline_bytes, hash, data FROM msg LEFT JOIN body ON msg = id"
                     " WHERE id = ?",
    [SQL_LEAVING_ADD] = "INSERT INTO leaving VALUES(?, ?, ?, ?, ?)",
    [SQL_LEAVING_FIRST] = "SELECT token, target, mailbox, lo, hi FROM leaving LIMIT 1",
    [SQL_LEAVING_DONE] = "DELETE FROM leaving WHERE token = ? AND lo = ?",
    [SQL_LEAVING_DROP] = "DELETE FROM leaving WHERE token = ?",
    [SQL_ARRIVED] = "SELECT 1 FROM msg WHERE delivery_id = ?",
    [SQL_COPYING_EXTEND] =
        "UPDATE copying SET hi = ?4 WHERE copy = ?1 AND mailbox = ?2"
        " AND lo = (SELECT max(lo) FROM copying WHERE copy = ?1) AND hi = ?3 - 1",
    [SQL_COPYING_ADD] = "INSERT INTO copying VALUES(?, ?, ?, ?)",
    [SQL_COPYING_LAST] = "SELECT mailbox, lo, hi FROM copying WHERE copy = ?"
                         " ORDER BY lo DESC LIMIT 1",
    [SQL_COPYING_NEXT] = "SELECT copy FROM copying WHERE copy > ? ORDER BY copy LIMIT 1",
    [SQL_COPYING_SHRINK] = "UPDATE copying SET lo = ?3 WHERE copy = ?1 AND lo = ?2",
    [SQL_COPYING_DONE] = "DELETE FROM copying WHERE copy = ? AND lo = ?",
    [SQL_COPYING_DROP] = "DELETE FROM copying WHERE copy = ?",
    [SQL_BROKEN_OFF] = "SELECT EXISTS(SELECT 1 FROM leaving) OR EXISTS(SELECT 1 FROM copying)",
    [SQL_BODY_INSERT] = "INSERT INTO body VALUES(?, ?)",

    [SQL_DEAD] = "SELECT id, inline_bytes < size FROM msg WHERE refs = 0 AND dead_ms <= ?"
                 " ORDER BY dead_ms LIMIT ?",
    [SQL_MSG_DELETE] = "DELETE FROM msg WHERE id = ? AND refs = 0",
    [SQL_BODY_DELETE] = "DELETE FROM body WHERE msg = ?",
    [SQL_DOOMED] = "SELECT mailbox FROM doomed LIMIT 1",
    [SQL_DOOMED_SCAN] = MAIL "WHERE mailbox = ? ORDER BY uid LIMIT ?",
    [SQL_DOOMED_DONE] = "DELETE FROM doomed WHERE mailbox = ?",
    [SQL_DOOMED_TOMBSTONES] = "DELETE FROM expunged WHERE mailbox = ?",
    [SQL_TOMBSTONE_OLD] = "SELECT max(modseq) FROM expunged WHERE mailbox = ? AND at_ms < ?",
    [SQL_TOMBSTONE_EXTRA] = "SELECT modseq FROM expunged WHERE mailbox = ?"
                            " ORDER BY modseq DESC LIMIT 1 OFFSET ?",
    [SQL_TOMBSTONE_TRIM] = "DELETE FROM expunged WHERE mailbox = ? AND modseq <= ?",
    [SQL_FLOOR_RAISE] = "UPDATE mailbox SET vanished_floor = max(vanished_floor, ?) WHERE id = ?",

    [SQL_URL_KEY] = "SELECT key FROM url_key WHERE mailbox = ?",
    [SQL_URL_KEY_ADD] = "INSERT OR IGNORE INTO url_key VALUES(?, ?)",
    [SQL_URL_KEY_DROP] = "DELETE FROM url_key WHERE mailbox = ?1 OR ?1 = 0",
    [SQL_SEARCH_FITS] = "SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'msg'),"
                        " (SELECT hash FROM msg WHERE id = ?)",
    [SQL_SEARCH_NEXT] = "SELECT id, size, hash FROM msg WHERE id > ? ORDER BY id LIMIT ?",
    /* All, and those that are not indexed: SQLite counts a whole table without looking at rows. */
    [SQL_SEARCH_COUNT] = "SELECT (SELECT count(*) FROM msg),"
                         " (SELECT count(*) FROM msg WHERE id > ?)",

    [SQL_CHECK_INTEGRITY] = "PRAGMA integrity_check(20)",
    [SQL_CHECK_REINDEX] = "REINDEX",
    [SQL_CHECK_COUNTERS] =
        "SELECT id, name, n_total, n_unseen, n_deleted, bytes, uidnext, modseq, t, u, d, b, top, m"
        " FROM mailbox JOIN (SELECT id AS i, count(uid) AS t, coalesce(sum(NOT flags & 1), 0) AS u,"
        "   coalesce(sum(flags & 8 <> 0), 0) AS d, coalesce(sum(size), 0) AS b,"
        "   coalesce(max(uid), 0) AS top, coalesce(max(message.modseq), 1) AS m"
        "   FROM mailbox LEFT JOIN message ON mailbox = id GROUP BY id) ON i = id"
        " WHERE n_total <> t OR n_unseen <> u OR n_deleted <> d OR mailbox.bytes <> b"
        "   OR top >= uidnext OR m > modseq",
    [SQL_CHECK_COUNTERS_MEND] =
        "UPDATE mailbox SET"
        " n_total = (SELECT count(*) FROM message WHERE mailbox = id),"
        " n_unseen = (SELECT count(*) FROM message WHERE mailbox = id AND NOT flags & 1),"
        " n_deleted = (SELECT count(*) FROM message WHERE mailbox = id AND flags & 8),"
        " bytes = (SELECT coalesce(sum(size), 0) FROM message WHERE mailbox = id),"
        " uidnext = max(uidnext, 1 + (SELECT coalesce(max(uid), 0) FROM message"
        "   WHERE mailbox = id)),"
        " modseq = max(modseq, (SELECT coalesce(max(modseq), 1) FROM message WHERE mailbox = id))"
        " WHERE id = ?",
    [SQL_CHECK_REFS] = "SELECT id, refs, coalesce(n, 0) FROM msg LEFT JOIN"
                       " (SELECT msg, count(*) AS n FROM message GROUP BY msg) ON msg = id"
                       " WHERE refs <> coalesce(n, 0)",
    [SQL_CHECK_REFS_MEND] = "UPDATE msg SET refs = (SELECT count(*) FROM message WHERE msg = id),"
                            " dead_ms = CASE WHEN EXISTS(SELECT 1 FROM message WHERE msg = id)"
                            " THEN 0 ELSE ? END WHERE id = ?",
    [SQL_CHECK_TOTALS] = "SELECT account.bytes, messages, coalesce(sum(mailbox.bytes), 0),"
                         " coalesce(sum(n_total), 0) FROM account, mailbox",
    [SQL_CHECK_TOTALS_MEND] = "UPDATE account SET"
                              " bytes = (SELECT coalesce(sum(bytes), 0) FROM mailbox),"
                              " messages = (SELECT coalesce(sum(n_total), 0) FROM mailbox)",
    [SQL_CHECK_STRAY] = "SELECT mailbox, count(*) FROM message"
                        " WHERE mailbox NOT IN (SELECT id FROM mailbox)"
                        " AND mailbox NOT IN (SELECT mailbox FROM doomed) GROUP BY mailbox",
    [SQL_CHECK_NO_MSG] = "SELECT mailbox, uid, msg FROM message"
                         " WHERE msg NOT IN (SELECT id FROM msg)",
    [SQL_CHECK_TOMBSTONES] =
        "SELECT e.mailbox, e.modseq, e.uid_lo, e.uid_hi FROM expunged e JOIN mailbox b"
        " ON b.id = e.mailbox WHERE e.uid_lo > e.uid_hi OR e.uid_lo < 1 OR e.uid_hi >= b.uidnext"
        "   OR e.modseq > b.modseq OR EXISTS(SELECT 1 FROM message m"
        "   WHERE m.mailbox = e.mailbox AND m.uid BETWEEN e.uid_lo AND e.uid_hi)",
    [SQL_CHECK_TOMBSTONES_MEND] = "DELETE FROM expunged"
                                  " WHERE mailbox = ? AND modseq = ? AND uid_lo = ?",
    [SQL_CHECK_SEEN] =
        "SELECT s.mailbox, s.reader, s.lo, s.hi FROM seen s LEFT JOIN mailbox b ON b.id = s.mailbox"
        " WHERE s.lo < 1 OR s.lo > s.hi OR s.hi >= b.uidnext OR s.modseq > b.modseq"
        "   OR (b.id IS NULL AND s.mailbox NOT IN (SELECT mailbox FROM doomed))"
        "   OR EXISTS(SELECT 1 FROM seen o WHERE o.mailbox = s.mailbox AND o.reader = s.reader"
        "   AND o.lo > s.lo AND o.lo <= s.hi)",
    [SQL_CHECK_SEEN_MEND] = "DELETE FROM seen WHERE mailbox = ? AND reader = ? AND lo = ?",
    [SQL_CHECK_READERS] =
        "SELECT r.mailbox, r.reader, r.recent_from FROM reader r LEFT JOIN mailbox b"
        " ON b.id = r.mailbox WHERE r.recent_from < 1 OR r.recent_from > b.uidnext"
        "   OR (b.id IS NULL AND r.mailbox NOT IN (SELECT mailbox FROM doomed))",
    [SQL_CHECK_READERS_MEND] = "UPDATE reader SET recent_from = (SELECT uidnext FROM mailbox"
                               " WHERE id = ?1) WHERE mailbox = ?1 AND reader = ?2"
                               " AND EXISTS(SELECT 1 FROM mailbox WHERE id = ?1)",
    [SQL_CHECK_READERS_DROP] = "DELETE FROM reader WHERE mailbox = ?1 AND reader = ?2"
                               " AND NOT EXISTS(SELECT 1 FROM mailbox WHERE id = ?1)",
    [SQL_CHECK_UNDER_WAY] =
        "SELECT mailbox, lo, hi FROM (SELECT mailbox, lo, hi FROM leaving"
        "   UNION SELECT mailbox, lo, hi FROM copying) w WHERE lo < 1 OR lo > hi"
        "   OR hi >= (SELECT uidnext FROM mailbox b WHERE b.id = w.mailbox)",
    [SQL_CHECK_LEAVING_MEND] = "DELETE FROM leaving WHERE mailbox = ? AND lo = ? AND hi = ?",
    [SQL_CHECK_COPYING_MEND] = "DELETE FROM copying WHERE mailbox = ? AND lo = ? AND hi = ?",
    [SQL_CHECK_BODIES] = "SELECT id, size, inline_bytes, coalesce(length(data), -1), hash"
                         " FROM msg LEFT JOIN body ON msg = id WHERE id > ? AND refs > 0"
                         " ORDER BY id LIMIT ?",
};
