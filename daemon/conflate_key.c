/* SPDX-License-Identifier: MIT
 *
 * conflate_key: finds the key of a message.
 * Between backlog, which keeps the newest of each, and json_span. Invariant: see conflate_key.h.
 */
#include "daemon/conflate_key.h"

#include <string.h>

#include "daemon/json_span.h"
#include "daemon/limits.h"

#define PREFIX "prefix:"

/* The N of "prefix:N". */
static bool prefix_parse(struct wsp_view digits, size_t *ret_len)
{
    size_t len = 0;

    if (digits.len == 0 || digits.data[0] == '0')
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return false;
        len = len * 10 + (size_t)(digits.data[i] - '0');
        if (len > MAX_CONFLATE_KEY)
            return false;
    }
    *ret_len = len;
    return true;
}

bool conflate_key_parse(struct wsp_view text, struct conflate_key *ret_key)
{
    const size_t word_len = strlen(PREFIX);
    struct conflate_key key = {.prefix_len = 0};

    if (text.len >= word_len && memcmp(text.data, PREFIX, word_len) == 0) {
        struct wsp_view digits = {text.data + word_len, text.len - word_len};

        if (!prefix_parse(digits, &key.prefix_len))
            return false;
    } else if (text.len > 0) {
        if (!json_pointer_is_valid(text))
            return false;
        key.pointer = text;
    }
    *ret_key = key;
    return true;
}

bool conflate_key_find(const struct conflate_key *key, struct wsp_view message,
                       struct wsp_view *ret_found)
{
    struct wsp_view found = {message.data, 0};

    if (key->pointer.data != NULL) {
        if (json_find_pointer(message, key->pointer, &found) == SPAN_NONE ||
            found.len > MAX_CONFLATE_KEY)
            return false;
    } else {
        found.len = message.len < key->prefix_len ? message.len : key->prefix_len;
    }
    *ret_found = found;
    return true;
}
