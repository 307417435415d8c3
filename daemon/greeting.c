/* SPDX-License-Identifier: MIT
 *
 * greeting: the messages for each new connection; see greeting.h.
 * Neighbours: sending above, pace beside it. Invariant: each message is given once per connection.
 */
#include "daemon/greeting.h"

void greeting_init(struct greeting *greeting, const struct strings *messages, struct pace *pace)
{
    *greeting = (struct greeting){.messages = messages, .pace = pace};
}

void greeting_begin(struct greeting *greeting)
{
    greeting->is_open = true;
    greeting->n_said = 0;
}

void greeting_end(struct greeting *greeting)
{
    greeting->is_open = false;
}

bool greeting_is_through(const struct greeting *greeting)
{
    return greeting->n_said == greeting->messages->n_items;
}

const char *greeting_next(const struct greeting *greeting)
{
    if (!greeting->is_open || greeting_is_through(greeting) || !pace_is_free(greeting->pace))
        return NULL;
    return greeting->messages->items[greeting->n_said];
}

void greeting_said(struct greeting *greeting)
{
    greeting->n_said++;
    pace_said(greeting->pace);
}
