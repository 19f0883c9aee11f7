/* test_notice.c - notices between listeners, live and dead. */
#include "storage/notice.h"
#include "tests/unit/storage/place.h"
#include "tests/unit/support/check.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static unsigned count_sockets(const struct place *place)
{
    AUTO(buf_free) struct buf path = { 0 };
    unsigned count = 0;
    DIR *folder;

    buf_fmt(&path, "%s/run/notice", place->path);
    folder = opendir(buf_text(&path));
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static int listen_at(struct place *place, const char *name)
{
    struct error err = { 0 };
    int fd = -1;

    check_ok(notice_listen(place->store, name, false, &fd, &err), &err);
    usleep(10000); /* more than a tick of the file system's clock */
    return fd;
}

static void check_read(int fd, struct notice want)
{
    struct notice got;

    assert_true(notice_read(fd, &got));
    assert_int_equal(got.kind, want.kind);
    assert_int_equal(got.id, want.id);
    assert_int_equal(got.mailbox, want.mailbox);
}

static void all_listeners_hear(void **state)
{
    struct place *place = *state;
    struct notice mail = { NOTICE_ACCOUNT, 12345678901234567ull, 3 };
    struct notice queue = { .kind = NOTICE_QUEUE };
    int one = listen_at(place, "imapd"), two = listen_at(place, "imapd");
    struct notice got;

    assert_false(notice_read(one, &got));
    notice_send(place->store, &mail);
    notice_send(place->store, &queue);
    check_read(one, mail);
    check_read(one, queue);
    assert_false(notice_read(one, &got));
    check_read(two, mail);

    notice_unlisten(place->store, two);
    assert_int_equal(count_sockets(place), 1);
    notice_send(place->store, &mail);
    check_read(one, mail);
    notice_unlisten(place->store, one);
    assert_int_equal(count_sockets(place), 0);
    notice_send(place->store, &mail); /* to nobody */
}

/* Mail comes all the time; who has no use for it is left in peace. */
static void calm_listeners_hear_what_is_rare(void **state)
{
    struct place *place = *state;
    struct notice mail = { NOTICE_ACCOUNT, 1, 3 };
    struct notice queue = { .kind = NOTICE_QUEUE };
    struct notice revoked = { NOTICE_REVOKED, 5, 0 };
    struct error err = { 0 };
    struct notice got;
    int fd = -1;

    check_ok(notice_listen(place->store, "pop3d", true, &fd, &err), &err);
    notice_send(place->store, &mail);
    notice_send(place->store, &queue);
    notice_send(place->store, &revoked);
    check_read(fd, revoked);
    assert_false(notice_read(fd, &got));
    notice_unlisten(place->store, fd);
}

static void late_listeners_are_found(void **state)
{
    struct place *place = *state;
    struct notice notice = { NOTICE_ACCOUNT, 1, 2 };
    int one = listen_at(place, "imapd"), two;

    notice_send(place->store, &notice);
    two = listen_at(place, "pop3d");
    notice_send(place->store, &notice);
    check_read(two, notice);
    notice_unlisten(place->store, one);
    notice_unlisten(place->store, two);
}

static void dead_sockets_are_removed(void **state)
{
    struct place *place = *state;
    struct notice notice = { .kind = NOTICE_DIRECTORY };
    int dead = listen_at(place, "imapd"), live;

    close(dead); /* as if the process had been killed */
    assert_int_equal(count_sockets(place), 1);
    notice_send(place->store, &notice);
    assert_int_equal(count_sockets(place), 0);

    dead = listen_at(place, "imapd");
    close(dead);
    live = listen_at(place, "imapd");
    assert_int_equal(count_sockets(place), 1);
    notice_unlisten(place->store, live);
}

static void one_that_never_reads_blocks_nobody(void **state)
{
    struct place *place = *state;
    struct notice notice = { NOTICE_ACCOUNT, 7, 7 };
    int fd = listen_at(place, "imapd");

    for (unsigned i = 0; i < 5000; i++)
        notice_send(place->store, &notice);
    check_read(fd, notice);
    notice_unlisten(place->store, fd);
}

static void nonsense_is_skipped(void **state)
{
    struct place *place = *state;
    struct notice notice = { NOTICE_QUEUE, 0, 0 }, got;
    int fd = listen_at(place, "smtpd"), sender = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct sockaddr_un to;
    socklen_t len = sizeof(to);
    uint64_t bad_kind[3] = { 99, 1, 1 };
    char big[200] = { 1 };

    assert_int_equal(getsockname(fd, (struct sockaddr *)&to, &len), 0);
    assert_true(sendto(sender, "x", 1, 0, (struct sockaddr *)&to, len) >= 0);
    assert_true(sendto(sender, "", 0, 0, (struct sockaddr *)&to, len) >= 0);
    assert_true(sendto(sender, big, sizeof(big), 0, (struct sockaddr *)&to, len) >= 0);
    assert_true(sendto(sender, bad_kind, sizeof(bad_kind), 0, (struct sockaddr *)&to, len) >= 0);
    notice_send(place->store, &notice);
    check_read(fd, notice);
    assert_false(notice_read(fd, &got));
    close(sender);
    notice_unlisten(place->store, fd);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, place_open, place_close)

/* A listener that is behind finds a mark, once, and reads what it has got. */
static void lost_ones_leave_a_mark(void **state)
{
    struct place *place = *state;
    struct notice mail = { NOTICE_ACCOUNT, 7, 3 };
    struct notice got;
    int fd = listen_at(place, "imapd");
    size_t n_read = 0;

    notice_send(place->store, &mail);
    assert_false(notice_lost(fd));
    for (int i = 0; i < 5000; i++)
        notice_send(place->store, &mail);
    while (notice_read(fd, &got))
        n_read++;
    assert_in_range(n_read, 1, 5000);
    assert_true(notice_lost(fd));
    assert_false(notice_lost(fd));
    notice_send(place->store, &mail); /* the mark is no listener, and it is one again */
    assert_true(notice_read(fd, &got));
    assert_false(notice_lost(fd));
    notice_unlisten(place->store, fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(all_listeners_hear),       IN_PLACE(calm_listeners_hear_what_is_rare),
        IN_PLACE(all_listeners_hear),       IN_PLACE(late_listeners_are_found),
        IN_PLACE(dead_sockets_are_removed), IN_PLACE(one_that_never_reads_blocks_nobody),
        IN_PLACE(nonsense_is_skipped),      IN_PLACE(lost_ones_leave_a_mark),
    };

    return cmocka_run_group_tests_name("notice", tests, NULL, NULL);
}
