/*
 * ws_program: a program that uses libwsplex as any other would, driven by lines on stdin; what happens to it stands on
 * stdout, a JSON object a line. Tests run it, several at a time, against a real daemon.
 *
 *   open NAME URL [shared|private] [protocol=P] [header=N:V] [option=N=V] [resume=POSITION] ...
 *   text NAME TEXT             sends the rest of the line
 *   file NAME text|binary PATH sends a file as one message
 *   close NAME [CODE [REASON]]
 *   free NAME
 *   amount NAME                tells bufferedAmount and readyState
 *   position NAME
 *   subscribe NAME ON_CONNECT [ON_LEAVE]
 *   unsubscribe NAME ON_CONNECT
 *   reconnect MS BYTES         for what is opened from then on
 *
 * Its own loop is poll(2) on stdin and on the client. At the end of stdin it frees all and ends. Messages that are long
 * or binary are told by length, and written whole into the folder of --save, NAME.1, NAME.2, ...
 * Neighbours: libwsplex below, a test above. Invariant: it tells everything that it is told, in that order.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client-lib/wsplex.h"

enum {
    MAX_SOCKETS = 256,
    MAX_WORDS = 32,
    MAX_PROTOCOLS = 16,
    SHOWN_LEN = 4096, /* text up to here stands in the line itself */
};

struct channel {
    char name[32];
    struct wsplex_websocket *websocket;
    unsigned n_messages;
};

struct program {
    struct wsplex *client;
    const char *folder;
    struct channel channels[MAX_SOCKETS];
    size_t n_channels;
    bool is_over; /* stdin has ended */
};

static struct program program;

/* ---- telling ---- */

static void tell_text(const char *member, const char *text, size_t len)
{
    printf(", \"%s\": \"", member);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void tell_begin(const char *event, const struct channel *channel)
{
    printf("{\"event\": \"%s\"", event);
    if (channel)
        tell_text("name", channel->name, strlen(channel->name));
}

static void tell_end(void)
{
    puts("}");
}

/* A call has returned an error. */
static void tell_refused(const struct channel *channel, const char *call, int error)
{
    const char *text = wsplex_error_text(program.client), *meaning = wsplex_strerror(error);

    tell_begin("refused", channel);
    tell_text("call", call, strlen(call));
    printf(", \"error\": %d", error);
    tell_text("text", text, strlen(text));
    tell_text("meaning", meaning, strlen(meaning));
    tell_end();
}

/* ---- events ---- */

static void on_open(const struct wsplex_event *event, void *userdata)
{
    const char *protocol = wsplex_websocket_protocol(event->target);
    const char *extensions = wsplex_websocket_extensions(event->target);
    const char *url = wsplex_websocket_url(event->target);

    tell_begin("open", userdata);
    tell_text("protocol", protocol, strlen(protocol));
    tell_text("extensions", extensions, strlen(extensions));
    tell_text("url", url, strlen(url));
    tell_end();
}

static void save(const struct channel *channel, const struct wsplex_event *event)
{
    char *path = NULL;
    FILE *file;

    if (asprintf(&path, "%s/%s.%u", program.folder, channel->name, channel->n_messages) < 0)
        abort();
    file = fopen(path, "wb");
    if (!file || fwrite(event->data, 1, event->length, file) != event->length || fclose(file) != 0)
        abort();
    tell_text("file", path, strlen(path));
    free(path);
}

static void on_message(const struct wsplex_event *event, void *userdata)
{
    struct channel *channel = userdata;

    channel->n_messages++;
    tell_begin("message", channel);
    printf(", \"binary\": %s, \"length\": %zu, \"number\": %llu, \"replayed\": %s",
           event->is_binary ? "true" : "false", event->length,
           (unsigned long long)event->position.number, event->is_replayed ? "true" : "false");
    if (!event->is_binary && event->length <= SHOWN_LEN)
        tell_text("data", event->data, event->length);
    else if (program.folder)
        save(channel, event);
    tell_end();
}

/* `error` and `interrupted`. */
static void on_error(const struct wsplex_event *event, void *userdata)
{
    tell_begin(event->type, userdata);
    printf(", \"cause\": %d, \"status\": %d, \"retry_after\": %u", event->cause, event->http_status,
           event->retry_after);
    tell_text("text", event->cause_text, strlen(event->cause_text));
    tell_text("excerpt", event->excerpt, event->excerpt_length);
    tell_end();
}

static void on_resumed(const struct wsplex_event *event, void *userdata)
{
    (void)event;
    tell_begin("resumed", userdata);
    tell_end();
}

static void on_gap(const struct wsplex_event *event, void *userdata)
{
    tell_begin("gap", userdata);
    printf(", \"gap\": %d, \"counted\": %s, \"count\": %llu, \"number\": %llu", event->gap,
           event->is_counted ? "true" : "false", (unsigned long long)event->count,
           (unsigned long long)event->position.number);
    tell_text("text", event->cause_text, strlen(event->cause_text));
    tell_end();
}

static void on_unsent(const struct wsplex_event *event, void *userdata)
{
    tell_begin("unsent", userdata);
    printf(", \"count\": %llu, \"bytes\": %llu, \"doubt\": %s", (unsigned long long)event->count,
           (unsigned long long)event->bytes, event->is_in_doubt ? "true" : "false");
    tell_end();
}

static void on_close(const struct wsplex_event *event, void *userdata)
{
    tell_begin("close", userdata);
    printf(", \"clean\": %s, \"code\": %u", event->was_clean ? "true" : "false", event->code);
    tell_text("reason", event->reason, event->reason_length);
    tell_end();
}

/* ---- orders ---- */

/* The rest of the line behind the first n words. */
static char *rest_of(char *line, int n)
{
    while (n-- > 0) {
        line += strcspn(line, " ");
        line += strspn(line, " ");
    }
    return line;
}

static int split(char *line, char *words[MAX_WORDS])
{
    int n = 0;
    char *state = NULL;

    for (char *word = strtok_r(line, " ", &state); word && n < MAX_WORDS;
         word = strtok_r(NULL, " ", &state))
        words[n++] = word;
    return n;
}

static struct channel *channel_find(const char *name)
{
    for (size_t i = program.n_channels; i > 0; i--)
        if (strcmp(program.channels[i - 1].name, name) == 0 && program.channels[i - 1].websocket)
            return &program.channels[i - 1];
    fprintf(stderr, "ws_program: there is no %s\n", name);
    exit(2);
}

static void option_take(struct wsplex_options *options, char *word, const char **protocols,
                        size_t *n_protocols)
{
    char *value = strchr(word, '=');
    int r = 0;

    if (strcmp(word, "shared") == 0)
        r = wsplex_options_set_sharing(options, WSPLEX_SHARING_SHARED);
    else if (strcmp(word, "private") == 0)
        r = wsplex_options_set_sharing(options, WSPLEX_SHARING_PRIVATE);
    else if (strncmp(word, "protocol=", 9) == 0 && *n_protocols < MAX_PROTOCOLS)
        protocols[(*n_protocols)++] = value + 1;
    else if (strncmp(word, "header=", 7) == 0 && strchr(value, ':')) {
        char *colon = strchr(value, ':');

        *colon = '\0';
        r = wsplex_options_add_header(options, value + 1, colon + 1);
    } else if (strncmp(word, "option=", 7) == 0 && strchr(value + 1, '=')) {
        char *equals = strchr(value + 1, '=');

        *equals = '\0';
        r = wsplex_options_set(options, value + 1, equals + 1);
    } else if (strncmp(word, "resume=", 7) == 0) {
        struct wsplex_position position;

        r = wsplex_position_from_string(value + 1, &position);
        if (r == 0)
            wsplex_options_set_resume(options, &position);
    } else {
        r = -EINVAL;
    }
    if (r < 0) {
        fprintf(stderr, "ws_program: %s: %s\n", word, wsplex_strerror(r));
        exit(2);
    }
}

static void order_open(char *line)
{
    char *words[MAX_WORDS];
    const char *protocols[MAX_PROTOCOLS];
    size_t n_protocols = 0;
    int n = split(line, words), r;
    struct wsplex_options *options;
    struct channel *channel = &program.channels[program.n_channels];

    if (n < 3 || program.n_channels == MAX_SOCKETS || wsplex_options_new(&options) < 0)
        exit(2);
    snprintf(channel->name, sizeof(channel->name), "%s", words[1]);
    for (int i = 3; i < n; i++)
        option_take(options, words[i], protocols, &n_protocols);
    r = wsplex_websocket_new(program.client, words[2], protocols, n_protocols, options,
                             &channel->websocket);
    wsplex_options_free(options);
    if (r < 0) {
        tell_refused(channel, "open", r);
        return;
    }
    program.n_channels++;
    if (wsplex_websocket_set_on_open(channel->websocket, on_open, channel) < 0 ||
        wsplex_websocket_set_on_message(channel->websocket, on_message, channel) < 0 ||
        wsplex_websocket_set_on_error(channel->websocket, on_error, channel) < 0 ||
        wsplex_websocket_set_on_close(channel->websocket, on_close, channel) < 0 ||
        wsplex_websocket_add_event_listener(channel->websocket, "interrupted", on_error, channel,
                                            0) < 0 ||
        wsplex_websocket_add_event_listener(channel->websocket, "resumed", on_resumed, channel, 0) <
            0 ||
        wsplex_websocket_add_event_listener(channel->websocket, "gap", on_gap, channel, 0) < 0 ||
        wsplex_websocket_add_event_listener(channel->websocket, "unsent", on_unsent, channel, 0) <
            0)
        exit(2);
}

static void order_text(char *line)
{
    char *text = rest_of(line, 2);
    struct channel *channel;
    int r;

    /* The name is followed by a space also where the text is empty. */
    text[-1] = '\0';
    channel = channel_find(rest_of(line, 1));
    r = wsplex_websocket_send_text(channel->websocket, text, strlen(text));
    if (r < 0)
        tell_refused(channel, "send", r);
}

static void order_file(char *line)
{
    char *words[MAX_WORDS], *data = NULL;
    int n = split(line, words), r;
    struct channel *channel = n == 4 ? channel_find(words[1]) : NULL;
    FILE *file = channel ? fopen(words[3], "rb") : NULL;
    long len = file && fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;

    if (len < 0 || !(data = malloc((size_t)len + 1)) || fseek(file, 0, SEEK_SET) != 0 ||
        fread(data, 1, (size_t)len, file) != (size_t)len)
        exit(2);
    fclose(file);
    if (strcmp(words[2], "text") == 0)
        r = wsplex_websocket_send_text(channel->websocket, data, (size_t)len);
    else
        r = wsplex_websocket_send_binary(channel->websocket, data, (size_t)len);
    free(data);
    if (r < 0)
        tell_refused(channel, "send", r);
}

static void order_close(char *line)
{
    char *reason = rest_of(line, 3), *words[MAX_WORDS];
    char *kept = *reason ? strdup(reason) : NULL;
    int n = split(line, words);
    struct channel *channel = n > 1 ? channel_find(words[1]) : NULL;
    int r;

    if (!channel)
        exit(2);
    r = wsplex_websocket_close(channel->websocket,
                               n > 2 ? (int)strtol(words[2], NULL, 10) : WSPLEX_NO_CODE, kept);
    free(kept);
    if (r < 0)
        tell_refused(channel, "close", r);
}

static void order_free(char *line)
{
    struct channel *channel = channel_find(rest_of(line, 1));

    channel->websocket = wsplex_websocket_free(channel->websocket);
}

static void order_amount(char *line)
{
    const struct channel *channel = channel_find(rest_of(line, 1));

    tell_begin("amount", channel);
    printf(", \"amount\": %llu, \"state\": %d",
           (unsigned long long)wsplex_websocket_buffered_amount(channel->websocket),
           (int)wsplex_websocket_ready_state(channel->websocket));
    tell_end();
}

static void order_position(char *line)
{
    const struct channel *channel = channel_find(rest_of(line, 1));
    struct wsplex_position position;
    char text[WSPLEX_POSITION_SIZE];
    int r = wsplex_websocket_get_position(channel->websocket, &position);

    if (r < 0) {
        tell_refused(channel, "position", r);
        return;
    }
    wsplex_position_to_string(&position, text);
    tell_begin("position", channel);
    tell_text("position", text, strlen(text));
    tell_end();
}

static void order_subscribe(char *line)
{
    bool is_more = strncmp(line, "subscribe", 9) == 0;
    char *words[MAX_WORDS];
    int n = split(line, words), r;
    struct channel *channel = n > 2 ? channel_find(words[1]) : NULL;

    if (!channel)
        exit(2);
    r = is_more ? wsplex_websocket_subscribe(channel->websocket, words[2], n > 3 ? words[3] : NULL)
                : wsplex_websocket_unsubscribe(channel->websocket, words[2]);
    if (r < 0)
        tell_refused(channel, words[0], r);
}

static void order_reconnect(char *line)
{
    char *words[MAX_WORDS];

    if (split(line, words) != 3 ||
        wsplex_set_reconnect(program.client, (int)strtol(words[1], NULL, 10),
                             strtoul(words[2], NULL, 10)) < 0)
        exit(2);
}

static const struct order {
    const char *word;
    void (*run)(char *line);
} orders[] = {
    {"open ", order_open},
    {"text ", order_text},
    {"file ", order_file},
    {"close ", order_close},
    {"free ", order_free},
    {"amount ", order_amount},
    {"position ", order_position},
    {"subscribe ", order_subscribe},
    {"unsubscribe ", order_subscribe},
    {"reconnect ", order_reconnect},
};

static void obey(char *line)
{
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        if (strncmp(line, orders[i].word, strlen(orders[i].word)) == 0) {
            orders[i].run(line);
            return;
        }
    }
    fprintf(stderr, "ws_program: %s: no such order\n", line);
    exit(2);
}

/* ---- the loop ---- */

static void read_orders(void)
{
    static char input[1 << 16];
    static size_t input_len;
    ssize_t n = read(STDIN_FILENO, input + input_len, sizeof(input) - input_len);
    char *line = input, *end;

    if (n <= 0) {
        program.is_over = true;
        return;
    }
    input_len += (size_t)n;
    while ((end = memchr(line, '\n', input_len - (size_t)(line - input)))) {
        *end = '\0';
        obey(line);
        line = end + 1;
    }
    input_len -= (size_t)(line - input);
    memmove(input, line, input_len);
    if (input_len == sizeof(input))
        exit(2);
}

static int loop(void)
{
    while (!program.is_over) {
        struct pollfd waits[] = {
            {.fd = STDIN_FILENO, .events = POLLIN},
            {.fd = wsplex_get_fd(program.client), .events = wsplex_get_events(program.client)},
        };
        int r;

        fflush(stdout);
        if (poll(waits, 2, wsplex_get_timeout_ms(program.client)) < 0 && errno != EINTR)
            return 2;
        if (waits[0].revents)
            read_orders();
        r = wsplex_dispatch(program.client);
        if (r < 0)
            tell_refused(NULL, "dispatch", r);
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"socket", required_argument, NULL, 'k'},
        {"save", required_argument, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    const char *socket_path = NULL;
    int option, status;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'k': socket_path = optarg; break;
        case 's': program.folder = optarg; break;
        default: return 2;
        }
    }
    if (wsplex_new(socket_path, &program.client) < 0)
        return 2;
    status = loop();
    wsplex_free(program.client);
    fflush(stdout);
    return status;
}
