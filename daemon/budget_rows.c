/* SPDX-License-Identifier: MIT
 *
 * budget_rows: budgets for people; see budget_rows.h.
 * Between control_rows and budget. Invariant: see budget_rows.h.
 */
#include "daemon/budget_rows.h"

#include <inttypes.h>
#include <stdio.h>

#include "daemon/budgets.h"
#include "daemon/share.h"

static json_t *wait_or_null(const struct budget_claim *claim)
{
    uint64_t wait_ms = budget_wait_ms(claim);

    return wait_ms > 0 ? json_integer((json_int_t)wait_ms) : json_null();
}

json_t *budget_wait_members(const struct share *share)
{
    return json_pack("{s:o, s:o}", "connect_budget_wait_ms",
                     wait_or_null(&share->reconnect.attempt), "send_budget_wait_ms",
                     wait_or_null(&share->sending.claim));
}

void budget_wait_describe(const struct share *share, char *ret_text, size_t len)
{
    uint64_t wait_ms = budget_wait_ms(&share->reconnect.attempt);

    if (wait_ms > 0)
        snprintf(ret_text, len, "waits %" PRIu64 " s for the connection budget",
                 (wait_ms + 999) / 1000);
}

static int append_rates(json_t *array, const char *kind, const struct budget *budget)
{
    char text[RATE_TEXT_LEN];
    int r = 0;

    for (unsigned i = 0; budget && r == 0 && i < budget->rates.n_items; i++) {
        rate_format(budget->rates.items[i], text);
        r = json_array_append_new(array,
                                  json_pack("{s:s, s:s, s:I, s:I, s:I}", "kind", kind, "rate", text,
                                            "limit", (json_int_t)budget->rates.items[i].count,
                                            "used", (json_int_t)budget_used(budget, i), "next_ms",
                                            (json_int_t)budget_next_ms(budget)));
    }
    return r;
}

json_t *budget_array(const struct budgets *budgets, const char *endpoint)
{
    json_t *array = json_array();

    if (array &&
        append_rates(array, "connect", budgets_of_endpoint(budgets, BUDGET_CONNECT, endpoint)) ==
            0 &&
        append_rates(array, "send", budgets_of_endpoint(budgets, BUDGET_SEND, endpoint)) == 0)
        return array;
    json_decref(array);
    return NULL;
}
