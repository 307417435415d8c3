/*
 * rules: small yes-or-no rules that both ends must agree on; see rules.h.
 *
 * Between whoever types a text (client-lib, the configuration, a peer) and the codec that writes it.
 *
 * Invariant: what passes here can be put into an HTTP head or a close frame with no further look.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/rules.h"

#include <stdint.h>
#include <string.h>

#include "proto/ascii.h"
#include "proto/utf8.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

/* --- close --- */

static bool is_left_to_applications(unsigned int code)
{
    return code >= 3000 && code <= 4999;
}

bool wsp_close_code_is_for_api(unsigned int code)
{
    return code == 1000 || is_left_to_applications(code);
}

bool wsp_close_code_is_valid_on_wire(unsigned int code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           is_left_to_applications(code);
}

bool wsp_close_reason_is_valid(const void *reason, size_t len)
{
    return len <= WSP_MAX_CLOSE_REASON && wsp_utf8_is_valid(reason, len);
}

/* --- tokens --- */

static bool is_alphanumeric(char c)
{
    return wsp_ascii_is_letter(c) || wsp_ascii_is_digit(c);
}

/*
 * RFC 2616 section 2.2 (token: any character but controls and separators) and RFC 9110 section 5.6.2
 * (tchar) say the same in two ways.
 */
static bool is_token(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!is_alphanumeric(text[i]) &&
            (text[i] == '\0' || strchr("!#$%&'*+-.^_`|~", text[i]) == NULL))
            return false;
    }
    return len > 0;
}

/* --- subprotocols --- */

bool wsp_subprotocol_is_valid(const char *name, size_t len)
{
    return len <= WSP_MAX_SUBPROTOCOL && is_token(name, len);
}

static bool is_repeated(const char *const *names, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(names[i], names[index]) == 0)
            return true;
    }
    return false;
}

int wsp_subprotocols_check(const char *const *names, size_t n_names, size_t *ret_index)
{
    int problem = 0;
    size_t i;

    for (i = 0; i < n_names; i++) {
        if (i == WSP_MAX_N_SUBPROTOCOLS)
            problem = WSP_SUBPROTOCOLS_TOO_MANY;
        else if (!wsp_subprotocol_is_valid(names[i], strlen(names[i])))
            problem = WSP_SUBPROTOCOLS_BAD_NAME;
        else if (is_repeated(names, i))
            problem = WSP_SUBPROTOCOLS_REPEATED;
        if (problem != 0)
            break;
    }
    if (problem != 0 && ret_index != NULL)
        *ret_index = i;
    return problem;
}

const char *wsp_subprotocols_problem_to_string(int problem)
{
    switch (problem) {
#define X(name, text) \
    case name: return text;
        WSP_SUBPROTOCOLS_PROBLEMS(X)
#undef X
    default: return "the list of subprotocols is not valid";
    }
}

/* --- request headers --- */

bool wsp_header_name_is_valid(const char *name, size_t len)
{
    return len <= WSP_MAX_HEADER_NAME && is_token(name, len);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool wsp_header_value_is_valid(const char *value, size_t len)
{
    if (len == 0)
        return true;
    if (len > WSP_MAX_HEADER_VALUE || is_blank(value[0]) || is_blank(value[len - 1]))
        return false;
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = (uint8_t)value[i];

        if ((byte < 0x20 && byte != '\t') || byte == 0x7F)
            return false;
    }
    return true;
}

/*
 * The fields that are not a program's: those that the handshake writes (RFC 6455 section 4.1), and
 * those that concern one hop or the framing of the request (RFC 9110 section 7.6.1, RFC 9112).
 */
static const char *const reserved_headers[] = {
    "Connection", "Content-Length",    "Expect",  "Host", "HTTP2-Settings", "Keep-Alive", "TE",
    "Trailer",    "Transfer-Encoding", "Upgrade",
};

/* The same for all fields that begin so. */
static const char *const reserved_prefixes[] = {"Proxy-", "Sec-WebSocket-"};

bool wsp_header_name_is_for_user(const char *name, size_t len)
{
    for (size_t i = 0; i < N_OF(reserved_headers); i++) {
        if (wsp_ascii_equals(name, len, reserved_headers[i]))
            return false;
    }
    for (size_t i = 0; i < N_OF(reserved_prefixes); i++) {
        if (wsp_ascii_has_prefix(name, len, reserved_prefixes[i]))
            return false;
    }
    return true;
}

/* --- endpoints --- */

bool wsp_endpoint_name_is_valid(const char *name, size_t len)
{
    if (len == 0 || len > WSP_MAX_ENDPOINT_NAME || !is_alphanumeric(name[0]))
        return false;
    for (size_t i = 1; i < len; i++) {
        if (!is_alphanumeric(name[i]) && name[i] != '.' && name[i] != '_' && name[i] != '-')
            return false;
    }
    return true;
}
