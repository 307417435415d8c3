/*
 * text: words from outside, shown to a person. A terminal obeys what it is sent, so whatever a
 * server or another process wrote is made visible first.
 *
 * Neighbours: connect.c shows messages with it, lists.c and table.c the daemon's replies, ctl.c what
 * went wrong.
 * Invariant: no control character (C0, DEL, C1) passes but the tabulator, and the line ends of JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_CTL_TEXT_H
#define WSPLEX_CTL_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* Writes len bytes with each control character as \x1b or \u009b, a single byte of C1 as \x9b; the same for the characters that
 * turn the direction of text, such as \u202e. */
void text_print_visible(FILE *to, const char *data, size_t len);

/* The same into a new string, which the caller frees; NULL: no memory. */
char *text_visible(const char *text);

/* Writes a JSON text, as a JSON library made it, with such characters in its strings as \u009b, which
 * says the same to who reads JSON. Line ends outside of strings stay. */
void text_print_json(FILE *to, const char *json);

#endif
