/* SPDX-License-Identifier: MIT
 *
 * pin: reads the names of public keys; see pin.h.
 * Between options, which has texts, and tls_verify, which has keys.
 * Invariant: what is accepted is what base64 makes of 32 bytes, and nothing else that decodes to them.
 */
#include "daemon/pin.h"

#include <string.h>

static const char separators[] = ",; \t";

bool pin_next(struct wsp_view *list, struct wsp_view *ret_text)
{
    size_t len = 0;

    while (list->len > 0 && *list->data != '\0' && strchr(separators, *list->data) != NULL) {
        list->data++;
        list->len--;
    }
    while (len < list->len &&
           (list->data[len] == '\0' || strchr(separators, list->data[len]) == NULL))
        len++;
    *ret_text = (struct wsp_view){list->data, len};
    list->data += len;
    list->len -= len;
    return len > 0;
}

bool pin_parse(struct wsp_view text, char ret_pin[PIN_LEN + 1])
{
    static const char prefix[] = PIN_PREFIX;
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const size_t prefix_len = sizeof(prefix) - 1;
    const char *base64;

    if (text.len < prefix_len || memcmp(text.data, prefix, prefix_len) != 0)
        return false;
    /* The second slash is curl's if the rest is as long as a pin without it. */
    if (text.len == PIN_LEN + 1 && text.data[prefix_len] == '/')
        base64 = (const char *)text.data + prefix_len + 1;
    else if (text.len == PIN_LEN)
        base64 = (const char *)text.data + prefix_len;
    else
        return false;
    for (size_t i = 0; i < PIN_BASE64_LEN - 1; i++)
        if (base64[i] == '\0' || strchr(letters, base64[i]) == NULL)
            return false;
    /* 32 bytes end in a letter of four bits and two zeros, and one "=". */
    if ((strchr(letters, base64[PIN_BASE64_LEN - 2]) - letters) % 4 != 0 ||
        base64[PIN_BASE64_LEN - 1] != '=')
        return false;
    memcpy(ret_pin, prefix, prefix_len);
    memcpy(ret_pin + prefix_len, base64, PIN_BASE64_LEN);
    ret_pin[PIN_LEN] = '\0';
    return true;
}
