/* SPDX-License-Identifier: MIT
 *
 * share_journal: the lines of journal.def that tell of upstreams.
 * Neighbours: server passes on what shares tells of its shares; journal writes.
 * Invariant: a connection that goes as it should, a planned renewal included, has no line above info.
 */
#ifndef WSPLEX_DAEMON_SHARE_JOURNAL_H
#define WSPLEX_DAEMON_SHARE_JOURNAL_H

#include <stdbool.h>

#include "daemon/journal.h"
#include "daemon/share.h"

/* It has ended, and not as somebody here has asked for. */
bool share_has_failed(const struct share *share);

/* For shares->on_change and on_trouble. */
void share_journal_changed(struct journal *journal, const struct share *share);
void share_journal_trouble(struct journal *journal, const struct share *share);

#endif
