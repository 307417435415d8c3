/*
 * client: see client.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "client-lib/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "client-lib/request.h"
#include "client-lib/websocket.h"

int64_t wsp_clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- fork --- */

/*
 * A page that the kernel clears in a child tells of a fork at no cost for each call, and also of one
 * that went round the C library.
 */
static int mark_new(volatile unsigned char **ret_mark)
{
    void *page = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return -ENOMEM;
    if (madvise(page, 1, MADV_WIPEONFORK) < 0) {
        munmap(page, 1);
        return -ENOSYS;
    }
    *ret_mark = page;
    **ret_mark = 1;
    return 0;
}

bool wsp_client_is_forked(const struct wsplex *client)
{
    return *client->mark == 0;
}

bool wsp_client_is_over(const struct wsplex *client)
{
    return client->is_freed || wsp_client_is_forked(client);
}

/* --- life --- */

static void client_bury(struct wsplex *client)
{
    while (!wsp_chain_is_empty(&client->graveyard))
        wsp_websocket_destroy(
            WSP_CHAIN_ENTRY(client->graveyard.next, struct wsplex_websocket, link));
}

static struct wsplex *client_destroy(struct wsplex *client)
{
    while (!wsp_chain_is_empty(&client->websockets))
        wsp_websocket_detach(
            WSP_CHAIN_ENTRY(client->websockets.next, struct wsplex_websocket, link));
    client_bury(client);
    while (!wsp_chain_is_empty(&client->unanswered))
        wsp_request_free(WSP_CHAIN_ENTRY(client->unanswered.next, struct wsp_request, link));
    wsp_connection_deinit(&client->connection);
    wsp_reconnect_deinit(&client->reconnect);
    munmap((void *)client->mark, 1);
    free(client->socket_path);
    free(client);
    return NULL;
}

int wsplex_new(const char *socket_path, struct wsplex **ret_client)
{
    struct wsplex *client;
    int r;

    if (socket_path && strlen(socket_path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return -ENAMETOOLONG;
    client = calloc(1, sizeof(*client));
    if (!client)
        return -ENOMEM;
    r = mark_new(&client->mark);
    if (r < 0)
        goto fail_client;
    if (socket_path) {
        client->socket_path = strdup(socket_path);
        if (!client->socket_path) {
            r = -ENOMEM;
            goto fail_mark;
        }
    }
    wsp_connection_init(&client->connection);
    wsp_reconnect_init(&client->reconnect);
    wsp_chain_init(&client->websockets);
    wsp_chain_init(&client->graveyard);
    wsp_chain_init(&client->failing);
    wsp_chain_init(&client->unanswered);
    wsp_client_get_wait(client, &client->told);
    *ret_client = client;
    return 0;

fail_mark:
    munmap((void *)client->mark, 1);
fail_client:
    free(client);
    return r;
}

struct wsplex *wsplex_free(struct wsplex *client)
{
    if (!client)
        return NULL;
    client->depth++;
    client->is_freed = true;
    while (!wsp_chain_is_empty(&client->websockets))
        wsp_websocket_detach(
            WSP_CHAIN_ENTRY(client->websockets.next, struct wsplex_websocket, link));
    wsp_client_leave(client, 0);
    return NULL;
}

/* --- entering and leaving --- */

int wsp_client_enter(struct wsplex *client)
{
    if (wsp_client_is_forked(client))
        return wsp_client_error(client, WSPLEX_ERROR_FORKED,
                                "the client belongs to the process that forked this one");
    client->depth++;
    return 0;
}

int wsp_client_leave(struct wsplex *client, int r)
{
    if (client->depth > 1 || (client->is_freed && client->is_running)) {
        client->depth--;
        return r;
    }
    client_bury(client);
    if (client->is_freed) {
        client_destroy(client);
        return r;
    }
    wsp_client_tell_wait(client);
    client->depth--;
    return r;
}

/* --- what a loop waits for --- */

void wsp_client_get_wait(const struct wsplex *client, struct wsp_wait *ret_wait)
{
    *ret_wait = (struct wsp_wait){.fd = -1, .deadline_ms = -1};
    if (wsp_client_is_over(client))
        return;
    wsp_connection_get_wait(&client->connection, ret_wait);
    wsp_reconnect_get_wait(&client->reconnect, ret_wait);
    if (!wsp_chain_is_empty(&client->failing) || !wsp_chain_is_empty(&client->unanswered))
        ret_wait->deadline_ms = 0;
}

void wsp_client_tell_wait(struct wsplex *client)
{
    struct wsp_wait wait;

    if (!client->wait_handler || wsp_client_is_over(client))
        return;
    wsp_client_get_wait(client, &wait);
    if (wait.fd == client->told.fd && wait.events == client->told.events &&
        wait.deadline_ms == client->told.deadline_ms)
        return;
    client->told = wait;
    client->wait_handler(client, client->wait_userdata);
}

void wsplex_set_on_wait_change(struct wsplex *client, wsplex_wait_handler handler, void *userdata)
{
    client->wait_handler = handler;
    client->wait_userdata = userdata;
    wsp_client_get_wait(client, &client->told);
}
