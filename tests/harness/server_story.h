/*
 * server_story: what stories of the real upstream have in common: the program a, and the server in memory that it reaches.
 *
 * Between tests/harness/server and a scenario test, which includes it once: the story has its own stage.
 *
 * Invariant: target is that of the program that opened last.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_TESTS_HARNESS_SERVER_STORY_H
#define WSPLEX_TESTS_HARNESS_SERVER_STORY_H

#include <string.h>

#include "tests/harness/server.h"
#include "tests/harness/stage.h"
#include "tests/harness/unit.h"

#define URL "wss://user:p%40ss@feed.example:8443/live?token=secret"

static struct stage stage;
static struct server server;
static struct program a;
static struct target *target;

static inline void story_begins(void)
{
    stage_init(&stage);
    server_init(&server, &stage);
}

static inline void story_ends(void)
{
    stage_programs_die(&stage);
    server_run(&server);
    stage_deinit(&stage);
    server_deinit(&server);
}

/* A case whose tests are stories each on an empty stage. */
static inline TCase *story_case(Suite *suite, const char *name)
{
    TCase *tcase = unit_case(suite, name);

    tcase_add_checked_fixture(tcase, story_begins, story_ends);
    return tcase;
}

static inline void opens(struct program *program, enum stage_sharing sharing)
{
    ck_assert_int_eq(program_opens(program, &stage, STAGE_UID, URL, sharing), 0);
    target = program->channel.share->target;
}

static inline void a_is_open(enum stage_sharing sharing)
{
    opens(&a, sharing);
    server_opens(&server, "");
    ck_assert_str_eq(program_heard(&a), "open");
}

static inline void dies(struct program *program)
{
    program_deinit(program);
    server_run(&server);
}

static inline void run(void)
{
    server_run(&server);
}

static inline void wait_ms(uint64_t ms)
{
    stage_wait(&stage, ms);
    server_run(&server);
}

/* The text of the failure with which the program's WebSocket ended. */
static inline const char *why(const struct program *program)
{
    return program->channel.ending.failure.text;
}

/* What the server has been asked contains this. */
static inline bool request_has(const char *line)
{
    ck_assert_int_eq(wsp_buffer_append(&server.head, "", 1), 0);
    return strstr((const char *)wsp_buffer_peek(&server.head), line) != NULL;
}

#endif
