/*
 * words: the words of a text, one after the other.
 *
 * Between a text that people write, such as a list in the environment or the rights of a user, and whoever reads it.
 *
 * Invariant: no word is empty, and none has a separator.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_DAEMON_WORDS_H
#define WSPLEX_DAEMON_WORDS_H

#include "proto/buffer.h"

/*
 * Takes the next word of the text, which borrows from it, off its beginning, and the separators before it; U+0000 is
 * none of these. False, and an empty word, when there is none.
 */
bool word_next(struct wsp_view *text, const char *separators, struct wsp_view *ret_word);

#endif
