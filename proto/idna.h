/*
 * idna: international domain names, as the WHATWG URL standard section 3.3 asks for them.
 *
 * Between the URL parser and libidn2. proto links libc only, so whoever has libidn2 brings its two
 * functions: the daemon and ctl are linked with it (daemon/idna.c), the client library loads it
 * when it first needs it. Both ways give the same answers, because all else is here.
 *
 * Invariant: only memory is touched, and the answer does not depend on the locale.
 *
 * Where the answers differ from the standard's, because libidn2 decides:
 *   - a label outside ASCII with a hyphen at an end, or with two as its third and fourth character,
 *     is refused (the standard asks for CheckHyphens=false);
 *   - a label of more than 63 characters in ASCII is refused (VerifyDnsLength=false); it has no
 *     address anyway;
 *   - the rules for right-to-left text are checked in each label by itself (the standard: in all
 *     labels as soon as one of them has such text), and not in a label with symbols such as emoji;
 *   - characters younger than libidn2's Unicode tables are refused.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_PROTO_IDNA_H
#define WSP_PROTO_IDNA_H

#include <stddef.h>

/*
 * The values of libidn2's interface that are needed here, for those who have no <idn2.h>;
 * daemon/idna.c holds them to it.
 */
enum {
    WSP_IDN2_NFC_INPUT = 1,
    WSP_IDN2_TRANSITIONAL = 4,
    WSP_IDN2_NONTRANSITIONAL = 8,
    WSP_IDN2_NO_ALABEL_ROUNDTRIP = 128,

    WSP_IDN2_OK = 0,
    WSP_IDN2_MALLOC = -100,
    WSP_IDN2_DISALLOWED = -304,
    WSP_IDN2_ALABEL_ROUNDTRIP_FAILED = -314,
};

/* The functions that are needed of libidn2, by the names that they have there. */
struct wsp_idna_library {
    int (*idn2_to_ascii_8z)(const char *label, char **ret_ascii, int flags);
    void (*idn2_free)(void *ascii);
};

/*
 * Keeps the contract of wsp_to_ascii_fn (proto/url.h), with the library as a further argument:
 * domain is valid UTF-8 of len bytes. Returns 0 and a string that the caller gives to free(); 1
 * when the domain is not valid; -ENOMEM.
 */
int wsp_idna_to_ascii(const struct wsp_idna_library *library, const char *domain, size_t len,
                      char **ret_ascii);

#endif
