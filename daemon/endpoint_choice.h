/* SPDX-License-Identifier: MIT
 *
 * endpoint_choice: what a program may ask of an endpoint for itself: less than it grants of what is policy of
 * each channel, or a word that it allows instead of its own.
 * Between open_request, which reads what was asked, and the table of options. Invariant: what a program chooses never
 * leads the endpoint's credentials elsewhere, nor costs more than the endpoint says.
 */
#ifndef WSPLEX_DAEMON_ENDPOINT_CHOICE_H
#define WSPLEX_DAEMON_ENDPOINT_CHOICE_H

#include <stdbool.h>

#include "daemon/config.h"
#include "daemon/failure.h"
#include "daemon/options.h"

/* Policy of the channel alone, and a number that can be compared. */
bool endpoint_choice_is_open(const struct option_row *row);

/* Of such a row, with the value that was read into asked: 0; 1 with *ret_failure. */
int endpoint_choice_check(const struct endpoint *endpoint, const struct option_row *row,
                          const struct endpoint_options *asked, struct failure *ret_failure);

/* The endpoint's options with what was asked in place of its own. Lent: not to be deinited. */
void endpoint_choice_apply(const struct endpoint *endpoint, const struct endpoint_options *asked,
                           struct endpoint_options *ret_options);

#endif
