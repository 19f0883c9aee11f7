/* init.c - `postane init`: writes a configuration to start from, makes the data directory. */
#include "admin/commands.h"
#include "admin/dkim.h"
#include "admin/user.h"
#include "common/clock.h"
#include "storage/directory.h"
#include "storage/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_CONFIG "/etc/postane/postane.conf"

struct init {
    const char *path; /* of the configuration */
    const char *domain, *hostname, *data, *user, *certificate, *key;
    bool force;
};

static const char *config_path(const struct tool *tool)
{
    const char *path = tool->config_path != NULL ? tool->config_path : getenv("POSTANE_CONFIG");

    return path != NULL ? path : DEFAULT_CONFIG;
}

static bool check_name(struct tool *tool, const char *option, const char *name)
{
    AUTO(buf_free) struct buf domain = { 0 };

    return name[0] == '\0' || name_domain(slice_of(name), &domain) ||
           error_set(&tool->err, ERROR_INVALID, "%s: \"%s\" is no domain name", option, name);
}

static bool take_options(struct tool *tool, struct init *init)
{
    *init = (struct init){
        .path = config_path(tool),
        .domain = "",
        .hostname = "",
        .data = tool->settings.data,
        .user = tool->settings.user,
        .certificate = "",
        .key = "",
        .force = tool_flag(tool, "--force"),
    };
    if (!tool_option(tool, "--domain", &init->domain) ||
        !tool_option(tool, "--hostname", &init->hostname) ||
        !tool_option(tool, "--data", &init->data) || !tool_option(tool, "--user", &init->user) ||
        !tool_option(tool, "--certificate", &init->certificate) ||
        !tool_option(tool, "--key", &init->key) || !tool_end(tool))
        return false;
    if (init->data[0] != '/')
        return error_set(&tool->err, ERROR_INVALID, "--data: give the whole path, from / on");
    if ((init->certificate[0] == '\0') != (init->key[0] == '\0'))
        return error_set(&tool->err, ERROR_INVALID, "--certificate and --key need each other");
    return check_name(tool, "--domain", init->domain) &&
           check_name(tool, "--hostname", init->hostname);
}

/* One setting; those that were not given stay a comment with an example. */
static void add_setting(struct buf *out, const char *key, const char *value, const char *example)
{
    buf_fmt(out, "%s%s = %s\n", value[0] != '\0' ? "" : "; ", key,
            value[0] != '\0' ? value : example);
}

static void print_config(const struct init *init, struct buf *out)
{
    buf_add_text(
        out, "; Postane's configuration. `postane config show` prints every setting with its\n"
             "; help, its default and the value in use; what is not set here is at its default.\n"
             "\n[postane]\n"
             "; All mail and accounts are kept here.\n");
    add_setting(out, "data", init->data, "");
    buf_add_text(out, "; The name under which other servers know this machine (its MX name).\n");
    add_setting(out, "hostname", init->hostname, "mail.example.org");
    buf_add_text(out, "; Logins may leave this domain out.\n");
    add_setting(out, "default_domain", init->domain, "example.org");
    buf_add_text(out,
                 "; The daemons run as this system user when started by root; empty: as root.\n");
    buf_fmt(out, "user = %s\n", init->user);
    buf_add_text(out, "\n[tls]\n"
                      "; PEM files. Without them no TLS is offered, and so no logins are taken.\n");
    add_setting(out, "certificate", init->certificate,
                "/etc/letsencrypt/live/mail.example.org/fullchain.pem");
    add_setting(out, "key", init->key, "/etc/letsencrypt/live/mail.example.org/privkey.pem");
    buf_add_text(out, "\n[listen]\n"
                      "; All ports on all addresses by default; blanks between several.\n"
                      "; smtp = 0.0.0.0:25 [::]:25\n"
                      "; imaps = 0.0.0.0:993 [::]:993\n"
                      "\n[limits]\n"
                      "; quota_bytes = 10G\n");
}

/* Makes the directory of `path` if it is not there; deeper ones are the operator's. */
static bool make_parent(const char *path, struct error *err)
{
    AUTO(buf_free) struct buf parent = { 0 };
    ptrdiff_t slash = slice_find_last(slice_of(path), '/');

    if (slash <= 0)
        return true;
    buf_add(&parent, path, (size_t)slash);
    if (mkdir(buf_text(&parent), 0755) != 0 && errno != EEXIST)
        return error_errno(err, "making %s", buf_text(&parent));
    return true;
}

static bool write_config(const struct init *init, struct error *err)
{
    AUTO(buf_free) struct buf text = { 0 };
    int fd;
    bool ok;

    print_config(init, &text);
    fd = open(init->path, O_WRONLY | O_CREAT | O_CLOEXEC | (init->force ? O_TRUNC : O_EXCL), 0644);
    if (fd < 0 && errno == EEXIST)
        return error_set(err, ERROR_EXISTS,
                         "%s is there already: --force overwrites it, -c FILE writes elsewhere",
                         init->path);
    if (fd < 0)
        return error_errno(err, "writing %s", init->path);
    ok = write(fd, text.data, text.len) == (ssize_t)text.len && fsync(fd) == 0;
    if (!ok)
        error_errno(err, "writing %s", init->path);
    close(fd);
    return ok;
}

/* The store is made by the service user, so that all in it is the daemons' own. */
static bool make_store(const struct init *init, struct error *err)
{
    if (!make_parent(init->data, err))
        return false;
    if (mkdir(init->data, 0700) != 0 && errno != EEXIST)
        return error_errno(err, "making %s", init->data);
    return user_own(init->user, init->data, err) && user_become(init->user, err) &&
           store_create(init->data, err);
}

/* A domain that is there already is as wanted: init may be run again. */
static bool add_domain(struct tool *tool, const char *domain)
{
    AUTO(new_keys_free) struct new_keys keys = { 0 };

    if (!tool_open(tool) || !new_keys_make(&keys, &tool->err))
        return false;
    if (!domain_add(tool->desk, slice_of(domain), &tool->err))
        return tool->err.kind == ERROR_EXISTS;
    return new_keys_store(tool->desk, slice_of(domain), &keys, time_ms(), &tool->err);
}

/* What the daemons will not be able to read: we are their user by now. */
static void print_unreadable(const struct init *init, const char *path)
{
    if (path[0] == '\0' || access(path, R_OK) == 0)
        return;
    printf("  the user %s cannot read %s (%s)",
           init->user[0] != '\0' ? init->user : "that runs the daemons", path, strerror(errno));
    if (errno == EACCES && init->user[0] != '\0')
        printf(": chgrp %s FILE, chmod 640 FILE", init->user);
    printf("\n");
}

static void print_next_steps(const struct init *init)
{
    const char *c = init->path;

    printf("Wrote %s, made %s.\n\nNext:\n", c, init->data);
    if (init->domain[0] == '\0')
        printf("  postane -c %s domain add DOMAIN\n", c);
    printf("  postane -c %s account add YOU@%s\n", c,
           init->domain[0] != '\0' ? init->domain : "DOMAIN");
    if (init->certificate[0] == '\0')
        printf("  name a certificate and its key in %s: without TLS nobody can log in\n", c);
    print_unreadable(init, init->certificate);
    print_unreadable(init, init->key);
    if (init->domain[0] != '\0')
        printf("  postane -c %s domain dns %s, and publish what it prints\n", c, init->domain);
    printf("  postane -c %s serve\n", c);
}

/* From here on what the new file says. */
static bool begin_with_it(struct tool *tool, const struct init *init)
{
    tool->settings = (struct settings){ 0 };
    return settings_load(init->path, &tool->settings, &tool->err) &&
           (init->domain[0] == '\0' || add_domain(tool, init->domain));
}

enum outcome init_command(struct tool *tool)
{
    struct init init;
    struct settings defaults;
    struct error *err = &tool->err;
    bool ok;

    if (!take_options(tool, &init))
        return OUTCOME_USAGE;
    if (!user_exists(init.user, err) || !make_parent(init.path, err) || !write_config(&init, err) ||
        !make_store(&init, err))
        return OUTCOME_FAILED;
    defaults = tool->settings; /* `init` points to them */
    ok = begin_with_it(tool, &init);
    if (ok)
        print_next_steps(&init);
    settings_free(&defaults);
    return ok ? OUTCOME_DONE : OUTCOME_FAILED;
}
