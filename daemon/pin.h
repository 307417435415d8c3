/* SPDX-License-Identifier: MIT
 *
 * pin: the name of a public key, "sha256/" and the SHA-256 of its SubjectPublicKeyInfo in base64
 * (RFC 7469, section 2.4; what `curl --pinnedpubkey` takes).
 * Neighbours: options reads pins, tls_verify compares them with the keys that servers have.
 * Invariant: a key has one name, so that equal texts are equal keys.
 */
#ifndef WSPLEX_DAEMON_PIN_H
#define WSPLEX_DAEMON_PIN_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/buffer.h"

#define PIN_PREFIX "sha256/"

enum {
    PIN_DIGEST_LEN = 32,
    PIN_BASE64_LEN = 44,
    PIN_LEN = sizeof(PIN_PREFIX) - 1 + PIN_BASE64_LEN,
};

/* Takes the next pin out of a list whose separators are commas, semicolons and blanks. False: there
 * is none left. */
bool pin_next(struct wsp_view *list, struct wsp_view *ret_text);

/* The pin that text is, with one slash or, as curl writes it, two. False: it is none. */
bool pin_parse(struct wsp_view text, char ret_pin[PIN_LEN + 1]);

#endif
