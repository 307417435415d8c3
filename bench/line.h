/*
 * line: a program's end of the local protocol, with as little work of its own as possible: blocking, one channel mostly.
 *
 * Neighbours: load.c and slow.c use it; proto/local is beside it.
 * Invariant: whatever goes wrong ends the program, and never makes it look fast.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_BENCH_LINE_H
#define WSPLEX_BENCH_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/local/message.h"
#include "proto/local/wire.h"

enum { LINE_CHANNEL = 1, LINE_READ_LEN = 256 << 10 };

#define LINE_NO_OPTIONS ((struct wsp_view){NULL, 0})

struct line {
    int fd;
    struct wsp_wire_reader reader;
};

double now_us(void);                    /* CLOCK_MONOTONIC */
unsigned long number(const char *text); /* of an argument */
void write_all(int fd, const uint8_t *data, size_t len);

void line_connect(struct line *line, const char *path);
void line_close(struct line *line);

/* Opens a channel, or the connection and its first channel; options is a list of OPEN. Nothing is waited for. */
void line_open_channel(struct line *line, uint32_t channel, enum wsp_sharing sharing,
                       const char *url, struct wsp_view options);
void line_open(struct line *line, const char *path, const char *url, enum wsp_sharing sharing,
               struct wsp_view options);

/* The next frame, valid until the next call. */
void line_next(struct line *line, struct wsp_wire_frame *ret_frame);

/* Reads until n frames have come that are of this type and end a message. The channel must not fail. */
void line_await(struct line *line, uint8_t type, unsigned long n);

/* A text of one frame on the first channel. */
void line_send(struct line *line, const uint8_t *payload, size_t len);

#endif
