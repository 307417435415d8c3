/* SPDX-License-Identifier: MIT
 *
 * reconnect_options: persistence, from options to target; see reconnect_options.h.
 * Between options and target. Invariant: see reconnect_options.h.
 */
#include "daemon/reconnect_options.h"

#include <errno.h>
#include <string.h>

#include "daemon/close_codes.h"

static bool is_given(const struct endpoint_options *options, enum endpoint_option_row row)
{
    return option_is_given(options->given, row);
}

static int fill_codes(struct target *target, const struct endpoint_options *options)
{
    const struct strings *given = &options->final_codes;
    int r = 0;

    for (size_t i = 0; r == 0 && i < given->n_items; i++)
        r = strings_add(&target->final_codes, given->items[i], strlen(given->items[i]));
    if (is_given(options, ENDPOINT_OPTION_final_codes))
        return r;
    for (const char *const *code = close_codes_default(); r == 0 && *code != NULL; code++)
        r = strings_add(&target->final_codes, *code, strlen(*code));
    return r;
}

int reconnect_options_fill(struct target *target, const struct endpoint_options *options)
{
    target->is_persistent = options->is_persistent || options->is_autostarted;
    target->backoff_min_ms = options->backoff_min_ms;
    target->backoff_max_ms = options->backoff_max_ms;
    target->min_uptime_ms = options->min_uptime_ms;
    target->rotate_ms = options->rotate_ms;
    target->offline = (enum offline)options->offline;
    return fill_codes(target, options);
}
