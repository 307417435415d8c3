/* SPDX-License-Identifier: MIT
 *
 * endpoint_choice: what a program may ask of an endpoint for itself; see endpoint_choice.h.
 * Between open_request and the table of options. Invariant: see endpoint_choice.h.
 */
#include "daemon/endpoint_choice.h"

#include "proto/local/errors.h"

int endpoint_choice_check(const struct endpoint *endpoint, const struct option_row *row,
                          const struct endpoint_options *asked_options, struct failure *ret_failure)
{
    const struct option_table *table = endpoint_options_table();
    const struct endpoint_options *decided = &endpoint->options;
    const struct option_row *allowing = option_allowing(table, row);
    char asked_text[OPTION_TEXT_LEN], bound_text[OPTION_TEXT_LEN];
    uint64_t asked, bound;

    option_number(row, asked_options, &asked);
    option_number(row, decided, &bound);
    option_format(row, asked, asked_text);
    option_format(row, bound, bound_text);
    if (row->type == OPTION_CHOICE) {
        if (asked == bound ||
            (allowing && strings_have(option_list(allowing, decided), asked_text)))
            return 0;
        failure_set(ret_failure, WSP_CAUSE_CONFLICT, 0,
                    "%s: %s is not what the endpoint %s allows; it has %s", row->name, asked_text,
                    endpoint->name, bound_text);
        return 1;
    }
    if (asked <= bound)
        return 0;
    failure_set(ret_failure, WSP_CAUSE_CONFLICT, 0,
                "%s: %s is more than the endpoint %s allows, which is %s", row->name, asked_text,
                endpoint->name, bound_text);
    return 1;
}

bool endpoint_choice_is_open(const struct option_row *row)
{
    uint64_t fallback;

    return row->place == OPTION_CHANNEL && row->type != OPTION_FLAG &&
           option_number(row, &(struct endpoint_options){0}, &fallback);
}

void endpoint_choice_apply(const struct endpoint *endpoint, const struct endpoint_options *asked,
                           struct endpoint_options *ret_options)
{
    const struct option_table *table = endpoint_options_table();
    uint64_t number;

    *ret_options = endpoint->options;
    for (size_t i = 0; i < table->n_rows; i++) {
        if (!endpoint_choice_is_open(&table->rows[i]) ||
            !option_is_given(asked->given, (unsigned)i))
            continue;
        option_number(&table->rows[i], asked, &number);
        option_set_number(&table->rows[i], ret_options, number);
    }
}
