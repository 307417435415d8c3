/* SPDX-License-Identifier: MIT
 *
 * client_output: writes what client_plan has planned, and moves on what the transport has taken.
 * Between client_plan and the transport. Invariant: only what was taken moves a cursor, tells a notice or uses credit.
 */
#include "daemon/client_output.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/client.h"
#include "daemon/client_channel.h"
#include "daemon/client_plan.h"
#include "daemon/control.h"
#include "daemon/limits.h"
#include "daemon/server.h"

int output_new(uint8_t *scratch, size_t scratch_len, struct output **ret_output)
{
    struct output *output = calloc(1, sizeof(*output));

    if (!output)
        return -ENOMEM;
    output->scratch = scratch;
    output->scratch_len = scratch_len;
    wsp_buffer_init(&output->frame, 2 * WSP_WIRE_MAX_FRAME);
    *ret_output = output;
    return 0;
}

struct output *output_free(struct output *output)
{
    if (output)
        wsp_buffer_deinit(&output->frame);
    free(output);
    return NULL;
}

/* ---- what was taken ---- */

static void data_taken(struct client_channel *channel, const struct step *step)
{
    if (step->is_last)
        channel_fetched(&channel->channel);
    else
        channel_began(&channel->channel, channel->channel.offset + step->payload_len);
}

static void run_taken(struct client_output *o, struct client_channel *channel,
                      const struct frames_run *run)
{
    size_t len = frames_run_bytes(run).len;

    channel->credit_used += len;
    o->n_frames += run->end - run->begin;
    channel_fetched_run(&channel->channel, run->next, frames_run_payload_len(run));
}

/* The first taken bytes have been taken: some messages whole, perhaps none, and then perhaps a part of one. */
static void run_begun(struct client_output *o, const struct step *step, size_t taken)
{
    struct client_channel *channel = step->channel;
    struct frames_run whole = step->run;

    frames_run_shorten(&whole, taken);
    taken -= frames_run_bytes(&whole).len;
    if (whole.end > whole.begin)
        run_taken(o, channel, &whole);
    if (taken == 0)
        return;
    channel->credit_used += WSP_WIRE_HEADER_LEN + whole.next->len;
    o->half = (struct half_frame){
        .channel = channel, .payload_len = whole.next->len, .taken = taken, .is_last = true};
    channel_began(&channel->channel, 0);
}

static void notice_taken(struct client_channel *channel, enum channel_notice notice)
{
    if (notice == CHANNEL_NOTICE_END)
        channel->is_end_told = true;
    channel_told(&channel->channel, notice);
}

/* The step has been taken whole. */
static void step_taken(struct client_output *o, const struct step *step)
{
    struct client_channel *channel = step->channel;

    switch (step->kind) {
    case STEP_REST:
        wsp_buffer_consume(&o->rest, step->len);
        wsp_buffer_trim(&o->rest);
        break;
    case STEP_LANE:
        wsp_buffer_consume(&o->lane, step->len);
        wsp_buffer_trim(&o->lane);
        break;
    case STEP_HALF:
        o->half.channel = NULL;
        data_taken(channel, step);
        break;
    case STEP_DATA:
        channel->credit_used += step->len;
        data_taken(channel, step);
        break;
    case STEP_ABORT: channel->is_abort_due = false; break;
    case STEP_CREDIT: channel->is_credit_due = false; break;
    case STEP_NOTICE: notice_taken(channel, step->notice); break;
    case STEP_RUN: run_taken(o, channel, &step->run); return;
    }
    o->n_frames++;
}

/* The first taken bytes of the step have been taken, more than none and less than all. 0, -ENOMEM. */
static int step_begun(struct client_output *o, const struct step *step, size_t taken)
{
    switch (step->kind) {
    case STEP_REST: wsp_buffer_consume(&o->rest, taken); return 0;
    case STEP_LANE: wsp_buffer_consume(&o->lane, taken); return 0;
    case STEP_HALF: o->half.taken += taken; return 0;
    case STEP_DATA:
        step->channel->credit_used += step->len;
        o->half = (struct half_frame){.channel = step->channel,
                                      .payload_len = step->payload_len,
                                      .taken = taken,
                                      .is_last = step->is_last};
        channel_began(&step->channel->channel, step->channel->channel.offset);
        return 0;
    case STEP_RUN: run_begun(o, step, taken); return 0;
    default: break;
    }

    int r = wsp_buffer_append(&o->rest, step->bytes + taken, step->len - taken);

    if (r == 0)
        step_taken(o, step);
    return r;
}

/* Everything of this channel's steps has been taken: it goes to the end of the list, or out of it. */
static void channel_served(struct client_output *o, struct client_channel *channel)
{
    if (!list_is_linked(&channel->ready_link))
        return;
    if (client_plan_has_more(channel)) {
        list_append(&o->ready, &channel->ready_link);
    } else {
        list_remove(&channel->ready_link);
        o->n_ready--;
    }
}

static int output_taken(struct client_output *o, const struct output *output, size_t taken)
{
    struct client_channel *serving = NULL;
    int r = 0;

    for (unsigned i = 0; i < output->n_steps && taken > 0; i++) {
        const struct step *step = &output->steps[i];

        if (serving && serving != step->channel)
            channel_served(o, serving);
        serving = step->channel;
        if (taken < step->len) {
            r = step_begun(o, step, taken);
            serving = NULL; /* it stays where it is, and goes on first */
            break;
        }
        step_taken(o, step);
        taken -= step->len;
    }
    if (serving)
        channel_served(o, serving);
    return r;
}

/* ---- writing ---- */

static bool output_has_more(const struct client *client)
{
    const struct client_output *o = &client->output;

    return o->n_ready > 0 || o->half.channel || wsp_buffer_len(&o->rest) > 0 ||
           wsp_buffer_len(&o->lane) > 0 || client->n_requests > 0;
}

/* 0; -EAGAIN: the transport takes no more for now; any other negative errno: the client is lost. */
static int output_write(struct client *client, struct output *output)
{
    struct client_output *o = &client->output;
    ssize_t taken;
    int r;

    for (int i = 0; i < MAX_PIECES_PER_WRITE && client->n_requests > 0 &&
                    wsp_buffer_len(&o->lane) < LANE_LOW_LEN &&
                    !slice_is_spent(&client->user->slice, client->server->turn);
         i++) {
        r = control_answer(client);
        if (r < 0)
            return r;
    }
    r = client_plan(client, output);
    if (r < 0)
        return r;
    if (output->n_parts == 0)
        return 0;
    taken = transport_write(client->transport, output->parts, output->n_parts);
    if (taken < 0) {
        o->is_unheard = taken != -EAGAIN;
        return (int)taken;
    }
    o->n_writes++;
    o->n_bytes += (uint64_t)taken;
    r = output_taken(o, output, (size_t)taken);
    if (r < 0)
        return r;
    return (size_t)taken < output->planned_len ? -EAGAIN : 0;
}

static void write_run(void *owner)
{
    struct client *client = owner;
    struct client_output *o = &client->output;
    int r;

    if (client->state == CLIENT_GONE || o->is_blocked)
        return;
    if (o->is_unheard) {
        if (client->state == CLIENT_PARTING || client->server->is_emptied)
            client_drop(client);
        return;
    }
    o->is_writing = true;
    r = o->is_out_of_memory ? -ENOMEM : output_write(client, client->server->output);
    o->is_writing = false;
    if (r == -EAGAIN) {
        o->is_blocked = true;
        transport_want(client->transport, TRANSPORT_READABLE | TRANSPORT_WRITABLE);
    } else if (o->is_unheard && client->state != CLIENT_PARTING) {
        /* Messages and a close that it gave before it went may wait to be read: they stand. The reader meets the end. */
    } else if (r < 0) {
        client_drop(client);
    } else if (output_has_more(client)) {
        turn_schedule(client->server->turn, TURN_NEXT, &o->next);
    } else {
        client_drained(client);
    }
}

static void next_run(void *owner)
{
    struct client *client = owner;

    client_output_schedule(client);
}

void client_output_init(struct client *client)
{
    struct client_output *o = &client->output;

    *o = (struct client_output){.n_ready = 0};
    list_init(&o->ready);
    wsp_buffer_init(&o->rest, 2 * WSP_WIRE_MAX_FRAME);
    wsp_buffer_init(&o->lane, MAX_LANE_LEN);
    task_init(&o->write, write_run, client);
    task_init(&o->next, next_run, client);
}

void client_output_deinit(struct client *client)
{
    struct client_output *o = &client->output;

    task_cancel(&o->write);
    task_cancel(&o->next);
    wsp_buffer_deinit(&o->rest);
    wsp_buffer_deinit(&o->lane);
}

/* ---- what there is to tell ---- */

int client_output_send(struct client *client, const struct wsp_message *message)
{
    int r = wsp_message_encode(&client->output.lane, message);

    client_output_schedule(client);
    return r;
}

int client_output_send_bytes(struct client *client, struct wsp_view bytes)
{
    int r = wsp_buffer_append(&client->output.lane, bytes.data, bytes.len);

    client_output_schedule(client);
    return r;
}

void client_output_schedule(struct client *client)
{
    struct client_output *o = &client->output;

    /* What comes while a write is being planned or waits for the next turn is part of that. */
    if (o->is_writing || o->is_blocked || list_is_linked(&o->next.link))
        return;
    turn_schedule(client->server->turn, TURN_WRITE, &o->write);
}

void client_output_unblock(struct client *client)
{
    if (!client->output.is_blocked)
        return;
    client->output.is_blocked = false;
    transport_want(client->transport, TRANSPORT_READABLE);
    client_output_schedule(client);
}

void client_output_wake(struct client_channel *channel)
{
    struct client_output *o = &channel->client->output;

    if (!list_is_linked(&channel->ready_link)) {
        list_append(&o->ready, &channel->ready_link);
        o->n_ready++;
    }
    client_output_schedule(channel->client);
}

void client_output_cut(struct client_channel *channel)
{
    struct client_output *o = &channel->client->output;
    size_t offset = channel->channel.offset;

    if (o->half.channel != channel) {
        channel->is_abort_due = offset > 0;
        return;
    }

    const struct half_frame *half = &o->half;
    const struct entry *entry = channel_front(&channel->channel);
    uint8_t header[WSP_WIRE_HEADER_LEN];
    size_t in_payload = half->taken > sizeof(header) ? half->taken - sizeof(header) : 0;
    int r = 0;

    wsp_wire_header_write(header, entry->is_binary ? WSP_LOCAL_BINARY : WSP_LOCAL_TEXT,
                          half->is_last ? 0 : WSP_WIRE_MORE, channel->number, half->payload_len);
    if (half->taken < sizeof(header))
        r = wsp_buffer_append(&o->rest, header + half->taken, sizeof(header) - half->taken);
    if (r == 0)
        r = wsp_buffer_append(&o->rest, entry->data + offset + in_payload,
                              half->payload_len - in_payload);
    /* This is called from within share, where no client may go: the write that follows finds it. */
    if (r < 0)
        o->is_out_of_memory = true;
    channel->is_abort_due = !half->is_last;
    o->half.channel = NULL;
    client_output_wake(channel);
}

void client_output_forget(struct client_channel *channel)
{
    struct client_output *o = &channel->client->output;

    if (o->half.channel == channel)
        client_output_cut(channel);
    if (list_is_linked(&channel->ready_link)) {
        list_remove(&channel->ready_link);
        o->n_ready--;
    }
}
