/* SPDX-License-Identifier: MIT
 *
 * routing: other ids up, and the askers' own down; see routing.h.
 * Between sending and share, and json_span, which finds the ids. Invariant: see routing.h; nothing is written anew but
 * the bytes of one id.
 */
#include "daemon/routing.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/json_span.h"
#include "daemon/limits.h"
#include "daemon/share.h"
#include "daemon/shares.h"
#include "proto/ascii.h"
#include "proto/local/errors.h"

/* Ids are numbers that every server can hold, and large enough to be nobody else's by chance. */
enum { FIRST_ID = 1 << 24, LAST_ID = INT32_MAX };

/* Of one share: a list of 32 is looked through at most. */
enum { N_BUCKETS = MAX_ROUTES / 32 };

struct route {
    uint32_t id;
    struct list bucket_link;
    struct list link;         /* in waiting */
    struct list asker_link;   /* in the channel's asker, or in forsaken */
    struct channel *channel;  /* NULL: it has gone */
    struct outgoing *request; /* until that is written */
    uint64_t deadline_ms;     /* valid once it is */
    size_t own_id_len;
    uint8_t own_id[]; /* as it stood in the request */
};

void asker_init(struct asker *asker)
{
    *asker = (struct asker){.n_routes = 0};
    list_init(&asker->routes);
}

/* Ids are given out in turn, so the lists are of one length. */
static struct list *bucket_of(const struct routing *routing, uint32_t id)
{
    return &routing->buckets[id % N_BUCKETS];
}

static struct route *find(const struct routing *routing, uint32_t id)
{
    struct list *bucket = bucket_of(routing, id);

    LIST_FOR_EACH (node, bucket) {
        struct route *route = LIST_ENTRY(node, struct route, bucket_link);

        if (route->id == id)
            return route;
    }
    return NULL;
}

/* --- who waits --- */

static void release(struct share *share, struct channel *channel)
{
    channel->asker.is_full = false;
    list_remove(&channel->sender_link);
    share_has_outgoing(share, channel);
}

static void release_first(struct share *share)
{
    struct list *first = list_first(&share->routing.crowded);

    if (first != NULL)
        release(share, LIST_ENTRY(first, struct channel, sender_link));
}

static void park(struct list *list, struct channel *channel)
{
    list_remove(&channel->sender_link);
    list_append(list, &channel->sender_link);
}

/* --- routes --- */

static struct route *route_of(struct list *link)
{
    return LIST_ENTRY(link, struct route, link);
}

/* Without a word to those who wait for its place. */
static void route_free(struct routing *routing, struct route *route)
{
    routing->n_routes--;
    list_remove(&route->bucket_link);
    list_remove(&route->link);
    list_remove(&route->asker_link);
    if (route->channel != NULL)
        route->channel->asker.n_routes--;
    if (route->request != NULL)
        route->request->route = NULL;
    free(route);
}

static void route_end(struct share *share, struct route *route)
{
    struct channel *channel = route->channel;

    route_free(&share->routing, route);
    if (channel != NULL && channel->asker.is_full)
        release(share, channel);
    release_first(share);
}

static uint32_t new_id(struct routing *routing)
{
    do {
        if (routing->next_id < FIRST_ID || routing->next_id == LAST_ID)
            routing->next_id = FIRST_ID;
        routing->next_id++;
    } while (find(routing, routing->next_id) != NULL);
    return routing->next_id;
}

/* NULL: no memory. */
static struct route *route_new(struct routing *routing, struct channel *channel,
                               struct wsp_view own_id)
{
    struct route *route = malloc(sizeof(*route) + own_id.len);

    if (route == NULL)
        return NULL;
    *route = (struct route){.id = new_id(routing), .channel = channel, .own_id_len = own_id.len};
    memcpy(route->own_id, own_id.data, own_id.len);
    list_init(&route->link);
    list_init(&route->asker_link);
    list_init(&route->bucket_link);
    list_append(bucket_of(routing, route->id), &route->bucket_link);
    routing->n_routes++;
    list_append(&channel->asker.routes, &route->asker_link);
    channel->asker.n_routes++;
    return route;
}

static void timer_set(struct routing *routing)
{
    struct list *first = list_first(&routing->waiting);
    uint64_t now_ms = clock_now_ms(routing->timer.clock);
    uint64_t delay_ms = ROUTING_AGAIN_MS;

    if (first != NULL) {
        uint64_t deadline_ms = route_of(first)->deadline_ms;

        delay_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    }
    if (first == NULL && list_is_empty(&routing->crowded))
        timer_stop(&routing->timer);
    else
        timer_start(&routing->timer, delay_ms);
}

/* Who waits for memory, not for a reply, gets a new try. */
static void timer_fired(void *owner)
{
    struct share *share = owner;
    struct routing *routing = &share->routing;
    uint64_t now_ms = clock_now_ms(routing->timer.clock);
    struct list *waiting = &routing->waiting;

    while (!list_is_empty(waiting) && route_of(waiting->next)->deadline_ms <= now_ms) {
        routing->n_timed_out++;
        route_end(share, route_of(list_take_first(waiting)));
    }
    release_first(share);
    timer_set(routing);
}

int routing_init(struct share *share)
{
    struct routing *routing = &share->routing;
    uint32_t random;

    list_init(&routing->waiting);
    list_init(&routing->forsaken);
    list_init(&routing->full);
    list_init(&routing->crowded);
    if (!share->is_shared || !share->target->routing.is_on)
        return 0;
    share->shares->random(&random, sizeof(random));
    routing->next_id = FIRST_ID + random % (LAST_ID - FIRST_ID);
    routing->buckets = reallocarray(NULL, N_BUCKETS, sizeof(*routing->buckets));
    if (routing->buckets == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < N_BUCKETS; i++)
        list_init(&routing->buckets[i]);
    routing->settings = &share->target->routing;
    return timer_init(&routing->timer, share->shares->clock, timer_fired, share);
}

void routing_deinit(struct share *share)
{
    struct routing *routing = &share->routing;
    struct list *first;

    /* The share may have failed before its turn came, or routes nothing. */
    if (routing->buckets == NULL)
        return;
    while ((first = list_take_first(&routing->waiting)) != NULL)
        route_free(routing, route_of(first));
    free(routing->buckets);
    timer_deinit(&routing->timer);
}

/* --- texts --- */

enum { MEMBER_ID, MEMBER_METHOD, MEMBER_RESULT, MEMBER_ERROR, N_MEMBERS };

/* False: it is no object that has the id once. */
static bool look(const struct routing *routing, bool is_binary, struct wsp_view text,
                 struct json_member members[N_MEMBERS])
{
    const char *name = routing->settings->member;

    if (is_binary)
        return false;
    members[MEMBER_ID] =
        (struct json_member){.name = wsp_view_of_string(name == NULL ? "id" : name)};
    members[MEMBER_METHOD] = (struct json_member){.name = WSP_VIEW_LITERAL("method")};
    members[MEMBER_RESULT] = (struct json_member){.name = WSP_VIEW_LITERAL("result")};
    members[MEMBER_ERROR] = (struct json_member){.name = WSP_VIEW_LITERAL("error")};
    return json_find_members(text, members, N_MEMBERS) == SPAN_OBJECT && members[MEMBER_ID].n == 1;
}

static bool is_request(const struct json_member members[N_MEMBERS])
{
    enum span_type type = members[MEMBER_ID].type;

    if (type != SPAN_STRING && type != SPAN_NUMBER && type != SPAN_NULL)
        return false;
    if (members[MEMBER_ID].value.len > MAX_ROUTED_ID)
        return false;
    return members[MEMBER_METHOD].n > 0 ||
           (members[MEMBER_RESULT].n == 0 && members[MEMBER_ERROR].n == 0);
}

/* The number that a reply's id is, in the type that it was given out in or in another: servers make 7 of "7", and 7.0
 * of 7. 0: none of ours. */
static uint32_t id_of(const struct json_member *member)
{
    struct wsp_view text = member->value;
    uint64_t id = 0;
    size_t i = 0;

    if (member->type == SPAN_STRING)
        text = (struct wsp_view){text.data + 1, text.len - 2};
    else if (member->type != SPAN_NUMBER)
        return 0;
    for (; i < text.len && wsp_ascii_is_digit((char)text.data[i]); i++) {
        id = id * 10 + (uint64_t)(text.data[i] - '0');
        if (id > LAST_ID)
            return 0;
    }
    if (i < text.len && text.data[i] == '.' && member->type == SPAN_NUMBER)
        for (i++; i < text.len && text.data[i] == '0'; i++)
            ;
    return i == text.len ? (uint32_t)id : 0;
}

/* The text with other bytes in the place of a part of it. 0, -ENOMEM. */
static int splice(struct wsp_view text, struct wsp_view part, struct wsp_view other,
                  struct wsp_buffer *ret_spliced)
{
    size_t before = (size_t)(part.data - text.data), after = text.len - before - part.len;
    struct wsp_buffer spliced;
    uint8_t *room;
    int r;

    wsp_buffer_init(&spliced, SIZE_MAX);
    r = wsp_buffer_reserve(&spliced, before + other.len + after, &room);
    if (r < 0)
        return r;
    memcpy(room, text.data, before);
    memcpy(room + before, other.data, other.len);
    memcpy(room + before + other.len, part.data + part.len, after);
    wsp_buffer_commit(&spliced, before + other.len + after);
    *ret_spliced = spliced;
    return 0;
}

static struct wsp_view view_of(const struct wsp_buffer *buffer)
{
    return (struct wsp_view){wsp_buffer_peek(buffer), wsp_buffer_len(buffer)};
}

/* --- up --- */

/* 0, -ENOMEM, and nothing has changed. */
static int rewrite(struct routing *routing, struct channel *channel, struct outgoing *outgoing,
                   const struct json_member *id)
{
    struct route *route = route_new(routing, channel, id->value);
    const char *quote = id->type == SPAN_STRING ? "\"" : "";
    struct wsp_buffer spliced;
    char text[sizeof("\"4294967295\"")];
    int r;

    if (route == NULL)
        return -ENOMEM;
    snprintf(text, sizeof(text), "%s%" PRIu32 "%s", quote, route->id, quote);
    r = splice(view_of(&outgoing->payload), id->value, wsp_view_of_string(text), &spliced);
    if (r < 0) {
        route_free(routing, route);
        return r;
    }
    wsp_buffer_deinit(&outgoing->payload);
    outgoing->payload = spliced;
    outgoing->route = route;
    route->request = outgoing;
    return 0;
}

/* What nobody is there for any more is waited for no longer. False: there is no such reply. */
static bool make_room(struct routing *routing)
{
    struct list *first = list_first(&routing->forsaken);

    if (routing->n_routes < MAX_ROUTES)
        return true;
    if (first == NULL)
        return false;
    routing->n_timed_out++;
    route_free(routing, LIST_ENTRY(first, struct route, asker_link));
    return true;
}

/* It has a place in the table, where it is a request. What waits for one is not read again before. */
static bool has_place(struct routing *routing, struct channel *channel)
{
    if (channel->asker.n_routes >= routing->settings->max_pending) {
        channel->asker.is_full = true;
        park(&routing->full, channel);
        return false;
    }
    if (make_room(routing))
        return true;
    park(&routing->crowded, channel);
    timer_set(routing);
    return false;
}

bool routing_ask(struct share *share, struct channel *channel, struct outgoing *outgoing)
{
    struct routing *routing = &share->routing;
    struct json_member members[N_MEMBERS];

    if (routing->settings == NULL || outgoing->route != NULL || outgoing->is_unrouted)
        return true;
    if (outgoing->is_request && !has_place(routing, channel))
        return false;
    if (!look(routing, outgoing->is_binary, view_of(&outgoing->payload), members) ||
        !is_request(members)) {
        outgoing->is_unrouted = true;
        return true;
    }
    if (!outgoing->is_request && !has_place(routing, channel)) {
        outgoing->is_request = true;
        return false;
    }
    if (rewrite(routing, channel, outgoing, &members[MEMBER_ID]) == 0)
        return true;
    park(&routing->crowded, channel);
    timer_set(routing);
    return false;
}

void routing_written(struct outgoing *outgoing)
{
    struct routing *routing = &outgoing->share->routing;
    struct route *route = outgoing->route;

    outgoing->route = NULL;
    route->request = NULL;
    route->deadline_ms = clock_now_ms(routing->timer.clock) + routing->settings->timeout_ms;
    list_append(&routing->waiting, &route->link);
    if (list_first(&routing->waiting) == &route->link)
        timer_set(routing);
    if (route->channel == NULL) {
        list_append(&routing->forsaken, &route->asker_link);
        release_first(outgoing->share);
    }
}

void routing_unsent(struct outgoing *outgoing)
{
    route_end(outgoing->share, outgoing->route);
}

/* --- down --- */

/* The channel gets nothing that comes now. */
static bool has_gone(const struct channel *channel)
{
    return channel == NULL || channel->state == CHANNEL_ENDED || channel->cursor.log == NULL;
}

/* The asker's own id is longer than ours, and OPENED has said that no message is so long. */
static void fail_for_length(struct share *share, struct channel *channel, uint64_t len)
{
    struct failure failure;

    failure_set(&failure, WSP_CAUSE_TOO_BIG, 0,
                "a reply of %" PRIu64 " bytes with the id of its request; max-message is %" PRIu64,
                len, share->target->max_message);
    channel_fail(channel, &failure);
}

int routing_answer(struct share *share, bool is_binary, struct wsp_view payload)
{
    struct routing *routing = &share->routing;
    struct json_member members[N_MEMBERS];
    struct channel *channel;
    struct wsp_buffer reply;
    struct route *route;
    uint64_t len;
    int r;

    if (routing->settings == NULL || routing->n_routes == 0 ||
        !look(routing, is_binary, payload, members) || members[MEMBER_METHOD].n > 0)
        return 0;
    route = find(routing, id_of(&members[MEMBER_ID]));
    if (route == NULL)
        return 0;
    channel = route->channel;
    if (has_gone(channel)) {
        routing->n_dropped++;
        route_end(share, route);
        return 1;
    }
    len = payload.len - members[MEMBER_ID].value.len + route->own_id_len;
    if (len > share->target->max_message) {
        route_end(share, route);
        fail_for_length(share, channel, len);
        return 1;
    }
    r = splice(payload, members[MEMBER_ID].value,
               (struct wsp_view){route->own_id, route->own_id_len}, &reply);
    if (r < 0)
        return r;
    routing->n_routed++;
    route_end(share, route);
    r = log_append_only(&share->log, &channel->cursor, false, &reply);
    return r < 0 ? r : 1;
}

/* --- who goes --- */

void routing_interrupted(struct share *share)
{
    struct list *first;

    while ((first = list_take_first(&share->routing.waiting)) != NULL)
        route_end(share, route_of(first));
    if (share->routing.settings != NULL)
        timer_set(&share->routing);
}

void routing_leave(struct share *share, struct channel *channel)
{
    struct list *node;
    unsigned n_forsaken = 0;

    while ((node = list_take_first(&channel->asker.routes)) != NULL) {
        struct route *route = LIST_ENTRY(node, struct route, asker_link);

        route->channel = NULL;
        if (!list_is_linked(&route->link))
            continue;
        list_append(&share->routing.forsaken, node);
        n_forsaken++;
    }
    channel->asker.n_routes = 0;
    channel->asker.is_full = false;
    /* What it leaves makes room for so many others. */
    for (; n_forsaken > 0; n_forsaken--)
        release_first(share);
}
