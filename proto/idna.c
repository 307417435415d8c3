/*
 * idna: international domain names, as the WHATWG URL standard section 3.3 asks; see idna.h.
 *
 * Between the URL parser and libidn2.
 *
 * Invariant: only memory is touched, and the answer does not depend on the locale.
 *
 * Labels are converted one by one, each in the first way that takes it:
 *
 *   ASCII, not xn--     lower case, as UTS #46 maps it; libidn2 would look at its hyphens
 *   strict              UTS #46 non-transitional, and the rules of IDNA2008 on top
 *   lax                 UTS #46 alone, for symbols and punctuation that IDNA2008 does not have; this
 *                       is libidn2's transitional mode, which differs from non-transitional only in
 *                       the four deviation characters, so a label with one of them stays refused
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/idna.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/ascii.h"

/* The characters that UTS #46 section 4, step 1 takes for a dot beside the dot itself. */
static const char *const dots[] = {".", "\u3002", "\uFF0E", "\uFF61"};

/* UTS #46 section 2.3: sharp s, final sigma, zero-width non-joiner and joiner. */
static const char *const deviations[] = {"\u00DF", "\u03C2", "\u200C", "\u200D"};

/* The ways to ask that the table above names. */
#define STRICT (WSP_IDN2_NFC_INPUT | WSP_IDN2_NONTRANSITIONAL)
#define LAX    (WSP_IDN2_NFC_INPUT | WSP_IDN2_TRANSITIONAL | WSP_IDN2_NO_ALABEL_ROUNDTRIP)

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The length of the dot that the text begins with, or 0. */
static size_t dot_len(const char *text)
{
    for (size_t i = 0; i < N_OF(dots); i++) {
        if (strncmp(text, dots[i], strlen(dots[i])) == 0)
            return strlen(dots[i]);
    }
    return 0;
}

static bool has_deviation(const char *label)
{
    for (size_t i = 0; i < N_OF(deviations); i++) {
        if (strstr(label, deviations[i]) != NULL)
            return true;
    }
    return false;
}

/* Makes an ASCII label that is not Punycode lower case; otherwise returns false. */
static bool is_plain_label(char *label)
{
    for (char *c = label; *c != '\0'; c++) {
        if ((uint8_t)*c >= 0x80)
            return false;
        *c = wsp_ascii_to_lower(*c);
    }
    return strncmp(label, "xn--", 4) != 0;
}

struct answer {
    char *text;
    size_t len;
};

static int answer_append(struct answer *answer, const char *text)
{
    size_t len = strlen(text);
    char *longer = realloc(answer->text, answer->len + len + 1);

    if (longer == NULL)
        return -ENOMEM;
    memcpy(longer + answer->len, text, len + 1);
    answer->text = longer;
    answer->len += len;
    return 0;
}

static int append_label(const struct wsp_idna_library *library, char *label, struct answer *answer)
{
    char *ascii;
    int r;

    if (is_plain_label(label))
        return answer_append(answer, label);
    r = library->idn2_to_ascii_8z(label, &ascii, STRICT);
    if ((r == WSP_IDN2_DISALLOWED || r == WSP_IDN2_ALABEL_ROUNDTRIP_FAILED) &&
        !has_deviation(label))
        r = library->idn2_to_ascii_8z(label, &ascii, LAX);
    if (r != WSP_IDN2_OK)
        return r == WSP_IDN2_MALLOC ? -ENOMEM : 1;
    r = answer_append(answer, ascii);
    library->idn2_free(ascii);
    return r;
}

/* Converts the labels of the domain, which it cuts apart in place. */
static int append_domain(const struct wsp_idna_library *library, char *domain,
                         struct answer *answer)
{
    char *label = domain;
    int r;

    for (char *c = domain; *c != '\0';) {
        size_t len = dot_len(c);

        if (len == 0) {
            c++;
            continue;
        }
        *c = '\0';
        r = append_label(library, label, answer);
        if (r == 0)
            r = answer_append(answer, ".");
        if (r != 0)
            return r;
        c += len;
        label = c;
    }
    return append_label(library, label, answer);
}

int wsp_idna_to_ascii(const struct wsp_idna_library *library, const char *domain, size_t len,
                      char **ret_ascii)
{
    struct answer answer = {0};
    char *copy;
    int r;

    /* libidn2 takes strings; NUL is valid in no domain. */
    if (memchr(domain, '\0', len) != NULL)
        return 1;
    copy = malloc(len + 1);
    if (copy == NULL)
        return -ENOMEM;
    memcpy(copy, domain, len);
    copy[len] = '\0';
    r = append_domain(library, copy, &answer);
    free(copy);
    if (r == 0)
        *ret_ascii = answer.text;
    else
        free(answer.text);
    return r;
}
