/* confinement.c - see confinement.h: the list of files.
 *
 * Certificates are replaced while a daemon runs, by rename or by another target of a link: so it
 * may read the folder that a certificate is named in, and the one that it lies in.
 */
#include "storage/confinement.h"

#include "common/confine.h"
#include "common/mem.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>

#ifdef SANITIZED
#define TRACEABLE true
#else
#define TRACEABLE false
#endif

/* What libc, GnuTLS, libunbound and libcurl read while they serve: converters of charsets, time
 * zones, authorities, where DNS is, what the kernel says of memory and processors. */
static const char *const system_files[] = {
    "/dev/null",
    "/dev/urandom",
    "/etc/gai.conf",
    "/etc/gnutls",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/certs",
    "/lib",
    "/proc/meminfo",
    "/proc/self",
    "/proc/stat",
    "/proc/sys/kernel/random",
    "/proc/sys/net/core/somaxconn",
    "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu",
    "/usr/lib",
    "/usr/share/ca-certificates",
    "/usr/share/dns",
    "/usr/share/locale",
    "/usr/share/zoneinfo",
};

struct paths {
    char **items;
    size_t count, room;
};

static void free_paths(struct paths *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        free(paths->items[i]);
    free(paths->items);
}

static void add(struct paths *paths, struct slice path)
{
    paths->items = mem_grow(paths->items, &paths->room, paths->count + 1, sizeof(*paths->items));
    paths->items[paths->count++] = slice_strdup(path);
}

static void add_folder_of(struct paths *paths, const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        add(paths, SLICE("."));
    else if (slash > path)
        add(paths, slice_make(path, (size_t)(slash - path)));
}

/* Where the file is named, and where it lies. */
static void add_file(struct paths *paths, const char *path)
{
    char target[PATH_MAX];

    if (path[0] == '\0')
        return;
    add_folder_of(paths, path);
    if (realpath(path, target) != NULL && strcmp(target, path) != 0)
        add_folder_of(paths, target);
}

static void add_files_in(struct paths *paths, const char *folder)
{
    DIR *dir = folder[0] != '\0' ? opendir(folder) : NULL;
    AUTO(buf_free) struct buf path = { 0 };
    const struct dirent *entry;

    if (dir == NULL)
        return;
    add(paths, slice_of(folder));
    while ((entry = readdir(dir)) != NULL) {
        buf_clear(&path);
        buf_fmt(&path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.')
            add_file(paths, buf_text(&path));
    }
    closedir(dir);
}

static void list_readable(const struct settings *settings, struct paths *paths)
{
    for (size_t i = 0; i < COUNT_OF(system_files); i++)
        add(paths, slice_of(system_files[i]));
    add_file(paths, settings->certificate);
    add_file(paths, settings->key);
    add_file(paths, settings->authorities);
    add_file(paths, settings->trust_anchor);
    add_files_in(paths, settings->certificates);
}

bool confinement_begin(const struct settings *settings, bool connects, const struct log *log,
                       struct error *err)
{
    AUTO(free_paths) struct paths readable = { 0 };
    bool files;

    if (settings->confine == CONFINE_NO) {
        log_warn(log, "not confined", F_STR("reason", "[postane] confine = no"));
        return true;
    }
    list_readable(settings, &readable);
    const struct confinement confinement = {
        .readable = (const char *const *)readable.items,
        .n_readable = readable.count,
        .writable = (const char *const[]){ settings->data },
        .n_writable = 1,
        .connects = connects,
        .fatal = settings->confine == CONFINE_FATAL,
        .traceable = TRACEABLE,
    };
    if (!confine(&confinement, &files, err))
        return false;
    log_debug(log, "confined", F_STR("files", files ? "yes" : "the kernel has no Landlock"));
    return true;
}
