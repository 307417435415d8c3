/* SPDX-License-Identifier: MIT
 *
 * sending_rows: greeting, heartbeat and subscriptions as JSON; see sending_rows.h.
 * Between control_rows and sending. Invariant: see sending_rows.h.
 */
#include "daemon/sending_rows.h"

#include "daemon/limits.h"
#include "daemon/share.h"

/* Cut between two characters where it is too long to be shown. */
static json_t *text_json(struct wsp_view text)
{
    size_t len = text.len;

    if (len > MAX_SHOWN_TEXT) {
        len = MAX_SHOWN_TEXT;
        while (len > 0 && (text.data[len] & 0xC0) == 0x80)
            len--;
    }
    return json_stringn((const char *)text.data, len);
}

static json_t *subscription_json(const struct subscription *subscription)
{
    struct wsp_view on_leave = subscription_on_leave(subscription);

    return json_pack("{s:o, s:o, s:i, s:b}", "on_connect", text_json(subscription->on_connect),
                     "on_leave", text_json(on_leave), "channels", (int)subscription->n_wanted,
                     "in_force", subscription->is_in_force);
}

/* The first of them. */
static json_t *subscriptions_json(const struct subscriptions *subscriptions)
{
    json_t *array = json_array();

    LIST_FOR_EACH (node, &subscriptions->all) {
        if (array == NULL || json_array_size(array) >= MAX_SHOWN_SUBSCRIPTIONS)
            break;
        if (json_array_append_new(
                array, subscription_json(LIST_ENTRY(node, struct subscription, link))) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

json_t *sending_members(const struct share *share, bool is_owner)
{
    const struct sending *sending = &share->sending;
    uint64_t round_trip_ms;
    bool has_round_trip = heartbeat_round_trip(&sending->heartbeat, &round_trip_ms);
    json_t *members = json_pack(
        "{s:i, s:i, s:b, s:o, s:i}", "greeting_messages", (int)share->target->greeting.n_items,
        "greeting_sent", (int)sending->greeting.n_said, "heartbeat",
        sending->heartbeat.state != HEARTBEAT_STOPPED, "heartbeat_round_trip_ms",
        has_round_trip ? json_integer((json_int_t)round_trip_ms) : json_null(), "n_subscriptions",
        (int)sending->subscriptions.n_all);

    if (members == NULL || !is_owner)
        return members;
    if (json_object_set_new(members, "subscriptions", subscriptions_json(&sending->subscriptions)) <
        0) {
        json_decref(members);
        return NULL;
    }
    return members;
}
