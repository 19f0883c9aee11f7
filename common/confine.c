/* confine.c - see confine.h: the list of system calls, and the rules for files.
 *
 * The list holds what libc, libuv, SQLite, GnuTLS and libunbound ask for while they serve, on
 * processors of 64 bits: libseccomp leaves out what an architecture has not.
 */
#include "common/confine.h"

#include "common/base.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14) /* Linux 6.2 */
#endif

#define CALL(name) SCMP_SYS(name)

/* clang-format off */
static const int calls[] = {
    /* memory */
    CALL(brk), CALL(madvise), CALL(membarrier), CALL(mincore), CALL(mmap), CALL(mmap2),
    CALL(mprotect), CALL(mremap), CALL(msync), CALL(munmap),
    /* files */
    CALL(access), CALL(chmod), CALL(close), CALL(close_range), CALL(copy_file_range), CALL(dup),
    CALL(dup2), CALL(dup3), CALL(faccessat), CALL(faccessat2), CALL(fadvise64), CALL(fallocate),
    CALL(fchmod), CALL(fchmodat), CALL(fchown), CALL(fcntl), CALL(fcntl64), CALL(fdatasync),
    CALL(flock), CALL(fstat), CALL(fstat64), CALL(fstatfs), CALL(fsync), CALL(ftruncate),
    CALL(ftruncate64), CALL(getcwd), CALL(getdents), CALL(getdents64), CALL(link), CALL(linkat),
    CALL(lseek), CALL(_llseek), CALL(lstat), CALL(mkdir), CALL(mkdirat), CALL(newfstatat),
    CALL(open), CALL(openat), CALL(openat2), CALL(pread64), CALL(preadv), CALL(preadv2),
    CALL(pwrite64), CALL(pwritev), CALL(pwritev2), CALL(read), CALL(readlink), CALL(readlinkat),
    CALL(readv), CALL(rename), CALL(renameat), CALL(renameat2), CALL(rmdir), CALL(sendfile),
    CALL(stat), CALL(statfs), CALL(statx), CALL(sync_file_range), CALL(umask), CALL(unlink),
    CALL(unlinkat), CALL(utimensat), CALL(write), CALL(writev),
    /* sockets; socket() itself has rules of its own */
    CALL(accept), CALL(accept4), CALL(bind), CALL(connect), CALL(getpeername), CALL(getsockname),
    CALL(getsockopt), CALL(listen), CALL(recvfrom), CALL(recvmmsg), CALL(recvmsg), CALL(sendmmsg),
    CALL(sendmsg), CALL(sendto), CALL(setsockopt), CALL(shutdown), CALL(socketpair),
    /* waiting */
    CALL(epoll_create), CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_pwait), CALL(epoll_pwait2),
    CALL(epoll_wait), CALL(eventfd), CALL(eventfd2), CALL(pipe), CALL(pipe2), CALL(poll),
    CALL(ppoll), CALL(pselect6), CALL(select), CALL(_newselect),
    /* time */
    CALL(clock_getres), CALL(clock_gettime), CALL(clock_nanosleep), CALL(getrusage),
    CALL(gettimeofday), CALL(nanosleep), CALL(time), CALL(times),
    /* threads, signals, and the process itself; clone() has a rule of its own */
    CALL(exit), CALL(exit_group), CALL(futex), CALL(get_robust_list), CALL(getegid), CALL(geteuid),
    CALL(getgid), CALL(getpid), CALL(getppid), CALL(getpriority), CALL(getrandom), CALL(getrlimit),
    CALL(gettid), CALL(getuid), CALL(prctl), CALL(prlimit64), CALL(restart_syscall), CALL(rseq),
    CALL(rt_sigaction), CALL(rt_sigpending), CALL(rt_sigprocmask), CALL(rt_sigreturn),
    CALL(rt_sigtimedwait), CALL(sched_getaffinity), CALL(sched_getparam), CALL(sched_getscheduler),
    CALL(sched_setscheduler), CALL(sched_yield), CALL(set_robust_list), CALL(set_tid_address),
    CALL(setpriority), CALL(sigaltstack), CALL(sysinfo), CALL(tgkill), CALL(uname),
};
/* clang-format on */

/* What AddressSanitizer and LeakSanitizer ask for beyond the list. */
static const int tracing_calls[] = {
    CALL(clone),       CALL(clone3),           CALL(execve), CALL(fork),  CALL(kill),
    CALL(personality), CALL(process_vm_readv), CALL(ptrace), CALL(vfork), CALL(wait4),
};

static const unsigned long ioctls[] = { FIONBIO, FIOCLEX, FIONREAD, TCGETS };

static int allow(scmp_filter_ctx filter, const int *list, size_t count)
{
    int code = 0;

    for (size_t i = 0; i < count && code == 0; i++)
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, list[i], 0);
    return code;
}

static int allow_sockets(scmp_filter_ctx filter, bool connects)
{
    static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
    size_t count = connects ? COUNT_OF(families) : 1;
    int code = 0;

    for (size_t i = 0; i < count && code == 0; i++)
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(socket), 1,
                                SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0));
    return code;
}

static int allow_ioctls(scmp_filter_ctx filter)
{
    int code = 0;

    for (size_t i = 0; i < COUNT_OF(ioctls) && code == 0; i++)
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(ioctl), 1,
                                SCMP_A1(SCMP_CMP_EQ, ioctls[i], 0));
    return code;
}

/* Threads only. What clone3() is asked for lies in memory, where a filter cannot look: told that
 * there is none, libc takes clone(). */
static int allow_threads(scmp_filter_ctx filter)
{
    int code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(clone), 1,
                                SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));

    return code != 0 ? code : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), 0);
}

static int fill_filter(scmp_filter_ctx filter, const struct confinement *confinement)
{
    int code = allow(filter, calls, COUNT_OF(calls));

    if (code == 0)
        code = allow_sockets(filter, confinement->connects);
    if (code == 0)
        code = allow_ioctls(filter);
    if (code == 0)
        code = confinement->traceable ? allow(filter, tracing_calls, COUNT_OF(tracing_calls))
                                      : allow_threads(filter);
    return code;
}

static bool confine_calls(const struct confinement *confinement, struct error *err)
{
    scmp_filter_ctx filter =
        seccomp_init(confinement->fatal ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM));
    int code = filter == NULL ? -ENOMEM : fill_filter(filter, confinement);

    if (code == 0)
        code = seccomp_load(filter);
    seccomp_release(filter);
    if (code == 0)
        return true;
    errno = -code;
    return error_errno(err, "limiting system calls (seccomp)");
}

/* The first version forbids all links and renames between folders, which the store needs. */
#define LANDLOCK_VERSION_MIN 2

/* All rights that a kernel with this version of Landlock can take away. */
static uint64_t rights_of(long version)
{
    uint64_t rights = (LANDLOCK_ACCESS_FS_REFER << 1) - 1; /* the first 14 */

    return version >= 3 ? rights | LANDLOCK_ACCESS_FS_TRUNCATE : rights;
}

#define READING (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITING                                                                                    \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                               \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |  \
     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REFER | LANDLOCK_ACCESS_FS_TRUNCATE)
#define OF_A_FILE                                                                                  \
    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)

/* What is not there cannot be opened anyway. */
static bool add_rule(int rules, const char *path, uint64_t rights, struct error *err)
{
    struct landlock_path_beneath_attr rule = { .allowed_access = rights };
    struct stat about;
    int code;

    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return true;
    if (fstat(rule.parent_fd, &about) == 0 && !S_ISDIR(about.st_mode))
        rule.allowed_access &= OF_A_FILE;
    code = (int)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(rule.parent_fd);
    return code == 0 || error_errno(err, "limiting files to %s (Landlock)", path);
}

static bool add_rules(int rules, const struct confinement *confinement, uint64_t rights,
                      struct error *err)
{
    const uint64_t reading =
        confinement->traceable ? READING | LANDLOCK_ACCESS_FS_EXECUTE : READING;

    for (size_t i = 0; i < confinement->n_readable; i++)
        if (!add_rule(rules, confinement->readable[i], reading, err))
            return false;
    for (size_t i = 0; i < confinement->n_writable; i++)
        if (!add_rule(rules, confinement->writable[i], rights & (READING | WRITING), err))
            return false;
    return !confinement->traceable || add_rule(rules, "/", reading, err);
}

static bool confine_files(const struct confinement *confinement, bool *done_out, struct error *err)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct landlock_ruleset_attr attributes = { .handled_access_fs = rights_of(version) };
    bool ok;
    int rules;

    *done_out = version >= LANDLOCK_VERSION_MIN;
    if (!*done_out)
        return true;
    rules = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
    if (rules < 0)
        return error_errno(err, "limiting files (Landlock)");
    ok = add_rules(rules, confinement, attributes.handled_access_fs, err);
    if (ok && syscall(SYS_landlock_restrict_self, rules, 0) != 0)
        ok = error_errno(err, "limiting files (Landlock)");
    close(rules);
    return ok;
}

bool confine(const struct confinement *confinement, bool *files_out, struct error *err)
{
    const struct rlimit no_core = { 0, 0 };

    *files_out = false;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return error_errno(err, "giving up new privileges");
    if (!confinement->traceable &&
        (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &no_core) != 0))
        return error_errno(err, "giving up core dumps");
    return confine_files(confinement, files_out, err) && confine_calls(confinement, err);
}
