/*
 * test_slices: programs of one user that flood do so at their own expense.
 *
 * The real clients of two users, each over a transport of memory, in one turn after the other. Invariant: whoever has
 * something to say is heard in the turn in which it says it, whatever another user's programs do.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/slice.h"

#include <fcntl.h>
#include <stdio.h>
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

enum { ALICE = 1001, BOB = 1002, N_PROGRAMS = 6 };
enum { N_OPENS_PER_TURN = MAX_WORK_PER_TURN / (WORK_PER_OPEN + WORK_PER_FRAME) + 1 };

/* ---- the stage ---- */

/* A program, and the daemon's client that it is. */
struct program {
    struct memory_transport pipe;
    struct client *client;
};

static struct stage {
    struct server server;
    struct config config;
    struct turn turn;
    struct fake_clock clock;
    struct program programs[N_PROGRAMS];
    size_t n_programs;
    uint8_t scratch[MAX_READ_PER_TURN];
    int null_fd;
} stage;

static void random_bytes(void *to, size_t len)
{
    memset(to, 7, len);
}

static void setup(void)
{
    struct server *server = &stage.server;

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
}

static void teardown(void)
{
    struct server *server = &stage.server;

    LIST_FOR_EACH (node, &server->clients)
        client_drop(LIST_ENTRY(node, struct client, link));
    shares_deinit(&server->shares);
    LIST_FOR_EACH (node, &server->channels)
        client_channel_discard(LIST_ENTRY(node, struct client_channel, all_link));
    turn_end(&stage.turn);
    ck_assert_uint_eq(server->n_clients, 0);
    output_free(server->output);
    quota_deinit(&server->quota);
    for (size_t i = 0; i < stage.n_programs; i++)
        memory_transport_deinit(&stage.programs[i].pipe);
    close(stage.null_fd);
}

/* Programs are ready in the order in which they have come. */
static void turn_run(void)
{
    turn_begin(&stage.turn);
    for (size_t i = 0; i < stage.n_programs; i++) {
        struct memory_transport *pipe = &stage.programs[i].pipe;

        if (!pipe->is_freed && (wsp_buffer_len(&pipe->in) > 0 || pipe->is_broken))
            pipe->transport.ready(pipe->transport.owner, TRANSPORT_READABLE);
    }
    turn_end(&stage.turn);
}

/* ---- programs ---- */

static void says(struct program *program, struct wsp_message message)
{
    ck_assert_int_eq(wsp_message_encode(&program->pipe.in, &message), 0);
}

static struct program *comes(uid_t uid)
{
    struct program *program = &stage.programs[stage.n_programs++];
    struct client_peer peer = {.uid = uid, .fd = -1};

    memory_transport_init(&program->pipe);
    program->pipe.room = SIZE_MAX;
    ck_assert_int_eq(client_serve(&stage.server, &program->pipe.transport, &peer), 0);
    program->client = LIST_ENTRY(stage.server.clients.prev, struct client, link);
    ck_assert_int_eq(wsp_buffer_append(&program->pipe.in, WSP_WIRE_MAGIC, WSP_WIRE_MAGIC_LEN), 0);
    says(program, (struct wsp_message){.type = WSP_LOCAL_HELLO});
    return program;
}

static void opens(struct program *program, uint32_t first, uint32_t n)
{
    for (uint32_t number = first; number < first + n; number++)
        says(program, (struct wsp_message){.type = WSP_LOCAL_OPEN,
                                           .channel = number,
                                           .open = {.sharing = WSP_SHARING_PRIVATE,
                                                    .url = WSP_VIEW_LITERAL("ws://h/")}});
}

/* Frames that nobody knows, with nothing in them. */
static void babbles(struct program *program, size_t n)
{
    static const uint8_t frame[WSP_WIRE_HEADER_LEN] = {[4] = 0x7f};

    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(wsp_buffer_append(&program->pipe.in, frame, sizeof(frame)), 0);
}

START_TEST(who_opens_much_does_so_in_several_turns)
{
    struct program *alice = comes(ALICE), *bob = comes(BOB);

    opens(alice, 1, 2 * N_OPENS_PER_TURN);
    opens(bob, 1, 1);
    turn_run();
    ck_assert_uint_eq(wsp_buffer_len(&alice->pipe.in), 0);
    ck_assert_uint_eq(alice->client->n_channels, N_OPENS_PER_TURN);
    ck_assert_uint_eq(bob->client->n_channels, 1);
    /* What comes later waits behind the rest of what was read, to which the same order applies. */
    opens(alice, 2 * N_OPENS_PER_TURN + 1, 1);
    turn_run();
    ck_assert_uint_ge(alice->client->n_channels, 2 * N_OPENS_PER_TURN);
    turn_run();
    turn_run();
    ck_assert_uint_eq(alice->client->n_channels, 2 * N_OPENS_PER_TURN + 1);
    ck_assert_uint_eq(wsp_buffer_len(&alice->client->unread), 0);
    ck_assert(alice->client->state == CLIENT_TALKING && !turn_has_next(&stage.turn));
}
END_TEST

START_TEST(programs_of_one_user_take_turns)
{
    struct program *alices[3] = {comes(ALICE), comes(ALICE), comes(ALICE)}, *bob = comes(BOB);

    opens(alices[0], 1, 2 * N_OPENS_PER_TURN);
    opens(alices[1], 1, 1);
    babbles(alices[2], 1);
    opens(bob, 1, 1);
    turn_run();
    ck_assert_uint_eq(bob->client->n_channels, 1);
    ck_assert_uint_eq(alices[1]->client->n_frames_in + alices[2]->client->n_frames_in, 0);
    for (int i = 0; i < 3; i++)
        turn_run();
    ck_assert_uint_eq(alices[0]->client->n_channels, 2 * N_OPENS_PER_TURN);
    ck_assert_uint_eq(alices[1]->client->n_channels, 1);
    ck_assert_uint_eq(alices[2]->client->n_frames_in, 2);
}
END_TEST

/* Each reads once and fully, and holds what it has not got to; so only one of a user's may. */
START_TEST(only_one_of_a_users_programs_is_in_the_midst)
{
    struct program *alices[4];

    for (size_t i = 0; i < 4; i++) {
        alices[i] = comes(ALICE);
        babbles(alices[i], MAX_WORK_PER_TURN / WORK_PER_FRAME + 2);
    }
    for (int turn = 0; turn < 16; turn++) {
        unsigned n_amid = 0;

        turn_run();
        for (size_t i = 0; i < 4; i++)
            n_amid += wsp_buffer_len(&alices[i]->client->unread) > 0;
        ck_assert_uint_le(n_amid, 1);
    }
    for (size_t i = 0; i < 4; i++)
        ck_assert_uint_eq(alices[i]->client->n_frames_in, MAX_WORK_PER_TURN / WORK_PER_FRAME + 3);
}
END_TEST

/* However a frame was cut: by the end of what was read, and by the end of the turn. */
START_TEST(what_was_cut_is_whole_again)
{
    struct program *alice = comes(ALICE);
    struct wsp_buffer *in = &alice->pipe.in;
    uint8_t rest[32];
    size_t n;

    for (uint32_t number = 1; number <= 3 * N_OPENS_PER_TURN; number++) {
        opens(alice, number, 1);
        if (number % 7 != 0)
            continue;
        /* All but some bytes of it now, the rest in the next turn. */
        n = (size_t)number % 31 + 1;
        memcpy(rest, wsp_buffer_peek(in) + wsp_buffer_len(in) - n, n);
        wsp_buffer_truncate(in, wsp_buffer_len(in) - n);
        turn_run();
        ck_assert_int_eq(wsp_buffer_append(in, rest, n), 0);
    }
    for (int i = 0; i < 4; i++)
        turn_run();
    ck_assert(alice->client->state == CLIENT_TALKING);
    ck_assert_uint_eq(alice->client->n_channels, 3 * N_OPENS_PER_TURN);
}
END_TEST

START_TEST(a_fault_behind_what_was_read_is_found_in_its_turn)
{
    struct program *alice = comes(ALICE);

    opens(alice, 1, N_OPENS_PER_TURN + 5);
    opens(alice, 1, 1);
    opens(alice, 1000, 1);
    turn_run();
    ck_assert(alice->client->state == CLIENT_TALKING);
    turn_run();
    ck_assert(alice->client->state == CLIENT_PARTING);
    ck_assert_uint_eq(alice->client->n_channels, 0);
    ck_assert_uint_eq(wsp_buffer_len(&alice->client->unread), 0);
    alice->pipe.is_broken = true;
    turn_run();
    ck_assert(alice->pipe.is_freed);
}
END_TEST

START_TEST(who_hangs_up_is_heard_out_first)
{
    struct program *alice = comes(ALICE);

    opens(alice, 1, N_OPENS_PER_TURN + 5);
    alice->pipe.is_broken = true;
    turn_run();
    ck_assert(!alice->pipe.is_freed);
    ck_assert_uint_eq(alice->client->n_channels, N_OPENS_PER_TURN);
    turn_run();
    turn_run();
    ck_assert(alice->pipe.is_freed);
}
END_TEST

START_TEST(who_waits_may_be_dropped)
{
    struct program *alice = comes(ALICE), *other = comes(ALICE);

    opens(alice, 1, 2 * N_OPENS_PER_TURN);
    opens(other, 1, 1);
    turn_run();
    client_drop(alice->client);
    client_drop(other->client);
    ck_assert(alice->pipe.is_freed && other->pipe.is_freed);
    turn_run();
    turn_run();
    ck_assert_uint_eq(stage.server.n_clients, 0);
}
END_TEST

/* ---- control ---- */

static void asks(struct program *program, const char *verb, uint32_t n)
{
    for (uint32_t id = 1; id <= n; id++)
        says(program,
             (struct wsp_message){.type = WSP_LOCAL_REQUEST,
                                  .request = {.id = id, .verb = wsp_view_of_string(verb)}});
}

/* Pieces of replies are made at the same expense. */
START_TEST(who_asks_much_waits_for_the_answers)
{
    struct program *alice = comes(ALICE), *others[3] = {comes(ALICE), comes(ALICE), comes(ALICE)};
    struct program *bob = comes(BOB);
    unsigned n_turns = 0, n_requests;

    opens(alice, 1, 3 * N_OPENS_PER_TURN);
    for (int i = 0; i < 4; i++)
        turn_run();
    for (size_t i = 0; i < 3; i++)
        asks(others[i], "channels", MAX_REQUESTS_PER_CLIENT);
    asks(bob, "status", 1);
    turn_run();
    ck_assert_uint_eq(bob->client->n_requests, 0);
    do {
        ck_assert_uint_lt(n_turns++, 1000);
        turn_run();
        n_requests = 0;
        for (size_t i = 0; i < 3; i++)
            n_requests += others[i]->client->n_requests;
    } while (n_requests > 0);
    /* 3 * 16 lists, each of some 200 rows in several pieces. */
    ck_assert_uint_gt(n_turns, 8);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("slices");
    TCase *reading = unit_case(suite, "reading");
    TCase *ends = unit_case(suite, "ends");
    TCase *control = unit_case(suite, "control");

    tcase_add_checked_fixture(reading, setup, teardown);
    tcase_add_checked_fixture(ends, setup, teardown);
    tcase_add_checked_fixture(control, setup, teardown);
    tcase_add_test(reading, who_opens_much_does_so_in_several_turns);
    tcase_add_test(reading, programs_of_one_user_take_turns);
    tcase_add_test(reading, only_one_of_a_users_programs_is_in_the_midst);
    tcase_add_test(reading, what_was_cut_is_whole_again);
    tcase_add_test(ends, a_fault_behind_what_was_read_is_found_in_its_turn);
    tcase_add_test(ends, who_hangs_up_is_heard_out_first);
    tcase_add_test(ends, who_waits_may_be_dropped);
    tcase_add_test(control, who_asks_much_waits_for_the_answers);
    return suite;
}
