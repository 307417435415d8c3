/*
 * line: a program's end of the local protocol; see line.h.
 *
 * Neighbours: load.c and slow.c use it; proto/local is beside it.
 * Invariant: whatever goes wrong ends the program, and never makes it look fast.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "bench/remote.h"

static uint8_t scratch[LINE_READ_LEN];

double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

unsigned long number(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*end || end == text)
        die("not a number");
    return value;
}

void write_all(int fd, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n <= 0)
            die("the daemon went away");
        data += n;
        len -= (size_t)n;
    }
}

static void line_write(struct line *line, const struct wsp_message *message)
{
    struct wsp_buffer out;
    wsp_buffer_init(&out, WSP_WIRE_MAX_FRAME);
    if (wsp_message_encode(&out, message) != 0)
        die("memory");
    write_all(line->fd, wsp_buffer_peek(&out), wsp_buffer_len(&out));
    wsp_buffer_deinit(&out);
}

void line_connect(struct line *line, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct wsp_message hello = {.type = WSP_LOCAL_HELLO};
    if (strlen(path) >= sizeof(address.sun_path))
        die("the socket's path is too long");
    memcpy(address.sun_path, path, strlen(path) + 1);
    line->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (line->fd < 0 || connect(line->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        die(path);
    write_all(line->fd, (const uint8_t *)WSP_WIRE_MAGIC, WSP_WIRE_MAGIC_LEN);
    line_write(line, &hello);
    wsp_wire_reader_init(&line->reader);
}

void line_open_channel(struct line *line, uint32_t channel, enum wsp_sharing sharing,
                       const char *url, struct wsp_view options)
{
    const struct wsp_message open = {
        .type = WSP_LOCAL_OPEN,
        .channel = channel,
        .open = {.sharing = (uint8_t)sharing, .url = wsp_view_of_string(url), .options = options},
    };
    line_write(line, &open);
}

void line_open(struct line *line, const char *path, const char *url, enum wsp_sharing sharing,
               struct wsp_view options)
{
    line_connect(line, path);
    line_open_channel(line, LINE_CHANNEL, sharing, url, options);
}

void line_close(struct line *line)
{
    wsp_wire_reader_deinit(&line->reader);
    close(line->fd);
}

void line_next(struct line *line, struct wsp_wire_frame *ret_frame)
{
    int r;
    while ((r = wsp_wire_reader_next(&line->reader, ret_frame)) == WSP_MORE) {
        ssize_t len = recv(line->fd, scratch, sizeof(scratch), 0);
        if (len <= 0)
            die("the daemon went away");
        wsp_wire_reader_feed(&line->reader, (struct wsp_view){scratch, (size_t)len});
    }
    if (r != 0)
        die("the daemon broke the protocol");
}

void line_await(struct line *line, uint8_t type, unsigned long n)
{
    struct wsp_wire_frame frame;
    while (n > 0) {
        line_next(line, &frame);
        if (frame.type == type && !(frame.flags & WSP_WIRE_MORE))
            n--;
        else if (frame.type == WSP_LOCAL_FAILED || frame.type == WSP_LOCAL_CLOSED ||
                 frame.type == WSP_LOCAL_ERROR)
            die("the channel failed");
    }
}

void line_send(struct line *line, const uint8_t *payload, size_t len)
{
    static uint8_t frame[WSP_WIRE_MAX_FRAME];
    if (len > WSP_MAX_LOCAL_PAYLOAD)
        die("the size is larger than a frame");
    wsp_wire_header_write(frame, WSP_LOCAL_TEXT, 0, LINE_CHANNEL, len);
    memcpy(frame + WSP_WIRE_HEADER_LEN, payload, len);
    write_all(line->fd, frame, WSP_WIRE_HEADER_LEN + len);
}
