/*
 * verdict: the opening handshake (RFC 6455, section 4.1): an answer, judged; handshake.c writes,
 * request.c judges what a server is asked.
 *
 * Between head.c, which reads HTTP, and message.c, which takes over with the first byte after the
 * answer; see handshake.h for the contract.
 *
 * An answer is judged when its head is whole:
 *
 *     status                what follows
 *     101                   the checks of section 4.1, in its order; then ACCEPTED
 *     100, 102 to 199       the next head, at most WSP_MAX_N_INTERIM_ANSWERS times
 *     200 and above         REFUSED; what comes of the body (body.c) goes to the excerpt
 *
 * Invariant: a judgement, once given, stays.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "proto/websocket/body.h"
#include "proto/websocket/date.h"
#include "proto/websocket/handshake.h"

#define STATUS_SWITCHING   101
#define STATUS_FIRST_FINAL 200

const char *wsp_verdict_to_string(enum wsp_verdict verdict)
{
    static const char *const texts[] = {
#define WSP_VERDICT(name, text) [WSP_VERDICT_##name] = text,
        WSP_VERDICTS(WSP_VERDICT)
#undef WSP_VERDICT
    };

    return (size_t)verdict < sizeof(texts) / sizeof(texts[0]) ? texts[verdict] : "unknown verdict";
}

/* -- client: the conditions of section 4.1 on a 101, in the order of the standard -- */

static enum wsp_verdict check_version(const struct wsp_response_reader *reader)
{
    return wsp_head_minor(&reader->head) >= 1 ? WSP_VERDICT_ACCEPTED : WSP_VERDICT_OLD_HTTP;
}

/* Item 2: exactly "websocket", in any case; not a list that has it, and so not two fields either
 * (RFC 9110, section 5.3: they would be such a list). */
static enum wsp_verdict check_upgrade(const struct wsp_response_reader *reader)
{
    struct wsp_view value;

    if (wsp_head_count(&reader->head, "Upgrade") == 0)
        return WSP_VERDICT_UPGRADE_MISSING;
    if (!wsp_head_find_only(&reader->head, "Upgrade", &value) || !wsp_token_is(value, "websocket"))
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
    if (!wsp_head_find_only(&reader->head, "Sec-WebSocket-Accept", &value))
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

/* Item 5. A server must send one field (section 11.3.2), but several say the same as one (section
 * 9.1), and proxies split and join them. Parameters are the extension's to judge. */
static enum wsp_verdict check_extensions(const struct wsp_response_reader *reader)
{
    struct wsp_head_list list = wsp_head_list(&reader->head, "Sec-WebSocket-Extensions");
    struct wsp_view element;

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

/* Item 6; section 11.3.4: one field of one token; the WHATWG standard: one that was asked for must
 * come. */
static enum wsp_verdict check_protocol(const struct wsp_response_reader *reader)
{
    size_t n_fields = wsp_head_count(&reader->head, "Sec-WebSocket-Protocol");
    struct wsp_head_list list = wsp_head_list(&reader->head, "Sec-WebSocket-Protocol");
    struct wsp_view value;

    if (n_fields == 0)
        return reader->asked.is_protocol_needed && reader->asked.n_protocols > 0
                   ? WSP_VERDICT_PROTOCOL_MISSING
                   : WSP_VERDICT_ACCEPTED;
    if (wsp_head_find_only(&reader->head, "Sec-WebSocket-Protocol", &value) &&
        was_asked(&reader->asked, value))
        return WSP_VERDICT_ACCEPTED;
    if (n_fields > 1 || (wsp_head_list_next(&list, &value) && wsp_head_list_next(&list, &value)))
        return WSP_VERDICT_PROTOCOL_TWICE;
    return WSP_VERDICT_PROTOCOL_NOT_ASKED;
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
    wsp_buffer_init(&reader->extensions, SIZE_MAX);
}

void wsp_response_reader_deinit(struct wsp_response_reader *reader)
{
    if (reader == NULL)
        return;
    wsp_head_deinit(&reader->head);
    wsp_buffer_deinit(&reader->extensions);
}

void wsp_response_reader_feed(struct wsp_response_reader *reader, struct wsp_view input)
{
    wsp_head_feed(&reader->head, input);
}

/* Several fields of extensions, in one list. 0, or -ENOMEM: may be repeated. */
static int join_extensions(struct wsp_response_reader *reader)
{
    struct wsp_head_list list = wsp_head_list(&reader->head, "Sec-WebSocket-Extensions");
    struct wsp_view element;
    int r = 0;

    wsp_buffer_truncate(&reader->extensions, 0);
    while (r == 0 && wsp_head_list_next(&list, &element)) {
        if (wsp_buffer_len(&reader->extensions) > 0)
            r = wsp_buffer_append(&reader->extensions, ", ", 2);
        if (r == 0)
            r = wsp_buffer_append(&reader->extensions, element.data, element.len);
    }
    return r;
}

/* The final head is whole. 0, or -ENOMEM: may be repeated. */
static int judge_final(struct wsp_response_reader *reader)
{
    reader->verdict = judge(reader);
    if (reader->verdict == WSP_VERDICT_REFUSED)
        wsp_body_init(&reader->body, &reader->head);
    if (reader->verdict != WSP_VERDICT_ACCEPTED ||
        wsp_head_count(&reader->head, "Sec-WebSocket-Extensions") < 2)
        return 0;
    return join_extensions(reader);
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
            r = judge_final(reader);
            if (r < 0)
                return r;
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
    struct wsp_view piece;

    while (reader->excerpt_len < sizeof(reader->excerpt) &&
           wsp_body_next(&reader->body, &input, &piece)) {
        size_t room = sizeof(reader->excerpt) - reader->excerpt_len;
        size_t len = piece.len < room ? piece.len : room;

        memcpy(reader->excerpt + reader->excerpt_len, piece.data, len);
        reader->excerpt_len = (uint16_t)(reader->excerpt_len + len);
    }
    wsp_head_feed(&reader->head, (struct wsp_view){0});
}

/* RFC 9110, section 10.2.3: seconds, or a date, which the server's own clock says more of than ours.
 * What is over is 0. */
static int64_t read_retry_after(const struct wsp_response_reader *reader, struct wsp_view value)
{
    int64_t now_s = reader->asked.now_s;
    int64_t date_s;
    struct wsp_view date;
    uint64_t seconds;

    if (wsp_view_read_number(value, &seconds))
        return seconds > INT64_MAX ? INT64_MAX : (int64_t)seconds;
    if (!wsp_date_read(value, now_s, &date_s))
        return -1;
    if (wsp_head_find(&reader->head, "Date", NULL, &date))
        wsp_date_read(date, now_s, &now_s);
    return date_s > now_s ? date_s - now_s : 0;
}

static void fill_accepted(const struct wsp_response_reader *reader, struct wsp_response *response)
{
    const struct wsp_head *head = &reader->head;

    wsp_head_find_only(head, "Sec-WebSocket-Protocol", &response->protocol);
    if (!wsp_head_find_only(head, "Sec-WebSocket-Extensions", &response->extensions))
        response->extensions = (struct wsp_view){wsp_buffer_peek(&reader->extensions),
                                                 wsp_buffer_len(&reader->extensions)};
    response->rest = wsp_head_rest(head);
}

static struct wsp_response response_of(const struct wsp_response_reader *reader)
{
    const struct wsp_head *head = &reader->head;
    struct wsp_response response = {
        .verdict = reader->verdict,
        .text = wsp_verdict_to_string(reader->verdict),
        .retry_after_s = -1,
        .excerpt = wsp_response_reader_excerpt(reader),
    };

    if (reader->verdict == WSP_VERDICT_BAD_HEAD) {
        response.text = wsp_head_flaw_to_string(wsp_head_get_flaw(head));
        return response;
    }
    response.status = wsp_head_status(head);
    response.reason = wsp_head_reason(head);
    if (reader->verdict == WSP_VERDICT_ACCEPTED)
        fill_accepted(reader, &response);
    if (wsp_head_find_only(head, "Retry-After", &response.retry_after))
        response.retry_after_s = read_retry_after(reader, response.retry_after);
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
    return reader->is_judged && reader->verdict == WSP_VERDICT_REFUSED &&
           !wsp_body_is_over(&reader->body) && reader->excerpt_len < sizeof(reader->excerpt);
}
