/*
 * feed: what scripted servers have said; see feed.h.
 *
 * Between a target's scripted upstream and local_model.
 *
 * Invariant: no two messages near each other have the same bytes, however they are cut.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/feed.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/chunks.h"

/* Primes, so that no frame or buffer is a multiple. */
enum { BINARY_PERIOD = 251, TEXT_PERIOD = 89 };

static const uint8_t *pattern_of(bool is_binary)
{
    static uint8_t patterns[2][FEED_MAX_LEN + BINARY_PERIOD];
    static bool is_made;

    for (size_t i = 0; !is_made && i < sizeof(patterns[0]); i++) {
        patterns[0][i] = (uint8_t)(' ' + i % TEXT_PERIOD);
        patterns[1][i] = (uint8_t)(i % BINARY_PERIOD);
    }
    is_made = true;
    return patterns[is_binary];
}

struct wsp_view feed_pattern(uint64_t seed, bool is_binary, size_t len)
{
    require(len <= FEED_MAX_LEN);
    return (struct wsp_view){
        pattern_of(is_binary) + seed * 7 % (is_binary ? BINARY_PERIOD : TEXT_PERIOD), len};
}

void feed_init(struct feed *feed)
{
    list_init(&feed->runs);
}

void feed_deinit(struct feed *feed)
{
    LIST_FOR_EACH (node, &feed->runs) {
        struct feed_run *run = LIST_ENTRY(node, struct feed_run, link);

        free(run->messages);
        free(run);
    }
}

struct feed_run *feed_begin(struct feed *feed, const uint8_t epoch[16], bool is_shared)
{
    struct feed_run *run = calloc(1, sizeof(*run));

    require(run != NULL && feed_find(feed, epoch) == NULL);
    memcpy(run->epoch, epoch, sizeof(run->epoch));
    run->is_shared = is_shared;
    list_init(&run->link);
    list_append(&feed->runs, &run->link);
    return run;
}

struct feed_run *feed_find(const struct feed *feed, const uint8_t epoch[16])
{
    LIST_FOR_EACH (node, &feed->runs) {
        struct feed_run *run = LIST_ENTRY(node, struct feed_run, link);

        if (memcmp(run->epoch, epoch, sizeof(run->epoch)) == 0)
            return run;
    }
    return NULL;
}

struct wsp_view feed_say(struct feed_run *run, bool is_binary, size_t len)
{
    /* Twice as many whenever their number is a power of two. */
    if ((run->n_messages & (run->n_messages - 1)) == 0)
        run->messages =
            reallocarray(run->messages, 2 * run->n_messages + 1, sizeof(*run->messages));
    require(run->messages != NULL);
    run->messages[run->n_messages++] = (struct feed_message){(uint32_t)len, is_binary};
    return feed_message(run, run->n_messages);
}

struct wsp_view feed_message(const struct feed_run *run, uint64_t number)
{
    const struct feed_message *message = &run->messages[number - 1];

    require(number > 0 && number <= run->n_messages);
    return feed_pattern(run->epoch[0] + number, message->is_binary, message->len);
}
