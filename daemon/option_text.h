/* SPDX-License-Identifier: MIT
 *
 * option_text: the values of options that are texts and lists: what is a path, a proxy, a header.
 * Neighbours: options, whose table says what a row is; open_request has headers of its own.
 * Invariant: a value that may hold a credential is never quoted.
 *
 * Of each function: 0; -ENOMEM; a positive number when the text is no such value, and ret_problem says
 * what is wrong and what would be right.
 */
#ifndef WSPLEX_DAEMON_OPTION_TEXT_H
#define WSPLEX_DAEMON_OPTION_TEXT_H

#include "daemon/options.h"

/* Writes a problem, and is one: 1. */
int option_problem(char ret_problem[OPTION_TEXT_LEN], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A copy of the text in *value, which is freed before; untouched on failure. */
int option_set_text(const struct option_row *row, struct wsp_view text, char **value,
                    char ret_problem[OPTION_TEXT_LEN]);

/* One more item of a list. */
int option_add_item(const struct option_row *row, struct wsp_view text, struct strings *strings,
                    char ret_problem[OPTION_TEXT_LEN]);

/* One more header, name and value; headers is half-changed after -ENOMEM. */
int headers_add(struct strings *headers, struct wsp_view name, struct wsp_view value,
                char ret_problem[OPTION_TEXT_LEN]);

#endif
