/* SPDX-License-Identifier: MIT
 *
 * target: where an upstream goes and how, resolved from an OPEN and the configuration, before
 * anything connects.
 * Neighbours: open_request makes it, share_key compares it, share keeps it, dial and upstream read
 * it.
 * Invariant: everything under "identity" is part of the share key and never changed after it was made; the policy of an
 * upstream is changed by a reload alone.
 */
#ifndef WSPLEX_DAEMON_TARGET_H
#define WSPLEX_DAEMON_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/conflate_key.h"
#include "daemon/proxy.h"
#include "daemon/retention.h"
#include "daemon/routing.h"
#include "proto/url.h"

struct destination;

/* What happens to a channel that is over queue_bytes or queue_messages: see shedding.h and flow.h. SLOW_DEFAULT is
 * SLOW_DISCONNECT for a channel of a shared upstream and SLOW_BLOCK for a private one. */
enum slow_consumer {
    SLOW_DISCONNECT,
    SLOW_DROP_OLDEST,
    SLOW_DROP_NEWEST,
    SLOW_CONFLATE,
    SLOW_BLOCK,
    SLOW_DEFAULT
};
const char *slow_consumer_to_string(enum slow_consumer policy);

/* What happens to a message while the upstream is away, and to one that was not written whole when it went: it waits
 * for the next connection, or is told to its program as not sent. */
enum offline { OFFLINE_QUEUE, OFFLINE_REFUSE };

/* A list of strings; for headers name and value alternate. */
struct strings {
    char **items;
    size_t n_items;
};
int strings_add(struct strings *strings, const char *text, size_t len); /* copies; 0, -ENOMEM */
bool strings_have(const struct strings *strings, const char *text);
void strings_deinit(struct strings *strings);

/* What holds where nothing is configured; daemon/options.def names them to people.
 *   linger           programs that follow each other closely, as in a shell script, meet on one connection
 *   queue            one message of the default max-message, so that a single large one never counts as slow
 *   replay-bytes     as much as a program may be behind; nothing is kept before replay says so
 *   queue-messages   never the first bound to be met, unless somebody asks for it
 *   block-timeout    a debugger's pause or a busy disk, not a meal
 *   connect-timeout  several addresses that do not answer, then one that does
 *   ping             often enough for the tables of home routers, and for people to learn of a dead line within a minute
 *   pong-timeout     what a network that finds another way takes
 *   tcp-keepalive    what a kernel does is cheaper than a ping, but says nothing of the server; so it comes later
 *   tcp-user-timeout longer than a server may be expected to take nothing of what is sent, see wsplexd.conf(5)
 *   route-timeout    longer than people wait for an answer
 *   route-pending    more than a program asks before it looks at what came back
 *   close-timeout    some round trips over a bad line, and well below the time a service manager gives us to stop
 *   heartbeat-interval  servers that want to hear of their clients want it every 30 s or less often
 *   heartbeat-timeout   as pong-timeout
 *   backoff-min      what a person takes for at once, and a crowd needs to be no crowd
 *   backoff-max      a server that comes back is found within a minute
 *   min-uptime       longer than a server takes to accept a connection and then think better of it */
enum {
    TARGET_DEFAULT_LINGER_MS = 1000,
    TARGET_DEFAULT_QUEUE_BYTES = 16 << 20,
    TARGET_DEFAULT_QUEUE_MESSAGES = 1000000,
    TARGET_DEFAULT_REPLAY_BYTES = 16 << 20,
    TARGET_DEFAULT_BLOCK_TIMEOUT_MS = 10000,
    TARGET_DEFAULT_CONNECT_TIMEOUT_MS = 30000,
    TARGET_DEFAULT_CLOSE_TIMEOUT_MS = 5000,
    TARGET_DEFAULT_PING_MS = 30000,
    TARGET_DEFAULT_PONG_TIMEOUT_MS = 20000,
    TARGET_DEFAULT_TCP_KEEPALIVE_MS = 60000,
    TARGET_DEFAULT_TCP_USER_TIMEOUT_MS = 300000,
    TARGET_DEFAULT_ROUTE_TIMEOUT_MS = 60000,
    TARGET_DEFAULT_ROUTE_PENDING = 256,
    TARGET_DEFAULT_HEARTBEAT_INTERVAL_MS = 20000,
    TARGET_DEFAULT_HEARTBEAT_TIMEOUT_MS = 20000,
    TARGET_DEFAULT_BACKOFF_MIN_MS = 1000,
    TARGET_DEFAULT_BACKOFF_MAX_MS = 60000,
    TARGET_DEFAULT_MIN_UPTIME_MS = 60000,
};

/* What a target says of TLS: all of it is identity. */
struct tls_settings {
    char *ca_file, *ca_path;    /* trust anchors; both NULL: the system's */
    char *cert_file, *key_file; /* what to show the server; key_file NULL: it is in cert_file */
    struct strings pins;        /* "sha256/BASE64" of keys; none: any key will do */
    bool is_insecure;           /* chain and name are not verified; pins are */
};

/* What the server wants to hear beyond the pings of the protocol; see heartbeat.h. NULL: nothing. */
struct heartbeat_settings {
    char *text, *answer;   /* what is sent, and the message that must come */
    char *request, *reply; /* a message of the server, and what it is told */
    uint64_t interval_ms, timeout_ms;
};

struct target {
    /* identity */
    char *endpoint; /* name in the configuration; NULL for a free URL */
    struct wsp_url url;
    struct strings protocols; /* in the order of preference */
    struct strings headers;
    char *credentials_dir; /* NULL: a free URL, whose %{ are no credentials' names */
    struct proxy *proxy;   /* NULL: none */
    struct tls_settings tls;
    uint64_t max_message;
    bool is_deflated;    /* permessage-deflate is offered to the server, */
    bool is_taking_over; /* with context takeover, in both directions */
    uint8_t window_bits; /* and windows of at most this */
    uid_t scope;         /* only channels of this uid meet here, whose upstream it is; */
    bool is_wide; /* or all who may join the endpoint, and the upstream is the daemon's own */
    struct destination *destination; /* a reference: where it may go; NULL: anywhere */

    bool may_open;  /* make the upstream, if there is none to join */
    uint8_t denied; /* bits of enum wsp_denied: what the channel may not */

    /* policy of each channel: what its own target says, also where it joins an upstream that
     * stands */
    /* How far it may lag behind, not counting the message that it is reading. */
    uint64_t queue_bytes, queue_messages;
    enum slow_consumer slow_consumer;

    /* How much of what came before it joined it is given, at most. */
    struct retention replay;

    /* policy of the upstream: the most that any of its channels asked for */
    uint64_t linger_ms;
    struct retention retention; /* at least as much as replay */

    /* policy of the upstream: the first channel's values hold */
    char *conflate_key_text; /* NULL: there is none */
    struct conflate_key conflate_key;
    struct routing_settings routing;
    uint64_t block_timeout_ms;
    uint64_t connect_timeout_ms;  /* resolving, connecting, TLS and the upgrade together */
    uint64_t ping_ms;             /* of silence before a ping; 0: none is sent */
    uint64_t pong_timeout_ms;     /* of silence after it */
    uint64_t tcp_keepalive_ms;    /* of silence before the kernel asks; 0: it does not */
    uint64_t tcp_user_timeout_ms; /* for the server to take what is sent; 0: as the kernel has it */
    uint64_t close_timeout_ms;    /* the peer's Close frame, then its end of the connection */
    struct strings greeting;      /* what each new connection is told first */
    uint64_t greeting_interval_ms; /* between two messages of the daemon's own */
    struct heartbeat_settings heartbeat;
    /* See reconnect.h. Of a free URL nothing comes back. */
    bool is_persistent;
    uint64_t backoff_min_ms, backoff_max_ms; /* bounds of the delay before an attempt */
    uint64_t min_uptime_ms;                  /* of a connection, before the delays begin anew */
    uint64_t rotate_ms; /* of a connection, before it is renewed; 0: it is not */
    enum offline offline;
    struct strings
        final_codes; /* see close_codes.h: close codes after which it does not come back */
};

struct target *target_new(void); /* zeroed but for the defaults of the policy; NULL: no memory */
struct target *target_free(struct target *target);

/* What a reload changes of a target that is in use, taken from one of the same endpoint: what holds at once (NOW in
 * options.def), and what holds for the next connection (NEXT). from is left with what there was before. */
void target_renew(struct target *target, struct target *from);
void target_renew_connection(struct target *target, struct target *from);

/* The text is one that conflate_key_parse takes. 0, -ENOMEM. */
int target_set_conflate_key(struct target *target, const char *text);

/* How the target is shown to its owner, in ctl and in logs: `wsplex-endpoint:NAME`, or the URL
 * without credentials and query. Written to to, which has room for TARGET_DISPLAY_LEN bytes, and
 * returned; cut, with an ellipsis, where it is longer. */
enum { TARGET_DISPLAY_LEN = 512 };
const char *target_display(const struct target *target, char to[TARGET_DISPLAY_LEN]);

/* Whether the request that opens the connection says credentials. */
bool target_has_credentials(const struct target *target);

/* The Unix socket of a ws+unix URL for people: "unix:/run/server.sock". Cut to fit. */
void target_socket_format(const struct wsp_url *url, char *to, size_t len);

#endif
