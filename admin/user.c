/* user.c - giving up root. */
#include "admin/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

static bool find_user(const char *name, const struct passwd **user_out, struct error *err)
{
    *user_out = getpwnam(name);
    if (*user_out != NULL)
        return true;
    return error_set(
        err, ERROR_NOT_FOUND,
        "there is no system user \"%s\": make it with `useradd --system --no-create-home"
        " --shell /usr/sbin/nologin %s`, or change [postane] user",
        name, name);
}

bool user_exists(const char *name, struct error *err)
{
    const struct passwd *user;

    return geteuid() != 0 || name[0] == '\0' || find_user(name, &user, err);
}

bool user_become(const char *name, struct error *err)
{
    const struct passwd *user;

    if (geteuid() != 0 || name[0] == '\0')
        return true;
    if (!find_user(name, &user, err))
        return false;
    if (initgroups(name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
        setuid(user->pw_uid) != 0)
        return error_errno(err, "becoming the user %s", name);
    return true;
}

bool user_own(const char *name, const char *path, struct error *err)
{
    const struct passwd *user;

    if (geteuid() != 0 || name[0] == '\0')
        return true;
    if (!find_user(name, &user, err))
        return false;
    if (chown(path, user->pw_uid, user->pw_gid) != 0)
        return error_errno(err, "giving %s to the user %s", path, name);
    return true;
}
