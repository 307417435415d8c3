/* SPDX-License-Identifier: MIT
 *
 * budget_rows: budgets as members of what wsplexctl shows, as wsplexctl(1) documents them.
 * Neighbours: control_rows, whose rows they are part of.
 * Invariant: what others have spent is in no row but for an administrator. Every function returns a new
 * reference, or NULL: no memory.
 */
#ifndef WSPLEX_DAEMON_BUDGET_ROWS_H
#define WSPLEX_DAEMON_BUDGET_ROWS_H

#include <jansson.h>

struct budgets;
struct share;

/* How long a share waits for its budgets. */
json_t *budget_wait_members(const struct share *share);

/* The same in words; untouched where it does not wait to connect. */
void budget_wait_describe(const struct share *share, char *ret_text, size_t len);

/* Of an endpoint: each rate, and what was spent of it. */
json_t *budget_array(const struct budgets *budgets, const char *endpoint);

#endif
