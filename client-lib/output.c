/*
 * output: see output.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "client-lib/output.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "proto/local/message.h"

/* Bytes in one turn: a program that sends without end still gets back to its loop. */
enum {
    MAX_TURN_LEN = 1024 * 1024,
};

void wsp_output_init(struct wsp_output *output)
{
    memset(output, 0, sizeof(*output));
    /* What waits here is a fixed number of frames for each thing that the program asked for. */
    wsp_buffer_init(&output->control, SIZE_MAX);
    wsp_buffer_init(&output->frames, SIZE_MAX);
    wsp_chain_init(&output->ready);
}

void wsp_output_deinit(struct wsp_output *output)
{
    for (; output->first < output->n_pieces; output->first++)
        wsp_outgoing_unuse(output->pieces[output->first].outgoing);
    while (!wsp_chain_is_empty(&output->ready))
        wsp_chain_remove(output->ready.next);
    wsp_buffer_deinit(&output->control);
    wsp_buffer_deinit(&output->frames);
    wsp_output_init(output);
}

void wsp_output_update(struct wsp_output *output, struct wsp_channel *channel)
{
    if (!wsp_channel_is_ready(channel))
        wsp_chain_remove(&channel->ready_link);
    else if (wsp_chain_is_empty(&channel->ready_link))
        wsp_chain_append(&output->ready, &channel->ready_link);
}

void wsp_output_forget(struct wsp_output *output, const struct wsp_channel *channel)
{
    for (size_t i = output->first; i < output->n_pieces; i++)
        if (output->pieces[i].channel == channel)
            output->pieces[i].channel = NULL;
}

void wsp_output_take_back(struct wsp_output *output)
{
    while (output->n_pieces > output->first) {
        const struct wsp_piece *piece = &output->pieces[--output->n_pieces];

        if (piece->channel && !piece->has_more)
            wsp_channel_take_back(piece->channel, piece->outgoing);
        else
            wsp_outgoing_unuse(piece->outgoing);
    }
}

static bool output_has_batch(const struct wsp_output *output)
{
    return output->first < output->n_pieces || wsp_buffer_len(&output->frames) > 0;
}

bool wsp_output_is_pending(const struct wsp_output *output)
{
    return output_has_batch(output) || wsp_buffer_len(&output->control) > 0 ||
           !wsp_chain_is_empty(&output->ready);
}

static int output_make_batch(struct wsp_output *output,
                             int (*taken)(void *context, struct wsp_channel *channel),
                             void *context)
{
    struct wsp_buffer empty = output->frames;
    size_t len = wsp_buffer_len(&output->control);
    int r = 0;

    output->frames = output->control;
    output->control = empty;
    output->first = 0;
    output->offset = 0;
    for (output->n_pieces = 0; output->n_pieces < WSP_OUTPUT_MAX_PIECES && r == 0;) {
        struct wsp_piece *piece = &output->pieces[output->n_pieces];
        struct wsp_channel *channel;

        if (len >= WSP_OUTPUT_BATCH_LEN || wsp_chain_is_empty(&output->ready))
            break;
        channel = WSP_CHAIN_ENTRY(output->ready.next, struct wsp_channel, ready_link);
        wsp_chain_remove(&channel->ready_link);
        if (!wsp_channel_take_piece(channel, piece))
            continue;
        wsp_wire_header_write(output->headers[output->n_pieces++], piece->outgoing->type,
                              piece->has_more ? WSP_WIRE_MORE : 0, channel->number,
                              (uint32_t)piece->payload.len);
        len += WSP_WIRE_HEADER_LEN + piece->payload.len;
        wsp_output_update(output, channel);
        r = taken(context, channel);
    }
    return r;
}

static size_t output_gather(const struct wsp_output *output, struct iovec *iov)
{
    size_t offset = output->offset;
    size_t n = 0;
    size_t i;

    if (wsp_buffer_len(&output->frames) > 0)
        iov[n++] = (struct iovec){(void *)wsp_buffer_peek(&output->frames),
                                  wsp_buffer_len(&output->frames)};
    for (i = output->first; i < output->n_pieces; i++) {
        const struct wsp_view *payload = &output->pieces[i].payload;
        size_t skip = offset < WSP_WIRE_HEADER_LEN ? offset : WSP_WIRE_HEADER_LEN;

        if (skip < WSP_WIRE_HEADER_LEN)
            iov[n++] =
                (struct iovec){(void *)(output->headers[i] + skip), WSP_WIRE_HEADER_LEN - skip};
        offset -= skip;
        if (payload->len > offset)
            iov[n++] = (struct iovec){(void *)(payload->data + offset), payload->len - offset};
        offset = 0;
    }
    return n;
}

static void output_consume(struct wsp_output *output, size_t len)
{
    size_t n = wsp_buffer_len(&output->frames);

    if (n > len)
        n = len;
    wsp_buffer_consume(&output->frames, n);
    len -= n;
    while (output->first < output->n_pieces) {
        struct wsp_piece *piece = &output->pieces[output->first];
        size_t left = WSP_WIRE_HEADER_LEN + piece->payload.len - output->offset;

        if (len < left)
            break;
        len -= left;
        output->offset = 0;
        output->first++;
        piece->outgoing = wsp_outgoing_unuse(piece->outgoing);
    }
    output->offset += len;
    /* A burst of large OPEN frames should not be held for ever. */
    wsp_buffer_trim(&output->frames);
}

int wsp_output_write(struct wsp_output *output, int fd,
                     int (*taken)(void *context, struct wsp_channel *channel), void *context)
{
    size_t n_written = 0;
    int r;

    while (wsp_output_is_pending(output) && n_written < MAX_TURN_LEN) {
        struct iovec iov[1 + 2 * WSP_OUTPUT_MAX_PIECES];
        struct msghdr msg = {.msg_iov = iov};
        ssize_t n;

        if (!output_has_batch(output)) {
            r = output_make_batch(output, taken, context);
            if (r < 0)
                return r;
        }
        msg.msg_iovlen = output_gather(output, iov);
        n = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
        output_consume(output, (size_t)n);
        n_written += (size_t)n;
    }
    return 0;
}
