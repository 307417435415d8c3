/*
 * test_walk: a long walk of random events, compared with a simple model of what every program must hear.
 *
 * Between the scripted programs and scripted servers of tests/harness/stage. The model: a program hears every message of
 * its upstream from the one after it joined, in order, whole, without a hole, up to where the upstream stood when its
 * WebSocket ended; only a slow consumer that is cut off, or one that wants no more, may miss the rest. Where messages
 * are dropped by its policy, they stand in exactly one gap where they would have stood; and of those that conflation
 * drops a newer one with the same key comes later. One that has begun is not dropped. What it sends arrives in order, and all of it if it left in peace.
 * At the end nothing is charged to anybody.
 *
 * Each loop index is a seed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/stage.h"
#include "tests/harness/unit.h"

enum {
    N_WALKERS = 40,
    MAX_UPSTREAMS = 12,
    CODE_OF_PROGRAMS = 3000, /* no server uses it */
    N_STEPS = 20000,
    N_SEEDS = 6,
    MAX_IN_FLIGHT = 4,
    N_KEYS = 5, /* and messages without one */
    MAX_LEN = 400
};

/* What the model knows of a program. */
struct walker {
    struct program program;
    unsigned slot;
    struct upstream *peer; /* once opened */
    bool is_opened;        /* its upstream was open at some time since it joined */
    bool has_ended;        /* the end is decided, though perhaps not told */
    bool may_miss;         /* it said that it wants no more, or it failed */
    uint64_t next;         /* number of the message that it must hear next */
    uint64_t last;         /* of the last one before its end */
    /* Of each key, the last that it missed; 0: it has had a later one. */
    uint64_t missed[N_KEYS + 1];
    uint64_t begun;     /* of the message of which it has had a part */
    uint64_t n_sent;    /* messages that it gave */
    uint64_t n_arrived; /* of these, that reached the server */
};

/* A server as the model sees it; numbered as stage.peers. */
struct server {
    uint64_t n_sent; /* messages to us */
    char *keys;      /* of each of them, from number 1 on */
    struct outgoing *in_flight[MAX_IN_FLIGHT];
    uint64_t sender_ids[MAX_IN_FLIGHT];
    unsigned n_in_flight;
};

static struct stage stage;
static struct walker *walkers[N_WALKERS];
static struct server servers[STAGE_MAX_PEERS];
static uint64_t random_state;
static unsigned n_heard, n_arrived, n_cut, n_paused, n_clean;
static uint64_t n_missed[SLOW_DEFAULT + 1]; /* by policy */

static uint64_t random_below(uint64_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (random_state >> 11) % n;
}

static bool one_in(uint64_t n)
{
    return random_below(n) == 0;
}

static struct server *server_of(const struct upstream *peer)
{
    for (unsigned i = stage.n_peers; i-- > 0;) {
        if (stage.peers[i] == peer)
            return &servers[i];
    }
    ck_abort_msg("no such server");
}

static struct walker *walker_by_id(uint64_t id)
{
    for (unsigned i = 0; i < N_WALKERS; i++) {
        if (walkers[i] != NULL && walkers[i]->program.channel.id == id)
            return walkers[i];
    }
    return NULL;
}

static struct walker *walker_of(struct program *program)
{
    return LIST_ENTRY(program, struct walker, program);
}

/* --- what a program hears --- */

static void hears(struct program *program, const struct entry *entry)
{
    struct walker *walker = walker_of(program);
    unsigned long long number;
    size_t len, n_wrong = 0;
    char head[64], key;

    ck_assert(walker->is_opened);
    snprintf(head, sizeof(head), "%.*s", (int)(entry->len < 63 ? entry->len : 63),
             (const char *)entry->data);
    ck_assert_int_eq(sscanf(head, "{\"%*c\":%c,\"n\":%llu,\"len\":%zu,", &key, &number, &len), 3);
    ck_assert_uint_eq(number, walker->next);
    ck_assert_uint_eq(len, entry->len);
    for (size_t i = 50; i < len - 2; i++)
        n_wrong += entry->data[i] != '.';
    ck_assert_uint_eq(n_wrong, 0);
    walker->missed[key - '0'] = 0;
    walker->next++;
    ck_assert(!walker->has_ended || number <= walker->last);
    n_heard++;
}

static void misses(struct program *program, uint64_t n)
{
    struct walker *walker = walker_of(program);
    const char *keys = server_of(walker->peer)->keys;

    ck_assert_uint_gt(n, 0);
    ck_assert(walker->begun < walker->next || walker->begun >= walker->next + n);
    for (; n > 0; n--, walker->next++)
        walker->missed[keys[walker->next] - '0'] = walker->next;
    ck_assert_uint_le(walker->next - 1, server_of(walker->peer)->n_sent);
}

/* Everything that it was to hear has been told. */
static void assert_heard_all(const struct walker *walker)
{
    enum slow_consumer policy = walker->program.channel.slow_consumer;

    ck_assert_uint_eq(walker->next, walker->last + 1);
    for (unsigned key = 0; key < N_KEYS && policy == SLOW_CONFLATE; key++)
        ck_assert_uint_eq(walker->missed[key], 0);
    n_missed[policy] += walker->program.n_missed;
}

static void forgets(struct program *program)
{
    struct walker *walker = walker_of(program);

    walkers[walker->slot] = NULL;
    program_deinit(program);
    free(walker);
}

/* After every step: whose end has just been decided? */
static void note_ends(void)
{
    for (unsigned i = 0; i < N_WALKERS; i++) {
        struct walker *walker = walkers[i];

        if (walker == NULL || walker->program.channel.is_abandoned)
            continue;
        if (!walker->has_ended && walker->program.channel.state == CHANNEL_ENDED) {
            walker->has_ended = true;
            walker->last = walker->is_opened ? server_of(walker->peer)->n_sent : 0;
        }
        if (!walker->program.is_ended)
            continue;
        if (walker->program.channel.ending.failure.cause == WSP_CAUSE_SLOW_CONSUMER)
            n_cut++;
        else if (walker->is_opened && !walker->may_miss)
            assert_heard_all(walker);
        if (walker->program.channel.ending.was_clean)
            n_clean++;
        if (walker->program.channel.ending.code == CODE_OF_PROGRAMS)
            ck_assert_uint_eq(walker->n_arrived, walker->n_sent);
        forgets(&walker->program);
    }
}

static void wakes_and_acts(struct program *program)
{
    program->on_wake = NULL;
    walker_of(program)->may_miss = true;
    if (one_in(2))
        channel_close(&program->channel, 1000, (struct wsp_view){0}, one_in(2));
    else
        channel_abandon(&program->channel);
}

/* --- steps --- */

static void someone_opens(void)
{
    static const char *const urls[] = {"ws://a.example/", "ws://b.example/", "ws://a.example/?q"};
    unsigned slot = (unsigned)random_below(N_WALKERS);
    struct walker *walker;
    int r;

    if (walkers[slot] != NULL)
        return;
    walker = calloc(1, sizeof(*walker));
    ck_assert_ptr_nonnull(walker);
    stage.queue_bytes = random_below(4000);
    stage.linger_ms = one_in(2) ? 0 : random_below(1000);
    stage.block_timeout_ms = random_below(1000);
    stage.queue_messages = 1 + random_below(one_in(2) ? 100 : 10);
    stage.conflate_key = "/k";
    stage.slow_consumer = (enum slow_consumer)random_below(SLOW_DEFAULT + 1);
    r = program_opens(&walker->program, &stage, STAGE_UID + (uid_t)random_below(2),
                      urls[random_below(3)], one_in(4) ? STAGE_PRIVATE : STAGE_SHARED);
    if (r != 0) {
        ck_assert_int_eq(r, WSP_CAUSE_QUOTA);
        program_deinit(&walker->program);
        free(walker);
        return;
    }
    walkers[slot] = walker;
    walker->slot = slot;
    walker->program.on_message = hears;
    walker->program.on_missed = misses;
    walker->program.on_gone = forgets;
    if (walker->program.channel.share->state == SHARE_OPEN) {
        walker->is_opened = true;
        walker->peer = walker->program.channel.share->upstream;
        walker->next = server_of(walker->peer)->n_sent + 1;
    }
}

/* One whose upstream has not ended, or NULL. */
static struct upstream *some_peer(void)
{
    struct share *alive[2 * MAX_UPSTREAMS];
    size_t n = 0;

    LIST_FOR_EACH (node, &stage.shares.all) {
        struct share *share = LIST_ENTRY(node, struct share, link);

        if (share->remote != REMOTE_NONE && share->remote != REMOTE_OVER) {
            ck_assert_uint_lt(n, 2 * MAX_UPSTREAMS);
            alive[n++] = share;
        }
    }
    return n == 0 ? NULL : alive[random_below(n)]->upstream;
}

static void some_peer_opens(void)
{
    struct upstream *peer = some_peer();

    if (peer == NULL || peer->share->state != SHARE_CONNECTING)
        return;
    for (unsigned i = 0; i < N_WALKERS; i++) {
        if (walkers[i] != NULL && walkers[i]->program.channel.share == peer->share) {
            walkers[i]->is_opened = true;
            walkers[i]->peer = peer;
            walkers[i]->next = 1;
        }
    }
    peer_opens(peer, "");
}

static void some_peer_sends(void)
{
    struct upstream *peer = some_peer();
    char text[MAX_LEN + 1];

    if (peer == NULL || peer->share->opened_ms == 0 || (peer->is_paused && !one_in(10)))
        return;
    for (uint64_t n = random_below(5); n-- > 0 && !peer->is_freed;) {
        size_t len = 60 + random_below(MAX_LEN - 60);
        struct server *server = server_of(peer);
        char key = (char)('0' + random_below(N_KEYS + 1));
        /* The last of the keys is none. */
        int head = snprintf(text, sizeof(text), "{\"%c\":%c,\"n\":%llu,\"len\":%zu,\"\":\"",
                            key == '0' + N_KEYS ? 'K' : 'k', key,
                            (unsigned long long)++server->n_sent, len);

        server->keys = realloc(server->keys, server->n_sent + 1);
        ck_assert_ptr_nonnull(server->keys);
        server->keys[server->n_sent] = key;
        memset(text + head, '.', len - (size_t)head);
        strcpy(text + len - 2, "\"}");
        peer_sends(peer, text);
    }
    n_paused += peer->is_paused;
}

static void some_peer_takes(void)
{
    struct upstream *peer = some_peer();
    struct server *server;
    struct outgoing *outgoing;

    if (peer == NULL)
        return;
    server = server_of(peer);
    if (server->n_in_flight == MAX_IN_FLIGHT)
        return;
    outgoing = peer_takes(peer);
    if (outgoing == NULL)
        return;
    server->in_flight[server->n_in_flight] = outgoing;
    server->sender_ids[server->n_in_flight++] = outgoing->channel->id;
}

static void some_peer_writes(void)
{
    struct upstream *peer = some_peer();
    struct server *server;
    struct outgoing *outgoing;
    struct walker *sender;
    unsigned long long id, number;
    char text[64];

    if (peer == NULL || server_of(peer)->n_in_flight == 0)
        return;
    server = server_of(peer);
    outgoing = server->in_flight[0];
    snprintf(text, sizeof(text), "%.*s", (int)wsp_buffer_len(&outgoing->payload),
             (const char *)wsp_buffer_peek(&outgoing->payload));
    ck_assert_int_eq(sscanf(text, "%llu:%llu", &id, &number), 2);
    ck_assert_uint_eq(id, server->sender_ids[0]);
    sender = walker_by_id(id);
    if (sender != NULL)
        ck_assert_uint_eq(number, ++sender->n_arrived);
    n_arrived++;
    server->n_in_flight--;
    memmove(server->in_flight, server->in_flight + 1, sizeof(outgoing) * server->n_in_flight);
    memmove(server->sender_ids, server->sender_ids + 1, sizeof(id) * server->n_in_flight);
    peer_writes(peer, outgoing);
}

static void some_peer_is_over(void)
{
    struct upstream *peer = some_peer();

    if (peer == NULL)
        return;
    if (peer->share->state == SHARE_OPEN && one_in(2)) {
        peer_starts_closing(peer);
        return;
    }
    if (peer->share->opened_ms != 0 && one_in(2))
        peer_ends(peer, true, 1000, "bye");
    else
        peer_fails(peer, WSP_CAUSE_LOST);
}

static void someone_sends(struct walker *walker)
{
    struct channel *channel = &walker->program.channel;
    char text[64];

    if (channel->state > CHANNEL_OPEN)
        return;
    snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)channel->id,
             (unsigned long long)++walker->n_sent);
    ck_assert_int_eq(program_sends(&walker->program, text), 0);
}

static void someone_leaves(struct walker *walker)
{
    struct program *program = &walker->program;
    struct failure failure;

    switch (random_below(6)) {
    case 0: channel_abandon(&program->channel); break;
    case 1: forgets(program); break;
    case 2:
        walker->may_miss = true;
        failure_set(&failure, WSP_CAUSE_TOO_BIG, 0, "walk");
        channel_fail(&program->channel, &failure);
        break;
    case 3:
        walker->may_miss = true;
        channel_close(&program->channel, 1000, (struct wsp_view){0}, true);
        break;
    default:
        /* Before open it fails, and so may miss what it would have heard. */
        walker->may_miss |= (program->channel.notices & CHANNEL_NOTICE_OPENED) != 0;
        channel_close(&program->channel, CODE_OF_PROGRAMS, (struct wsp_view){0}, false);
    }
}

/* It gets a part of its next message: what stands before it has been told. */
static void someone_begins(struct walker *walker)
{
    struct channel *channel = &walker->program.channel;

    if (walker->program.appetite > 0 || channel_due(channel) != 0 || channel_peek(channel) == NULL)
        return;
    channel_began(channel, 1);
    walker->begun = walker->next;
}

static void someone_does_something(void)
{
    struct walker *walker = walkers[random_below(N_WALKERS)];

    if (walker == NULL || walker->program.channel.is_abandoned)
        return;
    switch (random_below(14)) {
    case 0: program_stops_reading(&walker->program); break;
    case 12:
    case 13: someone_begins(walker); break;
    case 1: program_reads(&walker->program, (unsigned)random_below(5)); break;
    case 2:
    case 3:
    case 4: program_reads(&walker->program, UINT_MAX); break;
    case 5:
        if (one_in(4))
            someone_leaves(walker);
        break;
    case 6:
        if (one_in(8))
            walker->program.on_wake = wakes_and_acts;
        break;
    default: someone_sends(walker);
    }
}

static void administrator_closes(void)
{
    struct upstream *peer = some_peer();

    if (peer == NULL)
        return;
    for (unsigned i = 0; i < N_WALKERS; i++) {
        if (walkers[i] != NULL && walkers[i]->program.channel.share == peer->share &&
            !walkers[i]->is_opened)
            walkers[i]->may_miss = true;
    }
    share_close(peer->share, 1000, (struct wsp_view){0});
}

static void step(void)
{
    switch (random_below(20)) {
    case 0:
    case 1: someone_opens(); break;
    case 2:
    case 3: some_peer_opens(); break;
    case 4:
    case 5:
    case 6: some_peer_sends(); break;
    case 7:
    case 8: some_peer_takes(); break;
    case 9:
    case 10: some_peer_writes(); break;
    case 11:
        if (one_in(10))
            some_peer_is_over();
        break;
    case 12:
        if (one_in(50))
            administrator_closes();
        break;
    case 13: stage_turn(&stage); break;
    case 14: stage_wait(&stage, random_below(300)); break;
    default: someone_does_something();
    }
    note_ends();
}

START_TEST(every_program_hears_what_it_must)
{
    stage_init(&stage);
    stage.quota.limits[QUOTA_QUEUED_BYTES] = 30000;
    stage.quota.limits[QUOTA_UPSTREAMS] = MAX_UPSTREAMS;
    random_state = (uint64_t)_i * 0x9e3779b97f4a7c15 + 1;
    for (int i = 0; i < N_STEPS; i++)
        step();
    for (unsigned i = 0; i < N_WALKERS; i++) {
        if (walkers[i] != NULL && !walkers[i]->program.channel.is_abandoned)
            forgets(&walkers[i]->program);
    }
    for (unsigned i = 0; i < stage.n_peers; i++) {
        if (!stage.peers[i]->is_freed)
            peer_fails(stage.peers[i], WSP_CAUSE_LOST);
        stage_turn(&stage);
    }
    for (unsigned i = 0; i < N_WALKERS; i++)
        ck_assert_ptr_null(walkers[i]);
    for (unsigned i = 0; i < stage.n_peers; i++)
        free(servers[i].keys);
    ck_assert_ptr_null(stage.quota.users);
    ck_assert(list_is_empty(&stage.shares.all));
    ck_assert_uint_eq(stage.shares.n_upstreams, 0);
    stage_deinit(&stage);

    /* The walk has been everywhere. */
    ck_assert_uint_gt(n_heard, 1000);
    ck_assert_uint_gt(n_arrived, 200);
    ck_assert_uint_gt(n_cut, 10);
    ck_assert_uint_gt(n_paused, 0);
    ck_assert_uint_gt(n_clean, 20);
    ck_assert_uint_gt(n_missed[SLOW_DROP_OLDEST], 0);
    ck_assert_uint_gt(n_missed[SLOW_DROP_NEWEST], 0);
    ck_assert_uint_gt(n_missed[SLOW_CONFLATE], 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("walk");
    TCase *walk = unit_case(suite, "walk");

    tcase_set_timeout(walk, 120);
    tcase_add_loop_test(walk, every_program_hears_what_it_must, 0, N_SEEDS);
    return suite;
}
