/* maildir.c - see maildir.h. */
#include "admin/maildir.h"

#include "common/buf.h"
#include "common/codec.h"
#include "common/mem.h"
#include "storage/files.h"
#include "storage/mail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LETTERS       26  /* keywords of a folder that can be told by a letter */
#define FILE_NAME_MAX 255 /* of Linux */

struct folder {
    struct slice mailbox;   /* in the arena */
    const char *path;       /* in the arena */
    unsigned bits[LETTERS]; /* by letter: the keyword's bit */
    struct slice names[LETTERS];
    size_t n_letters;
};

struct maildir {
    struct arena arena;
    const char *path;
    struct folder *folders;
    size_t count, room;
    uint64_t number; /* of messages so far */
};

static bool is_empty(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    bool empty = folder != NULL;

    while (empty && (entry = readdir(folder)) != NULL)
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    if (folder != NULL)
        closedir(folder);
    return empty;
}

bool maildir_open(const char *path, struct maildir **maildir_out, struct error *err)
{
    if (!dir_make(path, err))
        return false;
    if (!is_empty(path))
        return error_set(err, ERROR_EXISTS, "%s is not empty", path);
    struct maildir *maildir = NEW(struct maildir);
    maildir->path = slice_text(&maildir->arena, slice_of(path));
    *maildir_out = maildir;
    return true;
}

void maildir_free(struct maildir **maildir)
{
    struct maildir *old = TAKE(*maildir);

    if (old == NULL)
        return;
    free(old->folders);
    arena_free(&old->arena);
    free(old);
}

/* "." separates levels there, so it cannot be in a name. The name is the operator's to read. */
static void folder_name(struct maildir *maildir, struct slice mailbox, struct buf *out)
{
    AUTO(buf_free) struct buf encoded = { 0 };
    size_t start = out->len;

    if (slice_is(mailbox, "INBOX"))
        return;
    utf7_encode(mailbox, &encoded);
    buf_add_text(out, "/.");
    for (size_t i = 0; i < encoded.len; i++) {
        char byte = encoded.data[i];

        buf_add_byte(out, byte == '/' ? '.' : byte == '.' || byte == '\0' ? '_' : byte);
    }
    if (out->len - start > FILE_NAME_MAX) {
        buf_truncate(out, start);
        buf_fmt(out, "/.Long name %zu", maildir->count);
    }
}

static bool make_folder(struct maildir *maildir, struct slice mailbox, struct folder *folder,
                        struct error *err)
{
    static const char *const parts[] = { "", "/cur", "/new", "/tmp" };
    AUTO(buf_free) struct buf path = { 0 };

    buf_add_text(&path, maildir->path);
    folder_name(maildir, mailbox, &path);
    *folder = (struct folder){ .mailbox = slice_copy(&maildir->arena, mailbox),
                               .path = slice_text(&maildir->arena, buf_slice(&path)) };
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        AUTO(buf_free) struct buf part = { 0 };

        buf_fmt(&part, "%s%s", folder->path, parts[i]);
        if (!dir_make(buf_text(&part), err))
            return false;
    }
    if (strcmp(folder->path, maildir->path) == 0)
        return true;
    buf_add_text(&path, "/maildirfolder");
    int fd = open(buf_text(&path), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0 || error_errno(err, "making %s", path.data);
}

static struct folder *find_folder(struct maildir *maildir, struct slice mailbox, struct error *err)
{
    struct folder made;

    for (size_t i = maildir->count; i-- > 0;)
        if (slice_equal(maildir->folders[i].mailbox, mailbox))
            return &maildir->folders[i];
    if (!make_folder(maildir, mailbox, &made, err))
        return NULL;
    maildir->folders = mem_grow(maildir->folders, &maildir->room, maildir->count + 1, sizeof(made));
    maildir->folders[maildir->count] = made;
    return &maildir->folders[maildir->count++];
}

/* The letter of a keyword in a folder, or NUL when there are too many. */
static char letter_of(struct maildir *maildir, struct folder *folder, unsigned bit,
                      struct slice name)
{
    for (size_t i = 0; i < folder->n_letters; i++)
        if (folder->bits[i] == bit)
            return (char)('a' + i);
    if (folder->n_letters == LETTERS || name.len == 0)
        return '\0';
    folder->bits[folder->n_letters] = bit;
    folder->names[folder->n_letters] = slice_copy(&maildir->arena, name);
    return (char)('a' + folder->n_letters++);
}

/* In the order of ASCII, as Maildir demands. */
static void add_flags(uint64_t flags, struct buf *out)
{
    static const struct {
        uint64_t flag;
        char letter;
    } letters[] = { { MAIL_DRAFT, 'D' },
                    { MAIL_FLAGGED, 'F' },
                    { MAIL_ANSWERED, 'R' },
                    { MAIL_SEEN, 'S' },
                    { MAIL_DELETED, 'T' } };

    buf_add_text(out, ":2,");
    for (size_t i = 0; i < COUNT_OF(letters); i++)
        if ((flags & letters[i].flag) != 0)
            buf_add_byte(out, letters[i].letter);
}

static bool write_file(const char *path, struct slice bytes, int64_t received_ms, struct error *err)
{
    const struct timespec time = { .tv_sec = received_ms / 1000 };
    const struct timespec times[] = { time, time };
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok = fd >= 0;

    while (ok && bytes.len > 0) {
        ssize_t len = write(fd, bytes.data, bytes.len);

        ok = len > 0 || errno == EINTR;
        bytes = slice_from(bytes, len > 0 ? (size_t)len : 0);
    }
    if (ok && received_ms > 0)
        ok = futimens(fd, times) == 0;
    ok = ok && fsync(fd) == 0;
    if (!ok)
        error_errno(err, "writing %s", path);
    if (fd >= 0)
        close(fd);
    return ok;
}

bool maildir_add(struct maildir *maildir, const struct maildir_mail *mail,
                 struct slice (*keyword)(const void *context, unsigned bit), const void *context,
                 struct error *err)
{
    struct folder *folder = find_folder(maildir, mail->mailbox, err);
    AUTO(buf_free) struct buf path = { 0 };
    bool known[LETTERS] = { false };

    if (folder == NULL)
        return false;
    buf_fmt(&path, "%s/cur/%lld.M%llu.recovered", folder->path,
            (long long)(mail->received_ms / 1000), (unsigned long long)++maildir->number);
    add_flags(mail->flags, &path);
    for (unsigned bit = MAIL_KEYWORD_FIRST; bit <= MAIL_KEYWORD_LAST; bit++) {
        char letter = (mail->flags >> bit & 1) == 0
                          ? '\0'
                          : letter_of(maildir, folder, bit, keyword(context, bit));

        if (letter != '\0')
            known[letter - 'a'] = true;
    }
    for (size_t i = 0; i < LETTERS; i++)
        if (known[i])
            buf_add_byte(&path, (char)('a' + i));
    return write_file(buf_text(&path), mail->bytes, mail->received_ms, err);
}

static bool finish_folder(const struct folder *folder, struct error *err)
{
    AUTO(buf_free) struct buf path = { 0 };
    AUTO(buf_free) struct buf list = { 0 };

    buf_fmt(&path, "%s/cur", folder->path);
    if (!dir_sync(buf_text(&path), err))
        return false;
    for (size_t i = 0; i < folder->n_letters; i++)
        buf_fmt(&list, "%zu " SLICE_FMT "\n", i, SLICE_ARG(folder->names[i]));
    buf_clear(&path);
    buf_fmt(&path, "%s/dovecot-keywords", folder->path);
    return (list.len == 0 || write_file(buf_text(&path), buf_slice(&list), 0, err)) &&
           dir_sync(folder->path, err);
}

bool maildir_finish(struct maildir *maildir, struct error *err)
{
    for (size_t i = 0; i < maildir->count; i++)
        if (!finish_folder(&maildir->folders[i], err))
            return false;
    return dir_sync(maildir->path, err);
}
