/* SPDX-License-Identifier: MIT
 *
 * client_channel: channels of clients, their numbers and their ends.
 * Between client_requests and channel. Invariant: a client_channel is in its client's tree and list exactly while it
 * has a client, and in the server's list as long as it lives.
 */
#include "daemon/client_channel.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "daemon/client.h"
#include "daemon/client_output.h"
#include "daemon/numbers.h"
#include "daemon/server.h"
#include "daemon/share.h"
#include "proto/local/errors.h"

static struct client_channel *client_channel_of(struct channel *channel)
{
    return LIST_ENTRY(channel, struct client_channel, channel);
}

static struct client_channel *channel_of_assembly(struct assembly *assembly)
{
    return LIST_ENTRY(assembly, struct client_channel, assembly);
}

/* ---- what channel and assembly call ---- */

/* An end that came from neither side's asking is logged once, whether the client reads it or not; one that its upstream
 * shares stands in the upstream's line. */
static void end_log(const struct client_channel *channel)
{
    const struct ending *ending = &channel->channel.ending;
    const struct share *share = channel->channel.share;
    bool is_upstreams = share && share->state == SHARE_ENDED;
    struct journal *journal = &channel->server->journal;

    switch (is_upstreams ? 0 : ending->failure.cause) {
    case WSP_CAUSE_SLOW_CONSUMER:
    case WSP_CAUSE_TOO_BIG:
    case WSP_CAUSE_QUOTA:
        journal_log(journal, JOURNAL_CHANNEL_CUT, channel->channel.id, "of client %llu: %s",
                    (unsigned long long)channel->client->id, ending->failure.text);
        break;
    default:
        journal_log(journal, JOURNAL_CHANNEL_CLOSED, channel->channel.id, "code %u%s%s",
                    ending->code, ending->failure.cause ? ": " : "", ending->failure.text);
    }
}

/* The end is known, long before the client has read it perhaps. */
static void end_notice(struct client_channel *channel)
{
    if (channel->is_end_noticed || channel->channel.state != CHANNEL_ENDED)
        return;
    channel->is_end_noticed = true;
    if (!channel->is_refused)
        end_log(channel);
    /* What it still sends is ignored: what has begun will never be whole. */
    assembly_deinit(&channel->assembly);
    channel->is_credit_due = false;
}

static void wake(struct channel *base)
{
    struct client_channel *channel = client_channel_of(base);

    if (!channel->client)
        return;
    end_notice(channel);
    client_output_wake(channel);
}

static void cut(struct channel *base)
{
    struct client_channel *channel = client_channel_of(base);

    if (channel->client)
        client_output_cut(channel);
}

static void channel_free(struct client_channel *channel)
{
    struct server *server = channel->server;

    assert(!channel->client);
    channel_deinit(&channel->channel);
    assembly_deinit(&channel->assembly);
    list_remove(&channel->all_link);
    server->n_channels--;
    free(channel->display);
    free(channel);
    server_changed(server);
}

static void gone(struct channel *base)
{
    channel_free(client_channel_of(base));
}

static void granted_more(struct assembly *assembly)
{
    struct client_channel *channel = channel_of_assembly(assembly);

    channel->is_credit_due = true;
    if (channel->client)
        client_output_wake(channel);
}

static const struct channel_ops ops = {.wake = wake, .cut = cut, .gone = gone};

/* ---- numbers ---- */

struct client_channel *client_channel_find(const struct client *client, uint32_t number)
{
    uint32_t *member = numbers_find(&client->numbers, number);

    return member ? LIST_ENTRY(member, struct client_channel, number) : NULL;
}

int client_channel_new(struct client *client, uint32_t number, struct client_channel **ret_channel)
{
    struct server *server = client->server;
    struct client_channel *channel = calloc(1, sizeof(*channel));
    int r;

    if (!channel)
        return -ENOMEM;
    channel->server = server;
    channel->number = number;
    list_init(&channel->link);
    list_init(&channel->all_link);
    list_init(&channel->ready_link);
    if (numbers_add(&client->numbers, &channel->number) < 0) {
        free(channel);
        return -ENOMEM;
    }
    channel->client = client;
    list_append(&client->channels, &channel->link);
    list_append(&server->channels, &channel->all_link);
    client->n_channels++;
    server->n_channels++;
    r = channel_init(&channel->channel, &ops, client->user, server_new_id(server),
                     clock_now_ms(server->clock));
    channel->is_charged = r == 0;
    if (!channel->is_charged)
        client->n_uncharged++;
    server_changed(server);
    *ret_channel = channel;
    return r;
}

void client_channel_accept_sends(struct client_channel *channel, uint64_t max_message)
{
    assembly_init(&channel->assembly, channel->client->user, max_message, granted_more);
}

/* The client and the number know it no more. */
static void channel_detach(struct client_channel *channel)
{
    struct client *client = channel->client;

    client_output_forget(channel);
    numbers_remove(&client->numbers, &channel->number);
    list_remove(&channel->link);
    client->n_channels--;
    if (!channel->is_charged)
        client->n_uncharged--;
    channel->client = NULL;
}

void client_channel_release(struct client_channel *channel)
{
    channel_detach(channel);
    channel_free(channel);
}

void client_channel_abandon(struct client_channel *channel)
{
    channel_detach(channel);
    /* What has begun to arrive will never be whole. */
    assembly_deinit(&channel->assembly);
    channel_abandon(&channel->channel);
}

void client_channel_discard(struct client_channel *channel)
{
    if (channel->client)
        channel_detach(channel);
    channel_free(channel);
}
