/*
 * remotes: hostile servers in memory; see remotes.h.
 *
 * Between a target's script and daemon/upstream.
 *
 * Invariant: each remote is one upstream's, from its start to the end of the input.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/remotes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/crypto.h"
#include "daemon/pulse.h"
#include "proto/local/errors.h"
#include "tests/fuzz/chunks.h"

struct dial {
    struct remote *remote;
    dial_done_fn done;
    void *owner;
};

static const struct wsp_ws_limits no_limits = {
    .max_message = WSP_MAX_MAX_MESSAGE,
    .max_fragments = WSP_DEFAULT_MAX_FRAGMENTS,
};

static struct wsp_view view_of(const struct wsp_buffer *buffer)
{
    return (struct wsp_view){wsp_buffer_peek(buffer), wsp_buffer_len(buffer)};
}

static void no_random(void *to, size_t len)
{
    memset(to, 'n', len);
}

/* --- what upstreams write --- */

static void hear_event(struct remote *remote, const struct wsp_ws_event *event)
{
    struct remotes *remotes = remote->remotes;

    switch (event->type) {
    case WSP_WS_MESSAGE: remotes->heard(remotes->owner, event->is_binary, event->payload); break;
    case WSP_WS_PING:
        require(event->payload.len == PULSE_PAYLOAD && !wsp_ws_reader_is_amid(&remote->reader));
        break;
    case WSP_WS_PONG:
        require(wsp_buffer_append_u8(&remote->pongs, (uint8_t)event->payload.len) == 0);
        require(wsp_buffer_append(&remote->pongs, event->payload.data, event->payload.len) == 0);
        break;
    case WSP_WS_CLOSE:
        remote->is_close_heard = true;
        remote->close_heard = event->code;
        require(wsp_ws_reader_rest(&remote->reader).len == 0);
        break;
    }
}

static void hear_frames(struct remote *remote, struct wsp_view bytes)
{
    struct wsp_ws_event event;
    int r;

    require(!remote->is_close_heard && remote->n_opened == 1);
    wsp_ws_reader_feed(&remote->reader, bytes);
    while ((r = wsp_ws_reader_next(&remote->reader, &event)) == 0)
        hear_event(remote, &event);
    require(r == WSP_MORE);
}

static void hear_offer(const struct remote *remote, const struct wsp_head *head)
{
    struct wsp_view offer = {0};

    wsp_head_find(head, "Sec-WebSocket-Extensions", NULL, &offer);
    require(wsp_view_equals(offer, wsp_view_of_string(remote->offer)));
}

static void remote_hears(void *owner, struct wsp_view bytes)
{
    struct remote *remote = owner;
    struct wsp_client_request asked;
    int r;

    if (remote->is_asked) {
        hear_frames(remote, bytes);
        return;
    }
    wsp_request_reader_feed(&remote->request, bytes);
    r = wsp_request_reader_next(&remote->request, &asked);
    require(r == 0 || r == WSP_MORE);
    remote->is_asked = r == 0;
    if (r == 0)
        hear_offer(remote, asked.head);
    /* A server that has answered before it was asked may get both at once. */
    if (r == 0 && asked.rest.len > 0)
        hear_frames(remote, asked.rest);
}

/* --- what upstreams read --- */

static void remote_was_read(void *owner, struct wsp_view bytes)
{
    struct remote *remote = owner;

    /* Whoever is closing may have gone deaf. */
    require(!remote->is_paused || remote->n_closing > 0 || remote->is_close_asked);
    require(remote->n_ended == 0);
    require(wsp_buffer_append(&remote->came, bytes.data, bytes.len) == 0);
}

/* --- what upstreams tell: the linker puts these between them and daemon/share --- */

int __real_share_opened(struct share *share, struct wsp_view protocol, struct wsp_view extensions);
int __real_share_received(struct share *share, bool is_binary, struct wsp_view payload);
int __real_share_received_take(struct share *share, bool is_binary, struct wsp_buffer *payload);
bool __real_share_closing(struct share *share);
void __real_share_ended(struct share *share, const struct ending *ending);
int __wrap_share_opened(struct share *share, struct wsp_view protocol, struct wsp_view extensions);
int __wrap_share_received(struct share *share, bool is_binary, struct wsp_view payload);
int __wrap_share_received_take(struct share *share, bool is_binary, struct wsp_buffer *payload);
bool __wrap_share_closing(struct share *share);
void __wrap_share_ended(struct share *share, const struct ending *ending);

static struct remotes *remotes_of(struct share *share)
{
    return share->shares->ops_context;
}

/* Between share_opened and share_ended. */
static struct remote *witness(struct share *share)
{
    struct remote *remote = remotes_find(remotes_of(share), share);

    require(remote != NULL && remote->n_ended == 0);
    return remote;
}

static bool agree(const struct remote *remote, struct wsp_view answer,
                  struct wsp_deflate_agreement *ret_agreement)
{
    const char *why;

    return wsp_deflate_judge(answer, remote->offer[0] != '\0' ? &remote->offered : NULL,
                             ret_agreement, &why) == 0;
}

int __wrap_share_opened(struct share *share, struct wsp_view protocol, struct wsp_view extensions)
{
    struct remote *remote = witness(share);
    struct wsp_deflate_agreement agreement;
    int r;

    require(remote->n_opened++ == 0);
    require(agree(remote, extensions, &agreement));
    if (agreement.is_on)
        wsp_ws_reader_inflate(&remote->reader, agreement.from_client);
    remote->remotes->n_calls++;
    r = __real_share_opened(share, protocol, extensions);
    remote->remotes->n_calls--;
    return r;
}

static void witness_message(struct share *share, bool is_binary, struct wsp_view payload)
{
    struct remote *remote = witness(share);
    struct remote_message *message;

    require(remote->n_opened == 1 && remote->n_closing == 0);
    require(payload.len <= remote->max_message);
    /* Twice as many whenever their number is a power of two. */
    if ((remote->n_messages & (remote->n_messages - 1)) == 0)
        remote->messages =
            reallocarray(remote->messages, 2 * remote->n_messages + 1, sizeof(*remote->messages));
    require(remote->messages != NULL);
    message = &remote->messages[remote->n_messages++];
    *message = (struct remote_message){is_binary, payload.len, malloc(payload.len + 1)};
    require(message->bytes != NULL);
    if (payload.len > 0)
        memcpy(message->bytes, payload.data, payload.len);
}

int __wrap_share_received(struct share *share, bool is_binary, struct wsp_view payload)
{
    struct remotes *remotes = remotes_of(share);
    int r;

    witness_message(share, is_binary, payload);
    remotes->n_calls++;
    r = __real_share_received(share, is_binary, payload);
    remotes->n_calls--;
    return r;
}

int __wrap_share_received_take(struct share *share, bool is_binary, struct wsp_buffer *payload)
{
    struct remotes *remotes = remotes_of(share);
    int r;

    witness_message(share, is_binary, view_of(payload));
    remotes->n_calls++;
    r = __real_share_received_take(share, is_binary, payload);
    remotes->n_calls--;
    return r;
}

bool __wrap_share_closing(struct share *share)
{
    struct remote *remote = witness(share);
    bool is_parting;

    require(remote->n_opened == 1 && remote->n_closing++ == 0);
    remote->remotes->n_calls++;
    is_parting = __real_share_closing(share);
    remote->remotes->n_calls--;
    return is_parting;
}

void __wrap_share_ended(struct share *share, const struct ending *ending)
{
    struct remote *remote = witness(share);

    require(remote->n_ended++ == 0 && !remote->dial);
    require(!remote->pipe.owner || remote->pipe.is_freed);
    require(remote->n_opened == 1 || ending->failure.cause != 0);
    remote->ending = *ending;
    remote->remotes->n_calls++;
    __real_share_ended(share, ending);
    remote->remotes->n_calls--;
}

/* --- what shares ask --- */

static struct remote *remote_of(const struct remotes *remotes, const struct upstream *upstream)
{
    LIST_FOR_EACH (node, &remotes->all) {
        struct remote *remote = LIST_ENTRY(node, struct remote, link);

        if (remote->upstream == upstream)
            return remote;
    }
    abort();
}

/* Ops have no context but their upstream, which does not know us. */
static struct remotes *current;

static int ops_start(void *context, struct share *share, struct upstream **ret_upstream)
{
    struct remotes *remotes = context;
    int r;

    remotes->starting = share;
    r = upstream_remote_ops()->start(&remotes->context, share, ret_upstream);
    require(r == 0);
    remotes_find(remotes, share)->upstream = *ret_upstream;
    remotes->starting = NULL;
    return r;
}

static void ops_wake(struct upstream *upstream)
{
    require(remote_of(current, upstream)->n_ended == 0);
    upstream_remote_ops()->wake(upstream);
}

static void ops_pause(struct upstream *upstream, bool is_paused)
{
    struct remote *remote = remote_of(current, upstream);

    require(remote->remotes->n_calls == 0 && remote->is_paused != is_paused);
    require(remote->n_ended == 0);
    remote->is_paused = is_paused;
    upstream_remote_ops()->pause(upstream, is_paused);
}

static void ops_tune(struct upstream *upstream)
{
    require(remote_of(current, upstream)->remotes->n_calls == 0);
    upstream_remote_ops()->tune(upstream);
}

static void ops_close(struct upstream *upstream, uint16_t code, struct wsp_view reason)
{
    struct remote *remote = remote_of(current, upstream);

    require(remote->remotes->n_calls == 0 && !remote->is_close_asked);
    require(remote->n_ended == 0);
    remote->is_close_asked = true;
    remote->close_code = code != 0 ? code : 1005;
    upstream_remote_ops()->close(upstream, code, reason);
}

static void ops_break_off(struct upstream *upstream, const struct failure *failure)
{
    struct remote *remote = remote_of(current, upstream);

    require(remote->remotes->n_calls == 0 && remote->n_ended == 0);
    require(failure->cause == WSP_CAUSE_TIMEOUT);
    upstream_remote_ops()->break_off(upstream, failure);
}

static void ops_free(struct upstream *upstream)
{
    struct remote *remote;

    if (!upstream)
        return;
    remote = remote_of(current, upstream);
    require(remote->remotes->n_calls == 0);
    upstream_remote_ops()->free(upstream);
    require(!remote->dial && (!remote->pipe.owner || remote->pipe.is_freed));
    remote->upstream = NULL;
}

/* --- the dialer --- */

static struct remotes *remotes_of_dialer(struct dialer *dialer)
{
    return LIST_ENTRY(dialer, struct remotes, dialer);
}

/* What permessage-deflate the target is to ask for. */
static void expect_offer(struct remote *remote, const struct target *target)
{
    bool is_small = target->window_bits < WSP_DEFLATE_MAX_BITS;

    if (!target->is_deflated)
        return;
    remote->offered = (struct wsp_deflate_params){
        !target->is_taking_over, !target->is_taking_over, is_small ? target->window_bits : 0,
        is_small ? target->window_bits : WSP_DEFLATE_BITS_ANY};
    wsp_deflate_params_write(&remote->offered, remote->offer);
}

static int script_dial(struct dialer *dialer, const struct target *target, dial_done_fn done,
                       dial_rests_fn rests, void *owner, struct dial **ret_dial)
{
    struct remotes *remotes = remotes_of_dialer(dialer);
    struct remote *remote = calloc(1, sizeof(*remote));
    struct dial *dial = calloc(1, sizeof(*dial));

    (void)rests;
    require(remote != NULL && dial != NULL && remotes->starting != NULL);
    *dial = (struct dial){remote, done, owner};
    remote->remotes = remotes;
    remote->dial = dial;
    remote->share = remotes->starting;
    remote->max_message = target->max_message;
    remote->has_protocols = target->protocols.n_items > 0;
    expect_offer(remote, target);
    wsp_buffer_init(&remote->came, SIZE_MAX);
    wsp_buffer_init(&remote->pongs, SIZE_MAX);
    wsp_request_reader_init(&remote->request, WSP_MAX_HTTP_HEAD, WSP_MAX_HTTP_N_FIELDS);
    wsp_ws_reader_init(&remote->reader, WSP_ROLE_SERVER, &no_limits);
    list_init(&remote->link);
    list_append(&remotes->all, &remote->link);
    remotes->n_remotes++;
    *ret_dial = dial;
    return 0;
}

static void script_describe(const struct dial *dial, char *to, size_t len)
{
    require(dial->remote->dial == dial);
    snprintf(to, len, "connecting, as scripted");
}

static uint64_t script_waits_since(const struct dial *dial)
{
    (void)dial;
    require(false); /* it never rests */
    return 0;
}

static void script_cancel(struct dial *dial)
{
    if (!dial)
        return;
    dial->remote->dial = NULL;
    free(dial);
}

static void dial_is_done(struct remote *remote, struct dial_result *result)
{
    struct dial dial = *remote->dial;

    free(remote->dial);
    remote->dial = NULL;
    snprintf(result->address, sizeof(result->address), "192.0.2.1:443");
    dial.done(dial.owner, result);
}

void remote_is_reached(struct remote *remote)
{
    struct dial_result result = {.transport = &remote->pipe.transport};

    if (!remote->dial)
        return;
    pipe_init(&remote->pipe, remote);
    remote->pipe.room = SIZE_MAX;
    remote->pipe.was_read = remote_was_read;
    remote->pipe.was_taken = remote_hears;
    dial_is_done(remote, &result);
}

void remote_is_not_reached(struct remote *remote)
{
    struct dial_result result = {0};

    if (!remote->dial)
        return;
    failure_set(&result.failure, WSP_CAUSE_CONNECT, 0, "scripted");
    dial_is_done(remote, &result);
}

/* --- what servers say --- */

static void expected_accept(char accept[WSP_HANDSHAKE_ACCEPT])
{
    char key[WSP_HANDSHAKE_KEY], input[WSP_HANDSHAKE_ACCEPT_INPUT];
    uint8_t nonce[WSP_HANDSHAKE_NONCE], digest[WSP_HANDSHAKE_DIGEST];

    no_random(nonce, sizeof(nonce));
    wsp_handshake_key(nonce, key);
    wsp_handshake_accept_input(key, input);
    require(crypto_sha1(input, sizeof(input), digest) == 0);
    wsp_handshake_accept(digest, accept);
}

void remote_accepts(struct remote *remote, struct wsp_view protocol, struct wsp_view extensions)
{
    char accept[WSP_HANDSHAKE_ACCEPT];
    struct wsp_buffer answer;

    expected_accept(accept);
    wsp_buffer_init(&answer, SIZE_MAX);
    require(wsp_handshake_write_accept(&answer, accept, protocol, extensions, NULL, 0) == 0);
    remote_says(remote, view_of(&answer));
    wsp_buffer_deinit(&answer);
}

bool remote_can_say(const struct remote *remote)
{
    return remote->pipe.owner && !remote->pipe.is_freed && remote->pipe.end == 0;
}

void remote_says(struct remote *remote, struct wsp_view bytes)
{
    if (remote_can_say(remote))
        pipe_put(&remote->pipe, bytes);
}

/* --- the judgement --- */

/* What a client that is given all bytes at once makes of them. */
struct reference {
    bool is_accepted, is_closed, is_broken;
    bool is_vague; /* where a reference beyond a small window is found out depends on the cut */
    uint16_t code; /* of the server's Close, or for one that breaks a rule */
    struct close_reason reason;
    size_t n_messages;
    struct wsp_view pongs; /* that are not explained yet */
};

static void refer_message(struct reference *reference, const struct remote *remote,
                          const struct wsp_ws_event *event)
{
    const struct remote_message *message = &remote->messages[reference->n_messages++];

    if (reference->n_messages > remote->n_messages)
        return;
    require(message->is_binary == event->is_binary);
    require(wsp_view_equals((struct wsp_view){message->bytes, message->len}, event->payload));
}

/* Some pings are answered, in their order. */
static void refer_ping(struct reference *reference, struct wsp_view payload)
{
    struct wsp_view rest = reference->pongs, pong;
    uint8_t len;

    if (wsp_view_take_u8(&rest, &len) && wsp_view_take(&rest, len, &pong) &&
        wsp_view_equals(pong, payload))
        reference->pongs = rest;
}

static void refer_frames(struct reference *reference, const struct remote *remote,
                         const struct wsp_deflate_agreement *agreement, struct wsp_view bytes)
{
    struct wsp_ws_limits limits = {remote->max_message, WSP_DEFAULT_MAX_FRAGMENTS};
    struct wsp_ws_reader reader;
    struct wsp_ws_event event;
    int r;

    wsp_ws_reader_init(&reader, WSP_ROLE_CLIENT, &limits);
    if (agreement->is_on)
        wsp_ws_reader_inflate(&reader, agreement->from_server);
    wsp_ws_reader_feed(&reader, bytes);
    while ((r = wsp_ws_reader_next(&reader, &event)) == 0) {
        if (event.type == WSP_WS_MESSAGE)
            refer_message(reference, remote, &event);
        if (event.type == WSP_WS_PING)
            refer_ping(reference, event.payload);
        if (event.type == WSP_WS_CLOSE) {
            reference->is_closed = true;
            reference->code = event.code;
            reference->reason = close_reason_of(event.payload);
        }
    }
    reference->is_vague =
        agreement->is_on && agreement->from_server.window_bits < WSP_DEFLATE_MAX_BITS;
    reference->is_broken = r == WSP_BROKEN;
    if (reference->is_broken)
        reference->code = wsp_ws_reader_broken_code(&reader);
    wsp_ws_reader_deinit(&reader);
}

static void refer(struct reference *reference, const struct remote *remote,
                  const struct wsp_view *protocols, size_t n_protocols)
{
    struct wsp_asked asked = {.protocols = protocols,
                              .n_protocols = n_protocols,
                              .is_protocol_needed = true,
                              .extensions = wsp_view_of_string(remote->offer),
                              .max_head_bytes = WSP_MAX_HTTP_HEAD,
                              .max_head_fields = WSP_MAX_HTTP_N_FIELDS};
    struct wsp_deflate_agreement agreement;
    struct wsp_response_reader reader;
    struct wsp_response response;

    expected_accept(asked.accept);
    wsp_response_reader_init(&reader, &asked);
    wsp_response_reader_feed(&reader, view_of(&remote->came));
    reference->is_accepted = wsp_response_reader_next(&reader, &response) == 0 &&
                             response.verdict == WSP_VERDICT_ACCEPTED &&
                             agree(remote, response.extensions, &agreement);
    if (reference->is_accepted)
        refer_frames(reference, remote, &agreement, response.rest);
    wsp_response_reader_deinit(&reader);
}

/* The upstream has read the end of the stream, so it has understood everything before. */
static void judge_end(const struct remote *remote, const struct reference *reference)
{
    const struct ending *ending = &remote->ending;
    uint16_t cause = ending->failure.cause;

    require(remote->n_messages == reference->n_messages);
    if (!reference->is_accepted)
        require(cause == WSP_CAUSE_HANDSHAKE);
    else if (reference->is_broken)
        require(cause == (reference->code == 1009 ? WSP_CAUSE_TOO_BIG : WSP_CAUSE_PROTOCOL));
    else if (reference->is_closed)
        require(cause == 0 && ending->code == reference->code &&
                wsp_view_equals(close_reason_view(&ending->reason),
                                close_reason_view(&reference->reason)));
    else
        require(cause == WSP_CAUSE_LOST && ending->code == 1006);
}

static void judge(const struct remote *remote)
{
    static const struct wsp_view protocols[] = {{(const uint8_t *)"p", 1}};
    struct reference reference = {.pongs = view_of(&remote->pongs)};

    refer(&reference, remote, protocols, remote->has_protocols);
    require(remote->n_opened == reference.is_accepted);
    if (reference.is_vague)
        return;
    require(remote->n_messages <= reference.n_messages);
    require(reference.pongs.len == 0);
    if (remote->is_close_heard)
        require((remote->is_close_asked && remote->close_heard == remote->close_code) ||
                ((reference.is_closed || reference.is_broken) &&
                 remote->close_heard == reference.code));
    if (remote->n_ended == 0)
        return;
    if (remote->ending.was_clean)
        require(reference.is_closed && remote->is_close_heard && remote->ending.failure.cause == 0);
    if (remote->pipe.is_end_read)
        judge_end(remote, &reference);
}

/* --- all --- */

static void remote_free(struct remote *remote)
{
    require(!remote->upstream && !remote->dial);
    if (remote->pipe.owner)
        pipe_deinit(&remote->pipe);
    for (size_t i = 0; i < remote->n_messages; i++)
        free(remote->messages[i].bytes);
    free(remote->messages);
    wsp_buffer_deinit(&remote->came);
    wsp_buffer_deinit(&remote->pongs);
    wsp_request_reader_deinit(&remote->request);
    wsp_ws_reader_deinit(&remote->reader);
    free(remote);
}

void remotes_init(struct remotes *remotes, struct clock *clock, struct turn *turn, uint8_t *scratch,
                  size_t scratch_len, void *owner)
{
    *remotes = (struct remotes){
        .context = {.clock = clock,
                    .turn = turn,
                    .dialer = &remotes->dialer,
                    .scratch = scratch,
                    .scratch_len = scratch_len,
                    .random = no_random,
                    .sha1 = crypto_sha1},
        .ops = {ops_start, ops_wake, ops_pause, ops_tune, ops_close, ops_break_off, ops_free},
        .dialer = {script_dial, script_describe, script_waits_since, script_cancel},
        .owner = owner,
    };
    list_init(&remotes->all);
    current = remotes;
}

void remotes_deinit(struct remotes *remotes)
{
    LIST_FOR_EACH (node, &remotes->all) {
        struct remote *remote = LIST_ENTRY(node, struct remote, link);

        judge(remote);
        remote_free(remote);
    }
    current = NULL;
}

struct remote *remotes_pick(const struct remotes *remotes, unsigned index)
{
    unsigned n = 0;

    LIST_FOR_EACH (node, &remotes->all)
        n += LIST_ENTRY(node, struct remote, link)->upstream != NULL;
    if (n == 0)
        return NULL;
    index %= n;
    LIST_FOR_EACH (node, &remotes->all) {
        struct remote *remote = LIST_ENTRY(node, struct remote, link);

        if (remote->upstream && index-- == 0)
            return remote;
    }
    return NULL;
}

struct remote *remotes_find(const struct remotes *remotes, const struct share *share)
{
    struct remote *newest = NULL;

    LIST_FOR_EACH (node, &remotes->all) {
        struct remote *remote = LIST_ENTRY(node, struct remote, link);

        if (remote->share == share)
            newest = remote;
    }
    return newest;
}
