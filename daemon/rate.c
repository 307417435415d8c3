/* SPDX-License-Identifier: MIT
 *
 * rate: reading and writing of rates; see rate.h.
 * Between option_text and budget. Invariant: what is written is read back as the same rate.
 */
#include "daemon/rate.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *names; /* the first is the one that is written */
    uint64_t ms;
};

/* The largest come first, as rate_format wants them. */
static const struct unit units[] = {
    {"week|weeks|w", 604800000},    {"day|days|d", 86400000},
    {"h|hour|hours", 3600000},      {"min|minute|minutes", 60000},
    {"s|sec|second|seconds", 1000}, {"ms|millisecond|milliseconds", 1},
};

enum { N_UNITS = sizeof(units) / sizeof(units[0]) };

static void skip_blanks(struct wsp_view *text)
{
    for (; text->len > 0 && *text->data == ' '; text->len--)
        text->data++;
}

static void skip(struct wsp_view *text, size_t len)
{
    text->data += len;
    text->len -= len;
    skip_blanks(text);
}

/* The digits that stand next; what is too long for a number is the largest. False: there are none. */
static bool take_number(struct wsp_view *text, uint64_t *ret_number)
{
    uint64_t number = 0;
    size_t len = 0;

    for (; len < text->len && isdigit(text->data[len]); len++)
        if (__builtin_mul_overflow(number, 10U, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text->data[len] - '0'), &number))
            number = UINT64_MAX / 10;
    *ret_number = number;
    skip(text, len);
    return len > 0;
}

/* The letters that stand next; may be none. */
static struct wsp_view take_word(struct wsp_view *text)
{
    struct wsp_view word = {text->data, 0};

    while (word.len < text->len && isalpha(text->data[word.len]))
        word.len++;
    skip(text, word.len);
    return word;
}

static bool is_one_of(struct wsp_view word, const char *names)
{
    while (*names) {
        size_t len = strcspn(names, "|");

        if (wsp_view_equals(word, (struct wsp_view){(const uint8_t *)names, len}))
            return true;
        names += len + (names[len] == '|');
    }
    return false;
}

/* "per" or "/", with a word before it or not. 0, or a problem. */
static int take_per(struct wsp_view *text, const char *nouns)
{
    struct wsp_view word = take_word(text);
    bool is_other = false;

    if (word.len > 0 && !is_one_of(word, "per")) {
        is_other = !is_one_of(word, nouns);
        word = take_word(text);
    }
    if (word.len == 0 && text->len > 0 && *text->data == '/')
        skip(text, 1);
    else if (!is_one_of(word, "per"))
        return RATE_NOT_UNDERSTOOD;
    return is_other ? RATE_OTHER_NOUN : 0;
}

static bool take_period(struct wsp_view *text, uint64_t *ret_ms)
{
    uint64_t number;
    struct wsp_view word;

    if (!take_number(text, &number))
        number = 1;
    word = take_word(text);
    for (size_t i = 0; i < N_UNITS; i++)
        if (is_one_of(word, units[i].names)) {
            if (__builtin_mul_overflow(number, units[i].ms, ret_ms))
                *ret_ms = UINT64_MAX;
            return true;
        }
    return false;
}

int rate_parse(struct wsp_view text, const char *nouns, struct rate *ret_rate)
{
    struct rate rate;
    int r;

    skip_blanks(&text);
    if (!take_number(&text, &rate.count))
        return RATE_NOT_UNDERSTOOD;
    r = take_per(&text, nouns);
    if (r == RATE_NOT_UNDERSTOOD || !take_period(&text, &rate.period_ms) || text.len > 0)
        return RATE_NOT_UNDERSTOOD;
    if (r != 0)
        return r;
    if (rate.count < 1 || rate.count > RATE_MAX_COUNT)
        return RATE_BAD_COUNT;
    if (rate.period_ms < RATE_MIN_PERIOD_MS || rate.period_ms > RATE_MAX_PERIOD_MS)
        return RATE_BAD_PERIOD;
    *ret_rate = rate;
    return 0;
}

void rate_format(struct rate rate, char ret_text[RATE_TEXT_LEN])
{
    size_t i = 0;
    uint64_t number;

    while (i + 1 < N_UNITS && rate.period_ms % units[i].ms != 0)
        i++;
    number = rate.period_ms / units[i].ms;
    if (number == 1)
        snprintf(ret_text, RATE_TEXT_LEN, "%" PRIu64 " per %.*s", rate.count,
                 (int)strcspn(units[i].names, "|"), units[i].names);
    else
        snprintf(ret_text, RATE_TEXT_LEN, "%" PRIu64 " per %" PRIu64 "%.*s", rate.count, number,
                 (int)strcspn(units[i].names, "|"), units[i].names);
}
