/* supervisor.c - starts the daemons, starts them again, stops them. */
#include "admin/supervisor.h"

#include "admin/report.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOK_MS = 20,           /* how often a starting daemon is asked whether it is ready */
    FIRST_PAUSE_MS = 50,    /* before a restart; doubles */
    LONGEST_PAUSE_MS = 800, /* so that the daemon is back within a second */
    CALM_MS = 10000,        /* running this long makes a crash the first one again */
    GIVE_UP_AFTER = 3,      /* failed starts in a row */
    EXTRA_STOP_MS = 3000,   /* beyond the daemons' own limit, before SIGKILL */
};

enum child_state { CHILD_WAITING, CHILD_STARTING, CHILD_READY };

struct child {
    const char *name;
    enum child_state state;
    pid_t pid;
    uint64_t started_ms, start_at_ms;
    unsigned restarts;      /* since it was last calm */
    unsigned failed_starts; /* in a row: gave up before it was ready */
};

#define CHILDREN_MAX 3

struct supervisor {
    const struct supervisor_options *options;
    struct child children[CHILDREN_MAX];
    size_t n_children;
    sigset_t signals;
    bool stopping, announced;
    struct log log;
};

static bool has_sockets(const struct sockets *sockets, const char *daemon)
{
    for (size_t i = 0; i < sockets->count; i++)
        if (strcmp(sockets->items[i].daemon, daemon) == 0)
            return true;
    return false;
}

static void init(struct supervisor *s, const struct supervisor_options *options)
{
    static const char *const daemons[CHILDREN_MAX] = { "smtpd", "imapd", "pop3d" };

    *s = (struct supervisor){ .options = options, .log = { .daemon = "postane" } };
    for (size_t i = 0; i < COUNT_OF(daemons); i++)
        if (has_sockets(options->sockets, daemons[i]))
            s->children[s->n_children++] = (struct child){ .name = daemons[i] };
    sigemptyset(&s->signals);
    sigaddset(&s->signals, SIGCHLD);
    sigaddset(&s->signals, SIGHUP);
    sigaddset(&s->signals, SIGINT);
    sigaddset(&s->signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &s->signals, NULL);
}

/* Installed, daemons lie in ../libexec/postane; in a build folder in ../NAME. */
static bool find_program(const char *name, char path[PATH_MAX], struct error *err)
{
    char here[PATH_MAX / 2] = "", beside[64];
    const char *const places[] = { "", "../libexec/postane/", beside };
    struct stat about;
    ssize_t len = readlink("/proc/self/exe", here, sizeof(here) - 1);

    if (len <= 0)
        return error_errno(err, "finding out where postane itself is");
    here[len] = '\0';
    *strrchr(here, '/') = '\0';
    snprintf(beside, sizeof(beside), "../%s/", name);
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        snprintf(path, PATH_MAX, "%s/%s%s", here, places[i], name);
        if (stat(path, &about) == 0 && S_ISREG(about.st_mode) && access(path, X_OK) == 0)
            return true;
    }
    return error_set(err, ERROR_NOT_FOUND,
                     "the program %s is neither beside postane nor in ../libexec/postane; "
                     "is the installation complete?",
                     name);
}

/* In the child: becomes the daemon, or ends. */
static _Noreturn void become_daemon(const struct supervisor *s, const char *name, const char *path)
{
    const char *config = s->options->config_path;
    struct error err;

    prctl(PR_SET_PDEATHSIG, SIGTERM); /* no daemon outlives its supervisor */
    sigprocmask(SIG_UNBLOCK, &s->signals, NULL);
    unsetenv("NOTIFY_SOCKET"); /* systemd watches serve */
    unsetenv("WATCHDOG_USEC");
    if (!sockets_pass(s->options->sockets, name, &err)) {
        log_error(&s->log, "start", F_STR("daemon", name), F_ERR(&err));
        _exit(EXIT_FAILURE);
    }
    if (config != NULL)
        execl(path, name, "--config", config, (char *)NULL);
    else
        execl(path, name, (char *)NULL);
    log_error(&s->log, "exec", F_STR("program", path), F_STR("error", strerror(errno)));
    _exit(EXIT_FAILURE);
}

static bool start(struct supervisor *s, struct child *child, struct error *err)
{
    char path[PATH_MAX];

    if (!find_program(child->name, path, err))
        return false;
    child->pid = fork();
    if (child->pid < 0)
        return error_errno(err, "starting %s", child->name);
    if (child->pid == 0)
        become_daemon(s, child->name, path);
    child->state = CHILD_STARTING;
    child->started_ms = clock_ms();
    log_info(&s->log, "started", F_STR("daemon", child->name), F_NUM("pid", child->pid));
    return true;
}

static bool start_due(struct supervisor *s, struct error *err)
{
    for (size_t i = 0; i < s->n_children; i++) {
        struct child *child = &s->children[i];

        if (child->state == CHILD_WAITING && child->start_at_ms <= clock_ms() &&
            !start(s, child, err))
            return false;
    }
    return true;
}

/* Sees which starting daemons answer now. */
static void look(struct supervisor *s)
{
    size_t ready = 0;

    for (size_t i = 0; i < s->n_children; i++) {
        struct child *child = &s->children[i];

        if (child->state == CHILD_STARTING && report_answers(s->options->data, child->name)) {
            child->state = CHILD_READY;
            child->failed_starts = 0;
        }
        ready += child->state == CHILD_READY;
    }
    if (ready == s->n_children && !s->announced) {
        s->announced = true;
        s->options->on_ready(s->options->context);
    }
}

static struct child *child_by_pid(struct supervisor *s, pid_t pid)
{
    for (size_t i = 0; i < s->n_children; i++)
        if (s->children[i].state != CHILD_WAITING && s->children[i].pid == pid)
            return &s->children[i];
    return NULL;
}

static void log_end(const struct supervisor *s, const struct child *child, int status)
{
    bool killed = WIFSIGNALED(status);

    LOG_AT(&s->log, s->stopping ? LOG_INFO : LOG_ERROR, "ended", F_STR("daemon", child->name),
           F_NUM("pid", child->pid), F_STR("how", killed ? "signal" : "exit"),
           F_NUM("code", killed ? WTERMSIG(status) : WEXITSTATUS(status)));
}

/* Plans the restart of a daemon that ended. */
static bool ended(struct supervisor *s, struct child *child, int status, struct error *err)
{
    bool gave_up = child->state == CHILD_STARTING && WIFEXITED(status);
    uint64_t pause;

    log_end(s, child, status);
    if (clock_ms() - child->started_ms > CALM_MS)
        child->restarts = 0;
    pause = child->restarts == 0 ? 0 : FIRST_PAUSE_MS << MIN(child->restarts, 5u);
    child->restarts++;
    child->failed_starts = gave_up ? child->failed_starts + 1 : 0;
    child->state = CHILD_WAITING;
    child->start_at_ms = clock_ms() + MIN(pause, (uint64_t)LONGEST_PAUSE_MS);
    if (child->failed_starts < GIVE_UP_AFTER || s->stopping)
        return true;
    return error_set(err, ERROR_INVALID,
                     "%s cannot start (exit code %d, %d times); its last line above says why",
                     child->name, WEXITSTATUS(status), GIVE_UP_AFTER);
}

static bool reap(struct supervisor *s, struct error *err)
{
    int status;
    pid_t pid;
    bool ok = true;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct child *child = child_by_pid(s, pid);

        if (child != NULL && !ended(s, child, status, err))
            ok = false;
    }
    return ok;
}

static void signal_all(const struct supervisor *s, int signal)
{
    for (size_t i = 0; i < s->n_children; i++)
        if (s->children[i].state != CHILD_WAITING)
            kill(s->children[i].pid, signal);
}

/* Milliseconds until there is something to do without a signal. */
static uint64_t next_wait(const struct supervisor *s)
{
    uint64_t now = clock_ms(), wait = 60000;

    for (size_t i = 0; i < s->n_children; i++) {
        const struct child *child = &s->children[i];

        if (child->state == CHILD_STARTING)
            wait = MIN(wait, (uint64_t)LOOK_MS);
        else if (child->state == CHILD_WAITING)
            wait = MIN(wait, child->start_at_ms > now ? child->start_at_ms - now : 0);
    }
    return wait;
}

/* The next signal, 0 when the time is up first. */
static int wait_signal(const struct supervisor *s, uint64_t ms)
{
    const struct timespec limit = { .tv_sec = (time_t)(ms / 1000),
                                    .tv_nsec = (long)(ms % 1000) * 1000000 };
    int signal = sigtimedwait(&s->signals, NULL, &limit);

    return signal > 0 ? signal : 0;
}

static size_t count_running(const struct supervisor *s)
{
    size_t running = 0;

    for (size_t i = 0; i < s->n_children; i++)
        running += s->children[i].state != CHILD_WAITING;
    return running;
}

/* Asks all to stop, waits, and kills what is left. */
static void stop_all(struct supervisor *s)
{
    uint64_t deadline = clock_ms() + s->options->stop_ms + EXTRA_STOP_MS;
    struct error ignored;

    s->stopping = true;
    signal_all(s, SIGTERM);
    (void)!reap(s, &ignored);
    while (count_running(s) > 0 && clock_ms() < deadline) {
        wait_signal(s, LOOK_MS);
        (void)!reap(s, &ignored);
    }
    signal_all(s, SIGKILL);
}

bool supervisor_run(const struct supervisor_options *options, struct error *err)
{
    struct supervisor s;
    bool ok;

    init(&s, options);
    while ((ok = start_due(&s, err))) {
        int signal = wait_signal(&s, next_wait(&s));

        if (signal == SIGTERM || signal == SIGINT)
            break;
        if (signal == SIGHUP)
            signal_all(&s, SIGHUP);
        ok = reap(&s, err);
        if (!ok)
            break;
        look(&s);
    }
    stop_all(&s);
    return ok;
}
