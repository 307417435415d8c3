/* SPDX-License-Identifier: MIT
 *
 * renewal: what a reload of the configuration changes of a share that stands.
 * Neighbours: reload brings what the endpoint says by now, reconnect takes over what the next connection shall have.
 * Invariant: nothing of the share's identity changes, and what is meant for a connection changes between two of them
 * only: no greeting of before goes with a heartbeat of after.
 */
#ifndef WSPLEX_DAEMON_RENEWAL_H
#define WSPLEX_DAEMON_RENEWAL_H

#include <stdbool.h>

struct share;
struct target;

/* target, which is taken, is of the same endpoint and says what holds by now; is_for_next: also what the next connection takes
 * over has changed, which then waits in share->renewed. Ends in ops of the upstream and of channels. */
void renewal_apply(struct share *share, struct target *target, bool is_for_next);

/* There is no upstream, and one is about to begin. 0, -ENOMEM. */
int renewal_take_over(struct share *share);

#endif
