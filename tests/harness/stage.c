/*
 * stage: scripted servers and programs around the real policy objects; see stage.h.
 *
 * Between a scenario test and daemon/share.
 *
 * Invariant: no op but wake is called from within a call of the upstream, or the test fails.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/stage.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ck_assert writes down every line that holds, which a long walk cannot afford. */
#define must(condition)                                                        \
    do {                                                                       \
        if (!(condition))                                                      \
            ck_abort_msg("%s:%d: not so: %s", __FILE__, __LINE__, #condition); \
    } while (0)

/* --- the server's part --- */

/* A message that the upstream has taken. */
struct peer_hold {
    struct list link;
    struct outgoing *outgoing;
    size_t n_written;
};

static void assert_not_within(const struct stage *stage)
{
    must(stage->n_upstream_calls == 0);
}

static int peer_start(void *context, struct share *share, struct upstream **ret_upstream)
{
    struct stage *stage = context;
    struct upstream *peer = malloc(sizeof(*peer));

    if (peer == NULL)
        return -ENOMEM;
    must(stage->n_peers < STAGE_MAX_PEERS);
    stage->peers[stage->n_peers++] = peer;
    *peer = (struct upstream){.stage = stage, .share = share};
    list_init(&peer->in_flight);
    *ret_upstream = peer;
    return 0;
}

static void peer_wake(struct upstream *peer)
{
    must(!peer->is_freed);
    peer->n_wakes++;
}

static void peer_pause(struct upstream *peer, bool is_paused)
{
    assert_not_within(peer->stage);
    must(!peer->is_freed);
    must(peer->is_paused != is_paused);
    peer->is_paused = is_paused;
    peer->n_pauses += is_paused;
}

static void peer_tune(struct upstream *peer)
{
    assert_not_within(peer->stage);
    must(!peer->is_freed);
    peer->n_tuned++;
}

static void peer_close(struct upstream *peer, uint16_t code, struct wsp_view reason)
{
    assert_not_within(peer->stage);
    must(!peer->is_freed);
    must(!peer->is_close_asked);
    peer->is_close_asked = true;
    peer->close_code = code;
    must(reason.len <= WSP_MAX_CLOSE_REASON);
    if (reason.len > 0)
        memcpy(peer->close_reason, reason.data, reason.len);
    peer->close_reason[reason.len] = '\0';
}

static void peer_break_off(struct upstream *peer, const struct failure *failure)
{
    assert_not_within(peer->stage);
    must(!peer->is_freed);
    must(failure->cause != 0 && strcmp(failure->text, "") != 0);
    peer->failed = failure->cause;
}

static void drop_in_flight(struct upstream *peer)
{
    struct list *node;

    while ((node = list_first(&peer->in_flight)) != NULL) {
        struct peer_hold *hold = LIST_ENTRY(node, struct peer_hold, link);

        list_remove(node);
        outgoing_drop(hold->outgoing);
        free(hold);
    }
}

static void peer_free(struct upstream *peer)
{
    if (peer == NULL)
        return;
    assert_not_within(peer->stage);
    must(!peer->is_freed);
    drop_in_flight(peer);
    peer->is_freed = true;
    peer->share = NULL;
}

static const struct upstream_ops peer_ops = {
    .start = peer_start,
    .wake = peer_wake,
    .pause = peer_pause,
    .tune = peer_tune,
    .close = peer_close,
    .break_off = peer_break_off,
    .free = peer_free,
};

void peer_opens(struct upstream *peer, const char *protocol)
{
    peer->stage->n_upstream_calls++;
    must(share_opened(peer->share, wsp_view_of_string(protocol), wsp_view_of_string("")) == 0);
    peer->stage->n_upstream_calls--;
}

void peer_sends(struct upstream *peer, const char *text)
{
    peer->stage->n_upstream_calls++;
    must(share_received(peer->share, false, wsp_view_of_string(text)) == 0);
    peer->stage->n_upstream_calls--;
}

void peer_sends_bytes(struct upstream *peer, size_t len)
{
    struct wsp_buffer buffer;
    uint8_t *room;

    wsp_buffer_init(&buffer, len);
    must(wsp_buffer_reserve(&buffer, len, &room) == 0);
    if (len > 0)
        memset(room, 'x', len);
    wsp_buffer_commit(&buffer, len);
    peer->stage->n_upstream_calls++;
    must(share_received_take(peer->share, true, &buffer) == 0);
    peer->stage->n_upstream_calls--;
    must(wsp_buffer_len(&buffer) == 0);
    wsp_buffer_deinit(&buffer);
}

void peer_sends_part(struct upstream *peer, size_t len, size_t max)
{
    peer->stage->n_upstream_calls++;
    reception_holds(peer->share, len, max, 0);
    peer->stage->n_upstream_calls--;
}

void peer_starts_closing(struct upstream *peer)
{
    peer->stage->n_upstream_calls++;
    share_closing(peer->share);
    peer->stage->n_upstream_calls--;
}

void peer_ends_as(struct upstream *peer, const struct ending *ending)
{
    peer->stage->n_upstream_calls++;
    drop_in_flight(peer);
    share_ended(peer->share, ending);
    peer->stage->n_upstream_calls--;
}

void peer_ends(struct upstream *peer, bool was_clean, uint16_t code, const char *reason)
{
    struct ending ending = {.was_clean = was_clean, .code = code};

    ending.reason = close_reason_of(wsp_view_of_string(reason));
    peer_ends_as(peer, &ending);
}

void peer_fails(struct upstream *peer, uint16_t cause)
{
    struct ending ending = {.code = 1006};

    failure_set(&ending.failure, cause, 0, "scripted");
    peer_ends_as(peer, &ending);
}

struct outgoing *peer_takes(struct upstream *peer)
{
    struct outgoing *outgoing = share_next_outgoing(peer->share);
    struct peer_hold *hold;

    if (outgoing == NULL)
        return NULL;
    hold = malloc(sizeof(*hold));
    must(hold != NULL);
    list_init(&hold->link);
    hold->outgoing = outgoing;
    hold->n_written = 0;
    list_append(&peer->in_flight, &hold->link);
    return outgoing;
}

static struct peer_hold *find_hold(struct upstream *peer, const struct outgoing *outgoing)
{
    LIST_FOR_EACH (node, &peer->in_flight) {
        struct peer_hold *hold = LIST_ENTRY(node, struct peer_hold, link);

        if (hold->outgoing == outgoing)
            return hold;
    }
    ck_abort_msg("not in flight");
}

void peer_writes_part(struct upstream *peer, struct outgoing *outgoing, size_t len)
{
    find_hold(peer, outgoing)->n_written += len;
    peer->stage->n_upstream_calls++;
    outgoing_written(outgoing, len);
    peer->stage->n_upstream_calls--;
}

void peer_writes(struct upstream *peer, struct outgoing *outgoing)
{
    struct peer_hold *hold = find_hold(peer, outgoing);

    peer_writes_part(peer, outgoing, outgoing->given_len - hold->n_written);
    list_remove(&hold->link);
    free(hold);
    peer->stage->n_upstream_calls++;
    outgoing_done(outgoing);
    peer->stage->n_upstream_calls--;
}

const char *peer_receives(struct upstream *peer)
{
    static char text[STAGE_MAX_TRANSCRIPT];
    struct outgoing *outgoing;
    size_t len = 0;

    text[0] = '\0';
    while ((outgoing = peer_takes(peer)) != NULL) {
        size_t payload_len = wsp_buffer_len(&outgoing->payload);

        must(len + payload_len + 2 < sizeof(text));
        if (len > 0)
            text[len++] = ' ';
        if (payload_len > 0)
            memcpy(text + len, wsp_buffer_peek(&outgoing->payload), payload_len);
        len += payload_len;
        text[len] = '\0';
        peer_writes(peer, outgoing);
    }
    return text;
}

/* --- the stage --- */

static void count_up(void *to, size_t len)
{
    static uint8_t next;

    memset(to, ++next, len);
}

static void on_change(struct shares *shares, struct share *share)
{
    LIST_ENTRY(shares, struct stage, shares)->n_changes++;
    must(strcmp(share_state_to_string(share->state), "unknown") != 0);
}

void stage_init(struct stage *stage)
{
    *stage = (struct stage){.queue_bytes = TARGET_DEFAULT_QUEUE_BYTES,
                            .queue_messages = TARGET_DEFAULT_QUEUE_MESSAGES,
                            .block_timeout_ms = TARGET_DEFAULT_BLOCK_TIMEOUT_MS,
                            .slow_consumer = SLOW_DEFAULT};
    list_init(&stage->programs);
    turn_init(&stage->turn);
    fake_clock_init(&stage->clock, &stage->turn);
    quota_init(&stage->quota);
    shares_init(&stage->shares, &stage->clock.clock, &stage->turn, &peer_ops, stage, count_up,
                &stage->last_id);
    stage->shares.on_change = on_change;
    must(budgets_init(&stage->budgets, &stage->clock.clock) == 0);
    stage->shares.budgets = &stage->budgets;
}

void stage_programs_die(struct stage *stage)
{
    struct list *node;

    while ((node = list_first(&stage->programs)) != NULL)
        program_deinit(LIST_ENTRY(node, struct program, link));
}

void stage_deinit(struct stage *stage)
{
    stage_programs_die(stage);
    stage_turn(stage);
    shares_deinit(&stage->shares);
    budgets_deinit(&stage->budgets);
    for (unsigned i = 0; i < stage->n_peers; i++) {
        ck_assert_msg(stage->peers[i]->is_freed, "upstream %u is left", i);
        free(stage->peers[i]);
    }
    must(stage->quota.users == NULL); /* no charge is left */
    quota_deinit(&stage->quota);
    must(fake_clock_next_ms(&stage->clock) == UINT64_MAX);
    must(stage->shares.keys == NULL);
    must(!turn_has_next(&stage->turn));
}

void stage_turn(struct stage *stage)
{
    turn_begin(&stage->turn);
    turn_end(&stage->turn);
}

void stage_wait(struct stage *stage, uint64_t ms)
{
    stage_turn(stage);
    fake_clock_advance(&stage->clock, ms);
}

struct upstream *stage_peer(struct stage *stage)
{
    must(stage->n_peers > 0);
    return stage->peers[stage->n_peers - 1];
}

struct user *stage_user(struct stage *stage, uid_t uid)
{
    struct user *user;

    must(quota_user_ref(&stage->quota, uid, &user) == 0);
    must(user->n_refs > 1);
    user_unref(user);
    return user;
}

uint64_t stage_used_by(struct stage *stage, uid_t uid, enum quota_resource resource)
{
    struct user *user;
    uint64_t used;

    must(quota_user_ref(&stage->quota, uid, &user) == 0);
    used = user->used[resource];
    user_unref(user);
    return used;
}

uint64_t stage_used(struct stage *stage, enum quota_resource resource)
{
    return stage_used_by(stage, STAGE_UID, resource);
}

/* The borrowed text becomes the target's own, or NULL. */
static int text_copy(char **text)
{
    bool is_given = *text != NULL;

    *text = is_given ? strdup(*text) : NULL;
    return is_given && *text == NULL ? -ENOMEM : 0;
}

struct target *stage_target(struct stage *stage, uid_t uid, const char *url)
{
    struct target *target = target_new();
    int r;

    if (target == NULL)
        return NULL;
    if (wsp_url_parse_websocket(&target->url, url, strlen(url), NULL, NULL) != 0)
        return target_free(target);
    if (stage->conflate_key != NULL && target_set_conflate_key(target, stage->conflate_key) < 0)
        return target_free(target);
    target->scope = stage->is_wide ? STAGE_DAEMON_UID : uid;
    target->is_wide = stage->is_wide;
    target->may_open = !stage->may_not_open;
    target->denied = stage->denied;
    target->queue_bytes = stage->queue_bytes;
    target->queue_messages = stage->queue_messages;
    target->linger_ms = stage->linger_ms;
    target->block_timeout_ms = stage->block_timeout_ms;
    target->slow_consumer = stage->slow_consumer;
    target->routing = stage->routing;
    if (target->routing.member != NULL) {
        target->routing.member = strdup(target->routing.member);
        if (target->routing.member == NULL)
            return target_free(target);
    }
    target->retention = stage->retention;
    target->replay = stage->replay;
    target->greeting_interval_ms = stage->greeting_interval_ms;
    target->heartbeat = stage->heartbeat;
    /* All of them, also where one fails. */
    r = text_copy(&target->heartbeat.text) | text_copy(&target->heartbeat.answer) |
        text_copy(&target->heartbeat.request) | text_copy(&target->heartbeat.reply);
    for (unsigned i = 0; r == 0 && stage->greeting[i] != NULL; i++)
        r = strings_add(&target->greeting, stage->greeting[i], strlen(stage->greeting[i]));
    if (r != 0)
        return target_free(target);
    if (stage->adjust != NULL)
        stage->adjust(target);
    return target;
}

/* --- the program's part --- */

static void __attribute__((format(printf, 2, 3)))
hear(struct program *program, const char *format, ...)
{
    size_t room = sizeof(program->heard) - program->heard_len;
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(program->heard + program->heard_len, room, format, arguments);
    va_end(arguments);
    if ((size_t)len < room)
        program->heard_len += (size_t)len;
    else
        program->heard[program->heard_len] = '\0';
}

static const char *blank(const struct program *program)
{
    return program->heard_len > 0 ? " " : "";
}

static void hear_end(struct program *program)
{
    const struct ending *ending = &program->channel.ending;

    if (ending->failure.cause != 0)
        hear(program, "%serror(%s)", blank(program), wsp_cause_to_string(ending->failure.cause));
    hear(program, "%sclose(%s%u%s%.*s)", blank(program), ending->was_clean ? "clean " : "",
         ending->code, ending->reason.len > 0 ? " " : "", (int)ending->reason.len,
         (const char *)ending->reason.bytes);
    program->is_ended = true;
}

/* It reads on at this message of this epoch. */
static void count_anew(struct program *program, const struct epoch *epoch, uint64_t next_number)
{
    program->position.is_given = true;
    memcpy(program->position.epoch, epoch->id, LOG_EPOCH_LEN);
    program->position.number = next_number - 1;
}

static void hear_gap(struct program *program)
{
    const struct gap *gap = &program->channel.gap;

    if (gap->is_counted)
        hear(program, "%sgap(%s %llu)", blank(program), wsp_gap_to_string(gap->reason),
             (unsigned long long)gap->count);
    else
        hear(program, "%sgap(%s ?)", blank(program), wsp_gap_to_string(gap->reason));
    must(gap->is_counted || gap->count == 0);
    count_anew(program, program->channel.epoch, channel_place(&program->channel));
}

static void hear_drops(struct program *program, uint64_t count, const struct epoch *epoch,
                       uint64_t next_number)
{
    hear(program, "%sgap(%s %llu)", blank(program), wsp_gap_to_string(WSP_GAP_SLOW_CONSUMER),
         (unsigned long long)count);
    program->n_missed += count;
    if (program->on_missed != NULL)
        program->on_missed(program, count);
    count_anew(program, epoch, next_number);
}

/* What stands between two messages. */
static void hear_place(struct program *program, unsigned due)
{
    struct channel *channel = &program->channel;

    if (due & CHANNEL_NOTICE_GAP) {
        hear_gap(program);
        channel_told(channel, CHANNEL_NOTICE_GAP);
    }
    if (due & CHANNEL_NOTICE_DROPS_BEFORE) {
        hear_drops(program, channel_drops_before(channel), channel->epoch,
                   channel_drops_end(channel));
        channel_told(channel, CHANNEL_NOTICE_DROPS_BEFORE);
    }
    if (due & CHANNEL_NOTICE_INTERRUPTED) {
        hear(program, "%sinterrupted(%s)", blank(program),
             wsp_cause_to_string(channel->share->interruption.cause));
        channel_told(channel, CHANNEL_NOTICE_INTERRUPTED);
    }
    if (due & CHANNEL_NOTICE_RESUMED) {
        hear(program, "%sresumed", blank(program));
        count_anew(program, channel_place_epoch(channel), channel_place(channel));
        channel_told(channel, CHANNEL_NOTICE_RESUMED);
    }
    if (due & CHANNEL_NOTICE_DROPS) {
        hear_drops(program, channel_drops(channel), channel_place_epoch(channel),
                   channel_place(channel));
        channel_told(channel, CHANNEL_NOTICE_DROPS);
    }
    if (due & CHANNEL_NOTICE_POSITION) {
        must(channel_place(channel) > program->position.number + 1);
        program->position.number = channel_place(channel) - 1;
        channel_told(channel, CHANNEL_NOTICE_POSITION);
    }
}

static void hear_notices(struct program *program)
{
    struct channel *channel = &program->channel;
    unsigned due = channel_due(channel);

    must(!program->is_ended || due == 0);
    if (due & CHANNEL_NOTICE_OPENED) {
        must(channel_peek(channel) == NULL);
        hear(program, channel->share->protocol[0] != '\0' ? "%sopen(%s)" : "%sopen%s",
             blank(program), channel->share->protocol);
        count_anew(program, channel->epoch, channel->first_number);
        program->live_number = channel->live_number;
        channel_told(channel, CHANNEL_NOTICE_OPENED);
    }
    if (due & CHANNEL_NOTICE_SENT) {
        program->sent_told = channel->n_sent_bytes;
        channel_told(channel, CHANNEL_NOTICE_SENT);
    }
    if (due & CHANNEL_NOTICE_UNSENT) {
        hear(program, "%sunsent(%llu %llu)", blank(program), (unsigned long long)channel->n_unsent,
             (unsigned long long)channel->n_unsent_bytes);
        channel_told(channel, CHANNEL_NOTICE_UNSENT);
    }
    hear_place(program, due);
    if (due & CHANNEL_NOTICE_CLOSING) {
        hear(program, "%sclosing", blank(program));
        channel_told(channel, CHANNEL_NOTICE_CLOSING);
        /* Nothing more to say to what came before. */
        if (channel->state == CHANNEL_OPEN && !program->is_at_a_loss)
            channel_close(channel, 0, (struct wsp_view){0}, false);
        return;
    }
    if (due & CHANNEL_NOTICE_END) {
        must(channel_peek(channel) == NULL);
        hear_end(program);
        strcpy(program->excerpt, share_excerpt(channel->share, &channel->ending));
        channel_told(channel, CHANNEL_NOTICE_END);
        must(channel->share == NULL);
    }
}

static void hear_message(struct program *program, const struct entry *entry)
{
    bool is_replayed = entry->number < program->live_number;
    const char *begin = is_replayed ? "(" : "", *end = is_replayed ? ")" : "";

    must(entry->only == 0 || entry->only == program->channel.id);
    must(entry->number == program->position.number + 1);
    must(memcmp(entry->epoch->id, program->position.epoch, LOG_EPOCH_LEN) == 0);
    if (entry->is_binary)
        hear(program, "%s%s[%zu]%s", blank(program), begin, entry->len, end);
    else
        hear(program, "%s%s%.*s%s", blank(program), begin, (int)entry->len,
             (const char *)entry->data, end);
    program->position.number++;
    program->n_heard++;
    if (program->on_message != NULL)
        program->on_message(program, entry);
}

/* As a client does: notices, then the next message, as long as there is appetite. */
static void fetch(void *owner)
{
    struct program *program = owner;
    struct channel *channel = &program->channel;
    const struct entry *entry;

    if (program->appetite == 0)
        return;
    for (;;) {
        while (channel_due(channel) != 0)
            hear_notices(program);
        entry = channel_peek(channel);
        if (entry == NULL || program->appetite == 0)
            return;
        hear_message(program, entry);
        if (program->appetite != UINT_MAX)
            program->appetite--;
        channel_fetched(channel);
    }
}

static struct program *program_of(struct channel *channel)
{
    return LIST_ENTRY(channel, struct program, channel);
}

static void program_wake(struct channel *channel)
{
    struct program *program = program_of(channel);

    must(!channel->is_abandoned);
    program->n_wakes++;
    turn_schedule(&program->stage->turn, TURN_WRITE, &program->task);
    if (program->on_wake != NULL)
        program->on_wake(program);
}

static void program_cut(struct channel *channel)
{
    must(!channel->is_abandoned);
    must(channel_front(channel) != NULL);
    program_of(channel)->n_cuts++;
}

static void program_gone(struct channel *channel)
{
    must(channel->is_abandoned);
    must(channel->share == NULL);
    program_of(channel)->n_gone++;
    if (program_of(channel)->on_gone != NULL)
        program_of(channel)->on_gone(program_of(channel));
}

static const struct channel_ops program_ops = {
    .wake = program_wake,
    .cut = program_cut,
    .gone = program_gone,
};

static void come(struct program *program, struct stage *stage)
{
    LIST_FOR_EACH (node, &stage->programs)
        must(node != &program->link); /* it is there already */
    *program = (struct program){.stage = stage, .appetite = UINT_MAX};
    list_init(&program->link);
    list_append(&stage->programs, &program->link);
    task_init(&program->task, fetch, program);
}

static int begin(struct program *program, struct user *user)
{
    return channel_init(&program->channel, &program_ops, user, ++program->stage->last_id,
                        clock_now_ms(&program->stage->clock.clock));
}

int program_begins(struct program *program, struct stage *stage, struct user *user)
{
    come(program, stage);
    return begin(program, user);
}

int program_opens(struct program *program, struct stage *stage, uid_t uid, const char *url,
                  enum stage_sharing sharing)
{
    struct failure failure = {0};
    struct target *target;
    struct user *user;
    int r;

    come(program, stage);
    r = quota_user_ref(&stage->quota, uid, &user);
    if (r < 0)
        return r;
    r = begin(program, user);
    user_unref(user);
    if (r != 0)
        return r;
    target = stage_target(stage, uid, url);
    if (target == NULL)
        return -ENOMEM;
    program->channel.resume = stage->resume;
    r = shares_open(&stage->shares, target, sharing == STAGE_SHARED, &program->channel, &failure);
    if (r > 0) {
        must(failure.cause == r);
        must(strcmp(failure.text, "") != 0);
    }
    return r;
}

void program_deinit(struct program *program)
{
    list_remove(&program->link);
    channel_deinit(&program->channel);
    task_cancel(&program->task);
    /* Whoever still looks at it meets a wild pointer. */
    memset(program, 0xa5, sizeof(*program));
}

int program_sends(struct program *program, const char *text)
{
    struct charge charge = {0};
    struct wsp_buffer payload;
    int r;

    wsp_buffer_init(&payload, 1 << 20);
    r = wsp_buffer_append(&payload, text, strlen(text));
    if (r < 0)
        return r;
    charge_force(&charge, program->channel.user, QUOTA_SENDING_BYTES,
                 payload.capacity + outgoing_overhead());
    r = channel_send_take(&program->channel, false, &payload, strlen(text) + 12, &charge);
    must(charge.amount == 0);
    must(payload.max == 1 << 20);
    must(payload.data == NULL);
    wsp_buffer_deinit(&payload);
    return r;
}

int program_subscribes(struct program *program, const char *on_connect, const char *on_leave)
{
    return channel_subscribe(&program->channel, wsp_view_of_string(on_connect),
                             wsp_view_of_string(on_leave));
}

void program_unsubscribes(struct program *program, const char *on_connect)
{
    channel_unsubscribe(&program->channel, wsp_view_of_string(on_connect));
}

void program_closes(struct program *program, uint16_t code, const char *reason)
{
    channel_close(&program->channel, code, wsp_view_of_string(reason), false);
}

void program_stops_reading(struct program *program)
{
    program->appetite = 0;
}

void program_reads(struct program *program, unsigned n_messages)
{
    program->appetite = n_messages;
    turn_schedule(&program->stage->turn, TURN_WRITE, &program->task);
}

const char *program_heard(struct program *program)
{
    static char heard[STAGE_MAX_TRANSCRIPT];

    memcpy(heard, program->heard, program->heard_len + 1);
    program->heard_len = 0;
    program->heard[0] = '\0';
    return heard;
}
