/* confine.h - a process gives up what it will not need: new privileges, core dumps, system calls
 * that are not on a list, and all files but those named.
 *
 *     settings, store --> confine() --> threads, sessions
 *
 * System calls: seccomp(2). Not among them are execve, ptrace, mount, fork (clone without
 * CLONE_THREAD), bpf, and who does not connect gets no sockets but unix ones. A call that is not on
 * the list fails with EPERM.
 * Files: Landlock (landlock(7)), where the kernel has it (Linux 5.19). A rule stands for a folder
 * as it is, so what is replaced by rename must be named by its folder.
 *
 * Threads: before any other thread is made, which would stay free. There is no way back.
 */
#pragma once

#include "common/error.h"

struct confinement {
    const char *const *readable; /* files and folders; what does not exist is left out */
    size_t n_readable;
    const char *const *writable; /* folders */
    size_t n_writable;
    bool connects;  /* it opens connections to other machines */
    bool fatal;     /* a call that is not on the list ends the process, for tests */
    bool traceable; /* for sanitizers, which trace and start programs to tell what they found */
};

/* *files_out: whether the kernel could confine the files. An error leaves the process half
 * confined: it should end. */
bool confine(const struct confinement *confinement, bool *files_out, struct error *err) MUST_CHECK;
