/* SPDX-License-Identifier: MIT
 *
 * upgrade: the opening handshake of one upstream; see upgrade.h.
 * Neighbours: upstream moves the bytes, proto/websocket/handshake writes and judges them.
 * Invariant: no failure says anything of the request's query, credentials or headers, nor of the answer's body.
 */
#include "daemon/upgrade.h"

#include <config.h> /* in quotes it would be daemon/config.h */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/excerpt.h"
#include "daemon/limits.h"
#include "proto/limits.h"
#include "proto/local/errors.h"
#include "proto/percent.h"
#include "proto/websocket/basic.h"
#include "proto/websocket/handshake.h"

struct upgrade {
    const struct target *target;
    struct wsp_response_reader reader;
    struct wsp_view *protocols; /* the reader looks at them when it judges */
    struct wsp_deflate_params offer;
    char offer_text[WSP_DEFLATE_TEXT_LEN]; /* empty: nothing is offered */
};

/* Statuses that people meet, and what they mean here. */
static const struct {
    unsigned status;
    const char *hint;
} hints[] = {
    {200, ": no WebSocket is at this path"},
    {400, ": the server found the request malformed"},
    {401, ": credentials are missing or wrong"},
    {403, ": the server does not allow it"},
    {404, ": there is nothing at this path"},
    {426, ": the server wants another protocol or version"},
    {429, ": too many requests"},
    {503, ": the server is not available"},
};

static const char *status_hint(unsigned status)
{
    if (status >= 300 && status < 400)
        return ": redirects are not followed";
    for (size_t i = 0; i < sizeof(hints) / sizeof(*hints); i++)
        if (hints[i].status == status)
            return hints[i].hint;
    return "";
}

/* --- the request --- */

/* What the request borrows and nobody else holds in this form. */
struct parts {
    struct wsp_field *headers;
    char *username, *password; /* decoded */
};

static void parts_deinit(struct parts *parts)
{
    free(parts->headers);
    free(parts->username);
    free(parts->password);
}

/* The bytes of a URL's user name or password, for Basic authentication. */
static int decode(const char *encoded, char **ret_bytes, struct wsp_view *ret_view)
{
    size_t len = strlen(encoded);
    char *bytes = malloc(len + 1);

    if (bytes == NULL)
        return -ENOMEM;
    *ret_view = (struct wsp_view){(const uint8_t *)bytes, wsp_percent_decode(bytes, encoded, len)};
    *ret_bytes = bytes;
    return 0;
}

static int add_credentials(struct wsp_request *request, struct parts *parts,
                           const struct wsp_url *url)
{
    int r;

    if (url->username[0] == '\0' && url->password[0] == '\0')
        return 0;
    request->has_credentials = true;
    r = decode(url->username, &parts->username, &request->username);
    if (r < 0)
        return r;
    return decode(url->password, &parts->password, &request->password);
}

static int add_headers(struct wsp_request *request, struct parts *parts,
                       const struct strings *headers)
{
    size_t n = headers->n_items / 2;

    if (n == 0)
        return 0;
    parts->headers = calloc(n, sizeof(*parts->headers));
    if (parts->headers == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        parts->headers[i].name = wsp_view_of_string(headers->items[2 * i]);
        parts->headers[i].value = wsp_view_of_string(headers->items[2 * i + 1]);
    }
    request->headers = parts->headers;
    request->n_headers = n;
    return 0;
}

/* 0; -EINVAL or -ENOBUFS when the target cannot be put into a request; -ENOMEM. */
static int write_request(const struct upgrade *upgrade, const struct target *target,
                         const uint8_t nonce[WSP_HANDSHAKE_NONCE], struct wsp_buffer *out)
{
    struct parts parts = {0};
    struct wsp_request request = {
        .target = wsp_view_of_string(target->url.resource),
        .host = wsp_view_of_string(target->url.host_header),
        .protocols = upgrade->protocols,
        .n_protocols = target->protocols.n_items,
        .extensions = wsp_view_of_string(upgrade->offer_text),
        .user_agent = WSP_VIEW_LITERAL(PACKAGE "/" VERSION),
    };
    int r;

    memcpy(request.nonce, nonce, WSP_HANDSHAKE_NONCE);
    r = add_credentials(&request, &parts, &target->url);
    if (r == 0)
        r = add_headers(&request, &parts, &target->headers);
    if (r == 0)
        r = wsp_handshake_write_request(out, &request);
    parts_deinit(&parts);
    return r;
}

static void describe_bad_request(const struct target *target, int error,
                                 struct failure *ret_failure)
{
    if (error == -ENOBUFS)
        failure_set(ret_failure, WSP_CAUSE_HEADER, 0,
                    "the upgrade request would be longer than %u bytes, more than servers take",
                    (unsigned)MAX_WRITE_PER_TURN);
    else if (strchr(target->url.username, ':') != NULL ||
             strcasestr(target->url.username, "%3a") != NULL)
        failure_set(
            ret_failure, WSP_CAUSE_URL, 0,
            "the URL's user name has a colon, which HTTP's Basic authentication cannot carry");
    else
        failure_set(ret_failure, WSP_CAUSE_HEADER, 0,
                    "a header or subprotocol cannot be put into an HTTP request");
}

/* What must come back: RFC 6455, section 4.1. */
static int expect(struct upgrade *upgrade, const struct target *target,
                  const uint8_t nonce[WSP_HANDSHAKE_NONCE], upgrade_sha1_fn sha1)
{
    struct wsp_asked asked = {
        .protocols = upgrade->protocols,
        .n_protocols = target->protocols.n_items,
        .is_protocol_needed = true,
        .extensions = wsp_view_of_string(upgrade->offer_text),
        .max_head_bytes = WSP_MAX_HTTP_HEAD,
        .max_head_fields = WSP_MAX_HTTP_N_FIELDS,
        .now_s = (int64_t)time(NULL),
    };
    char key[WSP_HANDSHAKE_KEY], input[WSP_HANDSHAKE_ACCEPT_INPUT];
    uint8_t digest[WSP_HANDSHAKE_DIGEST];
    int r;

    wsp_handshake_key(nonce, key);
    wsp_handshake_accept_input(key, input);
    r = sha1(input, sizeof(input), digest);
    if (r < 0)
        return r;
    wsp_handshake_accept(digest, asked.accept);
    wsp_response_reader_init(&upgrade->reader, &asked);
    return 0;
}

static int protocols_new(const struct strings *strings, struct wsp_view **ret_views)
{
    struct wsp_view *views = calloc(strings->n_items + 1, sizeof(*views));

    if (views == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < strings->n_items; i++)
        views[i] = wsp_view_of_string(strings->items[i]);
    *ret_views = views;
    return 0;
}

/* RFC 7692, section 7.1. Nothing is asked of the server that its owner does not want; our window it may always bound, as
 * browsers let it. */
static void make_offer(struct upgrade *upgrade, const struct target *target)
{
    bool is_bounded = target->window_bits < WSP_DEFLATE_MAX_BITS;

    upgrade->offer = (struct wsp_deflate_params){
        .server_no_context_takeover = !target->is_taking_over,
        .client_no_context_takeover = !target->is_taking_over,
        .server_max_window_bits = is_bounded ? target->window_bits : 0,
        .client_max_window_bits = is_bounded ? target->window_bits : WSP_DEFLATE_BITS_ANY,
    };
    wsp_deflate_params_write(&upgrade->offer, upgrade->offer_text);
}

int upgrade_new(const struct target *target, upgrade_random_fn random, upgrade_sha1_fn sha1,
                struct wsp_buffer *out, struct upgrade **ret_upgrade, struct failure *ret_failure)
{
    struct upgrade *upgrade = calloc(1, sizeof(*upgrade));
    uint8_t nonce[WSP_HANDSHAKE_NONCE];
    int r;

    if (upgrade == NULL)
        return -ENOMEM;
    upgrade->target = target;
    if (target->is_deflated)
        make_offer(upgrade, target);
    r = protocols_new(&target->protocols, &upgrade->protocols);
    if (r < 0)
        goto free_upgrade;
    random(nonce, sizeof(nonce));
    r = expect(upgrade, target, nonce, sha1);
    if (r < 0)
        goto free_upgrade;
    r = write_request(upgrade, target, nonce, out);
    if (r == -EINVAL || r == -ENOBUFS) {
        describe_bad_request(target, r, ret_failure);
        r = 1;
    }
    if (r != 0)
        goto free_upgrade;
    *ret_upgrade = upgrade;
    return 0;

free_upgrade:
    upgrade_free(upgrade);
    return r;
}

struct upgrade *upgrade_free(struct upgrade *upgrade)
{
    if (upgrade == NULL)
        return NULL;
    wsp_response_reader_deinit(&upgrade->reader);
    free(upgrade->protocols);
    free(upgrade);
    return NULL;
}

/* --- the answer --- */

static void describe_refusal(const struct wsp_response *response, struct failure *ret_failure)
{
    unsigned status = response->status;
    uint32_t retry_after = response->retry_after_s <= 0 ? 0
                           : response->retry_after_s > UINT32_MAX
                               ? UINT32_MAX
                               : (uint32_t)response->retry_after_s;

    if (retry_after > 0)
        failure_set(ret_failure, WSP_CAUSE_HANDSHAKE, (uint16_t)status,
                    "the server answered with status %u instead of 101%s; it asks to wait %" PRIu32
                    " s",
                    status, status_hint(status), retry_after);
    else
        failure_set(ret_failure, WSP_CAUSE_HANDSHAKE, (uint16_t)status,
                    "the server answered with status %u instead of 101%s", status,
                    status_hint(status));
    ret_failure->retry_after = retry_after;
}

/* 0; positive, with the flaw in response->text: the extensions in it are none that we can speak. */
static int accept_answer(struct upgrade *upgrade, struct wsp_response *response,
                         struct upgrade_answer *ret_answer)
{
    struct wsp_deflate_agreement deflate;
    int r = wsp_deflate_judge(response->extensions,
                              upgrade->offer_text[0] != '\0' ? &upgrade->offer : NULL, &deflate,
                              &response->text);

    if (r == 0)
        *ret_answer = (struct upgrade_answer){
            .protocol = response->protocol,
            .extensions = response->extensions,
            .deflate = deflate,
            .rest = response->rest,
        };
    return r;
}

int upgrade_read(struct upgrade *upgrade, struct wsp_view input, struct upgrade_answer *ret_answer,
                 struct failure *ret_failure)
{
    struct wsp_response response;
    int r;

    wsp_response_reader_feed(&upgrade->reader, input);
    r = wsp_response_reader_next(&upgrade->reader, &response);
    if (r < 0)
        return r;
    if (r == WSP_MORE)
        return UPGRADE_MORE;
    if (r == 0 && response.verdict == WSP_VERDICT_REFUSED) {
        describe_refusal(&response, ret_failure);
        return wsp_response_reader_wants_body(&upgrade->reader) ? UPGRADE_REFUSED : UPGRADE_FAILED;
    }
    if (r == 0)
        r = accept_answer(upgrade, &response, ret_answer);
    if (r == 0)
        return 0;
    failure_set(ret_failure, WSP_CAUSE_HANDSHAKE, (uint16_t)response.status,
                "the server's answer breaks the opening handshake: %s", response.text);
    return UPGRADE_FAILED;
}

static void mask(struct wsp_buffer *body, struct wsp_view secret)
{
    excerpt_mask(body->data + body->start, wsp_buffer_len(body), secret);
}

/* 0, -ENOMEM. */
static int mask_credentials(struct wsp_buffer *body, const struct target *target)
{
    struct wsp_request request = {0};
    struct parts parts = {0};
    struct wsp_buffer basic;
    int r = add_credentials(&request, &parts, &target->url);

    wsp_buffer_init(&basic, SIZE_MAX);
    if (r == 0)
        r = wsp_basic_append(&basic, request.username, request.password);
    if (r == 0) {
        mask(body, request.username);
        mask(body, request.password);
        mask(body, (struct wsp_view){wsp_buffer_peek(&basic), wsp_buffer_len(&basic)});
    }
    wsp_buffer_deinit(&basic);
    parts_deinit(&parts);
    return r;
}

/* As it stands in the request, and as servers decode it. 0, -ENOMEM. */
static int mask_resource(struct wsp_buffer *body, const struct target *target)
{
    struct wsp_view view;
    char *decoded;
    int r = decode(target->url.resource, &decoded, &view);

    if (r < 0)
        return r;
    mask(body, wsp_view_of_string(target->url.resource));
    mask(body, view);
    free(decoded);
    return 0;
}

/* Who names an endpoint is not told its secrets, neither by a server that tells back what it got. 0, -ENOMEM. */
static int mask_secrets(struct wsp_buffer *body, const struct target *target)
{
    int r = mask_credentials(body, target);

    if (r == 0)
        r = mask_resource(body, target);
    for (size_t i = 1; r == 0 && i < target->headers.n_items; i += 2)
        mask(body, wsp_view_of_string(target->headers.items[i]));
    return r;
}

char *upgrade_excerpt(const struct upgrade *upgrade)
{
    struct wsp_view said = wsp_response_reader_excerpt(&upgrade->reader);
    struct wsp_buffer body;
    char *text = NULL;
    int r;

    wsp_buffer_init(&body, WSP_MAX_ANSWER_EXCERPT);
    r = wsp_buffer_append(&body, said.data, said.len);
    if (r == 0 && upgrade->target->endpoint != NULL)
        r = mask_secrets(&body, upgrade->target);
    if (r == 0)
        text = excerpt_new((struct wsp_view){wsp_buffer_peek(&body), wsp_buffer_len(&body)});
    wsp_buffer_deinit(&body);
    return text;
}
