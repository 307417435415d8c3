/* SPDX-License-Identifier: MIT
 *
 * race: which address of a server is tried next, and when; see the table in race.h.
 * Neighbours: dial above and below it.
 * Invariant: no address is asked for twice; over is called once, when none is left that could still succeed.
 */
#include "daemon/race.h"

#include "daemon/limits.h"

static bool side_has_next(const struct race_side *side)
{
    return side->n_tried < side->n_addresses;
}

static bool race_has_next(const struct race *race)
{
    return side_has_next(&race->sides[RACE_IPV6]) || side_has_next(&race->sides[RACE_IPV4]);
}

static bool race_has_all_answers(const struct race *race)
{
    return race->sides[RACE_IPV6].has_answered && race->sides[RACE_IPV4].has_answered;
}

/* RFC 8305, section 4: the families take turns, so that one that is broken costs one delay and not all. */
static enum race_family race_next_family(const struct race *race)
{
    enum race_family other = race->last == RACE_IPV6 ? RACE_IPV4 : RACE_IPV6;

    return side_has_next(&race->sides[other]) ? other : race->last;
}

static void race_try_next(struct race *race)
{
    enum race_family family = race_next_family(race);
    struct race_side *side = &race->sides[family];

    race->has_begun = true;
    race->last = family;
    race->n_running++;
    race->is_due = false;
    timer_start(&race->timer, CONNECT_ATTEMPT_DELAY_MS);
    race->attempt(race->owner, family, side->n_tried++);
}

static void race_delay_over(void *owner)
{
    struct race *race = owner;

    race->is_due = true;
    if (race_has_next(race))
        race_try_next(race);
}

/* Nobody has to be waited for: go on, or find that there is nowhere to go. */
static void race_go_on(struct race *race)
{
    if (race_has_next(race)) {
        race_try_next(race);
    } else if (race->n_running == 0 && race_has_all_answers(race) && !race->is_over) {
        race->is_over = true;
        race->over(race->owner);
    }
}

int race_init(struct race *race, struct clock *clock,
              void (*attempt)(void *owner, enum race_family family, unsigned index),
              void (*over)(void *owner), void *owner)
{
    *race = (struct race){
        .attempt = attempt,
        .over = over,
        .owner = owner,
        .last = RACE_IPV4, /* so that IPv6 is first */
    };
    return timer_init(&race->timer, clock, race_delay_over, race);
}

void race_deinit(struct race *race)
{
    timer_deinit(&race->timer);
}

void race_answer(struct race *race, enum race_family family, unsigned n_addresses)
{
    struct race_side *side = &race->sides[family];

    side->n_addresses = n_addresses;
    side->has_answered = true;

    if (!race->has_begun && family == RACE_IPV4 && n_addresses > 0 && !race_has_all_answers(race)) {
        timer_start(&race->timer, RESOLUTION_DELAY_MS);
        return;
    }
    if (race->n_running == 0 || race->is_due)
        race_go_on(race);
}

void race_failed(struct race *race)
{
    race->n_running--;
    race_go_on(race);
}
