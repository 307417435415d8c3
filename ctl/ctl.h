/*
 * ctl: what the verbs of wsplexctl have in common: the line to the daemon, requests that are waited
 * for, and the three ways in which the program ends.
 *
 * Neighbours: main.c picks the verb from its table; the verbs (connect.c, lists.c) use libwsplex
 * like any program.
 * Invariant: results go to stdout, everything about failures to stderr, and the exit status tells
 * them apart.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_CTL_CTL_H
#define WSPLEX_CTL_CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "client-lib/wsplex.h"

enum ctl_exit {
    CTL_DONE = 0,   /* what was asked for was done */
    CTL_FAILED = 1, /* it was tried and failed; stderr says why */
    CTL_USAGE = 2,  /* it was not understood */
};

struct ctl {
    const char *socket_path; /* NULL: looked up as every client does */
    bool is_json;            /* --json */
    struct wsplex *client;
};

struct verb {
    const char *name;
    const char *arguments; /* as shown in the usage line */
    const char *summary;   /* one line of the overview */
    const char *help;      /* the rest of `wsplexctl VERB --help`, or NULL */
    bool has_json;         /* --json means something to it */
    /* argv[0] is the verb. Returns an enum ctl_exit. */
    int (*run)(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
};

/* Says on stderr what is wrong with the words of a call, and how it goes. Returns CTL_USAGE. */
int ctl_usage(const struct verb *verb, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Says on stderr "wsplexctl: ...". Returns CTL_FAILED. */
int ctl_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for a returned error of libwsplex, with the library's own particulars. */
int ctl_fail_library(const struct ctl *ctl, int error);

/* Makes the client, if there is none yet; the first use connects it. Returns CTL_DONE, or
 * CTL_FAILED after having said why. */
int ctl_make_client(struct ctl *ctl);

/*
 * Sends a request and waits for the reply. CTL_DONE with *ret_reply, a new reference that the
 * caller gives to json_decref(); or CTL_FAILED after having said why.
 */
int ctl_request(struct ctl *ctl, const char *verb, const char *const *arguments, size_t n_arguments,
                json_t **ret_reply);

/* The verbs (see the table in main.c). */
int ctl_connect_websocket(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int ctl_list(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int ctl_metrics(struct ctl *ctl, const struct verb *verb, int argc, char **argv);

#endif
