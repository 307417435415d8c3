/*
 * words: the words of a text, one after the other; see words.h.
 *
 * Between a text that people write and whoever reads it.
 *
 * Invariant: see words.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/words.h"

#include <string.h>

bool word_next(struct wsp_view *text, const char *separators, struct wsp_view *ret_word)
{
    size_t n_separators = strlen(separators), len = 0;

    for (; text->len > 0 && memchr(separators, *text->data, n_separators) != NULL; text->len--)
        text->data++;
    while (len < text->len && memchr(separators, text->data[len], n_separators) == NULL)
        len++;
    *ret_word = (struct wsp_view){text->data, len};
    if (len > 0)
        text->data += len;
    text->len -= len;
    return len > 0;
}
