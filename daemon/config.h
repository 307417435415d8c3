/* SPDX-License-Identifier: MIT
 *
 * config: the daemon's settings and its endpoints, read from files.
 * Neighbours: main loads it, server reloads it and keeps it; open_request makes targets from it.
 * Invariant: a struct config that was handed out is whole and valid, and does not change.
 */
#ifndef WSPLEX_DAEMON_CONFIG_H
#define WSPLEX_DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/access.h"
#include "daemon/options.h"
#include "proto/url.h"

/* Who gets the problems: file and line (0: none) and a line for people, without a full stop. */
struct config_reporter {
    void (*report)(struct config_reporter *reporter, const char *file, int line, const char *text);
};

struct endpoint {
    char *name;
    const char *file; /* where it stands, for problems and for ctl: one of the configuration's, */
    int line;         /* the line on which it opens, */
    int lines[ENDPOINT_N_OPTIONS]; /* and those on which its options begin; 0: it is not given */
    struct wsp_url url;
    struct endpoint_options options;
    struct destination *destination; /* where it may lead; NULL: anywhere */
    struct access access;            /* who may do what with it */
};

/* line 0: nowhere. */
struct config_place {
    const char *file;
    int line;
};

struct config {
    struct strings files; /* that were read */
    struct daemon_options daemon;
    struct config_place daemon_places[DAEMON_N_OPTIONS]; /* where each stands */
    struct destination *destination;                     /* where the URLs of programs may lead */
    struct access free_access;                           /* who may open them */
    uid_t overflow_uid;         /* that of all whom this system does not know, */
    gid_t overflow_gid;         /* and of all such groups */
    struct endpoint *endpoints; /* sorted by name */
    size_t n_endpoints;
};

/* Which daemon the configuration is for. */
enum config_kind { CONFIG_USER, CONFIG_MACHINE };

/* Reads file and, in their alphabetical order, conf.d/(*).conf beside it. A file that is not there
 * is a problem only if is_required; file may be NULL, which gives the defaults. Every file is read, up to a
 * problem of its form, so that one run tells what is wrong with all values. 0 with *ret_config; -ENOMEM; a positive number:
 * there were problems, and all were reported. */
int config_load(const char *file, bool is_required, enum config_kind kind,
                struct config_reporter *reporter, struct config **ret_config);

/* Takes NULL; returns NULL. */
struct config *config_free(struct config *config);

/* NULL: there is none of that name. */
const struct endpoint *config_find_endpoint(const struct config *config, struct wsp_view name);

#endif
