/* SPDX-License-Identifier: MIT
 *
 * excerpt: the beginning of what a server answered instead of 101, made a text.
 * Neighbours: upgrade reads the bytes, share keeps the text, which goes to the programs that asked
 * (FAILED) and to their user's ctl, and nowhere else: it may hold secrets.
 * Invariant: a text is well-formed UTF-8 without U+0000, of at most WSP_MAX_ANSWER_EXCERPT bytes.
 */
#ifndef WSPLEX_DAEMON_EXCERPT_H
#define WSPLEX_DAEMON_EXCERPT_H

#include <stddef.h>
#include <stdint.h>

#include "proto/buffer.h"

/* A new text of these bytes, the caller's to free. What is no UTF-8, and U+0000, becomes U+FFFD, one
 * for each sequence as decoders of browsers have it; a sequence that the end has cut is left out, and
 * so is what does not fit. Other control characters stay. NULL: it would be empty, or no memory. */
char *excerpt_new(struct wsp_view bytes);

/* Puts asterisks over each place of bytes where a word of secret stands: a run of at least
 * MIN_SECRET_WORD bytes without blanks and delimiters. A word that the end of bytes has cut is covered
 * as well, if so much of it is there. */
void excerpt_mask(uint8_t *bytes, size_t len, struct wsp_view secret);

/* The same for a value that is known to be a secret, as a whole, delimiters and all: from
 * MIN_SECRET_VALUE bytes on. */
void excerpt_mask_value(uint8_t *bytes, size_t len, struct wsp_view value);

#endif
