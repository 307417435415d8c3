/*
 * fuzz_routing: two programs and a server say any lines on a connection that routes replies.
 *
 * A line of the input begins with who says the rest of it: "a" or "b" a program, "s" the server, in whose texts # and a
 * digit stand for one of the last ids that it got; "x" and "y" have a or b go and come back, "t" lets time pass. What
 * goes up is what was said but for the id of a request; what comes down is for both as it is, or for the one who asked,
 * but for his own id.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/json_span.h"
#include "daemon/limits.h"
#include "daemon/share.h"
#include "daemon/shares.h"
#include "tests/harness/fake_clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { N_IDS = 10, MAX_LINE = 4096, TIMEOUT_MS = 1000, MAX_PENDING = 3 };

struct upstream {
    struct share *share;
};

struct request {
    char number[16]; /* that the server got */
    uint8_t own[MAX_ROUTED_ID];
    size_t own_len;
    uint64_t asker; /* its channel's id */
};

static struct play {
    struct turn turn;
    struct fake_clock clock;
    struct quota quota;
    uint64_t last_id;
    struct shares shares;
    struct upstream upstream;
    struct channel programs[2];
    struct request requests[N_IDS];
    unsigned n_requests; /* the last ones are kept */
    /* what the last message of the server became */
    struct wsp_buffer said, heard[2];
    unsigned n_heard[2];
} play;

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* --- the remote side --- */

static int upstream_start(void *context, struct share *share, struct upstream **ret_upstream)
{
    (void)context;
    play.upstream.share = share;
    *ret_upstream = &play.upstream;
    return 0;
}

static void upstream_wake(struct upstream *upstream)
{
    (void)upstream;
}

static void upstream_pause(struct upstream *upstream, bool is_paused)
{
    (void)upstream;
    (void)is_paused;
}

static void upstream_close(struct upstream *upstream, uint16_t code, struct wsp_view reason)
{
    (void)upstream;
    (void)code;
    (void)reason;
}

static void upstream_tune(struct upstream *upstream)
{
    (void)upstream;
}

static void upstream_break_off(struct upstream *upstream, const struct failure *failure)
{
    (void)upstream;
    (void)failure;
}

static void upstream_free(struct upstream *upstream)
{
    (void)upstream;
}

static const struct upstream_ops upstream_ops = {
    .start = upstream_start,
    .wake = upstream_wake,
    .pause = upstream_pause,
    .tune = upstream_tune,
    .close = upstream_close,
    .break_off = upstream_break_off,
    .free = upstream_free,
};

/* --- the programs --- */

static void channel_woken(struct channel *channel)
{
    (void)channel;
}

static const struct channel_ops channel_ops = {
    .wake = channel_woken,
    .cut = channel_woken,
    .gone = channel_woken,
};

static void same_bytes(void *to, size_t len)
{
    memset(to, 7, len);
}

static void join(unsigned i)
{
    struct channel *channel = &play.programs[i];
    struct user *user = NULL;
    struct target *target = target_new();
    struct failure failure;

    require(target != NULL && quota_user_ref(&play.quota, 1000, &user) == 0);
    require(wsp_url_parse_websocket(&target->url, "ws://h/", 7, NULL, NULL) == 0);
    target->linger_ms = 1000000;
    target->routing = (struct routing_settings){
        .is_on = true, .timeout_ms = TIMEOUT_MS, .max_pending = MAX_PENDING};
    require(channel_init(channel, &channel_ops, user, ++play.last_id, 0) == 0);
    user_unref(user);
    require(shares_open(&play.shares, target, true, channel, &failure) == 0);
}

static void fetch(unsigned i)
{
    struct channel *channel = &play.programs[i];
    const struct entry *entry;

    for (;;) {
        unsigned due;

        while ((due = channel_due(channel)) != 0)
            channel_told(channel, (enum channel_notice)(due & -due));
        entry = channel_peek(channel);
        if (entry == NULL)
            return;
        play.n_heard[i]++;
        wsp_buffer_truncate(&play.heard[i], 0);
        require(wsp_buffer_append(&play.heard[i], entry->data, entry->len) == 0);
        channel_fetched(channel);
    }
}

/* --- what is compared --- */

static struct wsp_view view_of(const struct wsp_buffer *buffer)
{
    return (struct wsp_view){wsp_buffer_peek(buffer), wsp_buffer_len(buffer)};
}

/* Whether the text is what stands before and behind the part, and between them this. */
static bool is_spliced(struct wsp_view text, struct wsp_view whole, struct wsp_view part,
                       struct wsp_view other)
{
    size_t before = (size_t)(part.data - whole.data), after = whole.len - before - part.len;

    return text.len == before + other.len + after && memcmp(text.data, whole.data, before) == 0 &&
           (other.len == 0 || memcmp(text.data + before, other.data, other.len) == 0) &&
           memcmp(text.data + before + other.len, part.data + part.len, after) == 0;
}

static struct json_member id_of(struct wsp_view text)
{
    struct json_member member = {.name = WSP_VIEW_LITERAL("id")};

    json_find_members(text, &member, 1);
    return member;
}

/* One message that goes up, of which given was the program's. */
static void went(struct wsp_view sent, struct wsp_view given, uint64_t asker)
{
    struct json_member own = id_of(given), other = id_of(sent);
    struct request *request = &play.requests[play.n_requests % N_IDS];
    struct wsp_view number = other.value;

    if (wsp_view_equals(sent, given))
        return;
    require(own.n == 1 && other.n == 1 && own.value.len <= MAX_ROUTED_ID);
    require(own.type == other.type || (own.type == SPAN_NULL && other.type == SPAN_NUMBER));
    require(is_spliced(sent, given, own.value, other.value));
    if (other.type == SPAN_STRING)
        number = (struct wsp_view){number.data + 1, number.len - 2};
    require(number.len < sizeof(request->number));
    memcpy(request->number, number.data, number.len);
    request->number[number.len] = '\0';
    for (unsigned i = 0; i < N_IDS; i++)
        require(&play.requests[i] == request ||
                strcmp(play.requests[i].number, request->number) != 0);
    memcpy(request->own, own.value.data, own.value.len);
    request->own_len = own.value.len;
    request->asker = asker;
    play.n_requests++;
}

/* All that may go. What was given is not known once it waited, so each is compared with itself by its length. */
static void write_all(struct wsp_view given, const struct channel *channel)
{
    struct outgoing *outgoing;

    while ((outgoing = share_next_outgoing(play.upstream.share)) != NULL) {
        if (channel != NULL && outgoing->channel == channel && outgoing->number == channel->n_given)
            went(view_of(&outgoing->payload), given, channel->id);
        outgoing_written(outgoing, outgoing->given_len);
        outgoing_done(outgoing);
    }
}

static void say(unsigned i, struct wsp_view text)
{
    struct channel *channel = &play.programs[i];
    struct charge charge = {0};
    struct wsp_buffer payload;

    wsp_buffer_init(&payload, MAX_LINE);
    require(wsp_buffer_append(&payload, text.data, text.len) == 0);
    require(channel_send_take(channel, false, &payload, 0, &charge) == 0);
    wsp_buffer_deinit(&payload);
    write_all(text, channel);
    fetch(i);
}

/* It went to the one who asked for it alone, under his id. */
static void was_routed(struct wsp_view said, unsigned i)
{
    struct json_member id = id_of(said);
    bool is_found = false;

    require(play.n_heard[i] == 1 && play.n_heard[1 - i] == 0 && id.n == 1);
    for (unsigned k = 0; k < N_IDS; k++) {
        const struct request *request = &play.requests[k];

        if (request->asker == play.programs[i].id &&
            memmem(id.value.data, id.value.len, request->number, strlen(request->number)) != NULL &&
            is_spliced(view_of(&play.heard[i]), said, id.value,
                       (struct wsp_view){request->own, request->own_len}))
            is_found = true;
    }
    /* Whose request is no more among the last ones cannot be compared. */
    require(is_found || play.n_requests > N_IDS);
}

static void answer(struct wsp_view text)
{
    struct share *share = play.upstream.share;
    uint64_t n_dropped = share->routing.n_dropped;
    struct wsp_view said;

    wsp_buffer_truncate(&play.said, 0);
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '#' && i + 1 < text.len && text.data[i + 1] >= '0' &&
            text.data[i + 1] <= '9') {
            const char *number = play.requests[text.data[++i] - '0'].number;

            require(wsp_buffer_append(&play.said, number, strlen(number)) == 0);
        } else {
            require(wsp_buffer_append_u8(&play.said, text.data[i]) == 0);
        }
    }
    said = view_of(&play.said);
    play.n_heard[0] = play.n_heard[1] = 0;
    require(share_received(share, false, said) == 0);
    fetch(0);
    fetch(1);
    write_all((struct wsp_view){0}, NULL);
    if (share->routing.n_dropped != n_dropped)
        require(play.n_heard[0] == 0 && play.n_heard[1] == 0);
    else if (play.n_heard[0] != play.n_heard[1])
        was_routed(said, play.n_heard[1]);
    else
        for (unsigned i = 0; i < 2; i++)
            require(play.n_heard[i] == 1 && wsp_view_equals(view_of(&play.heard[i]), said));
}

/* --- the play --- */

static void come_back(unsigned i)
{
    channel_deinit(&play.programs[i]);
    join(i);
    fetch(i);
    write_all((struct wsp_view){0}, NULL);
}

static void do_line(struct wsp_view line)
{
    struct wsp_view rest = {line.data + 1, line.len - 1};

    switch (line.data[0]) {
    case 'a': say(0, rest); break;
    case 'b': say(1, rest); break;
    case 's': answer(rest); break;
    case 'x': come_back(0); break;
    case 'y': come_back(1); break;
    case 't':
        fake_clock_advance(&play.clock, TIMEOUT_MS / 2);
        write_all((struct wsp_view){0}, NULL);
        break;
    default: break;
    }
    require(play.programs[0].asker.n_routes <= MAX_PENDING);
    require(play.programs[1].asker.n_routes <= MAX_PENDING);
}

static void begin(void)
{
    memset(&play, 0, sizeof(play));
    turn_init(&play.turn);
    fake_clock_init(&play.clock, &play.turn);
    quota_init(&play.quota);
    shares_init(&play.shares, &play.clock.clock, &play.turn, &upstream_ops, NULL, same_bytes,
                &play.last_id);
    wsp_buffer_init(&play.said, SIZE_MAX);
    wsp_buffer_init(&play.heard[0], SIZE_MAX);
    wsp_buffer_init(&play.heard[1], SIZE_MAX);
    join(0);
    join(1);
    require(share_opened(play.upstream.share, (struct wsp_view){0}, (struct wsp_view){0}) == 0);
    fetch(0);
    fetch(1);
}

static void end(void)
{
    struct ending ending = {.was_clean = true, .code = 1000};

    share_ended(play.upstream.share, &ending);
    fetch(0);
    fetch(1);
    channel_deinit(&play.programs[0]);
    channel_deinit(&play.programs[1]);
    turn_end(&play.turn);
    shares_deinit(&play.shares);
    require(play.quota.users == NULL);
    quota_deinit(&play.quota);
    wsp_buffer_deinit(&play.said);
    wsp_buffer_deinit(&play.heard[0]);
    wsp_buffer_deinit(&play.heard[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    begin();
    while (len > 0) {
        const uint8_t *newline = memchr(data, '\n', len);
        size_t line_len = newline != NULL ? (size_t)(newline - data) : len;

        if (line_len > 0 && line_len <= MAX_LINE)
            do_line((struct wsp_view){data, line_len});
        if (newline != NULL)
            line_len++;
        data += line_len;
        len -= line_len;
    }
    end();
    return 0;
}
