/* SPDX-License-Identifier: MIT
 *
 * config_problem: what libconfuse finds wrong with a file, as a person is told it.
 * Neighbours: config, which has libconfuse read the file; options knows the keys.
 * Invariant: what is told names the key wherever libconfuse does, and never the value of one.
 */
#ifndef WSPLEX_DAEMON_CONFIG_PROBLEM_H
#define WSPLEX_DAEMON_CONFIG_PROBLEM_H

#include <stdbool.h>

#include "daemon/options.h"

/* theirs: the text that libconfuse has for it. is_root: it was found outside of the endpoints. before: the key that was read last,
 * for what has none of its own; or NULL. ret_problem names the
 * key, if there is one, and what would be right; a text that is not known here is told as it is. */
void config_problem(const char *theirs, bool is_root, const char *before,
                    char ret_problem[OPTION_TEXT_LEN]);

#endif
