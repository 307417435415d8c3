/*
 * ctl: the common parts of wsplexctl's verbs, see ctl.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ctl/ctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/text.h"

/* It may quote the daemon, a server or a file. */
__attribute__((format(printf, 1, 0))) static void say(const char *format, va_list arguments)
{
    char *text;
    int len = vasprintf(&text, format, arguments);
    fputs("wsplexctl: ", stderr);
    if (len >= 0) {
        text_print_visible(stderr, text, (size_t)len);
        free(text);
    }
    fputc('\n', stderr);
}

int ctl_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
    return CTL_FAILED;
}

int ctl_usage(const struct verb *verb, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
    if (verb)
        fprintf(stderr, "usage: wsplexctl %s%s%s\n       wsplexctl %s --help says more\n",
                verb->name, verb->arguments[0] ? " " : "", verb->arguments, verb->name);
    else
        fputs("usage: wsplexctl [--socket PATH] [--json] VERB [ARGUMENT ...]\n"
              "       wsplexctl --help lists the verbs\n",
              stderr);
    return CTL_USAGE;
}

int ctl_fail_library(const struct ctl *ctl, int error)
{
    const char *text = wsplex_error_text(ctl->client);
    return ctl_fail("%s", text[0] ? text : wsplex_strerror(error));
}

int ctl_make_client(struct ctl *ctl)
{
    int r = ctl->client ? 0 : wsplex_new(ctl->socket_path, &ctl->client);
    if (r < 0)
        return ctl_fail("%s: %s", ctl->socket_path ? ctl->socket_path : "the daemon's socket",
                        wsplex_strerror(r));
    return CTL_DONE;
}

struct answer {
    const struct ctl *ctl;
    const char *verb;
    json_t *reply;
};

static void on_reply(struct wsplex *client, int status, const char *json, size_t json_length,
                     void *userdata)
{
    struct answer *answer = userdata;
    json_error_t flaw;
    (void)client;
    if (status < 0) {
        ctl_fail_library(answer->ctl, status);
        return;
    }
    json_t *reply = json_loadb(json, json_length, 0, &flaw);
    if (!reply) {
        ctl_fail("%s: the daemon's reply is not JSON: %s", answer->verb, flaw.text);
    } else if (status > 0) {
        const char *text = json_string_value(json_object_get(reply, "error"));
        ctl_fail("%s: %s", answer->verb, text ? text : "the daemon refused");
        json_decref(reply);
    } else {
        answer->reply = reply;
    }
}

int ctl_request(struct ctl *ctl, const char *verb, const char *const *arguments, size_t n_arguments,
                json_t **ret_reply)
{
    struct answer answer = {.ctl = ctl, .verb = verb};
    if (ctl_make_client(ctl) != CTL_DONE)
        return CTL_FAILED;
    int r = wsplex_request(ctl->client, verb, arguments, n_arguments, on_reply, &answer);
    if (r == 0)
        r = wsplex_run(ctl->client);
    if (r < 0)
        return ctl_fail_library(ctl, r);
    if (!answer.reply)
        return CTL_FAILED; /* on_reply has said why */
    *ret_reply = answer.reply;
    return CTL_DONE;
}
