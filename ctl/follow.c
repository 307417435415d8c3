/*
 * follow: see follow.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ctl/follow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/text.h"

/* -- what is told -- */

static void print_reason(const char *what, const char *text)
{
    fprintf(stderr, "wsplexctl: %s: ", what);
    text_print_visible(stderr, text, strlen(text));
    fputc('\n', stderr);
}

static void on_interrupted(const struct wsplex_event *event, void *userdata)
{
    (void)userdata;
    print_reason("interrupted", event->cause_text);
}

static void on_resumed(const struct wsplex_event *event, void *userdata)
{
    (void)event;
    (void)userdata;
    fputs("wsplexctl: resumed\n", stderr);
}

static void on_gap(const struct wsplex_event *event, void *userdata)
{
    char what[80] = "gap: nobody knows how many messages are missing";

    (void)userdata;
    /* Where the messages would have stood, also when both go to the same place. */
    fflush(stdout);
    if (event->is_counted)
        snprintf(what, sizeof(what), "gap: %llu message%s missing",
                 (unsigned long long)event->count, event->count == 1 ? " is" : "s are");
    print_reason(what, event->cause_text);
}

static void on_unsent(const struct wsplex_event *event, void *userdata)
{
    struct follow *follow = userdata;

    follow->has_lost = true;
    fprintf(stderr, "wsplexctl: unsent: %llu message%s of %llu bytes %s\n",
            (unsigned long long)event->count, event->count == 1 ? "" : "s",
            (unsigned long long)event->bytes,
            event->is_in_doubt ? "may have been sent or not" : "will not be sent");
}

int follow_attach(struct follow *follow, struct wsplex_websocket *websocket)
{
    static const struct {
        const char *type;
        wsplex_event_handler handler;
    } rows[] = {
        {"interrupted", on_interrupted},
        {"resumed", on_resumed},
        {"gap", on_gap},
        {"unsent", on_unsent},
    };
    int r = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && r == 0; i++)
        r = wsplex_websocket_add_event_listener(websocket, rows[i].type, rows[i].handler, follow,
                                                0);
    for (size_t i = 0; i < follow->n_subscriptions && r == 0; i++)
        r = wsplex_websocket_subscribe(websocket, follow->subscriptions[i].on_connect,
                                       follow->subscriptions[i].on_leave);
    return r;
}

/* -- the file -- */

int follow_begin(struct follow *follow, struct wsplex_options *options)
{
    char text[WSPLEX_POSITION_SIZE + 1] = "";
    FILE *file;

    if (!follow->file)
        return 0;
    file = fopen(follow->file, "re");
    if (!file && errno == ENOENT)
        return 0;
    if (!file || (!fgets(text, sizeof(text), file) && ferror(file))) {
        ctl_fail("%s: %s", follow->file, strerror(errno));
        if (file)
            fclose(file);
        return -1;
    }
    fclose(file);
    text[strcspn(text, "\n")] = '\0';
    if (text[0] == '\0')
        return 0;
    if (wsplex_position_from_string(text, &follow->kept) < 0) {
        ctl_fail("%s: this is no position", follow->file);
        return -1;
    }
    follow->has_kept = true;
    wsplex_options_set_resume(options, &follow->kept);
    return 0;
}

static bool write_whole(int fd, const char *text, size_t len)
{
    ssize_t n;

    do
        n = write(fd, text, len);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)len;
}

/* In its place at once: who is killed meanwhile finds the old one or the new one. */
static int write_position(const struct follow *follow)
{
    char text[WSPLEX_POSITION_SIZE + 1], path[4096];
    int n = snprintf(path, sizeof(path), "%s.new", follow->file), fd = -1;
    bool is_written = false;

    wsplex_position_to_string(&follow->kept, text);
    text[strlen(text) + 1] = '\0';
    text[strlen(text)] = '\n';
    errno = ENAMETOOLONG;
    if (n > 0 && (size_t)n < sizeof(path))
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd >= 0) {
        is_written = write_whole(fd, text, strlen(text));
        is_written = close(fd) == 0 && is_written && rename(path, follow->file) == 0;
    }
    if (!is_written)
        ctl_fail("%s: %s", follow->file, strerror(errno));
    return is_written ? 0 : -1;
}

int follow_keep(struct follow *follow, const struct wsplex_websocket *websocket)
{
    struct wsplex_position position;

    if (!follow->file || wsplex_websocket_get_position(websocket, &position) < 0 ||
        (follow->has_kept && memcmp(&position, &follow->kept, sizeof(position)) == 0))
        return 0;
    follow->kept = position;
    follow->has_kept = true;
    return write_position(follow);
}
