/*
 * handshake: the opening handshake (RFC 6455, section 4): requests and answers, written and judged.
 *
 * On the way of a connection it stands between head.h, which reads HTTP, and message.h, which takes
 * over with the first byte after the answer.
 *
 * Invariant: ACCEPTED is said only when every condition of section 4.1 holds, and a request is
 * given out only when every one of section 4.2.1 does.
 *
 * Nonce and digest are the caller's: 16 random bytes go in; the digest is SHA-1 of what
 * wsp_handshake_accept_input() gives, in base64.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_PROTO_WEBSOCKET_HANDSHAKE_H
#define WSPLEX_PROTO_WEBSOCKET_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buffer.h"
#include "proto/limits.h"
#include "proto/pull.h"
#include "proto/websocket/body.h"
#include "proto/websocket/head.h"

enum {
    WSP_HANDSHAKE_NONCE = 16,  /* random bytes of Sec-WebSocket-Key */
    WSP_HANDSHAKE_KEY = 24,    /* the same in base64 */
    WSP_HANDSHAKE_DIGEST = 20, /* of SHA-1 */
    WSP_HANDSHAKE_ACCEPT = 28, /* the digest in base64 */
    WSP_HANDSHAKE_ACCEPT_INPUT = WSP_HANDSHAKE_KEY + 36,
};

/* -- digests, for both sides -- */

/* Sec-WebSocket-Key for nonce; no NUL at the end. */
void wsp_handshake_key(const uint8_t nonce[WSP_HANDSHAKE_NONCE], char ret_key[WSP_HANDSHAKE_KEY]);

/* What the caller takes SHA-1 of: the key and the GUID of section 1.3. */
void wsp_handshake_accept_input(const char key[WSP_HANDSHAKE_KEY],
                                char ret_input[WSP_HANDSHAKE_ACCEPT_INPUT]);

/* Sec-WebSocket-Accept for that digest; no NUL at the end. */
void wsp_handshake_accept(const uint8_t digest[WSP_HANDSHAKE_DIGEST],
                          char ret_accept[WSP_HANDSHAKE_ACCEPT]);

/* -- client: the request -- */

/* Everything is borrowed for the call. Empty views leave the field out. */
struct wsp_request {
    struct wsp_view target; /* path and query, beginning with '/' */
    struct wsp_view host;   /* host, IPv6 in brackets, and ":port" if it is not the default */
    uint8_t nonce[WSP_HANDSHAKE_NONCE];
    const struct wsp_view *protocols; /* in the order of preference */
    size_t n_protocols;
    struct wsp_view extensions; /* the offer, as it goes into Sec-WebSocket-Extensions */
    struct wsp_view origin;
    struct wsp_view user_agent;
    bool has_credentials; /* Authorization: Basic of username and password, plain bytes */
    struct wsp_view username;
    struct wsp_view password;
    const struct wsp_field *headers; /* of the user; one called Origin, User-Agent or Authorization
                                        takes the place of ours */
    size_t n_headers;
};

/*
 * Appends the request to out. On failure out is as it was.
 *
 * -EINVAL   something in request would not be what it says: a header that rules.h refuses, a target
 *           or host with a byte that ends a line or a word, a subprotocol that is no token or stands
 *           there twice (section 4.1, 10), a user name with a colon
 * -ENOMEM, or what else wsp_buffer says.
 */
int wsp_handshake_write_request(struct wsp_buffer *out, const struct wsp_request *request);

/* -- client: the answer -- */

/*
 * X(name, text): what the judgement of an answer may be. ACCEPTED and REFUSED are a server's right;
 * all that follow break a rule.
 */
#define WSP_VERDICTS(X)                                                                    \
    X(ACCEPTED, "the server switched protocols")                                           \
    X(REFUSED, "the server answered with a status other than 101")                         \
    X(BAD_HEAD, "the answer is not a valid HTTP/1.1 head")                                 \
    X(TOO_MANY_INTERIM, "too many 1xx answers before the final one")                       \
    X(OLD_HTTP, "101 was answered with an HTTP version before 1.1")                        \
    X(UPGRADE_MISSING, "the answer has no Upgrade field")                                  \
    X(UPGRADE_WRONG, "Upgrade is not \"websocket\"")                                       \
    X(CONNECTION_MISSING, "the answer has no Connection field")                            \
    X(CONNECTION_WRONG, "Connection does not name \"Upgrade\"")                            \
    X(ACCEPT_MISSING, "the answer has no Sec-WebSocket-Accept field")                      \
    X(ACCEPT_TWICE, "Sec-WebSocket-Accept appears more than once")                         \
    X(ACCEPT_WRONG, "Sec-WebSocket-Accept does not fit the key that was sent")             \
    X(PROTOCOL_TWICE, "the server answered with more than one subprotocol")                \
    X(PROTOCOL_NOT_ASKED, "the server answered with a subprotocol that was not asked for") \
    X(PROTOCOL_MISSING, "the server took none of the subprotocols asked for")              \
    X(EXTENSIONS_MALFORMED, "Sec-WebSocket-Extensions is malformed")                       \
    X(EXTENSION_NOT_ASKED, "the server answered with an extension that was not offered")

enum wsp_verdict {
#define WSP_VERDICT(name, text) WSP_VERDICT_##name,
    WSP_VERDICTS(WSP_VERDICT)
#undef WSP_VERDICT
};

/* What was asked, to judge the answer by. Views and arrays are borrowed as long as the reader. */
struct wsp_asked {
    char accept[WSP_HANDSHAKE_ACCEPT]; /* the Sec-WebSocket-Accept that must come */
    const struct wsp_view *protocols;
    size_t n_protocols;
    bool is_protocol_needed;    /* subprotocols asked for and none taken is a failure, as the WHATWG
                                   standard says; RFC 6455 alone lets it pass */
    struct wsp_view extensions; /* the offer that was sent */
    size_t max_head_bytes;      /* per head */
    size_t max_head_fields;
    int64_t now_s; /* since 1970-01-01 00:00:00 UTC, for a Retry-After that is a date */
};

/*
 * The answer. Views point into the reader and live as long as it does, excerpt until it is fed
 * again, rest as long as the input.
 */
struct wsp_response {
    enum wsp_verdict verdict;
    const char *text;            /* the rule in one line; a constant */
    unsigned status;             /* 0 when there is no valid head */
    struct wsp_view reason;      /* the phrase; bytes of the server, not for a log as they are */
    struct wsp_view protocol;    /* the subprotocol in force, or empty */
    struct wsp_view extensions;  /* the extensions in force as answered, in one list; or empty */
    struct wsp_view retry_after; /* value of the one field, or empty; seconds or a date */
    int64_t retry_after_s;       /* from now on, 0 for what is over; -1: nothing is said */
    struct wsp_view excerpt;     /* of a refusal: the first bytes of its body, without chunks */
    struct wsp_view rest;        /* ACCEPTED: what follows the head, the server's first frames */
};

struct wsp_response_reader {
    struct wsp_asked asked;
    struct wsp_head head;
    unsigned n_interim;
    bool is_judged;
    enum wsp_verdict verdict;
    struct wsp_buffer extensions; /* where the answer has several fields of them */
    struct wsp_body body;         /* REFUSED */
    uint16_t excerpt_len;
    uint8_t excerpt[WSP_MAX_ANSWER_EXCERPT];
};

/* Begins with what was asked; allocates nothing. */
void wsp_response_reader_init(struct wsp_response_reader *reader, const struct wsp_asked *asked);
void wsp_response_reader_deinit(struct wsp_response_reader *reader);

/* Lends input until it is used up or fed anew. */
void wsp_response_reader_feed(struct wsp_response_reader *reader, struct wsp_view input);

/*
 * 0           the answer is judged, ACCEPTED or REFUSED: *ret_response. Said again at each call;
 *             after REFUSED more input may be fed, and the excerpt grows.
 * WSP_MORE    feed more.
 * WSP_BROKEN  the answer breaks a rule: *ret_response says which, and what else is known.
 *             The connection is to be failed (section 7.1.7); there is no close code before it opened.
 * -ENOMEM     may be repeated.
 */
int wsp_response_reader_next(struct wsp_response_reader *reader, struct wsp_response *ret_response);

/*
 * After REFUSED: would more input make the excerpt longer? False when it is full, and when the body
 * is over or is none that can be shown (body.h).
 */
bool wsp_response_reader_wants_body(const struct wsp_response_reader *reader);

/* What has come of the body that is excerpt in *ret_response. */
static inline struct wsp_view wsp_response_reader_excerpt(const struct wsp_response_reader *reader)
{
    return (struct wsp_view){reader->excerpt, reader->excerpt_len};
}

const char *wsp_verdict_to_string(enum wsp_verdict verdict);

/* -- server: the request -- */

/*
 * The request of a client, valid by section 4.2.1. Views point into the reader and live as long as
 * it does, rest as long as the input.
 */
struct wsp_client_request {
    struct wsp_view target;
    struct wsp_view host;
    struct wsp_view origin; /* empty when absent */
    char key[WSP_HANDSHAKE_KEY];
    struct wsp_view rest;        /* what follows the head */
    const struct wsp_head *head; /* all else: wsp_head_list(head, "Sec-WebSocket-Protocol") */
};

struct wsp_request_reader {
    struct wsp_head head;
    unsigned status; /* to refuse with; 0 as long as nothing is wrong */
    const char *why;
};

void wsp_request_reader_init(struct wsp_request_reader *reader, size_t max_head_bytes,
                             size_t max_head_fields);
void wsp_request_reader_deinit(struct wsp_request_reader *reader);
void wsp_request_reader_feed(struct wsp_request_reader *reader, struct wsp_view input);

/*
 * 0           a good request: *ret_request. Said again at each call.
 * WSP_MORE    feed more.
 * WSP_BROKEN  refuse it: wsp_request_reader_status() and _why() tell with what.
 * -ENOMEM     may be repeated.
 */
int wsp_request_reader_next(struct wsp_request_reader *reader,
                            struct wsp_client_request *ret_request);

static inline unsigned wsp_request_reader_status(const struct wsp_request_reader *reader)
{
    return reader->status; /* 400, 405, 426, 431, 505 */
}
static inline const char *wsp_request_reader_why(const struct wsp_request_reader *reader)
{
    return reader->why;
}

/* Does the client ask for this subprotocol (case matters, section 4.2.2)? */
bool wsp_client_request_has_protocol(const struct wsp_client_request *request,
                                     struct wsp_view protocol);

/* -- server: the answer -- */

/*
 * Appends the 101 (section 4.2.2). protocol and extensions may be empty. On failure out is as it
 * was. -EINVAL: a header that rules.h refuses, a subprotocol that is none; -ENOMEM.
 */
int wsp_handshake_write_accept(struct wsp_buffer *out, const char accept[WSP_HANDSHAKE_ACCEPT],
                               struct wsp_view protocol, struct wsp_view extensions,
                               const struct wsp_field *headers, size_t n_headers);

/*
 * Appends an answer that refuses with status, closes the connection and has body (text/plain). 426
 * says the version that we speak (section 4.4). On failure out is as it was; errors as above.
 */
int wsp_handshake_write_refusal(struct wsp_buffer *out, unsigned status, struct wsp_view body,
                                const struct wsp_field *headers, size_t n_headers);

#endif
