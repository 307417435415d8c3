/*
 * fuzz_daemon_client: two hostile programs at the real daemon, with scripted servers behind it.
 *
 * Real are client, client_requests, open_request, assembly, channel, share, control and what they use; pipe stands
 * for the sockets, peers for the upstreams. The input (script.h) is one byte of flags and then operations; each is a
 * byte, of which the low five bits are the operation (enum op), 0x20 the program or the kind of data and 0x80 that no
 * turn of the loop follows, and its arguments. Checked are: every byte to a program (local_model); what servers get;
 * that nobody is dropped without a word; that no more is held than quotas allow; that all that must arrive does; and
 * that nothing at all is left when everybody has gone.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/client.h"
#include "daemon/client_channel.h"
#include "daemon/limits.h"
#include "daemon/server.h"
#include "daemon/upstream.h"
#include "tests/fuzz/chunks.h"
#include "tests/fuzz/local_frames.h"
#include "tests/fuzz/local_model.h"
#include "tests/fuzz/peers.h"
#include "tests/fuzz/pipe.h"
#include "tests/fuzz/script.h"
#include "tests/harness/fake_clock.h"

enum {
    N_SEATS = 2,
    MAX_PROGRAMS = 16,
    MAX_TURNS = 400,
    MAX_MESSAGE = 200 * 1024,
    MAX_SAID = 4 << 20, /* bytes of all messages of an input: beyond, they are empty */
    DAY_MS = 86400000,
    FLAG_TWO_USERS = 1,
    FLAG_ADMIN = 2,
    FLAG_LOG = 4,      /* format every log line */
    FLAG_ABRUPT = 8,   /* the daemon goes at the end of the input, whatever goes on */
    FLAG_GREETED = 16, /* both programs have connected and said HELLO */
    FLAG_NO_ROOM = 32, /* writes take nothing at first */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A place at the daemon's socket, where one program at a time sits. */
struct seat {
    struct stage *stage;
    struct pipe pipe;
    struct local_model *model; /* NULL: nobody sits there */
    bool is_parting;           /* the daemon has begun to say why it ends */
    struct local_frames frames;
};

struct stage {
    struct server server;
    struct config config;
    struct endpoint endpoints[3];
    struct turn turn;
    struct fake_clock clock;
    uint8_t *scratch;
    struct feed feed;
    struct peers peers;
    struct seat seats[N_SEATS];
    struct list models; /* of all programs there were */
    unsigned n_programs, flags;
    size_t n_said_before, max_said_per_turn;
    bool is_over; /* the daemon goes */
};

/* --- the daemon --- */

/* No two runs of an input have the same. */
static void next_epoch(void *to, size_t len)
{
    static uint32_t n_epochs;

    memset(to, 0, len);
    n_epochs++;
    memcpy(to, &n_epochs, sizeof(n_epochs));
}

static const char *const endpoint_texts[3][1 + 2 * 3] = {
    {"block", "slow-consumer", "block", "queue", "8KiB", "block-timeout", "100ms"},
    {"feed", "linger", "50ms", "queue", "32KiB", "replay", "5"},
    {"own", "share", "no", "max-message", "4KiB", "headers", "X-A: b"},
};

static void endpoint_init(struct endpoint *endpoint, const char *const texts[])
{
    const struct option_table *table = endpoint_options_table();
    char problem[OPTION_TEXT_LEN];

    options_init(table, &endpoint->options);
    endpoint->file = texts[0];
    endpoint->name = (char *)(uintptr_t)texts[0];
    require(wsp_url_parse_websocket(&endpoint->url, "wss://e/", 8, NULL, NULL) == 0);
    for (size_t i = 1; i < 7; i += 2)
        require(option_set(table, option_find(table, wsp_view_of_string(texts[i])),
                           wsp_view_of_string(texts[i + 1]), &endpoint->options, problem) == 0);
}

static void config_init(struct stage *stage)
{
    stage->config.endpoints = stage->endpoints;
    stage->config.n_endpoints = sizeof(stage->endpoints) / sizeof(stage->endpoints[0]);
    for (size_t i = 0; i < stage->config.n_endpoints; i++)
        endpoint_init(&stage->endpoints[i], endpoint_texts[i]);
    options_init(daemon_options_table(), &stage->config.daemon);
    stage->config.overflow_uid = stage->config.overflow_gid = 65534;
}

static void config_deinit(struct stage *stage)
{
    for (size_t i = 0; i < stage->config.n_endpoints; i++) {
        wsp_url_deinit(&stage->endpoints[i].url);
        options_deinit(endpoint_options_table(), &stage->endpoints[i].options);
    }
    options_deinit(daemon_options_table(), &stage->config.daemon);
}

static void server_prepare(struct stage *stage)
{
    struct server *server = &stage->server;
    static const uint64_t limits[QUOTA_N_RESOURCES] = {
        [QUOTA_CLIENTS] = 2,
        [QUOTA_CHANNELS] = 12,
        [QUOTA_UPSTREAMS] = 6,
        [QUOTA_QUEUED_BYTES] = 100 * 1024,
        [QUOTA_SENDING_BYTES] = 200 * 1024,
        [QUOTA_SUBSCRIPTION_BYTES] = 2000,
    };
    static char nowhere[] = "/nonexistent";

    server->clock = &stage->clock.clock;
    server->turn = &stage->turn;
    server->upstream_context.scratch = stage->scratch;
    server->upstream_context.scratch_len = MAX_READ_PER_TURN;
    server->config = &stage->config;
    server->paths.credentials = nowhere;
    list_init(&server->clients);
    list_init(&server->channels);
    autostart_init(&server->autostart, server);
    history_init(&server->history);
    quota_init(&server->quota);
    memcpy(server->quota.limits, limits, sizeof(limits));
    journal_init(&server->journal,
                 stage->flags & FLAG_LOG ? JOURNAL_LEVEL_DEBUG : JOURNAL_LEVEL_ERROR);
    server->journal.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    shares_init(&server->shares, server->clock, server->turn, upstream_remote_ops(), &stage->peers,
                next_epoch, &server->last_id);
    require(output_new(stage->scratch, MAX_READ_PER_TURN, &server->output) == 0);
}

/* --- programs --- */

static struct client *seat_client(struct seat *seat)
{
    LIST_FOR_EACH (node, &seat->stage->server.clients) {
        struct client *client = LIST_ENTRY(node, struct client, link);

        if (client->transport == &seat->pipe.transport)
            return client;
    }
    return NULL;
}

static void program_read(void *owner, struct wsp_view bytes)
{
    local_model_given(((struct seat *)owner)->model, bytes);
}

static void program_wrote(void *owner, struct wsp_view bytes)
{
    local_model_got(((struct seat *)owner)->model, bytes);
}

/* Nobody is hung up on without a word, but those who do not read it. */
static void program_dropped(void *owner)
{
    const struct seat *seat = owner;

    require(seat->pipe.end != 0 || seat->is_parting || seat->stage->is_over);
}

static void seat_leave(struct seat *seat)
{
    if (!seat->model)
        return;
    pipe_deinit(&seat->pipe);
    seat->model = NULL;
}

static void seat_connect(struct seat *seat)
{
    struct stage *stage = seat->stage;
    bool is_second = seat == &stage->seats[1] && stage->flags & FLAG_TWO_USERS;
    struct client_peer peer = {.uid = is_second ? 1001 : 1000, .fd = -1};

    if ((seat->model && !seat->pipe.is_freed) || stage->n_programs == MAX_PROGRAMS)
        return;
    seat_leave(seat);
    stage->n_programs++;
    if (stage->flags & FLAG_ADMIN && is_second)
        peer.uid = 0;
    seat->model = local_model_new(&stage->feed);
    list_append(&stage->models, &seat->model->link);
    pipe_init(&seat->pipe, seat);
    seat->pipe.room = stage->flags & FLAG_NO_ROOM ? 0 : SIZE_MAX;
    seat->pipe.was_read = program_read;
    seat->pipe.was_taken = program_wrote;
    seat->pipe.was_freed = program_dropped;
    seat->is_parting = false;
    memset(seat->frames.credit, 0, sizeof(seat->frames.credit));
    require(client_serve(&stage->server, &seat->pipe.transport, &peer) == 0);
}

/* --- what the daemon holds --- */

/* Channels that are new are made known to their models. */
static void channels_name(struct stage *stage)
{
    LIST_FOR_EACH (node, &stage->server.channels) {
        const struct client_channel *channel = LIST_ENTRY(node, struct client_channel, all_link);
        struct local_channel *seen;

        for (size_t i = 0; i < N_SEATS; i++) {
            if (!channel->client || channel->client->transport != &stage->seats[i].pipe.transport)
                continue;
            seen = local_model_find(stage->seats[i].model, channel->number);
            require(seen != NULL);
            if (seen->id == 0)
                seen->id = channel->channel.id;
        }
    }
}

static struct local_channel *channel_named(struct stage *stage, uint64_t id)
{
    LIST_FOR_EACH (node, &stage->models) {
        struct local_model *model = LIST_ENTRY(node, struct local_model, link);

        LIST_FOR_EACH (inner, &model->channels) {
            struct local_channel *channel = LIST_ENTRY(inner, struct local_channel, link);

            if (channel->id == id)
                return channel;
        }
    }
    return NULL;
}

static void server_took(void *owner, uint64_t channel_id, bool is_binary, struct wsp_view payload)
{
    struct local_channel *channel = channel_named(owner, channel_id);

    if (channel)
        local_channel_taken(channel, is_binary, payload);
}

static void server_got(void *owner, uint64_t channel_id, size_t len)
{
    struct local_channel *channel = channel_named(owner, channel_id);

    if (channel)
        channel->n_written += len;
}

/* What a log holds is what it charges; and whose server speaks while the user is over quota is not read any more, or
 * every program is at its last message. */
static void share_check(const struct share *share)
{
    uint64_t cost = 0;

    for (const struct entry *entry = share->log.first; entry; entry = entry->next)
        cost += entry_cost(entry);
    require(cost == share->log.charge.amount);
    if (share->upstream == NULL || !share->upstream->has_said)
        return;
    share->upstream->has_said = false;
    if (!user_is_over(share->owner, QUOTA_QUEUED_BYTES) || share->log.first == NULL)
        return;
    require(share->is_shared ? share->log.first == share->log.last : share->is_paused);
}

static void user_check(const struct stage *stage, const struct user *user)
{
    const uint64_t *limits = user->quota->limits;

    require(user->used[QUOTA_CLIENTS] <= limits[QUOTA_CLIENTS]);
    require(user->used[QUOTA_CHANNELS] <= limits[QUOTA_CHANNELS]);
    require(user->used[QUOTA_UPSTREAMS] <= limits[QUOTA_UPSTREAMS]);
    require(user->used[QUOTA_SUBSCRIPTION_BYTES] <= limits[QUOTA_SUBSCRIPTION_BYTES]);
    /* A message that has its turn is charged for all that it may come to. */
    require(user->used[QUOTA_SENDING_BYTES] <= WSP_DEFAULT_MAX_MESSAGE + outgoing_overhead());
    /* What each channel is reading when the limit is met. */
    require(user->used[QUOTA_QUEUED_BYTES] <=
            limits[QUOTA_QUEUED_BYTES] + limits[QUOTA_CHANNELS] * stage->max_said_per_turn);
}

static void seat_check(struct seat *seat)
{
    const struct client *client = seat_client(seat);

    require(seat->pipe.n_writes <= 1);
    seat->pipe.n_writes = 0;
    if (!client)
        return;
    seat->is_parting |= client->state == CLIENT_PARTING;
    user_check(seat->stage, client->user);
}

static void stage_check(struct stage *stage)
{
    size_t n_said = stage->peers.n_said - stage->n_said_before;

    if (n_said > stage->max_said_per_turn)
        stage->max_said_per_turn = n_said;
    stage->n_said_before = stage->peers.n_said;
    for (size_t i = 0; i < N_SEATS; i++)
        seat_check(&stage->seats[i]);
    LIST_FOR_EACH (node, &stage->server.shares.all)
        share_check(LIST_ENTRY(node, struct share, link));
}

/* --- turns and time --- */

static void stage_turn(struct stage *stage)
{
    turn_begin(&stage->turn);
    for (size_t i = 0; i < N_SEATS; i++)
        if (stage->seats[i].model)
            pipe_run(&stage->seats[i].pipe);
    turn_end(&stage->turn);
    channels_name(stage);
    stage_check(stage);
}

static bool stage_is_busy(const struct stage *stage)
{
    for (size_t i = 0; i < N_SEATS; i++)
        if (stage->seats[i].model && pipe_is_ready(&stage->seats[i].pipe))
            return true;
    return turn_has_next(&stage->turn);
}

static void stage_settle(struct stage *stage)
{
    for (unsigned i = 0; i == 0 || stage_is_busy(stage); i++) {
        require(i < MAX_TURNS);
        stage_turn(stage);
    }
}

/* Timer by timer, to see what each does. */
static void stage_wait(struct stage *stage, uint64_t ms)
{
    stage_turn(stage);
    while (ms > 0) {
        uint64_t next_ms = fake_clock_next_ms(&stage->clock);
        uint64_t step_ms = next_ms == 0 ? 1 : next_ms < ms ? next_ms : ms;

        fake_clock_advance(&stage->clock, step_ms);
        stage_check(stage);
        ms -= step_ms;
    }
}

/* --- what programs do --- */

/* The bytes that were built go to whoever sits there. */
static void seat_flush(struct seat *seat)
{
    struct wsp_buffer *bytes = &seat->frames.bytes;

    if (seat->model && !seat->pipe.is_freed && seat->pipe.end == 0)
        pipe_put(&seat->pipe, (struct wsp_view){wsp_buffer_peek(bytes), wsp_buffer_len(bytes)});
    wsp_buffer_truncate(bytes, 0);
}

static void seat_greet(struct seat *seat)
{
    seat_connect(seat);
    local_frames_greet(&seat->frames);
    seat_flush(seat);
}

static void put_frame(struct seat *seat, enum local_frame frame, struct script *script)
{
    local_frames_build(&seat->frames, frame, script);
    seat_flush(seat);
}

static void put_raw(struct seat *seat, struct script *script)
{
    struct wsp_view bytes = script_bytes(script, script_u8(script));

    require(wsp_buffer_append(&seat->frames.bytes, bytes.data, bytes.len) == 0);
    seat_flush(seat);
}

/* --- what servers do --- */

static void server_says(struct stage *stage, struct script *script, bool is_binary)
{
    struct upstream *peer = peers_pick(&stage->peers, script_u8(script));
    size_t len = script_size(script, MAX_MESSAGE);

    if (peer)
        peer_says(peer, is_binary, stage->peers.n_said < MAX_SAID ? len : 0);
}

static void server_chats(struct stage *stage, struct script *script, bool is_binary)
{
    struct upstream *peer = peers_pick(&stage->peers, script_u8(script));
    unsigned n = script_u8(script);

    while (peer && n-- > 0)
        peer_says(peer, is_binary, n % 37);
}

static void server_ends(struct stage *stage, struct script *script)
{
    static const uint16_t causes[] = {WSP_CAUSE_LOST, WSP_CAUSE_PROTOCOL, WSP_CAUSE_TIMEOUT,
                                      WSP_CAUSE_HANDSHAKE};
    struct upstream *peer = peers_pick(&stage->peers, script_u8(script));
    uint8_t how = script_u8(script);

    if (!peer)
        return;
    if (how & 8)
        peer_fails(peer, causes[how & 3]);
    else
        peer_ends(peer, (uint16_t)(1000 + how),
                  feed_pattern(how, false, how & 0x7f ? how % 124 : 0));
}

static void server_reads(struct stage *stage, struct script *script)
{
    struct upstream *peer = peers_pick(&stage->peers, script_u8(script));
    unsigned n_messages = script_u8(script);
    size_t len = script_size(script, SIZE_MAX);

    if (!peer)
        return;
    peer_takes(peer, n_messages & 0x1f);
    peer_writes(peer, n_messages & 0x80 ? SIZE_MAX : len);
}

static void server_opens(struct stage *stage, struct script *script, bool has_protocol)
{
    struct upstream *peer = peers_pick(&stage->peers, script_u8(script));

    if (peer)
        peer_opens(peer, has_protocol ? WSP_VIEW_LITERAL("p") : (struct wsp_view){0});
}

static void server_starts_closing(struct stage *stage, struct script *script)
{
    struct upstream *peer = peers_pick(&stage->peers, script_u8(script));

    if (peer)
        peer_starts_closing(peer);
}

/* The administrator's close, or the daemon's end. */
static void daemon_closes(struct stage *stage, struct script *script, bool is_all)
{
    struct upstream *peer = peers_pick(&stage->peers, script_u8(script));

    if (is_all)
        shares_drain(&stage->server.shares);
    else if (peer)
        share_close(peer->share, 4000, WSP_VIEW_LITERAL("closed"));
}

/* --- operations --- */

enum op {
    OP_GREET,
    OP_OPEN,
    OP_DATA,
    OP_CREDIT,
    OP_CLOSE,
    OP_RELEASE,
    OP_ABORT,
    OP_REQUEST,
    OP_FLOOD,
    OP_RAW,
    OP_CONNECT,
    OP_HANG_UP,
    OP_BREAK,
    OP_MAX_READ,
    OP_ROOM,
    OP_ALL_ROOM,
    OP_WAIT,
    OP_WAIT_LONG,
    OP_TURNS,
    OP_SERVER_OPENS,
    OP_SERVER_SAYS,
    OP_SERVER_CHATS,
    OP_SERVER_READS,
    OP_SERVER_STARTS_CLOSING,
    OP_SERVER_ENDS,
    OP_DAEMON_CLOSES,
    OP_SUBSCRIBE, /* of a program */
};

static void run_program(struct seat *seat, uint8_t op, struct script *script)
{
    switch (op & 0x1f) {
    case OP_GREET: seat_greet(seat); break;
    case OP_OPEN: put_frame(seat, LOCAL_FRAME_OPEN, script); break;
    case OP_DATA: put_frame(seat, LOCAL_FRAME_DATA, script); break;
    case OP_CREDIT: put_frame(seat, LOCAL_FRAME_CREDIT, script); break;
    case OP_CLOSE: put_frame(seat, LOCAL_FRAME_CLOSE, script); break;
    case OP_RELEASE: put_frame(seat, LOCAL_FRAME_RELEASE, script); break;
    case OP_ABORT: put_frame(seat, LOCAL_FRAME_ABORT, script); break;
    case OP_REQUEST: put_frame(seat, LOCAL_FRAME_REQUEST, script); break;
    case OP_SUBSCRIBE: put_frame(seat, LOCAL_FRAME_SUBSCRIBE, script); break;
    case OP_FLOOD: put_frame(seat, LOCAL_FRAME_FLOOD, script); break;
    case OP_RAW: put_raw(seat, script); break;
    case OP_CONNECT: seat_connect(seat); break;
    case OP_HANG_UP: pipe_hang_up(&seat->pipe, 1); break;
    case OP_BREAK: pipe_hang_up(&seat->pipe, -ECONNRESET); break;
    case OP_MAX_READ: seat->pipe.max_read = script_size(script, SIZE_MAX) + 1; break;
    case OP_ROOM: pipe_give_room(&seat->pipe, script_size(script, SIZE_MAX)); break;
    case OP_ALL_ROOM: pipe_give_room(&seat->pipe, SIZE_MAX); break;
    default: break;
    }
}

static void run_server(struct stage *stage, uint8_t op, struct script *script)
{
    bool is_set = (op & 0x20) != 0;

    switch (op & 0x1f) {
    case OP_WAIT: stage_wait(stage, script_u8(script)); break;
    case OP_WAIT_LONG: stage_wait(stage, 100 * script_u8(script)); break;
    case OP_TURNS:
        for (unsigned n = script_u8(script) % 32; n > 0; n--)
            stage_turn(stage);
        break;
    case OP_SERVER_OPENS: server_opens(stage, script, is_set); break;
    case OP_SERVER_SAYS: server_says(stage, script, is_set); break;
    case OP_SERVER_CHATS: server_chats(stage, script, is_set); break;
    case OP_SERVER_READS: server_reads(stage, script); break;
    case OP_SERVER_STARTS_CLOSING: server_starts_closing(stage, script); break;
    case OP_SERVER_ENDS: server_ends(stage, script); break;
    case OP_DAEMON_CLOSES: daemon_closes(stage, script, is_set); break;
    default: break;
    }
}

static void run_op(struct stage *stage, struct script *script)
{
    uint8_t op = script_u8(script);

    if ((op & 0x1f) < OP_WAIT || (op & 0x1f) == OP_SUBSCRIBE)
        run_program(&stage->seats[op >> 5 & 1], op, script);
    else
        run_server(stage, op, script);
    if (!(op & 0x80))
        stage_turn(stage);
}

/* --- the end --- */

/* Everybody reads all there is. Whoever limits credit may leave something. */
static void all_is_told(struct stage *stage)
{
    bool has_credit = false;

    for (size_t i = 0; i < N_SEATS; i++) {
        stage->seats[i].pipe.max_read = SIZE_MAX;
        pipe_give_room(&stage->seats[i].pipe, SIZE_MAX);
    }
    stage_settle(stage);
    for (size_t i = 0; i < N_SEATS; i++) {
        struct seat *seat = &stage->seats[i];

        if (!seat->model || seat->pipe.is_freed || seat->pipe.end != 0)
            continue;
        local_model_check_settled(seat->model);
        LIST_FOR_EACH (node, &seat->model->channels)
            has_credit |= LIST_ENTRY(node, struct local_channel, link)->has_credit;
    }
    LIST_FOR_EACH (node, &stage->peers.all)
        require(has_credit || !LIST_ENTRY(node, struct upstream, link)->is_paused);
}

/* Programs have gone; servers still get what those had given whole, and end when they are asked to. */
static void all_go(struct stage *stage)
{
    for (size_t i = 0; i < N_SEATS; i++)
        pipe_hang_up(&stage->seats[i].pipe, 1);
    stage_settle(stage);
    for (unsigned i = 0; i < 4; i++) {
        LIST_FOR_EACH (node, &stage->peers.all) {
            struct upstream *peer = LIST_ENTRY(node, struct upstream, link);

            peer_opens(peer, (struct wsp_view){0});
            peer_takes(peer, UINT32_MAX);
            peer_writes(peer, SIZE_MAX);
        }
        stage_settle(stage);
        LIST_FOR_EACH (node, &stage->peers.all) {
            struct upstream *peer = LIST_ENTRY(node, struct upstream, link);

            if (peer->is_close_asked || peer->is_closing)
                peer_ends(peer, 1000, (struct wsp_view){0});
        }
        stage_settle(stage);
        stage_wait(stage, DAY_MS);
    }
}

static void daemon_goes(struct stage *stage)
{
    struct server *server = &stage->server;

    stage->is_over = true;
    LIST_FOR_EACH (node, &server->clients)
        client_drop(LIST_ENTRY(node, struct client, link));
    shares_deinit(&server->shares);
    autostart_deinit(&server->autostart);
    LIST_FOR_EACH (node, &server->channels)
        client_channel_discard(LIST_ENTRY(node, struct client_channel, all_link));
    turn_end(&stage->turn);
}

static void check_nothing_is_left(const struct stage *stage)
{
    const struct server *server = &stage->server;

    require(list_is_empty(&stage->peers.all));
    require(server->shares.n_upstreams == 0 && list_is_empty(&server->shares.all));
    require(server->shares.keys == NULL);
    require(server->n_channels == 0 && list_is_empty(&server->channels));
    require(server->n_clients == 0 && list_is_empty(&server->clients));
    require(server->quota.users == NULL);
    require(fake_clock_next_ms(&stage->clock) == UINT64_MAX);
    for (int phase = 0; phase < TURN_N_PHASES; phase++)
        require(list_is_empty(&stage->turn.phases[phase]));
}

static struct stage *stage_new(unsigned flags)
{
    struct stage *stage = calloc(1, sizeof(*stage));

    require(stage != NULL);
    stage->flags = flags;
    stage->scratch = malloc(MAX_READ_PER_TURN);
    require(stage->scratch != NULL);
    turn_init(&stage->turn);
    fake_clock_init(&stage->clock, &stage->turn);
    feed_init(&stage->feed);
    peers_init(&stage->peers, &stage->feed, stage);
    stage->peers.taken = server_took;
    stage->peers.written = server_got;
    list_init(&stage->models);
    config_init(stage);
    server_prepare(stage);
    for (size_t i = 0; i < N_SEATS; i++) {
        stage->seats[i].stage = stage;
        local_frames_init(&stage->seats[i].frames, &stage->feed);
        if (flags & FLAG_GREETED)
            seat_greet(&stage->seats[i]);
    }
    stage_turn(stage);
    return stage;
}

static void stage_free(struct stage *stage)
{
    struct server *server = &stage->server;

    check_nothing_is_left(stage);
    for (size_t i = 0; i < N_SEATS; i++) {
        seat_leave(&stage->seats[i]);
        local_frames_deinit(&stage->seats[i].frames);
    }
    LIST_FOR_EACH (node, &stage->models)
        local_model_free(LIST_ENTRY(node, struct local_model, link));
    feed_deinit(&stage->feed);
    output_free(server->output);
    quota_deinit(&server->quota);
    config_deinit(stage);
    close(server->journal.fd);
    free(stage->scratch);
    free(stage);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct script script = {{data, len}};
    struct stage *stage = stage_new(script_u8(&script));

    while (!script_is_over(&script))
        run_op(stage, &script);
    if (!(stage->flags & FLAG_ABRUPT)) {
        all_is_told(stage);
        all_go(stage);
    } else {
        daemon_goes(stage);
    }
    stage_free(stage);
    return 0;
}
