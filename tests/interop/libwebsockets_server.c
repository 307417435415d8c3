/*
 * libwebsockets, for the interop tests: see ../harness/foreign.py for what it is told and does.
 *
 * Compiled by the test itself, so that wsplex's build needs no libwebsockets. Between the library's server and
 * a test. Invariant: what is given is sent in that order, a message a turn.
 *
 * SPDX-License-Identifier: MIT
 */
#include <libwebsockets.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What waits to be sent. */
struct message {
    struct message *next;
    enum lws_write_protocol kind;
    size_t len;
    unsigned char room[]; /* LWS_PRE bytes for the library, then the data and a NUL */
};

struct session {
    struct message *taking; /* of which not all has come */
    struct message *first, *last;
    bool obeys;
    bool has_pinged;
};

static char last[160];
static volatile sig_atomic_t is_over;

static void end(int number)
{
    (void)number;
    is_over = 1;
}

/* message grown by data; NULL begins one. */
static struct message *message_add(struct message *message, enum lws_write_protocol kind,
                                   const void *data, size_t len)
{
    size_t before = message ? message->len : 0;

    message = realloc(message, sizeof(*message) + LWS_PRE + before + len + 1);
    if (!message)
        abort();
    memcpy(message->room + LWS_PRE + before, data, len);
    message->next = NULL;
    message->kind = kind;
    message->len = before + len;
    message->room[LWS_PRE + message->len] = '\0';
    return message;
}

static void give(struct lws *wsi, struct session *session, struct message *message)
{
    if (session->last)
        session->last->next = message;
    else
        session->first = message;
    session->last = message;
    lws_callback_on_writable(wsi);
}

static void reply(struct lws *wsi, struct session *session, const char *prefix, const void *data,
                  size_t len)
{
    struct message *message = message_add(NULL, LWS_WRITE_TEXT, prefix, strlen(prefix));

    give(wsi, session, message_add(message, LWS_WRITE_TEXT, data, len));
}

/* What the callback is to return: -1 closes the connection. */
static int obey(struct lws *wsi, struct session *session, const char *order)
{
    if (strncmp(order, "close ", 6) == 0) {
        char *reason;
        unsigned long code = strtoul(order + 6, &reason, 10);

        if (*reason == ' ')
            reason++;
        lws_close_reason(wsi, (enum lws_close_status)code, (unsigned char *)reason, strlen(reason));
        return -1;
    }
    if (strncmp(order, "ping ", 5) == 0) {
        give(wsi, session, message_add(NULL, LWS_WRITE_PING, order + 5, strlen(order + 5)));
        session->has_pinged = true;
    } else if (strcmp(order, "last") == 0) {
        reply(wsi, session, last, "", 0);
    }
    return 0;
}

static void take_close(const unsigned char *in, size_t len)
{
    if (len < 2)
        snprintf(last, sizeof(last), "1005");
    else
        snprintf(last, sizeof(last), "%d%s%.*s", in[0] << 8 | in[1], len > 2 ? " " : "",
                 (int)(len - 2), (const char *)in + 2);
}

static int take(struct lws *wsi, struct session *session, const void *in, size_t len)
{
    enum lws_write_protocol kind = lws_frame_is_binary(wsi) ? LWS_WRITE_BINARY : LWS_WRITE_TEXT;
    struct message *whole;
    int r = 0;

    session->taking = message_add(session->taking, kind, in, len);
    if (!lws_is_final_fragment(wsi))
        return 0;
    whole = session->taking;
    session->taking = NULL;
    if (session->obeys) {
        r = obey(wsi, session, (const char *)whole->room + LWS_PRE);
        free(whole);
    } else {
        give(wsi, session, whole);
    }
    return r;
}

/* One message a turn, as the library wants it. */
static int send_next(struct lws *wsi, struct session *session)
{
    struct message *message = session->first;
    int r;

    if (!message)
        return 0;
    session->first = message->next;
    if (!session->first)
        session->last = NULL;
    r = lws_write(wsi, message->room + LWS_PRE, message->len, message->kind);
    free(message);
    if (session->first)
        lws_callback_on_writable(wsi);
    return r < 0 ? -1 : 0;
}

static void forget(struct session *session)
{
    struct message *next;

    free(session->taking);
    for (struct message *message = session->first; message; message = next) {
        next = message->next;
        free(message);
    }
}

static int serve(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                 size_t len)
{
    struct session *session = user;
    char path[128];

    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        memset(session, 0, sizeof(*session));
        if (lws_hdr_copy(wsi, path, sizeof(path), WSI_TOKEN_GET_URI) > 0)
            session->obeys = strncmp(path, "/obey", 5) == 0;
        break;
    case LWS_CALLBACK_RECEIVE: return take(wsi, session, in, len);
    case LWS_CALLBACK_SERVER_WRITEABLE: return send_next(wsi, session);
    case LWS_CALLBACK_RECEIVE_PONG:
        /* The library's own pings have pongs as well. */
        if (session->has_pinged)
            reply(wsi, session, "pong ", in, len);
        session->has_pinged = false;
        break;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: take_close(in, len); break;
    case LWS_CALLBACK_CLOSED: forget(session); break;
    default: break;
    }
    return 0;
}

static const struct lws_protocols protocols[] = {
    {"none", serve, sizeof(struct session), 65536, 0, NULL, 0},
    {"echo.v2", serve, sizeof(struct session), 65536, 0, NULL, 0},
    {"echo.v1", serve, sizeof(struct session), 65536, 0, NULL, 0},
    {0},
};

static const struct lws_extension extensions[] = {
    {"permessage-deflate", lws_extension_callback_pm_deflate, "permessage-deflate"},
    {0},
};

static const lws_retry_bo_t pings = {
    .secs_since_valid_ping = 1,
    .secs_since_valid_hangup = 5,
};

static struct lws_vhost *listen_on(struct lws_context *context, int port, const char *chain,
                                   const char *key)
{
    struct lws_context_creation_info info = {
        .port = port,
        .iface = "127.0.0.1",
        .protocols = protocols,
        .extensions = extensions,
        .retry_and_idle_policy = &pings,
        .vhost_name = chain ? "wss" : "ws",
        .ssl_cert_filepath = chain,
        .ssl_private_key_filepath = key,
        /* Or it would listen on all addresses. */
        .options =
            LWS_SERVER_OPTION_DISABLE_IPV6 | (chain ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0),
    };

    return lws_create_vhost(context, &info);
}

int main(int argc, char **argv)
{
    struct lws_context_creation_info info = {
        .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT,
        .gid = (gid_t)-1,
        .uid = (uid_t)-1,
    };
    struct lws_context *context;

    if (argc != 5)
        return 2;
    signal(SIGTERM, end);
    lws_set_log_level(LLL_ERR, NULL);
    context = lws_create_context(&info);
    if (!context || !listen_on(context, atoi(argv[1]), NULL, NULL) ||
        !listen_on(context, atoi(argv[2]), argv[3], argv[4]))
        return 1;
    while (!is_over && lws_service(context, 0) >= 0)
        ;
    lws_context_destroy(context);
    return 0;
}
