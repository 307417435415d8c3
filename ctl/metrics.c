/*
 * metrics: the verb that prints what the daemon measures.
 *
 * Neighbours: the daemon's metrics room, whose text this passes on as it is.
 * Invariant: what is printed is whole, and ends with # EOF, or nothing is.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "ctl/ctl.h"
#include "ctl/text.h"

int ctl_metrics(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
    json_t *reply;
    if (argc > 1)
        return ctl_usage(verb, "'%s' is one word too many", argv[1]);
    int status = ctl_request(ctl, verb->name, NULL, 0, &reply);
    if (status != CTL_DONE)
        return status;
    const char *text = json_string_value(json_object_get(reply, "openmetrics"));
    if (text)
        text_print_json(stdout, text); /* of a daemon that is one, as it is */
    else
        status = ctl_fail("%s: the daemon's reply has no text", verb->name);
    json_decref(reply);
    return status;
}
