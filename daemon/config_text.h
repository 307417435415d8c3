/* SPDX-License-Identifier: MIT
 *
 * config_text: the text of a configuration's file, made ready for libconfuse.
 * Neighbours: config, which has libconfuse read it.
 * Invariant: nothing moves: each value that is left stands on the line that people see it on.
 */
#ifndef WSPLEX_DAEMON_CONFIG_TEXT_H
#define WSPLEX_DAEMON_CONFIG_TEXT_H

#include <stdbool.h>

/* Ten thousand endpoints; and what is no configuration is not read into memory. */
enum { MAX_CONFIG_TEXT = 4 << 20 };

/* The whole file as a string. 0; a negative errno (-ENOBUFS: it is longer); EINVAL, positive: it is no text. */
int config_text_load(const char *file, char **ret_text);

/* Who gets the problems: a sentence without a full stop. */
struct config_text_reporter {
    void (*tell)(struct config_text_reporter *reporter, int line, const char *problem);
};

/* Comments and a byte order mark are blanked. Told is what opens and is never closed, and what the environment does not
 * have. False: there is no sense in reading the text any further. */
bool config_text_prepare(char *text, struct config_text_reporter *reporter);

/* The line, from that one on, on which `key = { }` stands; 0: nobody knows. */
int config_text_empty_list(const char *text, const char *key, int line);

#endif
