/* SPDX-License-Identifier: MIT
 *
 * config_paths: where the daemon finds its files and directories unless it is told.
 * Neighbours: main and server ask. Invariant: every path is absolute, and none of it need be there.
 */
#ifndef WSPLEX_DAEMON_CONFIG_PATHS_H
#define WSPLEX_DAEMON_CONFIG_PATHS_H

#include <stdbool.h>

/* Where a daemon looks when it is told nothing: the machine's when it runs as root or without
 * $XDG_RUNTIME_DIR, else the user's. Strings are owned. */
struct config_paths {
    bool is_machine;
    char *config;      /* the file that need not be there */
    char *credentials; /* the directory beside it, likewise */
    char *socket_dir;  /* the runtime directory, made when it is not there */
    char *socket;
    char *state_dir; /* what is remembered over restarts; made when it is not there */
};
int config_paths_init(struct config_paths *paths); /* 0, -ENOMEM */
void config_paths_deinit(struct config_paths *paths);

#endif
