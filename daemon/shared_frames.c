/* SPDX-License-Identifier: MIT
 *
 * shared_frames: makes the frames of short messages once; see shared_frames.h.
 * Between log, which has the messages, and client_plan, which writes the frames.
 * Invariant: a strip only grows at its end, or begins anew when no frame of it is in use.
 */
#include "daemon/shared_frames.h"

#include <string.h>

#include "proto/local/message.h"

/* Where the i-th frame begins, and where the one before it ends. */
static size_t strip_at(const struct strip *strip, unsigned i)
{
    return i == 0 ? 0 : strip->ends[i - 1];
}

static bool strip_add(struct strip *strip, const struct entry *entry)
{
    size_t begin = strip_at(strip, strip->n);
    uint8_t *to = strip->bytes + begin;

    if (strip->n == MAX_STRIP_FRAMES || WSP_WIRE_HEADER_LEN + entry->len > STRIP_LEN - begin)
        return false;
    wsp_wire_header_write(to, entry->is_binary ? WSP_LOCAL_BINARY : WSP_LOCAL_TEXT, 0,
                          strip->channel, entry->len);
    if (entry->len > 0)
        memcpy(to + WSP_WIRE_HEADER_LEN, entry->data, entry->len);
    strip->entries[strip->n] = entry;
    strip->ends[strip->n++] = begin + WSP_WIRE_HEADER_LEN + entry->len;
    return true;
}

/* The frame of the wish's first message is there, or could be added. */
static bool strip_has(struct strip *strip, const struct frames_wish *wish)
{
    uint64_t number = wish->from->number;

    return strip->n > 0 && strip->channel == wish->channel && number >= strip->first &&
           number - strip->first <= strip->n &&
           memcmp(strip->epoch, wish->from->epoch->id, sizeof(strip->epoch)) == 0 &&
           (number - strip->first < strip->n || strip_add(strip, wish->from));
}

static void strip_begin(struct strip *strip, const struct frames_wish *wish)
{
    memcpy(strip->epoch, wish->from->epoch->id, sizeof(strip->epoch));
    strip->channel = wish->channel;
    strip->first = wish->from->number;
    strip->n = 0;
    strip_add(strip, wish->from);
}

static struct strip *find_strip(struct shared_frames *frames, const struct frames_wish *wish)
{
    struct strip *oldest = NULL;

    for (unsigned i = 0; i < N_STRIPS; i++) {
        struct strip *strip = &frames->strips[i];

        if (strip_has(strip, wish))
            return strip;
        if (strip->plan != frames->plan && (!oldest || strip->plan < oldest->plan))
            oldest = strip;
    }
    if (oldest)
        strip_begin(oldest, wish);
    return oldest;
}

/* How many frames of the strip, from the first on, end within len bytes of it. */
static unsigned strip_count(const struct strip *strip, size_t len)
{
    unsigned low = 0, high = strip->n;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;

        if (strip->ends[middle] <= len)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* It goes into the frames that others read too. */
static bool is_shareable(const struct entry *entry)
{
    return entry->len < SHORT_MESSAGE_LEN && entry->only == 0;
}

void shared_frames_begin(struct shared_frames *frames)
{
    frames->plan++;
}

bool shared_frames_get(struct shared_frames *frames, const struct frames_wish *wish,
                       struct frames_run *ret_run)
{
    const struct entry *entry;
    struct strip *strip;
    unsigned begin, end;
    size_t max_end;

    if (!is_shareable(wish->from))
        return false;
    strip = find_strip(frames, wish);
    if (!strip)
        return false;
    strip->plan = frames->plan;
    begin = (unsigned)(wish->from->number - strip->first);
    max_end = strip_at(strip, begin) + wish->max_len;
    end = strip_count(strip, max_end);
    if (end <= begin)
        end = begin + 1;
    if (end > wish->end_number - strip->first)
        end = (unsigned)(wish->end_number - strip->first);
    entry = strip->entries[end - 1]->next;
    while (end == strip->n && entry && entry->number < wish->end_number &&
           entry->epoch == wish->from->epoch && is_shareable(entry) &&
           strip_at(strip, end) + WSP_WIRE_HEADER_LEN + entry->len <= max_end &&
           strip_add(strip, entry)) {
        entry = entry->next;
        end++;
    }
    *ret_run = (struct frames_run){.strip = strip, .begin = begin, .end = end, .next = entry};
    return true;
}

struct wsp_view frames_run_bytes(const struct frames_run *run)
{
    size_t begin = strip_at(run->strip, run->begin);

    return (struct wsp_view){run->strip->bytes + begin, strip_at(run->strip, run->end) - begin};
}

size_t frames_run_payload_len(const struct frames_run *run)
{
    return frames_run_bytes(run).len - (run->end - run->begin) * (size_t)WSP_WIRE_HEADER_LEN;
}

void frames_run_shorten(struct frames_run *run, size_t len)
{
    unsigned end = strip_count(run->strip, strip_at(run->strip, run->begin) + len);

    if (end >= run->end)
        return;
    run->end = end;
    run->next = run->strip->entries[end];
}
