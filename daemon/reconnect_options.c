/* SPDX-License-Identifier: MIT
 *
 * reconnect_options: persistence, from options to target; see reconnect_options.h.
 * Between options and target. Invariant: see reconnect_options.h.
 */
#include "daemon/reconnect_options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/close_codes.h"

static bool is_given(const struct endpoint_options *options, enum endpoint_option_row row)
{
    return option_is_given(options->given, row);
}

static int problem(char ret_problem[OPTION_TEXT_LEN], const char *option, const char *what)
{
    snprintf(ret_problem, OPTION_TEXT_LEN, "%s: %s", option, what);
    return 1;
}

int reconnect_options_check(const struct endpoint_options *options,
                            char ret_problem[OPTION_TEXT_LEN])
{
    bool is_persistent = options->is_persistent || options->is_autostarted;

    if (options->is_autostarted && !options->is_shared)
        return problem(
            ret_problem, "autostart",
            "a connection that stands before any program comes is a shared one; leave out "
            "share = no");
    if (options->is_autostarted && !options->is_persistent &&
        is_given(options, ENDPOINT_OPTION_is_persistent))
        return problem(ret_problem, "persist",
                       "with autostart a connection is always made anew; leave out persist = no");
    if (options->rotate_ms > 0 && !is_persistent)
        return problem(ret_problem, "rotate",
                       "only a connection that persists is made anew; add persist = yes");
    if (options->backoff_min_ms > options->backoff_max_ms)
        return problem(ret_problem, "backoff-min",
                       "it is longer than backoff-max, which bounds it");
    return 0;
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
