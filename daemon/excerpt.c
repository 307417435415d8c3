/* SPDX-License-Identifier: MIT
 *
 * excerpt: makes a text of what a hostile server said; see excerpt.h.
 * Between upgrade and share. Invariant: what is copied was accepted by proto/utf8, character by character.
 */
#include "daemon/excerpt.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/limits.h"
#include "daemon/words.h"
#include "proto/limits.h"
#include "proto/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

enum character { WHOLE, DAMAGED, CUT };

/* The character at the start of bytes, or what is there of one; *ret_len of it. */
static enum character character_next(struct wsp_view bytes, size_t *ret_len)
{
    struct wsp_utf8 utf8;
    size_t len = 0;

    wsp_utf8_init(&utf8);
    while (len < bytes.len && wsp_utf8_feed(&utf8, bytes.data + len, 1) == 1) {
        len++;
        if (wsp_utf8_is_complete(&utf8)) {
            *ret_len = len;
            return bytes.data[0] == '\0' ? DAMAGED : WHOLE;
        }
    }
    *ret_len = len > 0 ? len : 1;
    return wsp_utf8_is_broken(&utf8) ? DAMAGED : CUT;
}

/* Of a header's value, a path and query, a password: around what somebody would look for. */
static const char delimiters[] = " \t,;=&?\"";

static void mask_word(uint8_t *bytes, size_t len, struct wsp_view word, size_t min)
{
    for (size_t at = 0; len - at >= min; at++) {
        size_t n = len - at < word.len ? len - at : word.len;

        if (memcmp(bytes + at, word.data, n) == 0)
            memset(bytes + at, '*', n);
    }
}

void excerpt_mask(uint8_t *bytes, size_t len, struct wsp_view secret)
{
    struct wsp_view word;

    while (word_next(&secret, delimiters, &word)) {
        if (word.len >= MIN_SECRET_WORD)
            mask_word(bytes, len, word, MIN_SECRET_WORD);
    }
}

void excerpt_mask_value(uint8_t *bytes, size_t len, struct wsp_view value)
{
    if (value.len >= MIN_SECRET_VALUE)
        mask_word(bytes, len, value, MIN_SECRET_VALUE);
}

char *excerpt_new(struct wsp_view bytes)
{
    char text[WSP_MAX_ANSWER_EXCERPT + 1];
    size_t text_len = 0, len;

    for (; bytes.len > 0; bytes.data += len, bytes.len -= len) {
        enum character character = character_next(bytes, &len);
        const char *from = character == WHOLE ? (const char *)bytes.data : REPLACEMENT;
        size_t from_len = character == WHOLE ? len : sizeof(REPLACEMENT) - 1;

        if (character == CUT || text_len + from_len > WSP_MAX_ANSWER_EXCERPT)
            break;
        memcpy(text + text_len, from, from_len);
        text_len += from_len;
    }
    text[text_len] = '\0';
    return text_len > 0 ? strdup(text) : NULL;
}
