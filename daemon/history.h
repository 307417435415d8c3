/* SPDX-License-Identifier: MIT
 *
 * history: the upstreams that failed lately, so that their owners can ask why when they are gone.
 * Neighbours: server adds to it, control shows it. It knows no clock and no socket.
 * Invariant: at most MAX_HISTORY_PER_USER records of one uid and MAX_HISTORY of all, the latest.
 */
#ifndef WSPLEX_DAEMON_HISTORY_H
#define WSPLEX_DAEMON_HISTORY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/channel.h"
#include "daemon/list.h"
#include "daemon/target.h"

struct share;

struct history {
    struct list records; /* the earliest first */
    unsigned n_records;
    uint64_t last_number;
};

struct history_record {
    struct list link;
    uint64_t number; /* its place in the history */
    uint64_t id;     /* of the upstream */
    uid_t uid;       /* of its owner */
    bool is_shared;
    uint64_t ended_ms, lasted_ms;
    struct ending ending;
    char *excerpt; /* its owner's alone; NULL: none */
    char display[TARGET_DISPLAY_LEN];
};

void history_init(struct history *history);
void history_deinit(struct history *history); /* may be initialised again */

/* Remembers a share that has ended with a failure, and forgets what is too old for that. Without
 * memory it forgets this one. */
void history_add(struct history *history, const struct share *share, uint64_t now_ms);

/* That of the upstream with this id, or NULL. Lives until the next history_add. */
struct history_record *history_find(const struct history *history, uint64_t id);

#endif
