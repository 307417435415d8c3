/*
 * fuzz_daemon_upstream: hostile servers at the daemon's real upstreams, with scripted programs behind them.
 *
 * Real are upstream, upgrade, inflow, outflow, share and what they use; remotes stands for the network, and checks all
 * that passes by it. The input (script.h) is one byte of flags and then operations; each is a byte, of which the low
 * five bits are the operation (enum op), 0x60 a variant of it and 0x80 that no turn of the loop follows, and its
 * arguments. Checked besides are: what programs hear, in what order, and that nothing at all is left at the end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/limits.h"
#include "proto/local/errors.h"
#include "proto/utf8.h"
#include "tests/fuzz/chunks.h"
#include "tests/fuzz/feed.h"
#include "tests/fuzz/remotes.h"
#include "tests/fuzz/script.h"
#include "tests/harness/fake_clock.h"

enum {
    N_SEATS = 3,
    MAX_PROGRAMS = 16,
    MAX_SENT = 90, /* messages of a program */
    MAX_SENT_LEN = 200 * 1024,
    MAX_SAID = 2 << 20, /* bytes of all servers: beyond, they say only little */
    PER_FRAME = 64,     /* counted with each frame */
    MAX_REMOTES = 16,
    MAX_UPSTREAMS = 6,
    MAX_RECEIVING = 200 * 1024,
    MAX_TURNS = 4000,
    HOUR_MS = 3600000,
    UID = 1000,
    FLAG_SMALL_READS = 1,    /* a scratch of 300 bytes */
    FLAG_SMALL_MESSAGES = 2, /* max-message is 1000 */
    FLAG_SMALL_QUEUE = 4,
    FLAG_BLOCK = 8,
    FLAG_ABRUPT = 16,   /* the daemon goes at the end of the input, whatever goes on */
    FLAG_SILENT = 32,   /* servers do nothing more at the end of the input */
    FLAG_OPEN = 64,     /* a program has opened an upstream, and the server has accepted */
    FLAG_DEFLATE = 128, /* with permessage-deflate */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A program with one WebSocket. */
struct program {
    struct channel channel;
    struct stage *stage;
    struct task task;  /* TURN_WRITE: it fetches what there is */
    unsigned appetite; /* messages that it still reads */
    bool has_left;     /* the channel is gone, or goes by itself */
    bool is_opened, is_end_told;
    uint64_t next_number;
    uint64_t sent_told;
    size_t sent_lens[MAX_SENT];
    unsigned n_sent;
    unsigned n_heard; /* of these, by the server: no one out of turn */
};

struct stage {
    struct turn turn;
    struct fake_clock clock;
    struct quota quota;
    struct shares shares;
    struct remotes remotes;
    uint8_t *scratch;
    uint64_t last_id;
    struct program programs[MAX_PROGRAMS];
    unsigned n_programs;
    struct program *seats[N_SEATS]; /* the one that the script speaks of */
    unsigned flags;
    size_t n_said;
};

/* --- programs: down --- */

static struct program *program_of(struct channel *channel)
{
    return LIST_ENTRY(channel, struct program, channel);
}

/* Only who was refused hears what a server said, and that is a text. */
static void check_excerpt(const struct channel *channel)
{
    const struct failure *failure = &channel->ending.failure;
    const char *excerpt = share_excerpt(channel->share, &channel->ending);

    require(strlen(excerpt) <= WSP_MAX_ANSWER_EXCERPT);
    require(wsp_utf8_is_valid(excerpt, strlen(excerpt)));
    require(excerpt[0] == '\0' ||
            (failure->cause == WSP_CAUSE_HANDSHAKE && failure->http_status >= 200));
    require(failure->retry_after == 0 || failure->http_status >= 200);
}

static void hear_notices(struct program *program, unsigned due)
{
    struct channel *channel = &program->channel;

    require(!program->is_end_told);
    if (due & CHANNEL_NOTICE_OPENED) {
        require(!program->is_opened && channel_peek(channel) == NULL);
        program->is_opened = true;
        program->next_number = channel->first_number;
        channel_told(channel, CHANNEL_NOTICE_OPENED);
        return;
    }
    if (due & CHANNEL_NOTICE_SENT) {
        require(program->is_opened && channel->n_sent_bytes >= program->sent_told);
        program->sent_told = channel->n_sent_bytes;
        channel_told(channel, CHANNEL_NOTICE_SENT);
    }
    if (due & CHANNEL_NOTICE_CLOSING) {
        require(program->is_opened);
        channel_told(channel, CHANNEL_NOTICE_CLOSING);
    }
    if (due & CHANNEL_NOTICE_END) {
        require(channel_peek(channel) == NULL);
        program->is_end_told = true;
        check_excerpt(channel);
        channel_told(channel, CHANNEL_NOTICE_END);
        require(channel->share == NULL);
    }
}

/* It is what the server's upstream has given under this number. */
static void hear_message(struct program *program, const struct entry *entry)
{
    const struct remote *remote = remotes_find(&program->stage->remotes, program->channel.share);
    const struct remote_message *message;

    require(program->is_opened && entry->number == program->next_number++);
    require(remote != NULL && entry->number <= remote->n_messages);
    message = &remote->messages[entry->number - 1];
    require(entry->is_binary == message->is_binary);
    require(wsp_view_equals((struct wsp_view){entry->data, entry->len},
                            (struct wsp_view){message->bytes, message->len}));
}

static void fetch(void *owner)
{
    struct program *program = owner;
    struct channel *channel = &program->channel;

    while (program->appetite > 0) {
        const struct entry *entry;
        unsigned due = channel_due(channel);

        if (due != 0) {
            hear_notices(program, due);
            continue;
        }
        entry = channel_peek(channel);
        if (entry == NULL)
            return;
        hear_message(program, entry);
        program->appetite--;
        channel_fetched(channel);
    }
}

static void program_wake(struct channel *channel)
{
    struct program *program = program_of(channel);

    require(!program->has_left && !program->is_end_told);
    turn_schedule(&program->stage->turn, TURN_WRITE, &program->task);
}

static void program_cut(struct channel *channel)
{
    require(!program_of(channel)->has_left && channel_front(channel) != NULL);
}

static void program_gone(struct channel *channel)
{
    require(program_of(channel)->has_left && channel->share == NULL);
    channel_deinit(channel);
}

static const struct channel_ops program_ops = {program_wake, program_cut, program_gone};

/* --- programs: what they do --- */

static struct target *target_make(const struct stage *stage, unsigned variant)
{
    struct target *target = target_new();

    require(target != NULL);
    require(wsp_url_parse_websocket(&target->url, "wss://u:p@h/x", 13, NULL, NULL) == 0);
    target->scope = UID;
    target->queue_bytes = stage->flags & FLAG_SMALL_QUEUE ? 4096 : 1 << 20;
    target->slow_consumer = stage->flags & FLAG_BLOCK ? SLOW_BLOCK : SLOW_DEFAULT;
    target->max_message = stage->flags & FLAG_SMALL_MESSAGES ? 1000 : MAX_SENT_LEN;
    if (variant & 1)
        require(strings_add(&target->protocols, "p", 1) == 0);
    if (variant & 2)
        require(strings_add(&target->headers, "X-Name", 6) == 0 &&
                strings_add(&target->headers, "value", 5) == 0);
    if (variant & 4)
        target->linger_ms = 0;
    target->is_deflated = (variant & 8) == 0;
    target->is_taking_over = (variant & 16) == 0;
    if (variant & 32)
        target->window_bits = variant & 64 ? 8 : 9;
    return target;
}

static void program_opens(struct stage *stage, unsigned seat, uint8_t how)
{
    struct program *program = &stage->programs[stage->n_programs];
    struct failure failure;
    struct user *user;
    int r;

    if (stage->n_programs == MAX_PROGRAMS || stage->remotes.n_remotes == MAX_REMOTES)
        return;
    stage->n_programs++;
    stage->seats[seat] = program;
    program->stage = stage;
    program->appetite = UINT32_MAX;
    task_init(&program->task, fetch, program);
    require(quota_user_ref(&stage->quota, UID, &user) == 0);
    require(channel_init(&program->channel, &program_ops, user, ++stage->last_id,
                         clock_now_ms(&stage->clock.clock)) == 0);
    user_unref(user);
    r = shares_open(&stage->shares, target_make(stage, how >> 1), how & 1, &program->channel,
                    &failure);
    require(r == 0 || r == WSP_CAUSE_QUOTA || r == WSP_CAUSE_SHUTDOWN);
    if (r > 0)
        channel_fail(&program->channel, &failure);
}

/* Its first bytes say whose it is, and which. */
static void program_sends(struct program *program, bool is_binary, size_t len)
{
    struct wsp_buffer payload;
    struct charge charge = {0};
    uint8_t head[2] = {(uint8_t)('A' + (program - program->stage->programs)),
                       (uint8_t)(' ' + program->n_sent)};

    if (program->n_sent == MAX_SENT || program->channel.is_close_asked ||
        charge_take(&charge, program->channel.user, QUOTA_SENDING_BYTES,
                    len + outgoing_overhead()) != 0)
        return;
    wsp_buffer_init(&payload, SIZE_MAX);
    require(wsp_buffer_append(&payload, feed_pattern(program->n_sent, is_binary, len).data, len) ==
            0);
    for (size_t i = 0; i < sizeof(head) && i < len; i++)
        payload.data[i] = head[i];
    program->sent_lens[program->n_sent++] = len;
    require(channel_send_take(&program->channel, is_binary, &payload, len, &charge) == 0);
    require(charge.amount == 0 && payload.data == NULL);
}

static void program_leaves(struct program *program)
{
    program->has_left = true;
    task_cancel(&program->task);
    channel_abandon(&program->channel);
}

/* Only after it was told of the end. */
static void program_releases(struct program *program)
{
    program->has_left = true;
    task_cancel(&program->task);
    channel_deinit(&program->channel);
}

/* A server has got a message: a later one of its program than the last, whole. */
static void program_is_heard(void *owner, bool is_binary, struct wsp_view payload)
{
    struct stage *stage = owner;
    struct program *program;
    unsigned index;

    if (payload.len < 2)
        return;
    require(payload.data[0] >= 'A' && payload.data[0] < 'A' + stage->n_programs);
    program = &stage->programs[payload.data[0] - 'A'];
    index = payload.data[1] - (unsigned)' ';
    require(index >= program->n_heard && index < program->n_sent);
    program->n_heard = index + 1;
    require(payload.len == program->sent_lens[index]);
    require(memcmp(payload.data + 2, feed_pattern(index, is_binary, payload.len).data + 2,
                   payload.len - 2) == 0);
}

/* --- turns --- */

/* Whoever has a turn may hold a whole message; one read comes before a user is crowded, and then each upstream has
 * what needs no turn and one short read. A buffer may be twice what is in it. */
static void stage_check(const struct stage *stage)
{
    const uint64_t *used;

    if (stage->n_programs == 0 || !stage->programs[0].channel.user)
        return;
    used = stage->programs[0].channel.user->used;
    require(used[QUOTA_UPSTREAMS] <= MAX_UPSTREAMS);
    require(used[QUOTA_SENDING_BYTES] <=
            stage->quota.limits[QUOTA_SENDING_BYTES] + MAX_UPSTREAMS * (MAX_SENT_LEN + PER_FRAME));
    require(used[QUOTA_RESERVED_BYTES] <= MAX_RECEIVING / 2);
    require(used[QUOTA_RECEIVING_BYTES] <=
            MAX_RECEIVING / 2 + MAX_SENT_LEN +
                2 * (MAX_READ_PER_TURN + MAX_UPSTREAMS * (MAX_UNRESERVED_LEN + MAX_READ_CROWDED)));
}

static void stage_turn(struct stage *stage)
{
    turn_begin(&stage->turn);
    LIST_FOR_EACH (node, &stage->remotes.all) {
        struct pipe *pipe = &LIST_ENTRY(node, struct remote, link)->pipe;

        if (pipe->owner)
            pipe_run(pipe);
    }
    turn_end(&stage->turn);
    LIST_FOR_EACH (node, &stage->remotes.all) {
        struct pipe *pipe = &LIST_ENTRY(node, struct remote, link)->pipe;

        /* The Close may follow from what was written. */
        require(pipe->n_writes <= 2);
        pipe->n_writes = 0;
    }
    stage_check(stage);
}

static bool stage_is_busy(const struct stage *stage)
{
    LIST_FOR_EACH (node, &stage->remotes.all) {
        const struct pipe *pipe = &LIST_ENTRY(node, struct remote, link)->pipe;

        if (pipe->owner && pipe_is_ready(pipe))
            return true;
    }
    return turn_has_next(&stage->turn);
}

static void stage_settle(struct stage *stage)
{
    for (unsigned i = 0; i == 0 || stage_is_busy(stage); i++) {
        require(i < MAX_TURNS);
        stage_turn(stage);
    }
}

/* --- operations: programs --- */

enum op {
    OP_OPEN,
    OP_SEND,
    OP_CLOSE,
    OP_LEAVE,
    OP_RELEASE,
    OP_APPETITE,
    OP_REACHED,
    OP_NOT_REACHED,
    OP_ACCEPT,
    OP_RAW,
    OP_FRAME,
    OP_LONG_FRAME,
    OP_CHAT,
    OP_SERVER_CLOSE,
    OP_HANG_UP,
    OP_BREAK,
    OP_MAX_READ,
    OP_ROOM,
    OP_NO_ROOM,
    OP_WAIT,
    OP_WAIT_LONG,
    OP_TURNS,
    OP_DAEMON_CLOSES,
    OP_PACKED_FRAME,
};

static void program_closes(struct program *program, uint8_t how)
{
    static const uint16_t codes[] = {0, 1000, 3000, 4999};
    uint16_t code = codes[how & 3];
    struct wsp_view reason = feed_pattern(how, false, code ? how >> 2 : 0);

    channel_close(&program->channel, code, reason, (how & 0x80) != 0);
}

static void run_program(struct stage *stage, uint8_t op, struct script *script)
{
    unsigned seat = (op >> 5 & 3) % N_SEATS;
    struct program *program = stage->seats[seat];
    uint8_t how = script_u8(script);

    if ((op & 0x1f) == OP_OPEN) {
        program_opens(stage, seat, how);
        return;
    }
    if (!program || program->has_left)
        return;
    switch (op & 0x1f) {
    case OP_SEND: program_sends(program, how & 1, script_size(script, MAX_SENT_LEN)); break;
    case OP_CLOSE:
        if (!program->is_end_told)
            program_closes(program, how);
        break;
    case OP_LEAVE: program_leaves(program); break;
    case OP_RELEASE:
        if (program->is_end_told)
            program_releases(program);
        break;
    case OP_APPETITE:
        program->appetite = how == 255 ? UINT32_MAX : how;
        turn_schedule(&stage->turn, TURN_WRITE, &program->task);
        break;
    default: break;
    }
}

/* --- operations: servers --- */

/* Within what the input may say in all. */
static size_t allowed(struct stage *stage, size_t len)
{
    len = stage->n_said < MAX_SAID ? len : len % 16;
    stage->n_said += len + PER_FRAME;
    return len;
}

static void say_frame(struct remote *remote, uint8_t first, struct wsp_view payload)
{
    struct wsp_frame_header header = {
        .payload_len = payload.len, .opcode = first & 0x0f, .is_final = (first & 0x80) == 0};
    uint8_t bytes[WSP_FRAME_MAX_HEADER];
    size_t len = wsp_frame_header_write(bytes, &header);

    bytes[0] |= first & 0x70;
    remote_says(remote, (struct wsp_view){bytes, len});
    remote_says(remote, payload);
}

static void say_chat(struct stage *stage, struct remote *remote, unsigned n)
{
    static const uint8_t opcodes[] = {WSP_OPCODE_TEXT, WSP_OPCODE_BINARY, WSP_OPCODE_PING};

    for (unsigned i = 0; i < n && stage->n_said < MAX_SAID; i++)
        say_frame(remote, opcodes[i % 3], feed_pattern(i, false, allowed(stage, i % 7)));
}

static void say_close(struct remote *remote, struct script *script)
{
    static const uint16_t codes[] = {1000, 1001, 1005, 3000, 4999, 1011, 1015, 999};
    uint8_t how = script_u8(script);
    uint16_t code = codes[how & 7];
    uint8_t payload[2 + 31] = {(uint8_t)(code >> 8), (uint8_t)code};
    size_t reason_len = how >> 3;

    memcpy(payload + 2, feed_pattern(how, false, reason_len).data, reason_len);
    say_frame(remote, WSP_OPCODE_CLOSE,
              (struct wsp_view){payload, code == 1005 ? 0 : 2 + reason_len});
}

/* A pattern as data that anybody can unpack: a window of 9 bits, and nothing before. */
static void say_packed(struct remote *remote, uint8_t first, size_t len)
{
    bool is_binary = (first & 0x0f) == WSP_OPCODE_BINARY;
    struct wsp_deflater deflater;
    struct wsp_buffer packed = {0};

    wsp_deflater_init(&deflater, (struct wsp_deflate_mode){9, false});
    wsp_deflater_begin(&deflater, feed_pattern(len, is_binary, len));
    if (wsp_deflater_step(&deflater, len, &packed) == 0)
        say_frame(remote, first | 0x40,
                  (struct wsp_view){wsp_buffer_peek(&packed), wsp_buffer_len(&packed)});
    wsp_buffer_deinit(&packed);
    wsp_deflater_deinit(&deflater);
}

static struct wsp_view extensions_of(uint8_t how)
{
    static const char *const params[] = {
        "",
        "; server_no_context_takeover",
        "; client_no_context_takeover",
        "; server_no_context_takeover; client_no_context_takeover",
        "; server_max_window_bits=9",
        "; client_max_window_bits=9; server_no_context_takeover",
        "; client_max_window_bits=8",
        "; client_max_window_bits=9; server_no_context_takeover; server_max_window_bits=9",
    };
    static char text[WSP_DEFLATE_TEXT_LEN];

    return (struct wsp_view){
        (const uint8_t *)text,
        (size_t)snprintf(text, sizeof(text), "permessage-deflate%s", params[how % 8])};
}

static void say(struct stage *stage, struct remote *remote, uint8_t op, struct script *script)
{
    uint8_t first;
    size_t len;

    switch (op & 0x1f) {
    case OP_ACCEPT:
        remote_accepts(remote, op & 0x20 ? WSP_VIEW_LITERAL("p") : (struct wsp_view){0},
                       op & 0x40 ? extensions_of(script_u8(script)) : (struct wsp_view){0});
        break;
    case OP_RAW: remote_says(remote, script_bytes(script, script_u8(script))); break;
    case OP_FRAME:
        first = script_u8(script);
        say_frame(remote, first, script_bytes(script, script_u8(script) & 0x7f));
        break;
    case OP_LONG_FRAME:
        first = script_u8(script);
        len = allowed(stage, script_size(script, FEED_MAX_LEN));
        say_frame(remote, first, feed_pattern(len, (first & 0x0f) == WSP_OPCODE_BINARY, len));
        break;
    case OP_PACKED_FRAME:
        first = script_u8(script);
        len = allowed(stage, script_size(script, FEED_MAX_LEN));
        say_packed(remote, first, len);
        break;
    case OP_CHAT: say_chat(stage, remote, 32u * script_u8(script)); break;
    case OP_SERVER_CLOSE: say_close(remote, script); break;
    default: break;
    }
}

static void run_server(struct stage *stage, uint8_t op, struct script *script)
{
    struct remote *remote = remotes_pick(&stage->remotes, script_u8(script));

    if (!remote)
        return;
    switch (op & 0x1f) {
    case OP_REACHED: remote_is_reached(remote); break;
    case OP_NOT_REACHED: remote_is_not_reached(remote); break;
    case OP_HANG_UP: pipe_hang_up(&remote->pipe, 1); break;
    case OP_BREAK: pipe_hang_up(&remote->pipe, -ECONNRESET); break;
    case OP_MAX_READ: remote->pipe.max_read = script_size(script, SIZE_MAX) + 1; break;
    case OP_ROOM: pipe_give_room(&remote->pipe, script_size(script, SIZE_MAX)); break;
    case OP_NO_ROOM: remote->pipe.room = 0; break;
    case OP_DAEMON_CLOSES: share_close(remote->share, 4000, WSP_VIEW_LITERAL("closed")); break;
    default: say(stage, remote, op, script); break;
    }
}

static void run_op(struct stage *stage, struct script *script)
{
    uint8_t op = script_u8(script);

    switch (op & 0x1f) {
    case OP_WAIT: fake_clock_advance(&stage->clock, script_u8(script)); break;
    case OP_WAIT_LONG: fake_clock_advance(&stage->clock, 1000 * script_u8(script)); break;
    case OP_TURNS:
        for (unsigned n = script_u8(script) % 32; n > 0; n--)
            stage_turn(stage);
        break;
    default:
        if ((op & 0x1f) <= OP_APPETITE)
            run_program(stage, op, script);
        else
            run_server(stage, op, script);
        break;
    }
    if (!(op & 0x80))
        stage_turn(stage);
}

/* --- the end --- */

/* Programs leave; servers take everything and hang up, or are silent. Deadlines do the rest. */
static void all_go(struct stage *stage)
{
    for (unsigned i = 0; i < stage->n_programs; i++)
        if (!stage->programs[i].has_left)
            program_leaves(&stage->programs[i]);
    LIST_FOR_EACH (node, &stage->remotes.all) {
        struct remote *remote = LIST_ENTRY(node, struct remote, link);

        if (!remote->pipe.owner)
            continue;
        remote->pipe.max_read = SIZE_MAX;
        if (stage->flags & FLAG_SILENT)
            continue;
        pipe_give_room(&remote->pipe, SIZE_MAX);
        if (remote->pipe.end == 0)
            pipe_hang_up(&remote->pipe, 1);
    }
    stage_settle(stage);
    for (unsigned i = 0; i < 4; i++) {
        fake_clock_advance(&stage->clock, HOUR_MS);
        stage_settle(stage);
    }
    LIST_FOR_EACH (node, &stage->remotes.all)
        require(LIST_ENTRY(node, struct remote, link)->n_ended == 1);
}

static void daemon_goes(struct stage *stage)
{
    shares_deinit(&stage->shares);
    for (unsigned i = 0; i < stage->n_programs; i++)
        if (!stage->programs[i].has_left)
            program_releases(&stage->programs[i]);
        else
            channel_deinit(&stage->programs[i].channel);
    turn_end(&stage->turn);
}

static struct stage *stage_new(unsigned flags)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    size_t scratch_len = flags & FLAG_SMALL_READS ? 300 : MAX_READ_PER_TURN;

    require(stage != NULL);
    stage->flags = flags;
    stage->scratch = malloc(scratch_len);
    require(stage->scratch != NULL);
    turn_init(&stage->turn);
    fake_clock_init(&stage->clock, &stage->turn);
    quota_init(&stage->quota);
    stage->quota.limits[QUOTA_UPSTREAMS] = MAX_UPSTREAMS;
    stage->quota.limits[QUOTA_QUEUED_BYTES] = 300 * 1024;
    stage->quota.limits[QUOTA_RECEIVING_BYTES] = MAX_RECEIVING;
    stage->quota.limits[QUOTA_RESERVED_BYTES] = MAX_RECEIVING;
    stage->quota.limits[QUOTA_SENDING_BYTES] = 1 << 20;
    remotes_init(&stage->remotes, &stage->clock.clock, &stage->turn, stage->scratch, scratch_len,
                 stage);
    stage->remotes.heard = program_is_heard;
    shares_init(&stage->shares, &stage->clock.clock, &stage->turn, &stage->remotes.ops,
                &stage->remotes, stage->remotes.context.random, &stage->last_id);
    if (flags & FLAG_OPEN) {
        program_opens(stage, 0, 0);
        remote_is_reached(remotes_pick(&stage->remotes, 0));
        stage_turn(stage);
        remote_accepts(remotes_pick(&stage->remotes, 0), (struct wsp_view){0},
                       flags & FLAG_DEFLATE ? extensions_of(0) : (struct wsp_view){0});
        stage_turn(stage);
    }
    return stage;
}

static void stage_free(struct stage *stage)
{
    require(stage->shares.n_upstreams == 0 && list_is_empty(&stage->shares.all));
    require(stage->shares.keys == NULL);
    require(stage->quota.users == NULL);
    require(fake_clock_next_ms(&stage->clock) == UINT64_MAX);
    for (int phase = 0; phase < TURN_N_PHASES; phase++)
        require(list_is_empty(&stage->turn.phases[phase]));
    remotes_deinit(&stage->remotes);
    free(stage->scratch);
    free(stage);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct script script = {{data, len}};
    struct stage *stage = stage_new(script_u8(&script));

    while (!script_is_over(&script))
        run_op(stage, &script);
    if (stage->flags & FLAG_ABRUPT)
        daemon_goes(stage);
    else
        all_go(stage);
    stage_free(stage);
    return 0;
}
