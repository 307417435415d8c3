/*
 * table: aligned columns for people, from rows of text.
 *
 * Neighbours: lists.c fills it from the daemon's JSON; stdout shows it.
 * Invariant: whatever is in a cell, a row stays one line and nothing in it reaches a terminal as a
 * control.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_CTL_TABLE_H
#define WSPLEX_CTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct table;

/* A table of n_columns; is_right says of each whether it is aligned to the right. The titles are
 * not copied. NULL: no memory. */
struct table *table_new(size_t n_columns, const char *const *titles, const bool *is_right);
struct table *table_free(struct table *table);

/* What a terminal shows in red. */
#define TABLE_ALARM     "\033[1;31m"
#define TABLE_ALARM_END "\033[0m"

/* Adds the next cell, row after row; text is copied, controls in it made visible. is_alarm: red on a
 * terminal. 0, -ENOMEM. */
int table_add(struct table *table, const char *text, bool is_alarm);

/* Prints titles and rows. is_terminal: the titles are set off, alarms are red. */
void table_print(const struct table *table, FILE *to, bool is_terminal);

#endif
