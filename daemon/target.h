/* SPDX-License-Identifier: MIT
 *
 * target: where an upstream goes and how, resolved from an OPEN and the configuration, before anything connects.
 * Neighbours: client_requests makes it, share_key compares it, share keeps it, dial and upstream read it.
 * Invariant: never changed after it was made; everything under "identity" is part of the share key.
 */
#ifndef WSPLEX_DAEMON_TARGET_H
#define WSPLEX_DAEMON_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/url.h"

enum slow_consumer { SLOW_DISCONNECT, SLOW_BLOCK };
const char *slow_consumer_to_string(enum slow_consumer policy);

/* A list of strings; for headers name and value alternate. */
struct strings {
    char **items;
    size_t n_items;
};
int strings_add(struct strings *strings, const char *text, size_t len); /* copies; 0, -ENOMEM */
void strings_deinit(struct strings *strings);

struct target {
    /* identity */
    char *endpoint; /* name in the configuration; NULL for a free URL */
    struct wsp_url url;
    struct strings protocols; /* in the order of preference */
    struct strings headers;
    char *ca_file; /* NULL: the system's trust store */
    uint64_t max_message;
    uid_t scope; /* only channels of this uid meet here */

    /* policy; the first channel's values hold for the upstream */
    uint64_t linger_ms;
    uint64_t queue_bytes; /* how far a channel may lag behind, see share.h */
    enum slow_consumer slow_consumer;
    uint64_t block_timeout_ms;
    uint64_t connect_timeout_ms; /* resolving, connecting, TLS and the upgrade together */
    uint64_t close_timeout_ms;   /* the peer's Close frame, then its end of the connection */
};

struct target *target_new(void); /* zeroed but for the defaults of the policy; NULL: no memory */
struct target *target_free(struct target *target);

/* How the target is shown to its owner, in ctl and in logs: `wsplex-endpoint:NAME`, or the URL without
 * credentials and query. */
const char *target_display(const struct target *target);

#endif
