/* SPDX-License-Identifier: MIT
 *
 * sending_options: greeting and heartbeat, from options to target; see sending_options.h.
 * Between options and target. Invariant: see sending_options.h.
 */
#include "daemon/sending_options.h"

#include <errno.h>
#include <string.h>

static int text_copy(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return from && !*to ? -ENOMEM : 0;
}

int sending_options_fill(struct target *target, const struct endpoint_options *options)
{
    struct heartbeat_settings *heartbeat = &target->heartbeat;
    int r = 0;

    target->greeting_interval_ms = options->greeting_interval_ms;
    heartbeat->interval_ms = options->heartbeat_interval_ms;
    heartbeat->timeout_ms = options->heartbeat_timeout_ms;
    for (size_t i = 0; r == 0 && i < options->greeting.n_items; i++)
        r = strings_add(&target->greeting, options->greeting.items[i],
                        strlen(options->greeting.items[i]));
    if (r == 0)
        r = text_copy(&heartbeat->text, options->heartbeat);
    if (r == 0)
        r = text_copy(&heartbeat->answer, options->heartbeat_answer);
    if (r == 0)
        r = text_copy(&heartbeat->request, options->heartbeat_request);
    if (r == 0)
        r = text_copy(&heartbeat->reply, options->heartbeat_reply);
    return r;
}
