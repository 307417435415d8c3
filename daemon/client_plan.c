/* SPDX-License-Identifier: MIT
 *
 * client_plan: plans a write.
 * Between channels (channel_due, channel_peek) and client_output. Invariant: see client_plan.h.
 */
#include "daemon/client_plan.h"

#include <errno.h>
#include <string.h>

#include "daemon/client.h"
#include "daemon/client_channel.h"
#include "daemon/limits.h"
#include "daemon/share.h"
#include "proto/local/message.h"

static void output_begin(struct output *output)
{
    output->scratch_used = 0;
    output->planned_len = 0;
    output->n_steps = 0;
    output->n_parts = 0;
    shared_frames_begin(&output->shared);
}

/* A further frame fits: two more parts, one more step, and copied_len bytes of scratch. */
static bool output_has_room(const struct output *output, size_t copied_len)
{
    return output->n_steps < MAX_PLAN_STEPS && output->n_parts + 2 <= MAX_PLAN_PARTS &&
           copied_len <= output->scratch_len - output->scratch_used &&
           output->planned_len < MAX_CLIENT_WRITE;
}

static void output_reference(struct output *output, const uint8_t *data, size_t len)
{
    struct iovec *last = output->n_parts > 0 ? &output->parts[output->n_parts - 1] : NULL;

    if (len == 0)
        return;
    if (last && (const uint8_t *)last->iov_base + last->iov_len == data)
        last->iov_len += len;
    else
        output->parts[output->n_parts++] = (struct iovec){(void *)(uintptr_t)data, len};
    output->planned_len += len;
}

static const uint8_t *output_copy(struct output *output, const void *data, size_t len)
{
    uint8_t *to = output->scratch + output->scratch_used;

    if (len > 0)
        memcpy(to, data, len);
    output->scratch_used += len;
    output_reference(output, to, len);
    return to;
}

static void output_step(struct output *output, struct step step)
{
    output->steps[output->n_steps++] = step;
}

/* The bytes of a data frame from skip on; its payload is at the cursor of its channel. */
static void output_data(struct output *output, const struct client_channel *channel,
                        const struct entry *entry, size_t offset, size_t payload_len, bool is_last,
                        size_t skip)
{
    uint8_t header[WSP_WIRE_HEADER_LEN];
    const uint8_t *payload = entry->data + offset;

    wsp_wire_header_write(header, entry->is_binary ? WSP_LOCAL_BINARY : WSP_LOCAL_TEXT,
                          is_last ? 0 : WSP_WIRE_MORE, channel->number, payload_len);
    if (skip < sizeof(header)) {
        output_copy(output, header + skip, sizeof(header) - skip);
        skip = sizeof(header);
    }
    payload += skip - sizeof(header);
    payload_len -= skip - sizeof(header);
    if (payload_len >= SHORT_MESSAGE_LEN)
        output_reference(output, payload, payload_len);
    else if (payload_len > 0)
        output_copy(output, payload, payload_len);
}

/* What the last write began. */
static void plan_begun(struct client *client, struct output *output)
{
    struct client_output *o = &client->output;
    const struct half_frame *half = &o->half;
    size_t rest_len = wsp_buffer_len(&o->rest);

    if (rest_len > 0) {
        output_step(output, (struct step){.kind = STEP_REST, .len = rest_len});
        output_reference(output, wsp_buffer_peek(&o->rest), rest_len);
    } else if (half->channel) {
        const struct channel *channel = &half->channel->channel;

        output_step(output,
                    (struct step){.kind = STEP_HALF,
                                  .channel = half->channel,
                                  .len = WSP_WIRE_HEADER_LEN + half->payload_len - half->taken,
                                  .payload_len = half->payload_len,
                                  .is_last = half->is_last});
        output_data(output, half->channel, channel_front(channel), channel->offset,
                    half->payload_len, half->is_last, half->taken);
    }
}

static void plan_lane(struct client *client, struct output *output)
{
    size_t len = wsp_buffer_len(&client->output.lane);

    if (len == 0)
        return;
    output_step(output, (struct step){.kind = STEP_LANE, .len = len});
    output_reference(output, wsp_buffer_peek(&client->output.lane), len);
}

/* What a channel tells beside data is small and encoded whole. 0; 1: there is no room for it now; -ENOMEM. */
static int plan_frames(struct output *output, struct step step, const struct wsp_message *messages,
                       size_t n_messages)
{
    size_t len;
    int r = 0;

    wsp_buffer_truncate(&output->frame, 0);
    for (size_t i = 0; r == 0 && i < n_messages; i++)
        r = wsp_message_encode(&output->frame, &messages[i]);
    if (r < 0)
        return r;
    len = wsp_buffer_len(&output->frame);
    if (!output_has_room(output, len))
        return 1;
    step.len = len;
    step.bytes = output_copy(output, wsp_buffer_peek(&output->frame), len);
    output_step(output, step);
    return 0;
}

static struct wsp_epoch epoch_of(const struct epoch *epoch)
{
    struct wsp_epoch result;

    _Static_assert(sizeof(result.bytes) == LOG_EPOCH_LEN, "an epoch");
    memcpy(result.bytes, epoch->id, LOG_EPOCH_LEN);
    return result;
}

static int plan_opened(struct client_channel *channel, struct output *output)
{
    const struct share *share = channel->channel.share;
    struct wsp_message message = {
        .type = WSP_LOCAL_OPENED,
        .channel = channel->number,
        .opened = {.protocol = wsp_view_of_string(share->protocol),
                   .extensions = wsp_view_of_string(share->extensions),
                   .epoch = epoch_of(channel->channel.epoch),
                   .next_number = channel->channel.first_number,
                   .max_message = share->target->max_message,
                   .live_number = channel->channel.live_number,
                   .denied = channel->channel.denied},
    };

    return plan_frames(
        output,
        (struct step){.kind = STEP_NOTICE, .notice = CHANNEL_NOTICE_OPENED, .channel = channel},
        &message, 1);
}

static int plan_end(struct client_channel *channel, struct output *output)
{
    const struct ending *ending = &channel->channel.ending;
    bool has_failed = ending->failure.cause != 0;
    struct wsp_message messages[] = {
        {.type = WSP_LOCAL_FAILED,
         .channel = channel->number,
         .failed = {.cause = ending->failure.cause,
                    .http_status = ending->failure.http_status,
                    .text = wsp_view_of_string(ending->failure.text),
                    .retry_after = ending->failure.retry_after,
                    .excerpt = wsp_view_of_string(share_excerpt(channel->channel.share, ending))}},
        {.type = WSP_LOCAL_CLOSED,
         .channel = channel->number,
         .closed = {.was_clean = ending->was_clean,
                    .code = ending->code,
                    .reason = close_reason_view(&ending->reason),
                    .is_shutdown = ending->is_shutdown}},
    };

    return plan_frames(
        output,
        (struct step){.kind = STEP_NOTICE, .notice = CHANNEL_NOTICE_END, .channel = channel},
        has_failed ? messages : messages + 1, has_failed ? 2 : 1);
}

static int plan_gap(struct client_channel *channel, struct output *output)
{
    const struct gap *gap = &channel->channel.gap;
    struct wsp_message message = {
        .type = WSP_LOCAL_GAP,
        .channel = channel->number,
        .gap = {.reason = gap->reason,
                .is_counted = gap->is_counted,
                .count = gap->count,
                .epoch = epoch_of(channel->channel.epoch),
                .next_number = channel_place(&channel->channel)},
    };

    return plan_frames(
        output,
        (struct step){.kind = STEP_NOTICE, .notice = CHANNEL_NOTICE_GAP, .channel = channel},
        &message, 1);
}

static int plan_interrupted(struct client_channel *channel, struct output *output)
{
    const struct failure *why = &channel->channel.share->interruption;
    struct wsp_message message = {
        .type = WSP_LOCAL_INTERRUPTED,
        .channel = channel->number,
        .interrupted = {.cause = why->cause,
                        .http_status = why->http_status,
                        .text = wsp_view_of_string(why->text),
                        .retry_after = why->retry_after},
    };

    return plan_frames(output,
                       (struct step){.kind = STEP_NOTICE,
                                     .notice = CHANNEL_NOTICE_INTERRUPTED,
                                     .channel = channel},
                       &message, 1);
}

/* Who may not receive misses nothing. */
static int plan_resumed(struct client_channel *channel, struct output *output)
{
    unsigned is_deaf = channel->channel.denied & WSP_DENIED_RECEIVE ? 1 : 0;
    struct wsp_message messages[] = {
        {.type = WSP_LOCAL_GAP,
         .channel = channel->number,
         .gap = {.reason = WSP_GAP_RECONNECTED,
                 .epoch = epoch_of(channel_place_epoch(&channel->channel)),
                 .next_number = channel_place(&channel->channel)}},
        {.type = WSP_LOCAL_RESUMED,
         .channel = channel->number,
         .resumed = {.extensions = wsp_view_of_string(channel->channel.share->extensions)}},
    };

    return plan_frames(
        output,
        (struct step){.kind = STEP_NOTICE, .notice = CHANNEL_NOTICE_RESUMED, .channel = channel},
        messages + is_deaf, 2 - is_deaf);
}

/* So many messages were dropped; the next one of that epoch has that number. */
static int plan_drops(struct client_channel *channel, enum channel_notice notice, uint64_t count,
                      const struct epoch *epoch, uint64_t number, struct output *output)
{
    struct wsp_message message = {
        .type = WSP_LOCAL_GAP,
        .channel = channel->number,
        .gap = {.reason = WSP_GAP_SLOW_CONSUMER,
                .is_counted = true,
                .count = count,
                .epoch = epoch_of(epoch),
                .next_number = number},
    };

    return plan_frames(output,
                       (struct step){.kind = STEP_NOTICE, .notice = notice, .channel = channel},
                       &message, 1);
}

static int plan_position(struct client_channel *channel, uint64_t number, struct output *output)
{
    struct wsp_message message = {
        .type = WSP_LOCAL_POSITION,
        .channel = channel->number,
        .position = {.next_number = number},
    };

    return plan_frames(
        output,
        (struct step){.kind = STEP_NOTICE, .notice = CHANNEL_NOTICE_POSITION, .channel = channel},
        &message, 1);
}

static int plan_notice(struct client_channel *channel, enum channel_notice notice,
                       struct output *output)
{
    struct wsp_message message = {.channel = channel->number};

    switch (notice) {
    case CHANNEL_NOTICE_OPENED: return plan_opened(channel, output);
    case CHANNEL_NOTICE_SENT:
        message.type = WSP_LOCAL_SENT;
        message.sent.total = channel->channel.n_sent_bytes;
        message.sent.messages = channel->channel.n_sent;
        break;
    case CHANNEL_NOTICE_UNSENT:
        message.type = WSP_LOCAL_UNSENT;
        message.unsent.messages = channel->channel.n_unsent;
        message.unsent.bytes = channel->channel.n_unsent_bytes;
        break;
    case CHANNEL_NOTICE_GAP: return plan_gap(channel, output);
    case CHANNEL_NOTICE_INTERRUPTED: return plan_interrupted(channel, output);
    case CHANNEL_NOTICE_RESUMED: return plan_resumed(channel, output);
    case CHANNEL_NOTICE_POSITION:
        return plan_position(channel, channel_place(&channel->channel), output);
    case CHANNEL_NOTICE_DROPS_BEFORE:
        return plan_drops(channel, notice, channel_drops_before(&channel->channel),
                          channel->channel.epoch, channel_drops_end(&channel->channel), output);
    case CHANNEL_NOTICE_DROPS:
        return plan_drops(channel, notice, channel_drops(&channel->channel),
                          channel_place_epoch(&channel->channel), channel_place(&channel->channel),
                          output);
    case CHANNEL_NOTICE_CLOSING:
        message.type = WSP_LOCAL_CLOSING;
        message.closing.is_shutdown = channel->channel.share && channel->channel.share->is_drained;
        break;
    case CHANNEL_NOTICE_END: return plan_end(channel, output);
    }
    return plan_frames(output,
                       (struct step){.kind = STEP_NOTICE, .notice = notice, .channel = channel},
                       &message, 1);
}

/* What goes before the channel's next message. 0; 1: no room; -ENOMEM. */
static int plan_notices(struct client_channel *channel, struct output *output)
{
    static const enum channel_notice order[] = {
        CHANNEL_NOTICE_OPENED,       CHANNEL_NOTICE_SENT,        CHANNEL_NOTICE_UNSENT,
        CHANNEL_NOTICE_DROPS_BEFORE, CHANNEL_NOTICE_INTERRUPTED, CHANNEL_NOTICE_RESUMED,
        CHANNEL_NOTICE_DROPS,        CHANNEL_NOTICE_POSITION,    CHANNEL_NOTICE_CLOSING,
        CHANNEL_NOTICE_END};
    unsigned due = channel_due(&channel->channel);
    struct wsp_message message = {.channel = channel->number};
    int r = 0;

    /* It comes right behind OPENED. */
    if (due & CHANNEL_NOTICE_GAP)
        r = plan_notice(channel, CHANNEL_NOTICE_GAP, output);
    if (r == 0 && channel->is_abort_due) {
        message.type = WSP_LOCAL_ABORT;
        r = plan_frames(output, (struct step){.kind = STEP_ABORT, .channel = channel}, &message, 1);
    }
    if (r == 0 && due & (CHANNEL_NOTICE_SENT | CHANNEL_NOTICE_UNSENT) &&
        channel->channel.state != CHANNEL_ENDED)
        assembly_regrant(&channel->assembly, channel->channel.cost_done);
    if (r == 0 && channel->is_credit_due && !(due & CHANNEL_NOTICE_END)) {
        message.type = WSP_LOCAL_CREDIT;
        message.credit.total = channel->assembly.granted;
        r = plan_frames(output, (struct step){.kind = STEP_CREDIT, .channel = channel}, &message,
                        1);
    }
    for (size_t i = 0; r == 0 && i < sizeof(order) / sizeof(order[0]); i++)
        if (due & order[i])
            r = plan_notice(channel, order[i], output);
    return r;
}

/* Where the notices that are not due yet stand: no message from this number on comes before them. */
static uint64_t messages_end(const struct channel *channel)
{
    uint64_t end = UINT64_MAX;

    if (channel->notices & CHANNEL_NOTICE_CLOSING)
        end = channel->closing_number;
    if (channel->state == CHANNEL_ENDED && channel->end_number < end)
        end = channel->end_number;
    return end;
}

static uint64_t credit_left(const struct client_channel *channel)
{
    if (!channel->has_credit)
        return UINT64_MAX;
    return channel->credit > channel->credit_used ? channel->credit - channel->credit_used : 0;
}

/* The frames of short messages from entry on, which may have been made for another client. NULL if there are none to be
 * had, else the step. */
static const struct step *plan_run(struct client_channel *channel, const struct entry *entry,
                                   uint64_t end, size_t budget, struct output *output)
{
    size_t room = MAX_CLIENT_WRITE - output->planned_len;
    struct frames_wish wish = {
        .from = entry,
        .end_number = end,
        .channel = channel->number,
        .max_len = budget < room ? budget : room,
    };
    struct step *step = &output->steps[output->n_steps];
    struct wsp_view bytes;

    if (channel->has_credit || !output_has_room(output, 0) ||
        !shared_frames_get(&output->shared, &wish, &step->run))
        return NULL;
    bytes = frames_run_bytes(&step->run);
    step->kind = STEP_RUN;
    step->channel = channel;
    step->len = bytes.len;
    output_reference(output, bytes.data, bytes.len);
    output->n_steps++;
    return step;
}

/* How far planning a channel's messages has come. */
struct reading {
    const struct entry *entry;       /* NULL: there is no more to plan */
    const struct backlog_item *item; /* of which it is; NULL: it is of the log */
    size_t offset;                   /* in entry */
    uint64_t n_dropped;              /* between the one before and entry */
    uint64_t next_number;            /* that the client counts then */
    uint64_t end;                    /* no message from this number on */
    uint64_t credit;
    size_t budget;
};

static void reading_spend(struct reading *reading, size_t len)
{
    reading->budget -= len < reading->budget ? len : reading->budget;
}

/* To what the channel reads next with no further notice but POSITION and what was dropped: there is none at the end of
 * the log, or where another epoch begins. next is the log's, where that is what is being read. */
static void reading_go_on(struct reading *reading, const struct channel *channel,
                          const struct entry *next, uint64_t next_number)
{
    const struct epoch *epoch = reading->entry->epoch;

    if (reading->item) {
        reading->n_dropped = backlog_dropped_behind(&channel->backlog, reading->item);
        reading->item = backlog_next(&channel->backlog, reading->item);
        next = reading->item ? reading->item->entry : channel->cursor.at;
    }
    while (next && cursor_passes(&channel->cursor, next))
        next = next->next;
    reading->offset = 0;
    reading->next_number = next_number;
    reading->entry = next && next->epoch == epoch ? next : NULL;
}

/* False: the client has no credit for a piece of a message of which that much is left. */
static bool piece_len(const struct reading *reading, size_t *ret_len)
{
    size_t len = reading->entry->len - reading->offset;

    if (len > WSP_MAX_LOCAL_PAYLOAD)
        len = WSP_MAX_LOCAL_PAYLOAD;
    if (reading->credit < wsp_wire_cost(len < 1 ? 0 : 1))
        return false;
    if (reading->credit < wsp_wire_cost(len))
        len = (size_t)(reading->credit - WSP_WIRE_HEADER_LEN);
    *ret_len = len;
    return true;
}

/* A run of messages, or a piece of one. 0; 1: there is no room left. */
static int plan_next(struct client_channel *channel, struct reading *reading, struct output *output)
{
    const struct entry *entry = reading->entry;
    const struct step *run = reading->offset == 0 && !reading->item
                                 ? plan_run(channel, entry, reading->end, reading->budget, output)
                                 : NULL;
    size_t len;
    bool is_last;

    if (run) {
        reading_spend(reading, run->len);
        reading_go_on(reading, &channel->channel, run->run.next,
                      entry->number + run->run.end - run->run.begin);
        return 0;
    }
    if (!piece_len(reading, &len)) {
        reading->entry = NULL;
        return 0;
    }
    if (!output_has_room(output, WSP_WIRE_HEADER_LEN + (len < SHORT_MESSAGE_LEN ? len : 0)))
        return 1;
    is_last = reading->offset + len == entry->len;
    output_step(output, (struct step){.kind = STEP_DATA,
                                      .channel = channel,
                                      .len = WSP_WIRE_HEADER_LEN + len,
                                      .payload_len = len,
                                      .is_last = is_last});
    output_data(output, channel, entry, reading->offset, len, is_last, 0);
    if (channel->has_credit)
        reading->credit -= wsp_wire_cost(len);
    reading_spend(reading, WSP_WIRE_HEADER_LEN + len);
    reading->offset += len;
    if (is_last)
        reading_go_on(reading, &channel->channel, entry->next, entry->number + 1);
    return 0;
}

/* What goes between two messages. 0; 1: there is no room left; -ENOMEM. */
static int plan_between(struct client_channel *channel, struct reading *reading,
                        struct output *output)
{
    const struct entry *entry = reading->entry;
    int r = 0;

    if (reading->n_dropped > 0)
        r = plan_drops(channel, CHANNEL_NOTICE_DROPS, reading->n_dropped, entry->epoch,
                       entry->number, output);
    else if (entry->number != reading->next_number)
        r = plan_position(channel, entry->number, output);
    reading->n_dropped = 0;
    reading->next_number = entry->number;
    return r;
}

/* Pieces of messages from the cursor on, as far as budget, credit and room go. 0; 1: there is no room left; -ENOMEM. */
static int plan_data(struct client_channel *channel, const struct half_frame *half, size_t budget,
                     struct output *output)
{
    const struct entry *entry = channel_peek(&channel->channel);
    struct reading reading = {
        .entry = entry,
        .item = backlog_first(&channel->channel.backlog),
        .offset = channel->channel.offset,
        .next_number = entry ? entry->number : 0,
        .end = messages_end(&channel->channel),
        .credit = credit_left(channel),
        .budget = budget,
    };
    int r = 0;

    if (entry && half->channel == channel) {
        if (half->is_last)
            reading_go_on(&reading, &channel->channel, entry->next, entry->number + 1);
        else
            reading.offset += half->payload_len;
    }
    while (r == 0 && reading.entry && reading.entry->number < reading.end && reading.budget > 0) {
        r = plan_between(channel, &reading, output);
        if (r == 0)
            r = plan_next(channel, &reading, output);
    }
    return r;
}

/* A channel that has been asked has said all, or will be asked again when it has another turn. 0; 1: no room left;
 * -ENOMEM. */
static int plan_channels(struct client *client, struct output *output)
{
    struct client_output *o = &client->output;
    size_t budget = MAX_CLIENT_WRITE / (o->n_ready > 0 ? o->n_ready : 1);

    if (budget < MIN_CHANNEL_WRITE)
        budget = MIN_CHANNEL_WRITE;
    LIST_FOR_EACH (node, &o->ready) {
        struct client_channel *channel = LIST_ENTRY(node, struct client_channel, ready_link);
        unsigned n_steps = output->n_steps;
        int r = plan_notices(channel, output);

        if (r == 0)
            r = plan_data(channel, &o->half, budget, output);
        if (r != 0)
            return r;
        if (output->n_steps == n_steps && o->half.channel != channel) {
            list_remove(&channel->ready_link);
            o->n_ready--;
        }
    }
    return 0;
}

int client_plan(struct client *client, struct output *output)
{
    int r;

    output_begin(output);
    plan_begun(client, output);
    plan_lane(client, output);
    r = plan_channels(client, output);
    return r < 0 ? r : 0;
}

bool client_plan_has_more(const struct client_channel *channel)
{
    const struct entry *entry = channel_peek(&channel->channel);

    if (channel->is_end_told)
        return false;
    if (channel->is_abort_due || channel->is_credit_due || channel_due(&channel->channel) != 0)
        return true;
    return entry && credit_left(channel) >= wsp_wire_cost(entry->len > 0 ? 1 : 0);
}
