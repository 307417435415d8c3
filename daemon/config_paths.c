/* SPDX-License-Identifier: MIT
 *
 * config_paths: where a daemon looks when it is told nothing; see config_paths.h.
 * Between the environment and server. Invariant: see config_paths.h.
 */
#include "daemon/config_paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *path_in(const char *directory, const char *rest)
{
    char *path;

    return asprintf(&path, "%s%s", directory, rest) < 0 ? NULL : path;
}

static char *path_beside(const char *file, const char *name)
{
    char *path;
    int len = (int)(strrchr(file, '/') - file) + 1;

    return asprintf(&path, "%.*s%s", len, file, name) < 0 ? NULL : path;
}

/* A service manager that has made a directory names it; or several, of which the first is ours. */
static char *state_path(bool is_machine, const char *home)
{
    const char *given = getenv("STATE_DIRECTORY");
    const char *state = getenv("XDG_STATE_HOME");

    if (given && given[0] == '/')
        return strndup(given, strcspn(given, ":"));
    if (is_machine)
        return strdup("/var/lib/wsplex");
    if (state && state[0] == '/')
        return path_in(state, "/wsplex");
    return path_in(home ? home : "", "/.local/state/wsplex");
}

int config_paths_init(struct config_paths *paths)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    const char *home = getenv("HOME");
    const char *configuration = getenv("XDG_CONFIG_HOME");

    memset(paths, 0, sizeof(*paths));
    paths->is_machine = geteuid() == 0 || !runtime || runtime[0] != '/';
    if (paths->is_machine)
        paths->config = strdup("/etc/wsplex/wsplexd.conf");
    else if (configuration && configuration[0] == '/')
        paths->config = path_in(configuration, "/wsplex/wsplexd.conf");
    else
        paths->config = path_in(home ? home : "", "/.config/wsplex/wsplexd.conf");
    if (paths->config)
        paths->credentials = path_beside(paths->config, "credentials");
    paths->socket_dir = path_in(paths->is_machine ? "/run" : runtime, "/wsplex");
    if (paths->socket_dir)
        paths->socket = path_in(paths->socket_dir, "/wsplex.sock");
    paths->state_dir = state_path(paths->is_machine, home);
    if (paths->config && paths->credentials && paths->socket && paths->state_dir)
        return 0;
    config_paths_deinit(paths);
    return -ENOMEM;
}

void config_paths_deinit(struct config_paths *paths)
{
    free(paths->config);
    free(paths->credentials);
    free(paths->socket_dir);
    free(paths->socket);
    free(paths->state_dir);
    memset(paths, 0, sizeof(*paths));
}
