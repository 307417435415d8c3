/*
 * test_events: the EventTarget of client-lib/events through the public functions (DOM standard, "add
 * an event listener", "inner invoke"; HTML standard, "event handlers").
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/client_fixture.h"
#include "tests/harness/unit.h"

#include <string.h>

/* A listener that notes its name and then does something. */
struct actor {
    struct recorder *recorder;
    const char *name;
    void (*act)(struct actor *actor, const struct wsplex_event *event);
    struct actor *other;
};

static void note(const struct wsplex_event *event, void *userdata)
{
    struct actor *actor = userdata;

    recorder_note(actor->recorder, "%s", actor->name);
    if (actor->act)
        actor->act(actor, event);
}

static void add(struct client_fixture *f, struct actor *actor, unsigned int flags)
{
    actor->recorder = &f->recorder;
    ck_assert_int_eq(wsplex_websocket_add_event_listener(f->websocket, "x", note, actor, flags), 0);
}

static int fire(struct client_fixture *f, const char *type)
{
    struct wsplex_event event = {.size = sizeof(event), .type = type};

    return wsplex_websocket_dispatch_event(f->websocket, &event);
}

static void assert_fires(struct client_fixture *f, const char *expected)
{
    ck_assert_int_eq(fire(f, "x"), 0);
    client_fixture_assert_events(f, expected);
}

START_TEST(listeners_run_in_the_order_of_registration)
{
    struct actor a = {.name = "a"}, b = {.name = "b"}, c = {.name = "c"};
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    add(&f, &a, 0);
    add(&f, &b, 0);
    add(&f, &c, 0);
    add(&f, &a, 0); /* there already: keeps its place */
    assert_fires(&f, "a\nb\nc\n");
    wsplex_websocket_remove_event_listener(f.websocket, "x", note, &b);
    wsplex_websocket_remove_event_listener(f.websocket, "x", note, &b);
    wsplex_websocket_remove_event_listener(f.websocket, "y", note, &a);
    assert_fires(&f, "a\nc\n");
    add(&f, &b, 0);
    assert_fires(&f, "a\nc\nb\n");
    ck_assert_int_eq(fire(&f, "y"), 0);
    client_fixture_assert_events(&f, "");
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(a_null_listener_is_none_and_flags_are_checked)
{
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    ck_assert_int_eq(wsplex_websocket_add_event_listener(f.websocket, "x", NULL, NULL, 0), 0);
    ck_assert_int_eq(wsplex_websocket_add_event_listener(f.websocket, "x", note, NULL, 6), -EINVAL);
    assert_fires(&f, "");
    client_fixture_deinit(&f);
}
END_TEST

static void fire_again(struct actor *actor, const struct wsplex_event *event)
{
    struct wsplex_event again = {.size = sizeof(again), .type = "x"};

    (void)actor;
    ck_assert_int_eq(wsplex_websocket_dispatch_event(event->target, &again), 0);
}

/* Removed before it is called: a nested event does not find it any more. */
START_TEST(once_is_once_also_within_itself)
{
    struct actor a = {.name = "a", .act = fire_again}, b = {.name = "b"};
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    add(&f, &a, WSPLEX_LISTENER_ONCE);
    add(&f, &b, 0);
    assert_fires(&f, "a\nb\nb\n");
    assert_fires(&f, "b\n");
    client_fixture_deinit(&f);
}
END_TEST

static void remove_other(struct actor *actor, const struct wsplex_event *event)
{
    wsplex_websocket_remove_event_listener(event->target, "x", note, actor->other);
}

static void add_other(struct actor *actor, const struct wsplex_event *event)
{
    actor->other->recorder = actor->recorder;
    ck_assert_int_eq(wsplex_websocket_add_event_listener(event->target, "x", note, actor->other, 0),
                     0);
}

static void remove_and_add_other(struct actor *actor, const struct wsplex_event *event)
{
    remove_other(actor, event);
    add_other(actor, event);
}

START_TEST(one_removed_before_its_turn_is_not_called)
{
    struct actor c = {.name = "c"}, b = {.name = "b"};
    struct actor a = {.name = "a", .act = remove_other, .other = &b};
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    add(&f, &a, 0);
    add(&f, &b, 0);
    add(&f, &c, 0);
    assert_fires(&f, "a\nc\n");
    a.other = &a; /* itself: it runs to its end */
    assert_fires(&f, "a\nc\n");
    assert_fires(&f, "c\n");
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(one_added_does_not_get_the_event_under_way)
{
    struct actor b = {.name = "b"};
    struct actor a = {.name = "a", .act = add_other, .other = &b};
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    add(&f, &a, 0);
    assert_fires(&f, "a\n");
    assert_fires(&f, "a\nb\n");
    a.act = remove_and_add_other;
    assert_fires(&f, "a\n");
    client_fixture_deinit(&f);
}
END_TEST

static void stop(struct actor *actor, const struct wsplex_event *event)
{
    struct wsplex_event foreign = *event;

    (void)actor;
    wsplex_event_stop_immediate_propagation(&foreign); /* not the one: ignored */
    wsplex_event_stop_immediate_propagation(event);
}

START_TEST(stop_immediate_propagation_ends_the_event)
{
    struct actor b = {.name = "b"}, a = {.name = "a", .act = stop};
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    add(&f, &a, 0);
    add(&f, &b, 0);
    assert_fires(&f, "a\n");
    a.act = NULL;
    assert_fires(&f, "a\nb\n");
    client_fixture_deinit(&f);
}
END_TEST

/* -- the handlers -- */

static void set_open(struct client_fixture *f, struct actor *actor)
{
    if (actor)
        actor->recorder = &f->recorder;
    ck_assert_int_eq(wsplex_websocket_set_on_open(f->websocket, actor ? note : NULL, actor), 0);
}

static void add_open(struct client_fixture *f, struct actor *actor)
{
    actor->recorder = &f->recorder;
    ck_assert_int_eq(wsplex_websocket_add_event_listener(f->websocket, "open", note, actor, 0), 0);
}

START_TEST(a_handler_keeps_its_place_until_it_is_taken_away)
{
    struct actor a = {.name = "a"}, b = {.name = "b"}, on = {.name = "on"}, on2 = {.name = "on2"};
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    set_open(&f, NULL);
    add_open(&f, &a);
    set_open(&f, &on);
    add_open(&f, &b);
    ck_assert_int_eq(fire(&f, "open"), 0);
    client_fixture_assert_events(&f, "a\non\nb\n");
    set_open(&f, &on2);
    ck_assert_int_eq(fire(&f, "open"), 0);
    client_fixture_assert_events(&f, "a\non2\nb\n");
    set_open(&f, NULL);
    ck_assert_int_eq(fire(&f, "open"), 0);
    client_fixture_assert_events(&f, "a\nb\n");
    set_open(&f, &on);
    ck_assert_int_eq(fire(&f, "open"), 0);
    client_fixture_assert_events(&f, "a\nb\non\n");
    client_fixture_deinit(&f);
}
END_TEST

/* The same function and userdata as handler and as listener are two. */
START_TEST(a_handler_is_not_a_listener)
{
    struct actor a = {.name = "a"};
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    set_open(&f, &a);
    add_open(&f, &a);
    ck_assert_int_eq(fire(&f, "open"), 0);
    client_fixture_assert_events(&f, "a\na\n");
    wsplex_websocket_remove_event_listener(f.websocket, "open", note, &a);
    wsplex_websocket_remove_event_listener(f.websocket, "open", note, &a);
    ck_assert_int_eq(fire(&f, "open"), 0);
    client_fixture_assert_events(&f, "a\n");
    client_fixture_deinit(&f);
}
END_TEST

/* -- dispatchEvent() -- */

static void check_own(const struct wsplex_event *event, void *userdata)
{
    struct wsplex_websocket *websocket = userdata;

    ck_assert_ptr_eq(event->target, websocket);
    ck_assert(!event->is_trusted);
    ck_assert_uint_eq(event->size, sizeof(*event));
    ck_assert_str_eq(event->reason, "why");
    ck_assert_str_eq(event->origin, "");
    ck_assert_str_eq(event->last_event_id, "");
    ck_assert_str_eq(event->cause_text, "");
    ck_assert_int_eq(wsplex_websocket_dispatch_event(websocket, event), WSPLEX_ERROR_INVALID_STATE);
    ck_assert_int_eq(wsplex_dispatch(wsplex_websocket_client(websocket)), WSPLEX_ERROR_NESTED);
    ck_assert_int_eq(wsplex_run(wsplex_websocket_client(websocket)), WSPLEX_ERROR_NESTED);
    ck_assert_int_eq(wsplex_websocket_set_binary_type(websocket, WSPLEX_BINARY_TYPE_ARRAYBUFFER),
                     0);
}

/* Up to the last member of the first version. */
#define FIRST_SIZE offsetof(struct wsplex_event, retry_after)

START_TEST(an_event_of_ones_own)
{
    struct wsplex_event event = {
        .size = sizeof(event), .type = "close", .is_trusted = true, .reason = "why"};
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    ck_assert_int_eq(wsplex_websocket_set_on_close(f.websocket, check_own, f.websocket), 0);
    ck_assert_int_eq(wsplex_websocket_dispatch_event(f.websocket, &event), 0);
    ck_assert_int_eq(wsplex_websocket_binary_type(f.websocket), WSPLEX_BINARY_TYPE_ARRAYBUFFER);
    ck_assert_int_eq(wsplex_websocket_ready_state(f.websocket), WSPLEX_CONNECTING);
    event.size = FIRST_SIZE - 1;
    ck_assert_int_eq(wsplex_websocket_dispatch_event(f.websocket, &event), -EINVAL);
    ck_assert_int_eq(fire(&f, ""), -EINVAL);
    ck_assert_int_eq(fire(&f, NULL), -EINVAL);
    client_fixture_deinit(&f);
}
END_TEST

static void check_no_excerpt(const struct wsplex_event *event, void *userdata)
{
    ++*(int *)userdata;
    ck_assert_uint_eq(event->size, sizeof(*event));
    ck_assert_uint_eq(event->retry_after, 0);
    ck_assert_str_eq(event->excerpt, "");
    ck_assert_uint_eq(event->excerpt_length, 0);
}

/* A program that was built against the first header: what lies behind its events is not looked at. */
START_TEST(an_event_of_the_first_version_is_taken)
{
    struct wsplex_event event;
    struct client_fixture f;
    int n = 0;

    memset(&event, 0xaa, sizeof(event));
    memset(&event, 0, FIRST_SIZE);
    event.size = FIRST_SIZE;
    event.type = "close";
    client_fixture_init_connecting(&f);
    ck_assert_int_eq(wsplex_websocket_set_on_close(f.websocket, check_no_excerpt, &n), 0);
    ck_assert_int_eq(wsplex_websocket_dispatch_event(f.websocket, &event), 0);
    ck_assert_int_eq(n, 1);
    client_fixture_deinit(&f);
}
END_TEST

/* A program that was built against a later header, whose events are longer. */
START_TEST(an_event_of_a_later_version_is_taken)
{
    struct {
        struct wsplex_event event;
        char more[64];
    } later = {.event = {.size = sizeof(later), .type = "close", .reason = "why"}};
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    ck_assert_int_eq(wsplex_websocket_set_on_close(f.websocket, check_own, f.websocket), 0);
    ck_assert_int_eq(wsplex_websocket_dispatch_event(f.websocket, &later.event), 0);
    ck_assert_int_eq(wsplex_websocket_binary_type(f.websocket), WSPLEX_BINARY_TYPE_ARRAYBUFFER);
    client_fixture_deinit(&f);
}
END_TEST

static void free_it(struct actor *actor, const struct wsplex_event *event)
{
    (void)actor;
    wsplex_websocket_free(event->target);
    /* readable until the handler returns */
    ck_assert_str_eq(wsplex_websocket_url(event->target), FIXTURE_URL);
}

START_TEST(freeing_in_a_listener_ends_the_event)
{
    struct actor a = {.name = "a", .act = free_it}, b = {.name = "b"};
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    add(&f, &a, 0);
    add(&f, &b, 0);
    assert_fires(&f, "a\n");
    ck_assert_uint_eq(client_fixture_expect(&f, WSP_LOCAL_CLOSE).close.discard, 1);
    client_fixture_deinit(&f);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("events");
    TCase *tcase = unit_case(suite, "listeners");

    tcase_add_test(tcase, listeners_run_in_the_order_of_registration);
    tcase_add_test(tcase, a_null_listener_is_none_and_flags_are_checked);
    tcase_add_test(tcase, once_is_once_also_within_itself);
    tcase_add_test(tcase, one_removed_before_its_turn_is_not_called);
    tcase_add_test(tcase, one_added_does_not_get_the_event_under_way);
    tcase_add_test(tcase, stop_immediate_propagation_ends_the_event);
    tcase = unit_case(suite, "handlers");
    tcase_add_test(tcase, a_handler_keeps_its_place_until_it_is_taken_away);
    tcase_add_test(tcase, a_handler_is_not_a_listener);
    tcase = unit_case(suite, "dispatch");
    tcase_add_test(tcase, an_event_of_ones_own);
    tcase_add_test(tcase, an_event_of_the_first_version_is_taken);
    tcase_add_test(tcase, an_event_of_a_later_version_is_taken);
    tcase_add_test(tcase, freeing_in_a_listener_ends_the_event);
    return suite;
}
