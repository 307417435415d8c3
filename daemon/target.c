/* SPDX-License-Identifier: MIT
 *
 * target: where an upstream goes and how.
 * Between open_request, which fills it in, and share_key, share, dial and upstream, which read it.
 * Invariant: what target_free gets is whatever was filled in so far.
 */
#include "daemon/target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/credential.h"
#include "daemon/destination.h"
#include "daemon/failure.h"
#include "proto/rules.h"
#include "proto/websocket/deflate.h"

const char *slow_consumer_to_string(enum slow_consumer policy)
{
    switch (policy) {
    case SLOW_DISCONNECT: return "disconnect";
    case SLOW_DROP_OLDEST: return "drop-oldest";
    case SLOW_DROP_NEWEST: return "drop-newest";
    case SLOW_CONFLATE: return "conflate";
    case SLOW_BLOCK: return "block";
    case SLOW_DEFAULT: return "default";
    }
    return "unknown";
}

int strings_add(struct strings *strings, const char *text, size_t len)
{
    char **items = reallocarray(strings->items, strings->n_items + 1, sizeof(*items));
    char *copy;

    if (items == NULL)
        return -ENOMEM;
    strings->items = items;
    copy = malloc(len + 1);
    if (copy == NULL)
        return -ENOMEM;
    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    items[strings->n_items++] = copy;
    return 0;
}

bool strings_have(const struct strings *strings, const char *text)
{
    for (size_t i = 0; i < strings->n_items; i++)
        if (strcmp(strings->items[i], text) == 0)
            return true;
    return false;
}

void strings_deinit(struct strings *strings)
{
    for (size_t i = 0; i < strings->n_items; i++)
        free(strings->items[i]);
    free(strings->items);
    *strings = (struct strings){0};
}

struct target *target_new(void)
{
    struct target *target = malloc(sizeof(*target));

    if (target != NULL) {
        *target = (struct target){
            .max_message = WSP_DEFAULT_MAX_MESSAGE,
            .may_open = true,
            .is_deflated = true,
            .is_taking_over = true,
            .window_bits = WSP_DEFLATE_MAX_BITS,
            .queue_bytes = TARGET_DEFAULT_QUEUE_BYTES,
            .queue_messages = TARGET_DEFAULT_QUEUE_MESSAGES,
            .slow_consumer = SLOW_DEFAULT,
            .linger_ms = TARGET_DEFAULT_LINGER_MS,
            .block_timeout_ms = TARGET_DEFAULT_BLOCK_TIMEOUT_MS,
            .connect_timeout_ms = TARGET_DEFAULT_CONNECT_TIMEOUT_MS,
            .ping_ms = TARGET_DEFAULT_PING_MS,
            .pong_timeout_ms = TARGET_DEFAULT_PONG_TIMEOUT_MS,
            .tcp_keepalive_ms = TARGET_DEFAULT_TCP_KEEPALIVE_MS,
            .tcp_user_timeout_ms = TARGET_DEFAULT_TCP_USER_TIMEOUT_MS,
            .close_timeout_ms = TARGET_DEFAULT_CLOSE_TIMEOUT_MS,
            .heartbeat = {.interval_ms = TARGET_DEFAULT_HEARTBEAT_INTERVAL_MS,
                          .timeout_ms = TARGET_DEFAULT_HEARTBEAT_TIMEOUT_MS},
            .backoff_min_ms = TARGET_DEFAULT_BACKOFF_MIN_MS,
            .backoff_max_ms = TARGET_DEFAULT_BACKOFF_MAX_MS,
            .min_uptime_ms = TARGET_DEFAULT_MIN_UPTIME_MS,
        };
    }
    return target;
}

#define SWAP(member)                                     \
    do {                                                 \
        __typeof__(target->member) was = target->member; \
        target->member = from->member;                   \
        from->member = was;                              \
    } while (0)

void target_renew(struct target *target, struct target *from)
{
    SWAP(retention);
    SWAP(block_timeout_ms);
    SWAP(close_timeout_ms);
    SWAP(routing.timeout_ms);
    SWAP(routing.max_pending);
    SWAP(ping_ms);
    SWAP(pong_timeout_ms);
    SWAP(is_persistent);
    SWAP(backoff_min_ms);
    SWAP(backoff_max_ms);
    SWAP(min_uptime_ms);
    SWAP(rotate_ms);
    SWAP(offline);
    SWAP(final_codes);
}

void target_renew_connection(struct target *target, struct target *from)
{
    SWAP(connect_timeout_ms);
    SWAP(tcp_keepalive_ms);
    SWAP(tcp_user_timeout_ms);
    SWAP(greeting);
    SWAP(greeting_interval_ms);
    SWAP(heartbeat);
}

#undef SWAP

int target_set_conflate_key(struct target *target, const char *text)
{
    char *copy = strdup(text);

    if (copy == NULL)
        return -ENOMEM;
    free(target->conflate_key_text);
    target->conflate_key_text = copy;
    conflate_key_parse(wsp_view_of_string(copy), &target->conflate_key);
    return 0;
}

static void tls_settings_deinit(struct tls_settings *settings)
{
    free(settings->ca_file);
    free(settings->ca_path);
    free(settings->cert_file);
    free(settings->key_file);
    strings_deinit(&settings->pins);
}

static void heartbeat_settings_deinit(struct heartbeat_settings *settings)
{
    free(settings->text);
    free(settings->answer);
    free(settings->request);
    free(settings->reply);
}

struct target *target_free(struct target *target)
{
    if (target == NULL)
        return NULL;
    free(target->endpoint);
    wsp_url_deinit(&target->url);
    strings_deinit(&target->protocols);
    strings_deinit(&target->headers);
    free(target->credentials_dir);
    free(target->routing.member);
    strings_deinit(&target->final_codes);
    proxy_free(target->proxy);
    tls_settings_deinit(&target->tls);
    strings_deinit(&target->greeting);
    heartbeat_settings_deinit(&target->heartbeat);
    destination_unref(target->destination);
    free(target->conflate_key_text);
    free(target);
    return NULL;
}

const char *target_display(const struct target *target, char to[TARGET_DISPLAY_LEN])
{
    static const char ellipsis[] = "...";
    int len;

    if (target->endpoint != NULL)
        len = snprintf(to, TARGET_DISPLAY_LEN, WSP_ENDPOINT_SCHEME "%s", target->endpoint);
    else if (target->url.socket_path[0] != '\0')
        len = snprintf(to, TARGET_DISPLAY_LEN, "%.*s", (int)strcspn(target->url.href, "?"),
                       target->url.href);
    else
        len = snprintf(to, TARGET_DISPLAY_LEN, "%s%s", target->url.origin, target->url.path);
    if (len >= TARGET_DISPLAY_LEN)
        memcpy(to + TARGET_DISPLAY_LEN - sizeof(ellipsis), ellipsis, sizeof(ellipsis));
    return to;
}

bool target_has_credentials(const struct target *target)
{
    bool has = credential_is_in(wsp_view_of_string(target->url.resource)) ||
               strstr(target->url.password, CREDENTIAL_IN_USERINFO) != NULL;

    for (size_t i = 1; !has && i < target->headers.n_items; i += 2)
        has = credential_is_in(wsp_view_of_string(target->headers.items[i]));
    return has && target->credentials_dir != NULL;
}

/* A path may hold any byte; a failure's text is made for people. */
void target_socket_format(const struct wsp_url *url, char *to, size_t len)
{
    struct failure text;

    failure_set(&text, 0, 0, "unix:%s", url->socket_path);
    snprintf(to, len, "%.*s", (int)len - 1, text.text);
}
