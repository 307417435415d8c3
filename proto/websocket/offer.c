/*
 * offer: which permessage-deflate two ends agree on (RFC 7692, section 7.1).
 *
 * Between the values of Sec-WebSocket-Extensions in both heads, and the modes of deflate.c; see
 * offer.h for the contract.
 *
 *     parameter                   in an offer           in an answer          not offered, answered
 *     server_no_context_takeover  no value              no value              allowed (7.1.1.1)
 *     client_no_context_takeover  no value              no value              allowed (7.1.1.2)
 *     server_max_window_bits      8 to 15               8 to 15, not above    allowed (7.1.2.1)
 *     client_max_window_bits      8 to 15, or no value  8 to 15               refused (7.1.2.2)
 *
 * Invariant: an agreement is made only of an answer that the offer allows, word for word.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/offer.h"

#include <stddef.h>
#include <stdio.h>

#include "proto/websocket/field.h"

#define NAME "permessage-deflate"

/* -- writing -- */

static int bits_text(char *to, size_t len, const char *name, uint8_t bits)
{
    if (bits == 0)
        return 0;
    if (bits == WSP_DEFLATE_BITS_ANY)
        return snprintf(to, len, "; %s", name);
    return snprintf(to, len, "; %s=%u", name, bits);
}

size_t wsp_deflate_params_write(const struct wsp_deflate_params *params,
                                char to[WSP_DEFLATE_TEXT_LEN])
{
    int len = snprintf(to, WSP_DEFLATE_TEXT_LEN, "%s%s%s", NAME,
                       params->server_no_context_takeover ? "; server_no_context_takeover" : "",
                       params->client_no_context_takeover ? "; client_no_context_takeover" : "");

    len += bits_text(to + len, WSP_DEFLATE_TEXT_LEN - (size_t)len, "server_max_window_bits",
                     params->server_max_window_bits);
    len += bits_text(to + len, WSP_DEFLATE_TEXT_LEN - (size_t)len, "client_max_window_bits",
                     params->client_max_window_bits);
    return (size_t)len;
}

/* -- reading -- */

enum whose { OFFER, ANSWER };

/* 8 to 15, as section 7.1.2.1 writes it: decimal, without leading zeros. */
static bool read_bits(struct wsp_view value, uint8_t *ret_bits)
{
    uint8_t bits;

    if (value.len == 1 && (value.data[0] == '8' || value.data[0] == '9'))
        bits = (uint8_t)(value.data[0] - '0');
    else if (value.len == 2 && value.data[0] == '1' && value.data[1] >= '0' && value.data[1] <= '5')
        bits = (uint8_t)(10 + value.data[1] - '0');
    else
        return false;
    *ret_bits = bits;
    return true;
}

static const char *set_flag(const struct wsp_param *param, bool *flag)
{
    if (*flag)
        return "a parameter of permessage-deflate appears twice (RFC 7692, section 7.1)";
    if (param->has_value)
        return "a no_context_takeover parameter has a value (RFC 7692, section 7.1.1)";
    *flag = true;
    return NULL;
}

static const char *set_bits(const struct wsp_param *param, bool may_be_bare, uint8_t *bits)
{
    uint8_t plain[2];
    struct wsp_view value = param->value;

    if (*bits != 0)
        return "a parameter of permessage-deflate appears twice (RFC 7692, section 7.1)";
    if (!param->has_value && may_be_bare) {
        *bits = WSP_DEFLATE_BITS_ANY;
        return NULL;
    }
    if (param->is_quoted) {
        value = (struct wsp_view){plain, wsp_unquote(param->value, plain, sizeof(plain))};
        if (value.len > sizeof(plain))
            value.len = 0;
    }
    if (!param->has_value || !read_bits(value, bits))
        return "a max_window_bits parameter is not 8 to 15 (RFC 7692, section 7.1.2)";
    return NULL;
}

static const char *set_param(const struct wsp_param *param, enum whose whose,
                             struct wsp_deflate_params *params)
{
    if (wsp_view_equals(param->name, WSP_VIEW_LITERAL("server_no_context_takeover")))
        return set_flag(param, &params->server_no_context_takeover);
    if (wsp_view_equals(param->name, WSP_VIEW_LITERAL("client_no_context_takeover")))
        return set_flag(param, &params->client_no_context_takeover);
    if (wsp_view_equals(param->name, WSP_VIEW_LITERAL("server_max_window_bits")))
        return set_bits(param, false, &params->server_max_window_bits);
    if (wsp_view_equals(param->name, WSP_VIEW_LITERAL("client_max_window_bits")))
        return set_bits(param, whose == OFFER, &params->client_max_window_bits);
    return "permessage-deflate has a parameter that does not exist (RFC 7692, section 7.1)";
}

/* One element of a list of extensions. Why it is no valid permessage-deflate, or NULL. */
static const char *read_element(struct wsp_view element, enum whose whose,
                                struct wsp_deflate_params *ret_params)
{
    struct wsp_deflate_params params = {0};
    struct wsp_param param;
    const char *why = NULL;
    int r = wsp_param_next(&element, &param);

    if (r == WSP_BROKEN)
        return "the extensions in the answer are malformed (RFC 6455, section 9.1)";
    if (param.has_value || !wsp_view_equals(param.name, WSP_VIEW_LITERAL(NAME)))
        return "the answer has an extension that was not offered (RFC 6455, section 9.1)";
    while (why == NULL && (r = wsp_param_next(&element, &param)) == 0)
        why = set_param(&param, whose, &params);
    if (why == NULL && r == WSP_BROKEN)
        why = "the parameters of permessage-deflate are malformed (RFC 6455, section 9.1)";
    if (why == NULL)
        *ret_params = params;
    return why;
}

/* -- agreeing -- */

static uint8_t smaller(uint8_t a, uint8_t b)
{
    if (a == 0 || a == WSP_DEFLATE_BITS_ANY)
        a = WSP_DEFLATE_MAX_BITS;
    if (b == 0 || b == WSP_DEFLATE_BITS_ANY)
        b = WSP_DEFLATE_MAX_BITS;
    return a < b ? a : b;
}

/* What a client promised in its offer holds, whether or not the answer repeats it (7.1.1.2, 7.1.2.2). */
static struct wsp_deflate_agreement agree(const struct wsp_deflate_params *offer,
                                          const struct wsp_deflate_params *answer)
{
    return (struct wsp_deflate_agreement){
        .is_on = true,
        .from_server = {.window_bits = smaller(answer->server_max_window_bits, 0),
                        .is_taking_over = !answer->server_no_context_takeover},
        .from_client = {.window_bits =
                            smaller(offer->client_max_window_bits, answer->client_max_window_bits),
                        .is_taking_over = !offer->client_no_context_takeover &&
                                          !answer->client_no_context_takeover},
    };
}

static const char *find_mismatch(const struct wsp_deflate_params *offer,
                                 const struct wsp_deflate_params *answer)
{
    if (answer->client_max_window_bits != 0 && offer->client_max_window_bits == 0)
        return "client_max_window_bits was answered and not offered (RFC 7692, section 7.1.2.2)";
    if (offer->server_no_context_takeover && !answer->server_no_context_takeover)
        return "server_no_context_takeover was offered and not answered (RFC 7692, section "
               "7.1.1.1)";
    if (offer->server_max_window_bits != 0 &&
        (answer->server_max_window_bits == 0 ||
         answer->server_max_window_bits > offer->server_max_window_bits))
        return "server_max_window_bits is above what was offered (RFC 7692, section 7.1.2.1)";
    return NULL;
}

int wsp_deflate_judge(struct wsp_view answer, const struct wsp_deflate_params *offered,
                      struct wsp_deflate_agreement *ret_agreement, const char **ret_why)
{
    struct wsp_deflate_agreement agreement = {0};
    struct wsp_deflate_params params;
    struct wsp_view element;
    const char *why = NULL;

    while (why == NULL && wsp_list_next(&answer, &element)) {
        if (offered == NULL)
            why = "the answer has an extension that was not offered (RFC 6455, section 9.1)";
        else
            why = read_element(element, ANSWER, &params);
        if (why == NULL && agreement.is_on)
            why = "permessage-deflate was answered twice (RFC 7692, section 5)";
        if (why == NULL)
            why = find_mismatch(offered, &params);
        if (why == NULL)
            agreement = agree(offered, &params);
    }
    if (why != NULL) {
        *ret_why = why;
        return WSP_BROKEN;
    }
    *ret_agreement = agreement;
    return 0;
}

bool wsp_deflate_choose(struct wsp_view offers, const struct wsp_deflate_params *wanted,
                        struct wsp_deflate_params *ret_answer,
                        struct wsp_deflate_agreement *ret_agreement)
{
    struct wsp_view element;

    while (wsp_list_next(&offers, &element)) {
        struct wsp_deflate_params offer, answer;
        uint8_t bits;

        if (read_element(element, OFFER, &offer) != NULL)
            continue; /* section 7.1: declined, and the next one may do */
        answer = (struct wsp_deflate_params){
            .server_no_context_takeover =
                offer.server_no_context_takeover || wanted->server_no_context_takeover,
            .client_no_context_takeover =
                offer.client_no_context_takeover || wanted->client_no_context_takeover,
        };
        bits = smaller(offer.server_max_window_bits, wanted->server_max_window_bits);
        if (offer.server_max_window_bits != 0 || wanted->server_max_window_bits != 0)
            answer.server_max_window_bits = bits;
        bits = smaller(offer.client_max_window_bits, wanted->client_max_window_bits);
        if (offer.client_max_window_bits != 0 && wanted->client_max_window_bits != 0)
            answer.client_max_window_bits = bits;
        *ret_agreement = agree(&offer, &answer);
        *ret_answer = answer;
        return true;
    }
    return false;
}
