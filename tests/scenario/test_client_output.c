/*
 * test_client_output: what a client reads is the same however its socket takes it.
 *
 * The real client, its channels and its output, over a transport of memory that takes so many bytes and no more, with
 * a scripted upstream behind it. What has come out is parsed with the codec of the client's side.
 *
 * Invariant: whatever was taken when, every frame is whole, messages of each channel are in order, one that has begun
 * is finished or aborted, and no turn writes twice.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/client_output.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/client.h"
#include "daemon/client_channel.h"
#include "daemon/limits.h"
#include "daemon/server.h"
#include "proto/local/errors.h"
#include "tests/harness/fake_clock.h"
#include "tests/harness/memory_transport.h"
#include "tests/harness/silent_peer.h"
#include "tests/harness/unit.h"

enum { N_CHANNELS = 3, SCRATCH_LEN = MAX_READ_PER_TURN };

/* ---- the stage ---- */

static struct stage {
    struct server server;
    struct config config;
    struct turn turn;
    struct fake_clock clock;
    struct memory_transport pipe;
    uint8_t scratch[SCRATCH_LEN];
    int null_fd;
} stage;

static void random_bytes(void *to, size_t len)
{
    memset(to, 7, len);
}

static void stage_init(void)
{
    struct server *server = &stage.server;
    struct client_peer peer = {.uid = getuid(), .fd = -1};

    memset(&stage, 0, sizeof(stage));
    turn_init(&stage.turn);
    fake_clock_init(&stage.clock, &stage.turn);
    server->clock = &stage.clock.clock;
    server->turn = &stage.turn;
    server->upstream_context.scratch = stage.scratch;
    server->upstream_context.scratch_len = sizeof(stage.scratch);
    options_init(daemon_options_table(), &stage.config.daemon);
    server->config = &stage.config;
    list_init(&server->clients);
    list_init(&server->channels);
    history_init(&server->history);
    quota_init(&server->quota);
    stage.null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    journal_init(&server->journal, JOURNAL_LEVEL_ERROR);
    server->journal.fd = stage.null_fd;
    shares_init(&server->shares, server->clock, server->turn, &silent_peer_ops, NULL, random_bytes,
                &server->last_id);
    ck_assert_int_eq(output_new(stage.scratch, sizeof(stage.scratch), &server->output), 0);
    memory_transport_init(&stage.pipe);
    ck_assert_int_eq(client_serve(server, &stage.pipe.transport, &peer), 0);
}

static void turn_run(void)
{
    struct memory_transport *pipe = &stage.pipe;
    unsigned events = 0;

    pipe->n_writes = 0;
    turn_begin(&stage.turn);
    if (pipe->wanted & TRANSPORT_WRITABLE && pipe->room > 0)
        events |= TRANSPORT_WRITABLE;
    if (pipe->wanted & TRANSPORT_READABLE && (wsp_buffer_len(&pipe->in) > 0 || pipe->is_broken))
        events |= TRANSPORT_READABLE;
    if (events && !pipe->is_freed)
        pipe->transport.ready(pipe->transport.owner, events);
    turn_end(&stage.turn);
}

static void stage_deinit(void)
{
    struct server *server = &stage.server;

    LIST_FOR_EACH (node, &server->clients)
        client_drop(LIST_ENTRY(node, struct client, link));
    shares_deinit(&server->shares);
    LIST_FOR_EACH (node, &server->channels)
        client_channel_discard(LIST_ENTRY(node, struct client_channel, all_link));
    turn_end(&stage.turn);
    ck_assert(stage.pipe.is_freed);
    ck_assert_uint_eq(server->n_clients, 0);
    ck_assert_uint_eq(server->n_channels, 0);
    output_free(server->output);
    quota_deinit(&server->quota);
    memory_transport_deinit(&stage.pipe);
    close(stage.null_fd);
}

/* ---- the program at the other end ---- */

static void program_sends(struct wsp_message message)
{
    ck_assert_int_eq(wsp_message_encode(&stage.pipe.in, &message), 0);
}

/* Connects and opens all channels, each on an upstream of its own; nothing is read yet. */
static void program_opens(void)
{
    ck_assert_int_eq(wsp_buffer_append(&stage.pipe.in, WSP_WIRE_MAGIC, WSP_WIRE_MAGIC_LEN), 0);
    program_sends((struct wsp_message){.type = WSP_LOCAL_HELLO});
    for (uint32_t number = 1; number <= N_CHANNELS; number++)
        program_sends((struct wsp_message){
            .type = WSP_LOCAL_OPEN,
            .channel = number,
            .open = {.sharing = WSP_SHARING_PRIVATE, .url = WSP_VIEW_LITERAL("ws://h/")}});
    turn_run();
    ck_assert_uint_eq(stage.server.n_channels, N_CHANNELS);
}

static struct channel *channel_numbered(uint32_t number)
{
    struct client *client = LIST_ENTRY(list_first(&stage.server.clients), struct client, link);
    struct client_channel *channel = client_channel_find(client, number);

    ck_assert_ptr_nonnull(channel);
    return &channel->channel;
}

static void servers_open(void)
{
    for (uint32_t number = 1; number <= N_CHANNELS; number++)
        ck_assert_int_eq(share_opened(channel_numbered(number)->share, WSP_VIEW_LITERAL(""),
                                      WSP_VIEW_LITERAL("")),
                         0);
}

/* A message whose bytes tell where they belong. */
static void server_sends(uint32_t number, unsigned index, size_t len)
{
    uint8_t *payload = malloc(len + 1);

    ck_assert_ptr_nonnull(payload);
    for (size_t i = 0; i < len; i++)
        payload[i] = (uint8_t)(number * 31 + index * 7 + i % 251);
    ck_assert_int_eq(
        share_received(channel_numbered(number)->share, true, (struct wsp_view){payload, len}), 0);
    free(payload);
}

static void server_ends(uint32_t number)
{
    struct ending ending = {.was_clean = true, .code = 4000};

    ending.reason = close_reason_of(WSP_VIEW_LITERAL("done"));
    share_ended(channel_numbered(number)->share, &ending);
}

/* What the program has understood of a channel. */
struct seen {
    bool is_open, is_amid, has_failed, is_closed;
    unsigned n_messages, n_aborted; /* messages with those that were missed */
    unsigned n_missed;
    size_t offset;
    size_t lengths[64];
    /* Where it counts itself, and where it has counted each message. */
    bool is_interrupted;
    unsigned n_interruptions;
    uint64_t next_number;
    struct place {
        uint64_t number;
        unsigned n_interruptions;
    } places[64];
};

static void see_data(struct seen *seen, uint32_t number, const struct wsp_message *message)
{
    struct wsp_view payload = message->binary.payload;

    ck_assert(seen->is_open && !seen->has_failed && !seen->is_closed);
    /* An assertion that holds is a system call of check's: none for each byte. */
    for (size_t i = 0; i < payload.len; i++, seen->offset++)
        if (payload.data[i] != (uint8_t)(number * 31 + seen->n_messages * 7 + seen->offset % 251))
            ck_abort_msg("channel %u, message %u, byte %zu", number, seen->n_messages,
                         seen->offset);
    seen->is_amid = (message->flags & WSP_WIRE_MORE) != 0;
    if (!seen->is_amid) {
        ck_assert_uint_lt(seen->n_messages, 64);
        ck_assert(!seen->is_interrupted);
        seen->places[seen->n_messages] = (struct place){seen->next_number++, seen->n_interruptions};
        seen->lengths[seen->n_messages++] = seen->offset;
        seen->offset = 0;
    }
}

static void see(struct seen seen[N_CHANNELS + 1], const struct wsp_message *message)
{
    struct seen *own;

    ck_assert_uint_le(message->channel, N_CHANNELS);
    own = &seen[message->channel];
    switch (message->type) {
    case WSP_LOCAL_OPENED:
        ck_assert(!own->is_open);
        own->is_open = true;
        own->next_number = message->opened.next_number;
        break;
    case WSP_LOCAL_INTERRUPTED:
        ck_assert(!own->is_interrupted && !own->is_amid);
        own->is_interrupted = true;
        break;
    case WSP_LOCAL_GAP:
        ck_assert(!own->is_amid);
        if (message->gap.reason == WSP_GAP_SLOW_CONSUMER) {
            ck_assert(message->gap.is_counted && message->gap.count > 0);
            ck_assert_uint_eq(message->gap.next_number, own->next_number + message->gap.count);
            own->n_messages += (unsigned)message->gap.count;
            own->n_missed += (unsigned)message->gap.count;
            own->next_number = message->gap.next_number;
            break;
        }
        ck_assert(own->is_interrupted);
        ck_assert_uint_eq(message->gap.reason, WSP_GAP_RECONNECTED);
        ck_assert_uint_ge(message->gap.next_number, own->next_number);
        own->next_number = message->gap.next_number;
        break;
    case WSP_LOCAL_RESUMED:
        ck_assert(own->is_interrupted);
        own->is_interrupted = false;
        own->n_interruptions++;
        break;
    case WSP_LOCAL_POSITION:
        ck_assert(!own->is_interrupted && !own->is_amid);
        ck_assert_uint_gt(message->position.next_number, own->next_number);
        own->next_number = message->position.next_number;
        break;
    case WSP_LOCAL_BINARY: see_data(own, message->channel, message); break;
    case WSP_LOCAL_ABORT:
        ck_assert(own->is_amid);
        own->is_amid = false;
        own->offset = 0;
        own->n_aborted++;
        break;
    case WSP_LOCAL_FAILED: own->has_failed = true; break;
    case WSP_LOCAL_CLOSED:
        ck_assert(!own->is_amid && !own->is_closed);
        own->is_closed = true;
        break;
    default: break;
    }
}

/* Parses all that has come out. Every frame must be whole. */
static void program_reads(struct seen seen[N_CHANNELS + 1])
{
    struct wsp_wire_reader reader;
    struct wsp_wire_frame frame;
    struct wsp_message message;
    int r;

    memset(seen, 0, (N_CHANNELS + 1) * sizeof(*seen));
    wsp_wire_reader_init(&reader);
    wsp_wire_reader_feed(&reader, (struct wsp_view){wsp_buffer_peek(&stage.pipe.out),
                                                    wsp_buffer_len(&stage.pipe.out)});
    while ((r = wsp_wire_reader_next(&reader, &frame)) == 0) {
        ck_assert_int_eq(wsp_message_decode(&frame, WSP_SIDE_DAEMON, &message), 0);
        see(seen, &message);
    }
    ck_assert_int_eq(r, WSP_MORE);
    ck_assert(wsp_wire_reader_is_at_boundary(&reader));
    wsp_wire_reader_deinit(&reader);
}

/* The socket takes so many bytes per turn until nothing is left to tell. Returns the number of turns. */
static unsigned socket_takes(size_t per_turn)
{
    unsigned n_turns = 0, n_idle = 0;

    while (n_idle < 3) {
        size_t before = wsp_buffer_len(&stage.pipe.out);

        stage.pipe.room = per_turn;
        turn_run();
        if (stage.pipe.n_writes > 1)
            ck_abort_msg("%u writes in one turn", stage.pipe.n_writes);
        n_idle = wsp_buffer_len(&stage.pipe.out) == before ? n_idle + 1 : 0;
        n_turns++;
    }
    return n_turns;
}

/* ---- the stories ---- */

static const size_t lengths[] = {0,     1,     5,     0,  16371, 16372, 16384,  16385,
                                 65535, 65536, 65537, 10, 70000, 0,     131072, 3};
enum { N_LENGTHS = N_OF(lengths) };

static const size_t takes[] = {1,    2,     3,     7,     11,    12,     13,      100,
                               4096, 16384, 65547, 65548, 65549, 200000, SIZE_MAX};

START_TEST(everything_comes_whole_however_little_is_taken)
{
    struct seen seen[N_CHANNELS + 1];
    /* Byte by byte the long ones would take minutes, and say nothing more. */
    size_t divisor = takes[_i] < 100 ? 64 : 1;

    stage_init();
    program_opens();
    servers_open();
    for (unsigned i = 0; i < N_LENGTHS; i++)
        for (uint32_t number = 1; number <= N_CHANNELS; number++)
            server_sends(number, i, lengths[(i + number) % N_LENGTHS] / divisor);
    for (uint32_t number = 1; number <= N_CHANNELS; number++)
        server_ends(number);
    socket_takes(takes[_i]);
    program_reads(seen);
    for (uint32_t number = 1; number <= N_CHANNELS; number++) {
        ck_assert_uint_eq(seen[number].n_messages, N_LENGTHS);
        for (unsigned i = 0; i < N_LENGTHS; i++)
            ck_assert_uint_eq(seen[number].lengths[i], lengths[(i + number) % N_LENGTHS] / divisor);
        ck_assert(seen[number].is_closed && !seen[number].has_failed);
    }
    stage_deinit();
}
END_TEST

/* No channel's, so it must not lag. */
static void reads_at_once(struct cursor *cursor)
{
    cursor_advance(cursor);
}

static void server_answers(struct log *log, struct cursor *reader)
{
    struct wsp_buffer payload;

    wsp_buffer_init(&payload, 10);
    ck_assert_int_eq(wsp_buffer_append(&payload, "another's", 9), 0);
    ck_assert_int_eq(log_append_only(log, reader, false, &payload), 0);
}

static void server_comes_again(struct channel *channel, uint8_t n)
{
    uint8_t epoch[LOG_EPOCH_LEN] = {n};

    failure_set(&channel->share->interruption, WSP_CAUSE_LOST, 0, "gone for a while");
    log_interrupt(&channel->share->log);
    channel_interrupted(channel);
    ck_assert_int_eq(log_begin_epoch(&channel->share->log, epoch), 0);
    channel_resumed(channel);
}

/* Loop test over how much is taken at once, and whether it is all there before the first is taken. Between the messages
 * are, in turn, nothing, an answer to another, an interruption, and an answer, two interruptions and two answers. */
START_TEST(what_stands_between_messages_is_told_where_it_stands)
{
    size_t taken = takes[_i / 2], divisor = taken < 100 ? 64 : 1;
    struct place places[N_LENGTHS];
    struct seen seen[N_CHANNELS + 1];
    unsigned n_interruptions = 0;
    struct cursor other;
    struct channel *channel;
    struct log *log;

    stage_init();
    program_opens();
    servers_open();
    channel = channel_numbered(1);
    log = &channel->share->log;
    cursor_init(&other, UINT64_MAX, reads_at_once);
    cursor_join(&other, log);
    for (unsigned i = 0; i < N_LENGTHS; i++) {
        unsigned n_answers = i % 4 == 1   ? 1
                             : i % 4 == 3 ? 2
                                          : 0,
                 n_times = i % 4 == 3 ? 2 : i % 4 == 2;

        if (i % 4 == 3)
            server_answers(log, &other);
        for (unsigned n = 0; n < n_times; n++)
            server_comes_again(channel, (uint8_t)(2 * i + n));
        while (n_answers-- > 0)
            server_answers(log, &other);
        /* Of two interruptions in one turn, without a message between them, one is told. */
        n_interruptions += n_times > 0;
        places[i] = (struct place){log->next_number, n_interruptions};
        server_sends(1, i, lengths[i] / divisor);
        stage.pipe.room = _i % 2 ? 0 : taken;
        turn_run();
    }
    socket_takes(taken);
    program_reads(seen);
    ck_assert_uint_eq(seen[1].n_messages, N_LENGTHS);
    for (unsigned i = 0; i < N_LENGTHS; i++) {
        ck_assert_uint_eq(seen[1].lengths[i], lengths[i] / divisor);
        ck_assert_uint_eq(seen[1].places[i].number, places[i].number);
        ck_assert_uint_eq(seen[1].places[i].n_interruptions, places[i].n_interruptions);
    }
    ck_assert_uint_eq(channel->n_received, N_LENGTHS);
    cursor_leave(&other);
    stage_deinit();
}
END_TEST

/* Loop test over how much is taken at once and policies. A message comes in each turn; three may wait. */
START_TEST(what_is_missing_is_told_right_behind_the_opening)
{
    struct wsp_local_open open = {.sharing = WSP_SHARING_PRIVATE,
                                  .url = WSP_VIEW_LITERAL("ws://h/"),
                                  .resume_epoch = {.bytes = {1}},
                                  .resume_after = 3};
    struct wsp_message text = {.type = WSP_LOCAL_TEXT,
                               .channel = 1,
                               .text = {.payload = WSP_VIEW_LITERAL("given before")}};
    struct wsp_wire_reader reader;
    struct wsp_wire_frame frame;
    struct outgoing *outgoing;
    struct share *share;
    uint8_t type = 0;

    stage_init();
    ck_assert_int_eq(wsp_buffer_append(&stage.pipe.in, WSP_WIRE_MAGIC, WSP_WIRE_MAGIC_LEN), 0);
    program_sends((struct wsp_message){.type = WSP_LOCAL_HELLO});
    program_sends((struct wsp_message){.type = WSP_LOCAL_OPEN, .channel = 1, .open = open});
    program_sends(text);
    turn_run();
    share = channel_numbered(1)->share;
    ck_assert_int_eq(share_opened(share, WSP_VIEW_LITERAL(""), WSP_VIEW_LITERAL("")), 0);
    outgoing = share_next_outgoing(share);
    ck_assert_ptr_nonnull(outgoing);
    outgoing_written(outgoing, text.text.payload.len);
    outgoing_done(outgoing);
    socket_takes(SIZE_MAX);
    wsp_wire_reader_init(&reader);
    wsp_wire_reader_feed(&reader, (struct wsp_view){wsp_buffer_peek(&stage.pipe.out),
                                                    wsp_buffer_len(&stage.pipe.out)});
    while (type != WSP_LOCAL_OPENED) {
        ck_assert_int_eq(wsp_wire_reader_next(&reader, &frame), 0);
        type = frame.type;
    }
    ck_assert_int_eq(wsp_wire_reader_next(&reader, &frame), 0);
    ck_assert_uint_eq(frame.type, WSP_LOCAL_GAP);
    wsp_wire_reader_deinit(&reader);
    stage_deinit();
}
END_TEST

START_TEST(what_is_dropped_is_told_where_it_stood)
{
    static const enum slow_consumer policies[] = {SLOW_DROP_OLDEST, SLOW_DROP_NEWEST,
                                                  SLOW_CONFLATE};
    size_t taken = takes[_i / 3], divisor = taken < 100 ? 64 : 1;
    enum { N = 3 * N_LENGTHS };
    struct seen seen[N_CHANNELS + 1];
    struct channel *channel;

    stage_init();
    program_opens();
    servers_open();
    channel = channel_numbered(1);
    channel->slow_consumer = policies[_i % 3];
    channel->queue_messages = 3;
    for (unsigned i = 0; i < N; i++) {
        server_sends(1, i, lengths[i % N_LENGTHS] / divisor);
        stage.pipe.room = taken;
        turn_run();
        ck_assert_uint_le(channel_lag_messages(channel), 4);
    }
    server_ends(1);
    socket_takes(taken);
    program_reads(seen);
    ck_assert(seen[1].is_closed && !seen[1].has_failed);
    ck_assert_uint_eq(seen[1].n_aborted, 0);
    ck_assert_uint_eq(seen[1].n_messages, N);
    ck_assert_uint_eq(channel->n_received, N - seen[1].n_missed);
    ck_assert_uint_eq(channel->backlog.n_dropped, seen[1].n_missed);
    /* Who takes as much as comes misses nothing. */
    ck_assert((seen[1].n_missed > 0) == (taken < 65547));
    stage_deinit();
}
END_TEST

START_TEST(a_socket_that_takes_all_needs_few_writes)
{
    struct seen seen[N_CHANNELS + 1];
    const struct client *client;

    stage_init();
    program_opens();
    servers_open();
    socket_takes(SIZE_MAX);
    client = LIST_ENTRY(list_first(&stage.server.clients), struct client, link);
    for (unsigned i = 0; i < 40; i++)
        for (uint32_t number = 1; number <= N_CHANNELS; number++)
            server_sends(number, i, 100);
    stage.pipe.room = SIZE_MAX;
    uint64_t n_writes = client->output.n_writes;
    turn_run();
    ck_assert_uint_eq(client->output.n_writes, n_writes + 1);
    program_reads(seen);
    for (uint32_t number = 1; number <= N_CHANNELS; number++)
        ck_assert_uint_eq(seen[number].n_messages, 40);
    stage_deinit();
}
END_TEST

/* Two bytes at each end of what matters in a frame of 65536 and in the short one behind it. */
static const size_t cuts[] = {1,     11,    12,    13,    14,    100,    65547,
                              65548, 65549, 65560, 65561, 98000, 104999, 105000};

START_TEST(a_channel_that_is_cut_off_ends_its_frame_and_aborts_its_message)
{
    struct failure failure;
    struct seen seen[N_CHANNELS + 1];
    size_t before;

    stage_init();
    program_opens();
    servers_open();
    socket_takes(SIZE_MAX);
    before = wsp_buffer_len(&stage.pipe.out);
    server_sends(1, 0, 65536 + 39440); /* 12 + 65536 and 12 + 39440 bytes: 105000 */
    server_sends(2, 0, 10);
    stage.pipe.room = cuts[_i];
    turn_run();
    ck_assert_uint_eq(wsp_buffer_len(&stage.pipe.out), before + cuts[_i]);
    failure_set(&failure, WSP_CAUSE_SLOW_CONSUMER, 0, "too slow");
    channel_fail(channel_numbered(1), &failure);
    server_sends(2, 1, 20);
    socket_takes(5000);
    program_reads(seen);
    ck_assert(seen[1].has_failed && seen[1].is_closed);
    ck_assert_uint_eq(seen[1].n_messages + seen[1].n_aborted, 1);
    /* Once its last frame has begun, a message is whole. */
    ck_assert_uint_eq(seen[1].n_messages, cuts[_i] > 65548 ? 1 : 0);
    ck_assert_uint_eq(seen[2].n_messages, 2);
    stage_deinit();
}
END_TEST

START_TEST(a_client_that_breaks_the_protocol_amid_a_frame_gets_that_frame_and_its_error)
{
    struct seen seen[N_CHANNELS + 1];

    stage_init();
    program_opens();
    servers_open();
    socket_takes(SIZE_MAX);
    server_sends(1, 0, 1000);
    stage.pipe.room = cuts[_i] % 1011 + 1;
    turn_run();
    program_sends((struct wsp_message){.type = WSP_LOCAL_RELEASE, .channel = 99});
    socket_takes(17);
    program_reads(seen);
    ck_assert_uint_eq(seen[1].n_messages, 1);
    /* Behind it is the ERROR, and nothing else. */
    size_t len = wsp_buffer_len(&stage.pipe.out);
    ck_assert_ptr_nonnull(
        memmem(wsp_buffer_peek(&stage.pipe.out) + len - 100, 100, "not in use", 10));
    fake_clock_advance(&stage.clock, CLIENT_PARTING_MS + 1);
    turn_run();
    ck_assert(stage.pipe.is_freed);
    stage_deinit();
}
END_TEST

/* A channel with much to tell gives way to one with little. */
START_TEST(channels_take_turns)
{
    struct seen seen[N_CHANNELS + 1];

    stage_init();
    program_opens();
    servers_open();
    socket_takes(SIZE_MAX);
    for (unsigned i = 0; i < 20; i++)
        server_sends(1, i, 500000);
    server_sends(2, 0, 10);
    server_sends(3, 0, 10);
    stage.pipe.room = SIZE_MAX;
    turn_run();
    program_reads(seen);
    ck_assert_uint_eq(seen[2].n_messages, 1);
    ck_assert_uint_eq(seen[3].n_messages, 1);
    ck_assert_uint_eq(seen[1].n_messages, 0);
    stage_deinit();
}
END_TEST

START_TEST(credit_is_kept_to_the_byte)
{
    struct seen seen[N_CHANNELS + 1];
    const uint64_t credit = 12 + 100 + 12 + (uint64_t)_i;

    stage_init();
    program_opens();
    servers_open();
    program_sends(
        (struct wsp_message){.type = WSP_LOCAL_CREDIT, .channel = 1, .credit = {.total = credit}});
    socket_takes(SIZE_MAX);
    server_sends(1, 0, 100);
    server_sends(1, 1, 30);
    server_sends(1, 2, 30);
    socket_takes(_i % 2 ? 9 : SIZE_MAX);
    program_reads(seen);
    ck_assert_uint_eq(seen[1].n_messages, _i >= 30 ? 2 : 1);
    ck_assert_uint_eq(seen[1].offset, _i >= 30 ? (_i > 42 ? (size_t)_i - 42 : 0) : (size_t)_i);
    program_sends(
        (struct wsp_message){.type = WSP_LOCAL_CREDIT, .channel = 1, .credit = {.total = 10000}});
    socket_takes(SIZE_MAX);
    program_reads(seen);
    ck_assert_uint_eq(seen[1].n_messages, 3);
    stage_deinit();
}
END_TEST

/* What a program said last before it went is in its socket when the daemon finds that nobody listens any more. */
START_TEST(what_was_said_before_the_end_stands)
{
    const struct channel *channel;

    stage_init();
    program_opens();
    servers_open();
    socket_takes(SIZE_MAX);
    channel = channel_numbered(1);
    stage.pipe.is_broken = true;
    server_sends(2, 0, 100);
    /* Only the write happens in this turn: the rest comes while it does. */
    stage.pipe.wanted = 0;
    turn_run();
    stage.pipe.wanted = TRANSPORT_READABLE;
    ck_assert(!stage.pipe.is_freed);
    program_sends((struct wsp_message){
        .type = WSP_LOCAL_TEXT, .channel = 1, .text = {.payload = WSP_VIEW_LITERAL("last")}});
    program_sends(
        (struct wsp_message){.type = WSP_LOCAL_CLOSE, .channel = 1, .close = {.code = 4001}});
    turn_run();
    ck_assert_int_eq(channel->state, CHANNEL_LEAVING);
    ck_assert_uint_eq(channel->outbox_bytes, 4);
    ck_assert_uint_eq(channel->close_code, 4001);
    turn_run();
    ck_assert(stage.pipe.is_freed);
    ck_assert(channel->is_abandoned && channel->is_close_asked);
    stage_deinit();
}
END_TEST

/* Nobody is there to read the ERROR, so nothing is waited for. */
START_TEST(a_fault_found_when_nobody_listens_ends_at_once)
{
    stage_init();
    program_opens();
    servers_open();
    socket_takes(SIZE_MAX);
    stage.pipe.is_broken = true;
    stage.pipe.wanted = 0;
    server_sends(2, 0, 100);
    turn_run();
    stage.pipe.wanted = TRANSPORT_READABLE;
    ck_assert(!stage.pipe.is_freed);
    program_sends((struct wsp_message){.type = WSP_LOCAL_RELEASE, .channel = 99});
    turn_run();
    ck_assert(stage.pipe.is_freed);
    stage_deinit();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("client_output");
    TCase *taken = unit_case(suite, "taken");
    TCase *cut = unit_case(suite, "cut");
    TCase *gone = unit_case(suite, "gone");
    TCase *fair = unit_case(suite, "fair");

    tcase_add_loop_test(taken, everything_comes_whole_however_little_is_taken, 0, N_OF(takes));
    tcase_add_loop_test(taken, what_stands_between_messages_is_told_where_it_stands, 0,
                        2 * N_OF(takes));
    tcase_add_loop_test(taken, what_is_dropped_is_told_where_it_stood, 0, 3 * N_OF(takes));
    tcase_add_test(taken, what_is_missing_is_told_right_behind_the_opening);
    tcase_add_test(taken, a_socket_that_takes_all_needs_few_writes);
    tcase_add_loop_test(cut, a_channel_that_is_cut_off_ends_its_frame_and_aborts_its_message, 0,
                        N_OF(cuts));
    tcase_add_loop_test(
        cut, a_client_that_breaks_the_protocol_amid_a_frame_gets_that_frame_and_its_error, 0,
        N_OF(cuts));
    tcase_add_test(gone, what_was_said_before_the_end_stands);
    tcase_add_test(gone, a_fault_found_when_nobody_listens_ends_at_once);
    tcase_add_test(fair, channels_take_turns);
    tcase_add_loop_test(fair, credit_is_kept_to_the_byte, 0, 60);
    return suite;
}
