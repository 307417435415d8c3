/* SPDX-License-Identifier: MIT
 *
 * ledger_line: lines of the ledger; see ledger_line.h.
 * Between ledger and the text of its file. Invariant: see ledger_line.h.
 */
#include "daemon/ledger_line.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* "2026-11-22T14:31:49.123Z": d stands for a digit. */
static const uint8_t time_form[] = "dddd-dd-ddTdd:dd:dd.dddZ";
enum { TIME_LEN = sizeof(time_form) - 1, N_MS = 1000 };

/* The first moment of the year 10000, which has no four digits. */
#define END_OF_TIME_S INT64_C(253402300800)

static const char *const kind_names[] = {[BUDGET_CONNECT] = "connect", [BUDGET_SEND] = "send"};
static const char magic[] = "wsplex-ledger ";

static unsigned digits(const uint8_t *from, size_t len)
{
    unsigned number = 0;

    for (size_t i = 0; i < len; i++)
        number = number * 10 + (unsigned)(from[i] - '0');
    return number;
}

static void time_format(uint64_t wall_ms, char ret_text[TIME_LEN + 1])
{
    time_t seconds = (time_t)(wall_ms / N_MS);
    char text[LEDGER_LINE_LEN];
    struct tm tm;

    if (seconds >= END_OF_TIME_S)
        seconds = END_OF_TIME_S - 1;
    gmtime_r(&seconds, &tm);
    snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
             tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(wall_ms % N_MS));
    memcpy(ret_text, text, TIME_LEN);
    ret_text[TIME_LEN] = '\0';
}

static bool time_parse(const uint8_t *text, uint64_t *ret_wall_ms)
{
    char again[TIME_LEN + 1];
    struct tm tm = {0};
    time_t seconds;

    for (size_t i = 0; i < TIME_LEN; i++)
        if (time_form[i] == 'd' ? !isdigit(text[i]) : text[i] != time_form[i])
            return false;
    tm.tm_year = (int)digits(text, 4) - 1900;
    tm.tm_mon = (int)digits(text + 5, 2) - 1;
    tm.tm_mday = (int)digits(text + 8, 2);
    tm.tm_hour = (int)digits(text + 11, 2);
    tm.tm_min = (int)digits(text + 14, 2);
    tm.tm_sec = (int)digits(text + 17, 2);
    seconds = timegm(&tm);
    if (seconds < 0 || seconds >= END_OF_TIME_S)
        return false;
    *ret_wall_ms = (uint64_t)seconds * N_MS + digits(text + 20, 3);
    /* timegm takes the 31st of February for a day in March. */
    time_format(*ret_wall_ms, again);
    return memcmp(again, text, TIME_LEN) == 0;
}

/* The last word of the text, which is cut off with the blank before it. */
static struct wsp_view take_last(struct wsp_view *text)
{
    struct wsp_view word = {text->data + text->len, 0};

    while (word.data > text->data && word.data[-1] != ' ')
        word.data--;
    word.len = (size_t)(text->data + text->len - word.data);
    text->len -= word.len;
    if (text->len > 0)
        text->len--;
    return word;
}

/* Without leading zeros, so that it is written as it was read. */
static bool number_parse(struct wsp_view word, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (word.len == 0 || (word.data[0] == '0' && word.len > 1))
        return false;
    for (size_t i = 0; i < word.len; i++)
        if (!isdigit(word.data[i]) || __builtin_mul_overflow(number, 10U, &number) ||
            __builtin_add_overflow(number, (uint64_t)(word.data[i] - '0'), &number))
            return false;
    *ret_number = number;
    return true;
}

static bool kind_parse(struct wsp_view word, enum budget_kind *ret_kind)
{
    for (unsigned i = 0; i < BUDGET_N_KINDS; i++)
        if (wsp_view_equals(word, wsp_view_of_string(kind_names[i]))) {
            *ret_kind = (enum budget_kind)i;
            return true;
        }
    return false;
}

/* Printable, with a single blank between two words. */
static bool owner_parse(struct wsp_view text, char ret_owner[LEDGER_OWNER_LEN])
{
    bool is_between = true;

    if (text.len == 0 || text.len >= LEDGER_OWNER_LEN)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool is_blank = text.data[i] == ' ';

        if (text.data[i] < ' ' || text.data[i] >= 0x7f || (is_blank && is_between))
            return false;
        is_between = is_blank;
    }
    memcpy(ret_owner, text.data, text.len);
    ret_owner[text.len] = '\0';
    return !is_between;
}

int ledger_line_parse(struct wsp_view text, struct ledger_line *ret_line)
{
    struct ledger_line line = {.type = LEDGER_COMMENT};

    if (text.len > 0 && text.data[0] == '#') {
        *ret_line = line;
        return 0;
    }
    if (text.len <= TIME_LEN || text.data[TIME_LEN] != ' ' || !time_parse(text.data, &line.wall_ms))
        return 1;
    text.data += TIME_LEN + 1;
    text.len -= TIME_LEN + 1;
    line.type = LEDGER_UNKNOWN;
    if (!wsp_view_equals(text, wsp_view_of_string("unknown"))) {
        line.type = LEDGER_SPENT;
        if (!number_parse(take_last(&text), &line.count) ||
            !kind_parse(take_last(&text), &line.kind) || !owner_parse(text, line.owner))
            return 1;
    }
    *ret_line = line;
    return 0;
}

size_t ledger_line_format(const struct ledger_line *line, char ret_text[LEDGER_LINE_LEN])
{
    char when[TIME_LEN + 1];

    time_format(line->wall_ms, when);
    if (line->type == LEDGER_UNKNOWN)
        return (size_t)snprintf(ret_text, LEDGER_LINE_LEN, "%s unknown\n", when);
    return (size_t)snprintf(ret_text, LEDGER_LINE_LEN, "%s %s %s %" PRIu64 "\n", when, line->owner,
                            kind_names[line->kind], line->count);
}

/* ---- the first line ---- */

static bool boot_parse(struct wsp_view word, char ret_boot[LEDGER_BOOT_LEN])
{
    if (word.len == 0 || word.len >= LEDGER_BOOT_LEN)
        return false;
    for (size_t i = 0; i < word.len; i++)
        if (!isxdigit(word.data[i]) && word.data[i] != '-')
            return false;
    memcpy(ret_boot, word.data, word.len);
    ret_boot[word.len] = '\0';
    return true;
}

/* Of a version that is not ours only the number is known to be there. */
int ledger_head_parse(struct wsp_view text, struct ledger_head *ret_head)
{
    struct ledger_head head = {0};
    struct wsp_view word;
    uint64_t offset_ms;

    if (text.len < sizeof(magic) - 1 || memcmp(text.data, magic, sizeof(magic) - 1) != 0)
        return 1;
    text.data += sizeof(magic) - 1;
    text.len -= sizeof(magic) - 1;
    for (word = text, word.len = 0; word.len < text.len && text.data[word.len] != ' ';)
        word.len++;
    if (!number_parse(word, &head.version))
        return 1;
    if (head.version == LEDGER_VERSION) {
        if (!number_parse(take_last(&text), &offset_ms) || offset_ms > LEDGER_MAX_OFFSET_MS)
            return 1;
        head.offset_ms = (int64_t)offset_ms;
        if (!boot_parse(take_last(&text), head.boot) || text.len != word.len)
            return 1;
    }
    *ret_head = head;
    return 0;
}

size_t ledger_head_format(const struct ledger_head *head, char ret_text[LEDGER_LINE_LEN])
{
    return (size_t)snprintf(ret_text, LEDGER_LINE_LEN, "%s%d %s %" PRIi64 "\n", magic,
                            LEDGER_VERSION, head->boot, head->offset_ms);
}
