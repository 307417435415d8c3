/* SPDX-License-Identifier: MIT
 *
 * close_codes: lists of close codes; see close_codes.h.
 * Between option_text and reconnect. Invariant: what passes close_codes_check is understood by close_codes_have.
 */
#include "daemon/close_codes.h"

#include <string.h>

#include "proto/rules.h"

/* Four digits at the start of text; 0: there are none. */
static unsigned read_code(const uint8_t *text)
{
    unsigned code = 0;

    for (size_t i = 0; i < 4; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        code = 10 * code + (unsigned)(text[i] - '0');
    }
    return code;
}

static bool read_range(struct wsp_view text, unsigned *ret_first, unsigned *ret_last)
{
    if (text.len != 4 && (text.len != 9 || text.data[4] != '-'))
        return false;
    *ret_first = read_code(text.data);
    *ret_last = read_code(text.data + text.len - 4);
    return true;
}

bool close_codes_check(struct wsp_view text)
{
    unsigned first, last;

    return read_range(text, &first, &last) && first <= last &&
           wsp_close_code_is_valid_on_wire(first) && wsp_close_code_is_valid_on_wire(last);
}

bool close_codes_have(const struct strings *codes, unsigned code)
{
    for (size_t i = 0; i < codes->n_items; i++) {
        unsigned first, last;

        if (read_range(wsp_view_of_string(codes->items[i]), &first, &last) && code >= first &&
            code <= last)
            return true;
    }
    return false;
}

const char *const *close_codes_default(void)
{
    static const char *const codes[] = {"1002", "1008", "1010", "3000", "3003", NULL};

    return codes;
}
