/* test_confine.c - what a confined process cannot do any more, and what it still can.
 *
 * Each attempt is made in a child, which is confined first and tells by its exit code.
 */
#include "common/confine.h"
#include "tests/unit/support/check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKED, REFUSED, OTHERWISE, UNCONFINED = 9 };

static char folder[] = "/tmp/postane-confine-XXXXXX", own[64], inside[64], outside[64],
            readable[64];

static int result_of(bool worked)
{
    return worked ? WORKED : errno == EPERM || errno == EACCES ? REFUSED : OTHERWISE;
}

static int try_open(const char *path, int flags)
{
    return result_of(open(path, flags | O_CLOEXEC, 0600) >= 0);
}

static int try_exec(void)
{
    return result_of(execl("/bin/true", "true", (char *)NULL) == 0);
}

static int try_fork(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    return result_of(pid > 0);
}

static int try_trace(void)
{
    return result_of(ptrace(PTRACE_ATTACH, getppid(), 0, 0) == 0);
}

static int try_kill(void)
{
    return result_of(kill(getppid(), 0) == 0);
}

static int try_socket(int family)
{
    return result_of(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0);
}

static int try_inet_socket(void)
{
    return try_socket(AF_INET);
}

static int try_unix_socket(void)
{
    return try_socket(AF_UNIX);
}

static int try_packet_socket(void)
{
    return try_socket(AF_PACKET);
}

static int open_foreign(void)
{
    return try_open(outside, O_RDONLY);
}

static int open_own(void)
{
    return try_open(inside, O_RDWR | O_CREAT);
}

static int open_readable(void)
{
    return try_open(readable, O_RDONLY);
}

static int write_readable(void)
{
    return try_open(readable, O_RDWR);
}

/* Into another folder: bodies go from tmp/ to their account. */
static int link_inside(void)
{
    char folder_path[sizeof(own) + 8], path[sizeof(own) + 16];
    int result;

    snprintf(folder_path, sizeof(folder_path), "%s/other", own);
    snprintf(path, sizeof(path), "%s/link", folder_path);
    mkdir(folder_path, 0700);
    result = result_of(link(inside, path) == 0);
    unlink(path);
    rmdir(folder_path);
    return result;
}

static int rename_out(void)
{
    return result_of(rename(inside, outside) == 0);
}

static int try_core(void)
{
    struct rlimit limit;

    errno = EPERM;
    return result_of(getrlimit(RLIMIT_CORE, &limit) != 0 || limit.rlim_max > 0);
}

static void *do_nothing(void *argument)
{
    return argument;
}

static int start_thread(void)
{
    pthread_t thread;

    errno = pthread_create(&thread, NULL, do_nothing, NULL);
    return result_of(errno == 0 && pthread_join(thread, NULL) == 0);
}

/* The exit code of a child that was confined and made the attempt; 128 and the signal that ended
 * it. */
static int attempt(int (*act)(void), bool connects, bool fatal)
{
    const char *const writable[] = { own }, *const reads[] = { readable, "/nowhere" };
    const struct confinement confinement = {
        .readable = reads,
        .n_readable = 2,
        .writable = writable,
        .n_writable = 1,
        .connects = connects,
        .fatal = fatal,
    };
    int status;
    pid_t pid;

    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct error err;
        bool files;

        _exit(confine(&confinement, &files, &err) ? act() : UNCONFINED);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void write_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    close(fd);
}

static int make_folder(void **state)
{
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(own, sizeof(own), "%s/own", folder);
    snprintf(inside, sizeof(inside), "%s/own/file", folder);
    snprintf(outside, sizeof(outside), "%s/foreign", folder);
    snprintf(readable, sizeof(readable), "%s/readable", folder);
    if (mkdir(own, 0700) != 0)
        return -1;
    write_file(inside);
    write_file(outside);
    write_file(readable);
    return 0;
}

static int remove_folder(void **state)
{
    unlink(inside);
    unlink(outside);
    unlink(readable);
    return rmdir(own) == 0 && rmdir(folder) == 0 ? 0 : -1;
}

static bool files_are_confined(void)
{
    struct error err;
    bool files = false;
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(confine(&(struct confinement){ 0 }, &files, &err) && files ? 1 : 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status) == 1;
}

static void test_calls(void **state)
{
    static const struct {
        int (*act)(void);
        bool connects;
        int expected;
    } rows[] = {
        { try_exec, true, REFUSED },          { try_fork, true, REFUSED },
        { try_trace, true, REFUSED },         { try_kill, true, REFUSED },
        { try_packet_socket, true, REFUSED }, { try_inet_socket, false, REFUSED },
        { try_core, true, REFUSED },          { try_inet_socket, true, WORKED },
        { try_unix_socket, false, WORKED },   { start_thread, false, WORKED },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(attempt(rows[i].act, rows[i].connects, false), rows[i].expected);
}

static void test_files(void **state)
{
    if (!files_are_confined())
        skip(); /* a kernel without Landlock */
    assert_int_equal(attempt(open_foreign, false, false), REFUSED);
    assert_int_equal(attempt(write_readable, false, false), REFUSED);
    assert_int_equal(attempt(open_readable, false, false), WORKED);
    assert_int_equal(attempt(open_own, false, false), WORKED);
    assert_int_equal(attempt(link_inside, false, false), WORKED);
    assert_int_equal(attempt(rename_out, false, false), REFUSED);
}

static void test_fatal(void **state)
{
    assert_int_equal(attempt(try_exec, false, true), 128 + SIGSYS);
    assert_int_equal(attempt(open_own, false, true), WORKED);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_fatal),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
