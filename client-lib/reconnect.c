/*
 * reconnect: see reconnect.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "client-lib/reconnect.h"

#include <errno.h>
#include <sys/random.h>

#include "client-lib/client.h"
#include "client-lib/websocket.h"
#include "proto/local/errors.h"

enum {
    /* The first delay, which doubles up to the longest. A daemon that is restarted is back in less than
     * a second; one that is not there costs a program a connect() every few seconds. */
    FIRST_MS = 50,
    MAX_MS = 10000,
    /* A connection that lasted so long does not count as another failure. */
    MIN_UP_MS = 10000,
};

void wsp_reconnect_init(struct wsp_reconnect *reconnect)
{
    *reconnect = (struct wsp_reconnect){0};
    wsp_chain_init(&reconnect->away);
}

static struct wsp_channel *reconnect_first(const struct wsp_reconnect *reconnect)
{
    if (wsp_chain_is_empty(&reconnect->away))
        return NULL;
    return WSP_CHAIN_ENTRY(reconnect->away.next, struct wsp_channel, away_link);
}

void wsp_reconnect_deinit(struct wsp_reconnect *reconnect)
{
    struct wsp_channel *channel;

    while ((channel = reconnect_first(reconnect)))
        wsp_channel_free(channel);
}

bool wsp_reconnect_is_on(const struct wsp_reconnect *reconnect)
{
    return reconnect->max_ms != 0;
}

/* Full jitter: clients that have lost the same daemon do not come back all at once. */
static void reconnect_delay(struct wsp_reconnect *reconnect, int64_t now_ms)
{
    unsigned int max_ms = MAX_MS;
    uint32_t random = (uint32_t)now_ms;

    if (reconnect->n_retries < 8)
        max_ms = (unsigned int)FIRST_MS << reconnect->n_retries++;
    if (max_ms > MAX_MS)
        max_ms = MAX_MS;
    (void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
    reconnect->retry_ms = now_ms + random % (max_ms + 1);
}

static void reconnect_set_end(struct wsp_reconnect *reconnect, int64_t now_ms)
{
    reconnect->give_up_ms = reconnect->max_ms < 0 ? 0 : now_ms + reconnect->max_ms;
}

int wsplex_set_reconnect(struct wsplex *client, int max_ms, size_t max_queued)
{
    struct wsp_reconnect *reconnect = &client->reconnect;
    int r = wsp_client_enter(client);

    if (r < 0)
        return r;
    reconnect->max_ms = max_ms;
    reconnect->max_queued = max_queued;
    if (!wsp_chain_is_empty(&reconnect->away))
        reconnect_set_end(reconnect, wsp_clock_ms());
    return wsp_client_leave(client, 0);
}

static void reconnect_plan(struct wsplex *client)
{
    struct wsp_reconnect *reconnect = &client->reconnect;
    int64_t now_ms = wsp_clock_ms();
    int64_t ready_ms = client->connection.ready_ms;

    if (ready_ms > 0 && now_ms - ready_ms >= MIN_UP_MS)
        reconnect->n_retries = 0;
    reconnect_delay(reconnect, now_ms);
    if (reconnect->give_up_ms == 0)
        reconnect_set_end(reconnect, now_ms);
}

bool wsp_reconnect_can_keep(const struct wsplex *client, const struct wsp_channel *channel)
{
    const struct wsplex_websocket *websocket = channel->websocket;

    if (!wsp_reconnect_is_on(&client->reconnect) || client->connection.is_loss_final ||
        !websocket || websocket->is_given_up || wsp_buffer_len(&channel->open) == 0)
        return false;
    /* Who closes comes back only for what he still has to say. */
    if (websocket->ready_state == WSPLEX_CLOSING && !wsp_channel_has_messages(channel))
        return false;
    return channel->is_shutdown ||
           !(channel->is_closing || channel->is_close_sent || channel->has_failed);
}

void wsp_reconnect_take(struct wsplex *client, struct wsp_channel *channel, bool is_lost, int cause,
                        const char *text)
{
    struct wsplex_websocket *websocket = channel->websocket;
    struct wsp_unsent unsent = {.is_in_doubt = is_lost};

    if (wsp_chain_is_empty(&client->reconnect.away))
        reconnect_plan(client);
    wsp_channel_count_unknown(channel, &unsent.n_messages, &unsent.n_bytes);
    wsp_channel_go_away(channel);
    wsp_chain_append(&client->reconnect.away, &channel->away_link);
    wsp_websocket_away(websocket, &unsent, cause, text);
    wsp_chain_append(&client->failing, &websocket->failing_link);
}

void wsp_reconnect_open(struct wsplex *client)
{
    struct wsp_chain coming;
    struct wsp_chain *link;

    wsp_chain_init(&coming);
    wsp_chain_move(&coming, &client->reconnect.away);
    while ((link = wsp_chain_take_first(&coming))) {
        struct wsp_channel *channel = WSP_CHAIN_ENTRY(link, struct wsp_channel, away_link);
        int r = wsp_connection_open_take(client, channel);

        if (r == 0)
            continue;
        channel->state = WSP_CHANNEL_AWAY;
        wsp_chain_append(&client->reconnect.away, link);
        if (r == -EMFILE) {
            wsp_connection_disown(client, channel, r, NULL);
            wsp_channel_free(channel);
        }
    }
}

void wsp_reconnect_succeed(struct wsplex *client)
{
    client->reconnect.give_up_ms = 0;
}

static void reconnect_give_up(struct wsplex *client)
{
    struct wsp_channel *channel;

    while ((channel = reconnect_first(&client->reconnect))) {
        wsp_connection_disown(client, channel, -ECONNRESET, client->error_text);
        wsp_channel_free(channel);
    }
    client->reconnect.give_up_ms = 0;
}

void wsp_reconnect_turn(struct wsplex *client)
{
    struct wsp_reconnect *reconnect = &client->reconnect;
    int64_t now_ms = wsp_clock_ms();

    if (wsp_chain_is_empty(&reconnect->away))
        return;
    if (reconnect->give_up_ms > 0 && now_ms >= reconnect->give_up_ms) {
        reconnect_give_up(client);
    } else if (now_ms >= reconnect->retry_ms) {
        reconnect_delay(reconnect, now_ms);
        if (client->connection.state == WSP_CONNECTION_READY)
            wsp_reconnect_open(client);
        else
            wsp_connection_ensure(client);
    }
}

void wsp_reconnect_get_wait(const struct wsp_reconnect *reconnect, struct wsp_wait *wait)
{
    int64_t at_ms = reconnect->retry_ms;

    if (wsp_chain_is_empty(&reconnect->away))
        return;
    if (reconnect->give_up_ms > 0 && reconnect->give_up_ms < at_ms)
        at_ms = reconnect->give_up_ms;
    if (wait->deadline_ms < 0 || at_ms < wait->deadline_ms)
        wait->deadline_ms = at_ms;
}
