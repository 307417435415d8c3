/*
 * rules: small yes-or-no rules that both ends must agree on: close codes and reasons, subprotocol
 * names, extra request headers, endpoint names.
 *
 * The client library asks them before anything leaves the program (client-lib/websocket), the
 * daemon asks them again of every byte from the local socket (daemon/options), and the frame codec
 * asks them of a server (websocket/message). Invariant: one rule, one function; what passes here
 * can be put into an HTTP head or a close frame with no further look.
 *
 * Texts are counted, need no NUL at the end, and may be NULL when their length is 0.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_PROTO_RULES_H
#define WSP_PROTO_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/limits.h"

/* --- close --- */

/* What a program may give to close(): 1000 or 3000 to 4999 (WHATWG WebSockets, close(), step 1). */
bool wsp_close_code_is_for_api(unsigned int code);

/*
 * What a close frame may carry: what RFC 6455 section 7.4 and IANA's registry define for it (1000
 * to 1003, 1007 to 1014) and what it leaves to libraries and applications (3000 to 4999). Never
 * 1005, 1006 and 1015, which only name what was not on the wire.
 */
bool wsp_close_code_is_valid_on_wire(unsigned int code);

/* At most WSP_MAX_CLOSE_REASON bytes of UTF-8 (WHATWG WebSockets, close(), step 2). */
bool wsp_close_reason_is_valid(const void *reason, size_t len);

/* --- subprotocols --- */

/*
 * A name that may stand in Sec-WebSocket-Protocol (RFC 6455 section 4.1, item 10): one to
 * WSP_MAX_SUBPROTOCOL characters from U+0021 to U+007E, without RFC 2616's separators.
 */
bool wsp_subprotocol_is_valid(const char *name, size_t len);

/* What can be wrong with a list of them: the code, and a sentence for an error message. */
#define WSP_SUBPROTOCOLS_PROBLEMS(X)                                            \
    X(WSP_SUBPROTOCOLS_TOO_MANY, "there are too many subprotocols in the list") \
    X(WSP_SUBPROTOCOLS_BAD_NAME,                                                \
      "a subprotocol is empty, too long or has a character that is not "        \
      "allowed: ASCII without blanks and separators")                           \
    X(WSP_SUBPROTOCOLS_REPEATED, "a subprotocol is in the list twice")

enum wsp_subprotocols_problem {
    WSP_SUBPROTOCOLS_NO_PROBLEM, /* 0, so that the first problem is positive */
#define X(name, text) name,
    WSP_SUBPROTOCOLS_PROBLEMS(X)
#undef X
};

/*
 * Judges the list of the WebSocket constructor (WHATWG WebSockets, constructor, step 8):
 * NUL-terminated names in the order of preference; names may be NULL when n_names is 0, which is a
 * good list. Returns 0 or one of enum wsp_subprotocols_problem; *ret_index (may be NULL) is then
 * the element that it is about (of two equal ones the second), and is untouched otherwise.
 */
int wsp_subprotocols_check(const char *const *names, size_t n_names, size_t *ret_index);

/* The sentence for a value of enum wsp_subprotocols_problem. Static, never NULL. */
const char *wsp_subprotocols_problem_to_string(int problem);

/* --- request headers --- */

/* A field name: RFC 9110's token (section 5.6.2) of one to WSP_MAX_HEADER_NAME bytes. */
bool wsp_header_name_is_valid(const char *name, size_t len);

/*
 * A field value as RFC 9110 section 5.5 allows it, at most WSP_MAX_HEADER_VALUE bytes: visible
 * ASCII, bytes from 0x80, and spaces or tabs inside. No CR, LF, NUL or other control, so that
 * nobody can end the line and begin another; no blank at either end. The empty value is valid.
 */
bool wsp_header_value_is_valid(const char *value, size_t len);

/*
 * A program may bring this header. False for those that the handshake itself writes or that would
 * change what the request is: Host, Connection, Upgrade, Content-Length, Transfer-Encoding and the
 * like, everything that begins with Sec-WebSocket- or Proxy-. Case does not matter. Says nothing
 * about the syntax of the name.
 */
bool wsp_header_name_is_for_user(const char *name, size_t len);

/* --- endpoints --- */

/* A URL that begins with it names an endpoint of the daemon's configuration. */
#define WSP_ENDPOINT_SCHEME "wsplex-endpoint:"

/*
 * The name of an endpoint: one to WSP_MAX_ENDPOINT_NAME of A-Z a-z 0-9 . _ -, the first one a
 * letter or a digit. It stands in wsplex-endpoint: URLs, in the configuration and in metrics as it
 * is.
 */
bool wsp_endpoint_name_is_valid(const char *name, size_t len);

#endif
