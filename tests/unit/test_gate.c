/*
 * test_gate: who may connect next, as daemon/gate.h tells it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/gate.h"
#include "tests/harness/allocation.h"
#include "tests/harness/fake_clock.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HERE "192.0.2.1:443"

enum { MANY = 1000 };

static struct turn turn;
static struct fake_clock fake;
static struct gates gates;
static char granted[10 * MANY];

/* A connection that is being opened; its name is a letter and its user's. */
struct dial {
    struct pass *pass;
    char name[8];
    bool gives_up; /* at once when it is its turn */
};

static void note_granted(void *owner)
{
    struct dial *dial = owner;
    size_t len = strlen(granted);

    ck_assert(pass_is_granted(dial->pass));
    ck_assert_uint_lt(len + sizeof(dial->name) + 1, sizeof(granted));
    snprintf(granted + len, sizeof(granted) - len, "%s%s", len > 0 ? " " : "", dial->name);
    if (dial->gives_up)
        dial->pass = pass_free(dial->pass);
}

static void setup(void)
{
    turn_init(&turn);
    fake_clock_init(&fake, &turn);
    gates_init(&gates, &fake.clock, &turn);
    granted[0] = '\0';
}

static void teardown(void)
{
    ck_assert_ptr_null(gates.tree);
    ck_assert(!turn_has_next(&turn));
    gates_deinit(&gates);
}

static void next_turn(void)
{
    turn_begin(&turn);
    turn_end(&turn);
}

static void enter_at(struct dial *dial, const char *place, uid_t uid, const char *name)
{
    *dial = (struct dial){0};
    snprintf(dial->name, sizeof(dial->name), "%s", name);
    ck_assert_int_eq(gate_enter(&gates, place, uid, note_granted, dial, &dial->pass), 0);
    ck_assert_str_eq(pass_place(dial->pass), place);
}

static void enter(struct dial *dial, uid_t uid, const char *name)
{
    enter_at(dial, HERE, uid, name);
}

static void leave(struct dial *dial)
{
    dial->pass = pass_free(dial->pass);
}

START_TEST(first_has_it_at_once)
{
    struct dial a;

    enter(&a, 1, "a");
    ck_assert(pass_is_granted(a.pass));
    next_turn();
    ck_assert_str_eq(granted, "");
    leave(&a);
}
END_TEST

START_TEST(next_has_it_in_the_turn_after)
{
    struct dial a, b;

    enter(&a, 1, "a");
    enter(&b, 1, "b");
    ck_assert(!pass_is_granted(b.pass));
    next_turn();
    ck_assert_str_eq(granted, "");
    leave(&a);
    ck_assert_str_eq(granted, "");
    ck_assert(turn_has_next(&turn));
    next_turn();
    ck_assert_str_eq(granted, "b");
    leave(&b);
}
END_TEST

START_TEST(places_do_not_wait_for_each_other)
{
    static const char *const places[] = {"192.0.2.1:443",    "192.0.2.1:80",
                                         "192.0.2.11:443",   "[2001:db8::1]:443",
                                         "feed.example:443", "/run/feed/feed.sock"};
    struct dial dials[sizeof(places) / sizeof(*places)];

    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        enter_at(&dials[i], places[i], 1, "a");
        ck_assert(pass_is_granted(dials[i].pass));
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
        leave(&dials[i]);
}
END_TEST

START_TEST(one_user_is_served_in_order)
{
    struct dial a, b, c, d;

    enter(&a, 1, "a");
    enter(&b, 1, "b");
    enter(&c, 1, "c");
    enter(&d, 1, "d");
    leave(&a);
    next_turn();
    leave(&b);
    next_turn();
    leave(&c);
    next_turn();
    ck_assert_str_eq(granted, "b c d");
    leave(&d);
}
END_TEST

/* Who comes between a place that was given back and the turn in which it is granted waits like anybody else. */
START_TEST(nobody_slips_in)
{
    struct dial a, b, c;

    enter(&a, 1, "a");
    enter(&b, 1, "b");
    leave(&a);
    enter(&c, 1, "c");
    ck_assert(!pass_is_granted(c.pass));
    next_turn();
    leave(&b);
    next_turn();
    ck_assert_str_eq(granted, "b c");
    leave(&c);
}
END_TEST

/* Nor does one learn that there is another one. */
START_TEST(users_do_not_wait_for_each_other)
{
    static struct dial crowd[MANY];
    struct dial other;

    for (int i = 0; i < MANY; i++)
        enter(&crowd[i], 1, "a");
    enter(&other, 2, "b");
    ck_assert(pass_is_granted(other.pass));
    leave(&other);
    ck_assert(!pass_is_granted(crowd[1].pass));
    next_turn();
    ck_assert_str_eq(granted, "");
    for (int i = MANY; i-- > 0;)
        leave(&crowd[i]);
    turn_begin(&turn);
}
END_TEST

/* Who comes back again and again is not in front of those who wait. */
START_TEST(coming_back_is_no_advantage)
{
    struct dial a, b, c;

    enter(&a, 1, "a");
    enter(&b, 1, "b");
    leave(&a);
    enter(&a, 1, "a");
    enter(&c, 1, "c");
    next_turn();
    leave(&b);
    enter(&b, 1, "b");
    next_turn();
    leave(&a);
    enter(&a, 1, "a");
    next_turn();
    ck_assert_str_eq(granted, "b a c");
    leave(&a);
    leave(&b);
    leave(&c);
}
END_TEST

START_TEST(waiting_may_be_given_up)
{
    struct dial a, b, c;

    enter(&a, 1, "a");
    enter(&b, 1, "b");
    enter(&c, 1, "c");
    leave(&b);
    leave(&a);
    next_turn();
    ck_assert_str_eq(granted, "c");
    leave(&c);
}
END_TEST

START_TEST(last_in_line_may_give_up_before_its_turn)
{
    struct dial a, b;

    enter(&a, 1, "a");
    enter(&b, 1, "b");
    leave(&a);
    leave(&b);
    ck_assert_ptr_null(gates.tree);
    next_turn();
    ck_assert_str_eq(granted, "");
}
END_TEST

START_TEST(line_that_moves_is_told)
{
    struct dial a, b, c;
    uint64_t start;

    enter(&a, 1, "a");
    start = clock_now_ms(&fake.clock);
    fake_clock_advance(&fake, 10);
    enter(&b, 1, "b");
    ck_assert_uint_eq(pass_waits_since_ms(b.pass), start + 10);
    fake_clock_advance(&fake, 10);
    pass_answered(a.pass);
    fake_clock_advance(&fake, 10);
    enter(&c, 1, "c");
    ck_assert_uint_eq(pass_waits_since_ms(b.pass), start + 20);
    ck_assert_uint_eq(pass_waits_since_ms(c.pass), start + 30);
    leave(&a);
    next_turn();
    leave(&b); /* who leaves without an answer moves nobody */
    ck_assert_uint_eq(pass_waits_since_ms(c.pass), start + 30);
    leave(&c);
    pass_answered(NULL);
    pass_free(NULL);
}
END_TEST

START_TEST(no_memory_is_told_and_leaves_nothing)
{
    struct dial a, b = {0};
    bool has_failed;

    for (int n_entered = 0; n_entered < 2; n_entered++) {
        if (n_entered > 0)
            enter(&a, 1, "a");
        for (size_t n = 0;; n++) {
            int r;

            allocation_fail_after(n);
            r = gate_enter(&gates, HERE, 1, note_granted, &b, &b.pass);
            has_failed = allocation_disarm();
            if (!has_failed)
                break;
            ck_assert_int_eq(r, -ENOMEM);
            ck_assert_ptr_null(b.pass);
            ck_assert((gates.tree != NULL) == (n_entered > 0));
        }
        leave(&b);
    }
    leave(&a);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("gate");
    TCase *lines = unit_case(suite, "lines");

    tcase_add_checked_fixture(lines, setup, teardown);
    tcase_add_test(lines, first_has_it_at_once);
    tcase_add_test(lines, next_has_it_in_the_turn_after);
    tcase_add_test(lines, places_do_not_wait_for_each_other);
    tcase_add_test(lines, one_user_is_served_in_order);
    tcase_add_test(lines, nobody_slips_in);
    tcase_add_test(lines, users_do_not_wait_for_each_other);
    tcase_add_test(lines, coming_back_is_no_advantage);
    tcase_add_test(lines, waiting_may_be_given_up);
    tcase_add_test(lines, last_in_line_may_give_up_before_its_turn);
    tcase_add_test(lines, line_that_moves_is_told);
    tcase_add_test(lines, no_memory_is_told_and_leaves_nothing);
    return suite;
}
