/*
 * connect: `wsplexctl connect`, a terminal or a pipe on a WebSocket. Lines of stdin become messages, messages become
 * lines of stdout.
 *
 * Neighbours: libwsplex below; stdin and stdout beside it. Reading stdin rests while much is waiting to be sent, and
 * writing to a slow stdout holds the reading of the WebSocket, so nothing piles up here.
 * Invariant: at the end of stdin all that was read is sent before the WebSocket is closed, and the exit status is 0
 * only if the close was clean and nothing was lost on the way there.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/follow.h"
#include "ctl/text.h"
#include "proto/limits.h"

enum {
    READ_LEN = 65536,      /* read from stdin at once; a binary message is at most so long */
    MAX_WAITING = 1 << 20, /* bytes to be sent, above which stdin is not read */
    MAX_PROTOCOLS = 64,
};

struct session {
    struct ctl *ctl;
    struct wsplex_websocket *websocket;
    bool is_binary, is_input, is_terminal;
    bool is_open, is_input_over, is_output_over, is_closed;
    enum ctl_exit exit;
    /* The line of stdin that is not whole yet. */
    char *line;
    size_t line_len, line_capacity;
    unsigned long n_lines;
    struct follow *follow;
};

/* What was sent before still goes: close() waits for it. */
static void session_leave(struct session *session)
{
    session->is_input_over = true;
    wsplex_websocket_close(session->websocket, 1000, NULL);
}

/* -- what comes -- */

/* What comes has nowhere to go any more; it has been said why. */
static void output_end(struct session *session)
{
    session->exit = CTL_FAILED;
    session->is_output_over = true;
    session_leave(session);
}

static void output_fail(struct session *session)
{
    ctl_fail("stdout: %s", strerror(errno));
    output_end(session);
}

static void on_message(const struct wsplex_event *event, void *userdata)
{
    struct session *session = userdata;
    if (session->is_output_over)
        return;
    if (session->is_terminal)
        text_print_visible(stdout, event->data, event->length);
    else
        fwrite(event->data, 1, event->length, stdout);
    if (session->is_terminal || !session->is_binary)
        putchar('\n');
    if (ferror(stdout) || (session->is_terminal && fflush(stdout) != 0))
        output_fail(session);
}

static void on_open(const struct wsplex_event *event, void *userdata)
{
    struct session *session = userdata;
    (void)event;
    session->is_open = true;
    /* Only now: what is typed before belongs to whoever fixes the typing mistake. */
    if (session->is_terminal && isatty(STDERR_FILENO))
        fputs("(open; end with Ctrl-D)\n", stderr);
}

static void on_error(const struct wsplex_event *event, void *userdata)
{
    struct session *session = userdata;
    session->exit =
        (enum ctl_exit)ctl_fail("%s: %s", wsplex_websocket_url(event->target), event->cause_text);
    if (event->excerpt_length > 0) {
        fputs("wsplexctl: the server says: ", stderr);
        text_print_visible(stderr, event->excerpt, event->excerpt_length);
        fputc('\n', stderr);
    }
}

static void on_close(const struct wsplex_event *event, void *userdata)
{
    struct session *session = userdata;
    session->is_closed = true;
    if (event->was_clean && (event->code == 1000 || event->code == 1005))
        return;
    if (event->was_clean || session->exit == CTL_DONE) { /* otherwise on_error has said it */
        fprintf(stderr, "wsplexctl: closed with %u%s", event->code,
                event->reason_length ? ": " : "");
        text_print_visible(stderr, event->reason, event->reason_length);
        fputs(event->was_clean ? "\n" : " (not clean)\n", stderr);
    }
    if (!event->was_clean)
        session->exit = CTL_FAILED;
}

/* -- what goes -- */

static bool session_send(struct session *session, const char *data, size_t len)
{
    int r = session->is_binary ? wsplex_websocket_send_binary(session->websocket, data, len)
                               : wsplex_websocket_send_text(session->websocket, data, len);
    if (r == 0)
        return true;
    if (session->is_binary)
        ctl_fail_library(session->ctl, r);
    else
        ctl_fail("line %lu of the input: %s", session->n_lines,
                 wsplex_error_text(session->ctl->client));
    session->exit = CTL_FAILED;
    return false;
}

/* A line whose end does not come is given up where no daemon can be configured to take it as a message. */
static bool line_append(struct session *session, const char *data, size_t len)
{
    if (session->line_len + len > WSP_MAX_MAX_MESSAGE) {
        session->exit = (enum ctl_exit)ctl_fail("line %lu of the input is longer than any message",
                                                session->n_lines + 1);
        return false;
    }
    if (len == 0)
        return true; /* of an empty line, for which there may be no room yet */
    if (session->line_capacity - session->line_len < len) {
        size_t capacity = (session->line_len + len) * 2;
        char *line = realloc(session->line, capacity);
        if (!line) {
            session->exit = (enum ctl_exit)ctl_fail("line %lu of the input: %s",
                                                    session->n_lines + 1, strerror(ENOMEM));
            return false;
        }
        session->line = line;
        session->line_capacity = capacity;
    }
    memcpy(session->line + session->line_len, data, len);
    session->line_len += len;
    return true;
}

static bool line_send(struct session *session)
{
    session->n_lines++;
    bool is_sent = session_send(session, session->line ? session->line : "", session->line_len);
    session->line_len = 0;
    return is_sent;
}

/* Whole lines go out, the rest waits for its end. */
static bool send_lines(struct session *session, const char *data, size_t len)
{
    const char *end;
    while ((end = memchr(data, '\n', len))) {
        size_t line_len = (size_t)(end - data);
        if (!line_append(session, data, line_len) || !line_send(session))
            return false;
        data += line_len + 1;
        len -= line_len + 1;
    }
    return len == 0 || line_append(session, data, len);
}

static void read_input(struct session *session)
{
    static char chunk[READ_LEN];
    ssize_t n = read(STDIN_FILENO, chunk, sizeof(chunk));
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    bool is_fine = n >= 0;
    if (n < 0)
        session->exit = (enum ctl_exit)ctl_fail("stdin: %s", strerror(errno));
    else if (n > 0)
        is_fine = session->is_binary ? session_send(session, chunk, (size_t)n)
                                     : send_lines(session, chunk, (size_t)n);
    else if (session->line_len > 0)
        is_fine = line_send(session); /* the last line has no end */
    if (!is_fine || n == 0)
        session_leave(session);
}

/* -- the loop -- */

/* What is not on stdout has not come. */
static void keep_position(struct session *session)
{
    if (session->exit != CTL_DONE || !session->follow->file || fflush(stdout) != 0)
        return;
    if (follow_keep(session->follow, session->websocket) < 0)
        output_end(session);
}

static int session_run(struct session *session)
{
    struct wsplex *client = session->ctl->client;
    while (!session->is_closed) {
        bool is_reading = session->is_input && session->is_open && !session->is_input_over &&
                          wsplex_websocket_ready_state(session->websocket) == WSPLEX_OPEN &&
                          wsplex_websocket_buffered_amount(session->websocket) < MAX_WAITING;
        struct pollfd waits[] = {
            {.fd = wsplex_get_fd(client), .events = wsplex_get_events(client)},
            {.fd = is_reading ? STDIN_FILENO : -1, .events = POLLIN},
        };
        if (!session->is_output_over && fflush(stdout) != 0)
            output_fail(session);
        if (poll(waits, 2, wsplex_get_timeout_ms(client)) < 0 && errno != EINTR)
            return ctl_fail("poll: %s", strerror(errno));
        if (is_reading && waits[1].revents)
            read_input(session);
        int r = wsplex_dispatch(client);
        if (r < 0)
            return ctl_fail_library(session->ctl, r);
        keep_position(session);
    }
    return session->follow->has_lost ? CTL_FAILED : (int)session->exit;
}

/* -- the call -- */

struct call {
    struct wsplex_options *options;
    const char *protocols[MAX_PROTOCOLS];
    size_t n_protocols;
    const char *url;
    enum wsplex_sharing sharing;
    bool is_binary, is_input, is_reconnecting;
    struct follow follow;
};

static int set_sharing(struct call *call, const struct verb *verb, enum wsplex_sharing sharing)
{
    if (call->sharing != WSPLEX_SHARING_DEFAULT && call->sharing != sharing)
        return ctl_usage(verb, "--shared or --private, not both");
    call->sharing = sharing;
    wsplex_options_set_sharing(call->options, sharing);
    return CTL_DONE;
}

static int add_header(struct call *call, const struct verb *verb, char *text)
{
    char *colon = strchr(text, ':');
    if (!colon)
        return ctl_usage(verb, "--header '%s': it must read 'NAME: VALUE'", text);
    *colon = '\0';
    const char *value = colon + 1 + strspn(colon + 1, " \t");
    int r = wsplex_options_add_header(call->options, text, value);
    if (r < 0)
        return ctl_usage(verb, "--header '%s: ...': %s", text,
                         r == -EINVAL
                             ? "not a valid header, or one that only the handshake itself sets"
                             : wsplex_strerror(r));
    return CTL_DONE;
}

static int add_option(struct call *call, const struct verb *verb, char *text)
{
    char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return ctl_usage(verb, "--option '%s': it must read NAME=VALUE", text);
    *equals = '\0';
    int r = wsplex_options_set(call->options, text, equals + 1);
    return r < 0 ? ctl_usage(verb, "--option %s: %s", text, wsplex_strerror(r)) : CTL_DONE;
}

/* The value of an option of the daemon's that has an option here. */
static int set_option(struct call *call, const struct verb *verb, const char *name,
                      const char *value)
{
    int r = wsplex_options_set(call->options, name, value);
    return r < 0 ? ctl_usage(verb, "--%s: %s", name, wsplex_strerror(r)) : CTL_DONE;
}

static int add_on_connect(struct call *call, const struct verb *verb, const char *text)
{
    struct follow *follow = &call->follow;
    if (text[0] == '\0')
        return ctl_usage(verb, "--on-connect: there is no text");
    if (follow->n_subscriptions == FOLLOW_MAX_SUBSCRIPTIONS)
        return ctl_usage(verb, "--on-connect: at most %d", FOLLOW_MAX_SUBSCRIPTIONS);
    follow->subscriptions[follow->n_subscriptions++].on_connect = text;
    return CTL_DONE;
}

/* Takes back the one before it. */
static int add_on_leave(struct call *call, const struct verb *verb, const char *text)
{
    struct follow *follow = &call->follow;
    if (follow->n_subscriptions == 0 || follow->subscriptions[follow->n_subscriptions - 1].on_leave)
        return ctl_usage(verb, "--on-leave: it belongs behind the --on-connect that it takes back");
    follow->subscriptions[follow->n_subscriptions - 1].on_leave = text;
    return CTL_DONE;
}

static int add_protocol(struct call *call, const struct verb *verb, const char *name)
{
    if (call->n_protocols == MAX_PROTOCOLS)
        return ctl_usage(verb, "--protocol: at most %d", MAX_PROTOCOLS);
    call->protocols[call->n_protocols++] = name;
    return CTL_DONE;
}

static int parse(struct call *call, const struct verb *verb, int argc, char **argv)
{
    static const struct option options[] = {
        {"shared", no_argument, NULL, 's'},
        {"private", no_argument, NULL, 'P'},
        {"protocol", required_argument, NULL, 'p'},
        {"header", required_argument, NULL, 'H'},
        {"option", required_argument, NULL, 'o'},
        {"binary", no_argument, NULL, 'b'},
        {"no-input", no_argument, NULL, 'n'},
        {"reconnect", no_argument, NULL, 'r'},
        {"replay", required_argument, NULL, 'R'},
        {"resume", required_argument, NULL, 'F'},
        {"slow-consumer", required_argument, NULL, 'S'},
        {"on-connect", required_argument, NULL, 'c'},
        {"on-leave", required_argument, NULL, 'l'},
        {NULL, 0, NULL, 0},
    };
    int option, status = CTL_DONE;
    optind = 0;
    while (status == CTL_DONE &&
           (option = getopt_long(argc, argv, ":sp:H:o:bnr", options, NULL)) != -1) {
        switch (option) {
        case 's': status = set_sharing(call, verb, WSPLEX_SHARING_SHARED); break;
        case 'P': status = set_sharing(call, verb, WSPLEX_SHARING_PRIVATE); break;
        case 'p': status = add_protocol(call, verb, optarg); break;
        case 'H': status = add_header(call, verb, optarg); break;
        case 'o': status = add_option(call, verb, optarg); break;
        case 'b': call->is_binary = true; break;
        case 'n': call->is_input = false; break;
        case 'r': call->is_reconnecting = true; break;
        case 'R': status = set_option(call, verb, "replay", optarg); break;
        case 'F': call->follow.file = optarg; break;
        case 'S': status = set_option(call, verb, "slow-consumer", optarg); break;
        case 'c': status = add_on_connect(call, verb, optarg); break;
        case 'l': status = add_on_leave(call, verb, optarg); break;
        default:
            return ctl_usage(verb, "%s: no such option, or its value is missing", argv[optind - 1]);
        }
    }
    if (status == CTL_DONE && optind != argc - 1)
        return ctl_usage(verb, optind == argc ? "the URL is missing" : "one URL, not several");
    call->url = argv[optind];
    return status;
}

static int converse(struct ctl *ctl, struct call *call)
{
    struct session session = {
        .ctl = ctl,
        .follow = &call->follow,
        .is_binary = call->is_binary,
        .is_input = call->is_input,
        .is_terminal = isatty(STDOUT_FILENO) == 1,
    };
    int status = ctl_make_client(ctl);
    if (status != CTL_DONE)
        return status;
    if (follow_begin(&call->follow, call->options) < 0)
        return CTL_FAILED;
    int r = call->is_reconnecting
                ? wsplex_set_reconnect(ctl->client, -1, MAX_WAITING + WSP_MAX_MAX_MESSAGE)
                : 0;
    if (r == 0)
        r = wsplex_websocket_new(ctl->client, call->url, call->protocols, call->n_protocols,
                                 call->options, &session.websocket);
    if (r < 0)
        return ctl_fail_library(ctl, r);
    if ((r = wsplex_websocket_set_on_open(session.websocket, on_open, &session)) < 0 ||
        (r = wsplex_websocket_set_on_message(session.websocket, on_message, &session)) < 0 ||
        (r = wsplex_websocket_set_on_error(session.websocket, on_error, &session)) < 0 ||
        (r = wsplex_websocket_set_on_close(session.websocket, on_close, &session)) < 0 ||
        (r = follow_attach(session.follow, session.websocket)) < 0)
        status = ctl_fail_library(ctl, r);
    else
        status = session_run(&session);
    wsplex_websocket_free(session.websocket);
    free(session.line);
    return status;
}

int ctl_connect_websocket(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
    struct call call = {.is_input = true};
    int r = wsplex_options_new(&call.options);
    if (r < 0)
        return ctl_fail("%s", wsplex_strerror(r));
    int status = parse(&call, verb, argc, argv);
    if (status == CTL_DONE)
        status = converse(ctl, &call);
    wsplex_options_free(call.options);
    return status;
}
