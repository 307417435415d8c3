/*
 * verdict: the opening handshake (RFC 6455, section 4): the judging half; handshake.c is the writing one.
 *
 * Between head.c, which reads HTTP, and message.c, which takes over with the first byte after the
 * answer; see handshake.h for the contract.
 *
 * An answer is judged when its head is whole:
 *
 *     status                what follows
 *     101                   the checks of section 4.1, in its order; then ACCEPTED
 *     100, 102 to 199       the next head, at most WSP_MAX_N_INTERIM_ANSWERS times
 *     200 and above         REFUSED; what comes of the body goes to the excerpt
 *
 * Invariant: a judgement, once given, stays.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "proto/rules.h"
#include "proto/websocket/handshake.h"

#define STATUS_SWITCHING   101
#define STATUS_FIRST_FINAL 200

/* The body ends with the connection, or in a way that the excerpt need not know. */
#define BODY_UNTIL_CLOSE UINT64_MAX

const char *wsp_verdict_to_string(enum wsp_verdict verdict)
{
    static const char *const texts[] = {
#define WSP_VERDICT(name, text) [WSP_VERDICT_##name] = text,
        WSP_VERDICTS(WSP_VERDICT)
#undef WSP_VERDICT
    };

    return (size_t)verdict < sizeof(texts) / sizeof(texts[0]) ? texts[verdict] : "unknown verdict";
}

/* The one value of a field; false when it is absent or stands there more than once. */
static bool find_single(const struct wsp_head *head, const char *name, struct wsp_view *ret_value)
{
    return wsp_head_count(head, name) == 1 && wsp_head_find(head, name, NULL, ret_value);
}

/* A number of seconds or bytes; false when value is none. Too large a number becomes UINT64_MAX. */
static bool read_number(struct wsp_view value, uint64_t *ret_number)
{
    uint64_t number = 0;

    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return false;
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, value.data[i] - '0', &number))
            number = UINT64_MAX;
    }
    if (value.len == 0)
        return false;
    *ret_number = number;
    return true;
}

/* -- client: the conditions of section 4.1 on a 101, in the order of the standard -- */

static enum wsp_verdict check_version(const struct wsp_response_reader *reader)
{
    return wsp_head_minor(&reader->head) >= 1 ? WSP_VERDICT_ACCEPTED : WSP_VERDICT_OLD_HTTP;
}

/* Item 2: exactly "websocket", in any case; not a list that has it. */
static enum wsp_verdict check_upgrade(const struct wsp_response_reader *reader)
{
    struct wsp_view value;

    if (wsp_head_count(&reader->head, "Upgrade") == 0)
        return WSP_VERDICT_UPGRADE_MISSING;
    if (!find_single(&reader->head, "Upgrade", &value) || !wsp_token_is(value, "websocket"))
        return WSP_VERDICT_UPGRADE_WRONG;
    return WSP_VERDICT_ACCEPTED;
}

/* Item 3: a list with the token "Upgrade", in any case. */
static enum wsp_verdict check_connection(const struct wsp_response_reader *reader)
{
    if (wsp_head_count(&reader->head, "Connection") == 0)
        return WSP_VERDICT_CONNECTION_MISSING;
    if (!wsp_head_list_has(&reader->head, "Connection", "Upgrade"))
        return WSP_VERDICT_CONNECTION_WRONG;
    return WSP_VERDICT_ACCEPTED;
}

/* Item 4, and section 11.3.3: not more than once. */
static enum wsp_verdict check_accept(const struct wsp_response_reader *reader)
{
    struct wsp_view expected = {(const uint8_t *)reader->asked.accept, WSP_HANDSHAKE_ACCEPT};
    struct wsp_view value;

    if (wsp_head_count(&reader->head, "Sec-WebSocket-Accept") == 0)
        return WSP_VERDICT_ACCEPT_MISSING;
    if (!find_single(&reader->head, "Sec-WebSocket-Accept", &value))
        return WSP_VERDICT_ACCEPT_TWICE;
    return wsp_view_equals(value, expected) ? WSP_VERDICT_ACCEPTED : WSP_VERDICT_ACCEPT_WRONG;
}

static bool was_offered(struct wsp_view offer, struct wsp_view name)
{
    struct wsp_view element;
    struct wsp_param param;

    while (wsp_list_next(&offer, &element)) {
        if (wsp_param_next(&element, &param) == 0 && wsp_view_equals(param.name, name))
            return true;
    }
    return false;
}

/* The rest of an extension behind its name. A quoted value is a token in quotes (section 9.1). */
static bool are_params(struct wsp_view element)
{
    struct wsp_param param;
    int r;

    while ((r = wsp_param_next(&element, &param)) == 0) {
        uint8_t plain[WSP_MAX_HEADER_NAME];
        size_t len;

        if (!param.is_quoted)
            continue;
        len = wsp_unquote(param.value, plain, sizeof(plain));
        if (len > sizeof(plain) || !wsp_view_is_token((struct wsp_view){plain, len}))
            return false;
    }
    return r == WSP_MORE;
}

/* Item 5, and section 11.3.2: one field in an answer. Parameters are the extension's to judge. */
static enum wsp_verdict check_extensions(const struct wsp_response_reader *reader)
{
    struct wsp_head_list list = wsp_head_list(&reader->head, "Sec-WebSocket-Extensions");
    struct wsp_view element;

    if (wsp_head_count(&reader->head, "Sec-WebSocket-Extensions") > 1)
        return WSP_VERDICT_EXTENSIONS_TWICE;
    while (wsp_head_list_next(&list, &element)) {
        struct wsp_param param;

        if (wsp_param_next(&element, &param) != 0 || param.has_value || !are_params(element))
            return WSP_VERDICT_EXTENSIONS_MALFORMED;
        if (!was_offered(reader->asked.extensions, param.name))
            return WSP_VERDICT_EXTENSION_NOT_ASKED;
    }
    return WSP_VERDICT_ACCEPTED;
}

static bool was_asked(const struct wsp_asked *asked, struct wsp_view protocol)
{
    for (size_t i = 0; i < asked->n_protocols; i++) {
        if (wsp_view_equals(asked->protocols[i], protocol))
            return true;
    }
    return false;
}

/* Item 6; section 11.3.4: once; the WHATWG standard: one that was asked for must come. */
static enum wsp_verdict check_protocol(const struct wsp_response_reader *reader)
{
    size_t n_fields = wsp_head_count(&reader->head, "Sec-WebSocket-Protocol");
    struct wsp_head_list list = wsp_head_list(&reader->head, "Sec-WebSocket-Protocol");
    struct wsp_view first;
    struct wsp_view second;

    if (n_fields == 0)
        return reader->asked.is_protocol_needed && reader->asked.n_protocols > 0
                   ? WSP_VERDICT_PROTOCOL_MISSING
                   : WSP_VERDICT_ACCEPTED;
    if (n_fields > 1)
        return WSP_VERDICT_PROTOCOL_TWICE;
    if (!wsp_head_list_next(&list, &first))
        return WSP_VERDICT_PROTOCOL_NOT_ASKED;
    if (wsp_head_list_next(&list, &second))
        return WSP_VERDICT_PROTOCOL_TWICE;
    return was_asked(&reader->asked, first) ? WSP_VERDICT_ACCEPTED : WSP_VERDICT_PROTOCOL_NOT_ASKED;
}

static enum wsp_verdict judge(const struct wsp_response_reader *reader)
{
    static enum wsp_verdict (*const checks[])(const struct wsp_response_reader *) = {
        check_version, check_upgrade,    check_connection,
        check_accept,  check_extensions, check_protocol,
    };

    if (wsp_head_status(&reader->head) != STATUS_SWITCHING)
        return WSP_VERDICT_REFUSED;
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        enum wsp_verdict verdict = checks[i](reader);

        if (verdict != WSP_VERDICT_ACCEPTED)
            return verdict;
    }
    return WSP_VERDICT_ACCEPTED;
}

/* -- client: reading the answer -- */

void wsp_response_reader_init(struct wsp_response_reader *reader, const struct wsp_asked *asked)
{
    *reader = (struct wsp_response_reader){.asked = *asked};
    wsp_head_init(&reader->head, WSP_HEAD_RESPONSE, asked->max_head_bytes, asked->max_head_fields);
}

void wsp_response_reader_deinit(struct wsp_response_reader *reader)
{
    if (reader == NULL)
        return;
    wsp_head_deinit(&reader->head);
}

void wsp_response_reader_feed(struct wsp_response_reader *reader, struct wsp_view input)
{
    wsp_head_feed(&reader->head, input);
}

/* How long the body is, as far as an excerpt must know (RFC 9112, section 6.3). */
static uint64_t body_len(const struct wsp_head *head)
{
    unsigned status = wsp_head_status(head);
    struct wsp_view value;
    uint64_t len;

    if (status == 204 || status == 304)
        return 0;
    if (wsp_head_count(head, "Transfer-Encoding") > 0 ||
        !wsp_head_find(head, "Content-Length", NULL, &value) || !read_number(value, &len))
        return BODY_UNTIL_CLOSE;
    return len;
}

/* Reads up to the final answer and judges it. */
static int read_answer(struct wsp_response_reader *reader)
{
    struct wsp_head *head = &reader->head;

    for (;;) {
        int r = wsp_head_next(head);

        if (r == WSP_BROKEN) {
            reader->verdict = WSP_VERDICT_BAD_HEAD;
            break;
        }
        if (r != 0)
            return r;
        if (wsp_head_status(head) == STATUS_SWITCHING ||
            wsp_head_status(head) >= STATUS_FIRST_FINAL) {
            reader->verdict = judge(reader);
            reader->body_left = body_len(head);
            break;
        }
        if (reader->n_interim == WSP_MAX_N_INTERIM_ANSWERS) {
            reader->verdict = WSP_VERDICT_TOO_MANY_INTERIM;
            break;
        }
        reader->n_interim++;
        wsp_head_restart(head);
    }
    reader->is_judged = true;
    return 0;
}

static void take_excerpt(struct wsp_response_reader *reader)
{
    struct wsp_view input = wsp_head_rest(&reader->head);
    size_t len = sizeof(reader->excerpt) - reader->excerpt_len;

    if (len > input.len)
        len = input.len;
    if (len > reader->body_left)
        len = (size_t)reader->body_left;
    if (len > 0)
        memcpy(reader->excerpt + reader->excerpt_len, input.data, len);
    reader->excerpt_len = (uint16_t)(reader->excerpt_len + len);
    if (reader->body_left != BODY_UNTIL_CLOSE)
        reader->body_left -= len;
    wsp_head_feed(&reader->head, (struct wsp_view){0});
}

static struct wsp_response response_of(const struct wsp_response_reader *reader)
{
    const struct wsp_head *head = &reader->head;
    struct wsp_response response = {
        .verdict = reader->verdict,
        .text = wsp_verdict_to_string(reader->verdict),
        .retry_after_s = -1,
        .excerpt = {reader->excerpt, reader->excerpt_len},
    };
    uint64_t seconds;

    if (reader->verdict == WSP_VERDICT_BAD_HEAD) {
        response.text = wsp_head_flaw_to_string(wsp_head_get_flaw(head));
        return response;
    }
    response.status = wsp_head_status(head);
    response.reason = wsp_head_reason(head);
    if (reader->verdict == WSP_VERDICT_ACCEPTED) {
        find_single(head, "Sec-WebSocket-Protocol", &response.protocol);
        find_single(head, "Sec-WebSocket-Extensions", &response.extensions);
        response.rest = wsp_head_rest(head);
    }
    if (wsp_head_find(head, "Retry-After", NULL, &response.retry_after) &&
        read_number(response.retry_after, &seconds))
        response.retry_after_s = seconds > INT64_MAX ? INT64_MAX : (int64_t)seconds;
    return response;
}

int wsp_response_reader_next(struct wsp_response_reader *reader, struct wsp_response *ret_response)
{
    if (!reader->is_judged) {
        int r = read_answer(reader);

        if (r != 0)
            return r;
    }
    if (reader->verdict == WSP_VERDICT_REFUSED)
        take_excerpt(reader);
    *ret_response = response_of(reader);
    return reader->verdict == WSP_VERDICT_ACCEPTED || reader->verdict == WSP_VERDICT_REFUSED
               ? 0
               : WSP_BROKEN;
}

bool wsp_response_reader_wants_body(const struct wsp_response_reader *reader)
{
    return reader->is_judged && reader->verdict == WSP_VERDICT_REFUSED && reader->body_left > 0 &&
           reader->excerpt_len < sizeof(reader->excerpt);
}

/* -- server: the conditions of section 4.2.1 on a request -- */

static bool is_new_enough(const struct wsp_head *head)
{
    return wsp_head_minor(head) >= 1;
}

static bool is_get(const struct wsp_head *head)
{
    return wsp_view_equals(wsp_head_method(head), WSP_VIEW_LITERAL("GET"));
}

static bool has_host(const struct wsp_head *head)
{
    struct wsp_view value;

    return find_single(head, "Host", &value) && value.len > 0;
}

/* What follows the head must be frames and nothing else. */
static bool has_no_body(const struct wsp_head *head)
{
    struct wsp_view value;
    size_t index = 0;

    while (wsp_head_find(head, "Content-Length", &index, &value)) {
        if (!wsp_view_equals(value, WSP_VIEW_LITERAL("0")))
            return false;
    }
    return wsp_head_count(head, "Transfer-Encoding") == 0;
}

static bool wants_websocket(const struct wsp_head *head)
{
    return wsp_head_list_has(head, "Upgrade", "websocket");
}

static bool wants_upgrade(const struct wsp_head *head)
{
    return wsp_head_list_has(head, "Connection", "Upgrade");
}

static bool has_version(const struct wsp_head *head)
{
    struct wsp_view value;

    return find_single(head, "Sec-WebSocket-Version", &value) &&
           wsp_view_equals(value, WSP_VIEW_LITERAL("13"));
}

static bool is_base64_character(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

/* Base64 of 16 bytes: 22 characters and two for filling. */
static bool has_key(const struct wsp_head *head)
{
    struct wsp_view value;

    if (!find_single(head, "Sec-WebSocket-Key", &value) || value.len != WSP_HANDSHAKE_KEY ||
        memcmp(value.data + WSP_HANDSHAKE_KEY - 2, "==", 2) != 0)
        return false;
    for (size_t i = 0; i < WSP_HANDSHAKE_KEY - 2; i++) {
        if (!is_base64_character(value.data[i]))
            return false;
    }
    return true;
}

static const struct {
    bool (*holds)(const struct wsp_head *head);
    unsigned status;
    const char *why;
} conditions[] = {
    {is_new_enough, 505, "the request is not HTTP/1.1"},
    {is_get, 405, "the method is not GET"},
    {has_host, 400, "the request has no Host field, or more than one"},
    {has_no_body, 400, "the request has a body"},
    {wants_websocket, 426, "Upgrade does not name \"websocket\""},
    {wants_upgrade, 426, "Connection does not name \"Upgrade\""},
    {has_version, 426, "Sec-WebSocket-Version is not 13"},
    {has_key, 400, "Sec-WebSocket-Key is not 16 bytes in base64"},
};

/* -- server: reading the request -- */

void wsp_request_reader_init(struct wsp_request_reader *reader, size_t max_head_bytes,
                             size_t max_head_fields)
{
    *reader = (struct wsp_request_reader){0};
    wsp_head_init(&reader->head, WSP_HEAD_REQUEST, max_head_bytes, max_head_fields);
}

void wsp_request_reader_deinit(struct wsp_request_reader *reader)
{
    if (reader == NULL)
        return;
    wsp_head_deinit(&reader->head);
}

void wsp_request_reader_feed(struct wsp_request_reader *reader, struct wsp_view input)
{
    wsp_head_feed(&reader->head, input);
}

static int refuse(struct wsp_request_reader *reader, unsigned status, const char *why)
{
    reader->status = status;
    reader->why = why;
    return WSP_BROKEN;
}

static unsigned status_for_flaw(enum wsp_head_flaw flaw)
{
    switch (flaw) {
    case WSP_HEAD_TOO_LARGE:
    case WSP_HEAD_TOO_MANY_FIELDS: return 431;
    case WSP_HEAD_BAD_VERSION: return 505;
    default: return 400;
    }
}

int wsp_request_reader_next(struct wsp_request_reader *reader,
                            struct wsp_client_request *ret_request)
{
    struct wsp_client_request request = {.head = &reader->head};
    struct wsp_view key;
    int r = wsp_head_next(&reader->head);

    if (r == WSP_BROKEN) {
        enum wsp_head_flaw flaw = wsp_head_get_flaw(&reader->head);

        return refuse(reader, status_for_flaw(flaw), wsp_head_flaw_to_string(flaw));
    }
    if (r != 0)
        return r;
    for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
        if (!conditions[i].holds(&reader->head))
            return refuse(reader, conditions[i].status, conditions[i].why);
    }
    request.target = wsp_head_target(&reader->head);
    wsp_head_find(&reader->head, "Host", NULL, &request.host);
    wsp_head_find(&reader->head, "Origin", NULL, &request.origin);
    wsp_head_find(&reader->head, "Sec-WebSocket-Key", NULL, &key);
    memcpy(request.key, key.data, sizeof(request.key));
    request.rest = wsp_head_rest(&reader->head);
    *ret_request = request;
    return 0;
}

bool wsp_client_request_has_protocol(const struct wsp_client_request *request,
                                     struct wsp_view protocol)
{
    struct wsp_head_list list = wsp_head_list(request->head, "Sec-WebSocket-Protocol");
    struct wsp_view element;

    while (wsp_head_list_next(&list, &element)) {
        if (wsp_view_equals(element, protocol))
            return true;
    }
    return false;
}
