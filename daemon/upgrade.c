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

#include "daemon/credential.h"
#include "daemon/excerpt.h"
#include "daemon/limits.h"
#include "proto/limits.h"
#include "proto/local/errors.h"
#include "proto/percent.h"
#include "proto/websocket/basic.h"
#include "proto/websocket/handshake.h"

/* See words_init. */
struct words {
    struct wsp_buffer *texts;
    size_t n_texts;
    struct wsp_buffer values; /* of the credentials alone, for credential_next */
};

struct upgrade {
    const struct target *target;
    struct words
        words; /* of an endpoint: until the answer is judged, which may tell them back; else until they are said */
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

/* The texts of the request that may hold credentials, with them: resource, user name, password, then the headers'
 * values. They are secret, as is what is made of them. */
enum { TEXT_RESOURCE, TEXT_USERNAME, TEXT_PASSWORD, N_FIXED_TEXTS };

static struct wsp_view view_of(const struct wsp_buffer *buffer)
{
    return (struct wsp_view){wsp_buffer_peek(buffer), wsp_buffer_len(buffer)};
}

static void words_deinit(struct words *words)
{
    for (size_t i = 0; i < words->n_texts; i++)
        wsp_buffer_deinit(&words->texts[i]);
    free(words->texts);
    wsp_buffer_deinit(&words->values);
    *words = (struct words){0};
}

/* 0, -ENOMEM, -ENOBUFS; 1 with the failure. */
static int add_text(struct words *words, size_t index, const struct target *target,
                    struct wsp_view text, enum credential_kind kind, struct failure *ret_failure)
{
    return credential_expand(target->credentials_dir, text, kind, &words->texts[index],
                             &words->values, ret_failure);
}

/* What a URL's user name or password stands for, for Basic authentication. The name is never a credential's. */
static int add_decoded(struct words *words, size_t index, const struct target *target,
                       const char *encoded, struct failure *ret_failure)
{
    struct wsp_buffer decoded;
    size_t len = strlen(encoded);
    uint8_t *room;
    int r;

    wsp_buffer_init(&decoded, SIZE_MAX);
    wsp_buffer_keep_secret(&decoded);
    r = wsp_buffer_reserve(&decoded, len, &room);
    if (r == 0) {
        if (len > 0)
            wsp_buffer_commit(&decoded, wsp_percent_decode((char *)room, encoded, len));
        if (strstr(encoded, CREDENTIAL_IN_USERINFO) != NULL)
            r = add_text(words, index, target, view_of(&decoded), CREDENTIAL_PLAIN, ret_failure);
        else
            r = wsp_buffer_append(&words->texts[index], wsp_buffer_peek(&decoded),
                                  wsp_buffer_len(&decoded));
    }
    wsp_buffer_deinit(&decoded);
    return r;
}

static int words_init(struct words *words, const struct target *target, struct failure *ret_failure)
{
    const struct strings *headers = &target->headers;
    size_t n = N_FIXED_TEXTS + headers->n_items / 2;
    int r;

    *words = (struct words){.texts = calloc(n, sizeof(*words->texts))};
    if (words->texts == NULL)
        return -ENOMEM;
    words->n_texts = n;
    wsp_buffer_init(&words->values, SIZE_MAX);
    for (size_t i = 0; i < n; i++) {
        wsp_buffer_init(&words->texts[i], MAX_WRITE_PER_TURN);
        wsp_buffer_keep_secret(&words->texts[i]);
    }
    r = add_text(words, TEXT_RESOURCE, target, wsp_view_of_string(target->url.resource),
                 CREDENTIAL_QUERY, ret_failure);
    if (r == 0)
        r = add_decoded(words, TEXT_USERNAME, target, target->url.username, ret_failure);
    if (r == 0)
        r = add_decoded(words, TEXT_PASSWORD, target, target->url.password, ret_failure);
    for (size_t i = 1; r == 0 && i < headers->n_items; i += 2)
        r = add_text(words, N_FIXED_TEXTS + i / 2, target, wsp_view_of_string(headers->items[i]),
                     CREDENTIAL_HEADER, ret_failure);
    return r;
}

/* 0, -ENOMEM. *ret_fields is the caller's to free; what it looks at is not. */
static int fields_new(const struct words *words, const struct strings *headers,
                      struct wsp_field **ret_fields)
{
    size_t n = headers->n_items / 2;
    struct wsp_field *fields = calloc(n + 1, sizeof(*fields));

    if (fields == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        fields[i].name = wsp_view_of_string(headers->items[2 * i]);
        fields[i].value = view_of(&words->texts[N_FIXED_TEXTS + i]);
    }
    *ret_fields = fields;
    return 0;
}

static bool has_userinfo(const struct wsp_url *url)
{
    return url->username[0] != '\0' || url->password[0] != '\0';
}

/* 0; -EINVAL or -ENOBUFS when the target cannot be put into a request; -ENOMEM. */
static int write_request(const struct upgrade *upgrade, const struct target *target,
                         const uint8_t nonce[WSP_HANDSHAKE_NONCE], struct wsp_buffer *out)
{
    const struct words *words = &upgrade->words;
    struct wsp_field *fields;
    struct wsp_request request = {
        .target = view_of(&words->texts[TEXT_RESOURCE]),
        .host = wsp_view_of_string(target->url.host_header),
        .protocols = upgrade->protocols,
        .n_protocols = target->protocols.n_items,
        .extensions = wsp_view_of_string(upgrade->offer_text),
        .user_agent = WSP_VIEW_LITERAL(PACKAGE "/" VERSION),
        .has_credentials = has_userinfo(&target->url),
        .username = view_of(&words->texts[TEXT_USERNAME]),
        .password = view_of(&words->texts[TEXT_PASSWORD]),
        .n_headers = target->headers.n_items / 2,
    };
    int r = fields_new(words, &target->headers, &fields);

    if (r < 0)
        return r;
    request.headers = fields;
    memcpy(request.nonce, nonce, WSP_HANDSHAKE_NONCE);
    wsp_buffer_keep_secret(out);
    r = wsp_handshake_write_request(out, &request);
    free(fields);
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
    r = words_init(&upgrade->words, target, ret_failure);
    if (r == 0)
        r = write_request(upgrade, target, nonce, out);
    if (r == -EINVAL || r == -ENOBUFS) {
        describe_bad_request(target, r, ret_failure);
        r = 1;
    }
    if (r != 0)
        goto free_upgrade;
    if (target->endpoint == NULL)
        words_deinit(&upgrade->words);
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
    words_deinit(&upgrade->words);
    wsp_response_reader_deinit(&upgrade->reader);
    free(upgrade->protocols);
    explicit_bzero(upgrade, sizeof(*upgrade)); /* the beginning of the answer's body */
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

    /* A date is so far away from when the answer comes, however long that takes. */
    upgrade->reader.asked.now_s = (int64_t)time(NULL);
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
static int mask_basic(struct wsp_buffer *body, struct wsp_view username, struct wsp_view password)
{
    struct wsp_buffer basic;
    int r;

    wsp_buffer_init(&basic, SIZE_MAX);
    wsp_buffer_keep_secret(&basic);
    r = wsp_basic_append(&basic, username, password);
    if (r == 0)
        mask(body, view_of(&basic));
    wsp_buffer_deinit(&basic);
    return r;
}

/* As servers decode it. 0, -ENOMEM. */
static int mask_decoded(struct wsp_buffer *body, struct wsp_view resource)
{
    struct wsp_buffer decoded;
    uint8_t *room;
    int r;

    wsp_buffer_init(&decoded, SIZE_MAX);
    wsp_buffer_keep_secret(&decoded);
    r = wsp_buffer_reserve(&decoded, resource.len, &room);
    if (r == 0) {
        wsp_buffer_commit(
            &decoded, wsp_percent_decode((char *)room, (const char *)resource.data, resource.len));
        mask(body, view_of(&decoded));
    }
    wsp_buffer_deinit(&decoded);
    return r;
}

/* Who names an endpoint is not told its secrets, neither by a server that tells back what it got. Whole values go first:
 * once a word of theirs is covered, the rest would no longer be found. 0, -ENOMEM. */
static int mask_secrets(struct wsp_buffer *body, const struct words *words)
{
    struct wsp_view values = view_of(&words->values), value;

    while (credential_next(&values, &value))
        excerpt_mask_value(body->data + body->start, wsp_buffer_len(body), value);
    for (size_t i = 0; i < words->n_texts; i++)
        mask(body, view_of(&words->texts[i]));

    int r = mask_decoded(body, view_of(&words->texts[TEXT_RESOURCE]));

    return r < 0 ? r
                 : mask_basic(body, view_of(&words->texts[TEXT_USERNAME]),
                              view_of(&words->texts[TEXT_PASSWORD]));
}

char *upgrade_excerpt(const struct upgrade *upgrade)
{
    struct wsp_view said = wsp_response_reader_excerpt(&upgrade->reader);
    struct wsp_buffer body;
    char *text = NULL;
    int r;

    wsp_buffer_init(&body, WSP_MAX_ANSWER_EXCERPT);
    wsp_buffer_keep_secret(&body);
    r = wsp_buffer_append(&body, said.data, said.len);
    if (r == 0 && said.len > 0 && upgrade->target->endpoint != NULL)
        r = mask_secrets(&body, &upgrade->words);
    if (r == 0)
        text = excerpt_new(view_of(&body));
    wsp_buffer_deinit(&body);
    return text;
}
