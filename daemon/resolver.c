/* SPDX-License-Identifier: MIT
 *
 * resolver: addresses of host names; see resolver.h.
 * Neighbours: c-ares below, which says which descriptors and times it waits for; dial above.
 * Invariant: a lookup answers once for each family, from the loop, never from within resolver_lookup.
 *
 * A name is looked up in /etc/hosts first, for both families together: what stands there is all there is, so that a
 * name that somebody has pinned to an IPv4 address is not reached by IPv6 elsewhere. Names that end in localhost are the
 * loopback, whatever stands there. Only then both questions go to the name servers, each answered by
 * itself, as RFC 8305 (section 3) wants it.
 */
#include "daemon/resolver.h"

#include <ares.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "daemon/file_version.h"

static const char resolv_conf[] = "/etc/resolv.conf";

/* The name servers as resolv.conf named them at one time, and a share of the questions. When resolv.conf has changed, or
 * there are many questions, new ones get a new one, and the old one goes with the last question whose answer is still
 * waited for. c-ares cannot take a single question back, and looks at all of them for each that is put. */
struct servers {
    struct list link; /* in resolver->servers; the first is the current one */
    struct resolver *resolver;
    ares_channel channel;
    struct list sockets;
    struct timer timer;
    unsigned n_questions; /* that c-ares holds */
    unsigned n_wanted;    /* of these, by lookups that are not freed */
};

struct socket_of_servers {
    struct list link;
    struct servers *servers;
    struct watch watch;
};

struct resolver {
    struct loop *loop;
    ares_channel hosts; /* reads /etc/hosts, asks nobody */
    struct list servers;
    /* Of resolv.conf when the current servers were made; all zero: there was none. */
    struct stat conf;
    struct task reap;
    char *pinned; /* the servers were given, and resolv.conf does not matter; or NULL */
};

struct question {
    struct lookup *lookup;
    struct servers *servers;
    enum race_family family;
    bool is_pending;
};

struct lookup {
    struct resolver *resolver;
    lookup_answer_fn answer;
    void *owner;
    uint16_t port;
    struct task tell;
    unsigned n_pending; /* questions that c-ares still holds */
    bool is_freed, is_telling;
    struct question questions[RACE_N_FAMILIES];
    struct lookup_side {
        union address addresses[MAX_ADDRESSES_PER_FAMILY];
        unsigned n_addresses;
        const char *why;
        bool is_known, is_told;
    } sides[RACE_N_FAMILIES];
};

static const int family_of[RACE_N_FAMILIES] = {[RACE_IPV6] = AF_INET6, [RACE_IPV4] = AF_INET};

/* --- servers: c-ares in the loop --- */

static void servers_rearm(struct servers *servers)
{
    struct timeval left;

    if (ares_timeout(servers->channel, NULL, &left) == NULL)
        timer_stop(&servers->timer);
    else
        timer_start(&servers->timer,
                    (uint64_t)left.tv_sec * 1000 + (uint64_t)left.tv_usec / 1000 + 1);
}

static void servers_process(struct servers *servers, ares_socket_t readable, ares_socket_t writable)
{
    ares_process_fd(servers->channel, readable, writable);
    servers_rearm(servers);
}

static void servers_timed_out(void *owner)
{
    servers_process(owner, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void socket_ready(void *owner, unsigned events)
{
    struct socket_of_servers *s = owner;
    int fd = s->watch.fd;

    servers_process(s->servers, events & WATCH_READABLE ? fd : ARES_SOCKET_BAD,
                    events & WATCH_WRITABLE ? fd : ARES_SOCKET_BAD);
}

static struct socket_of_servers *socket_find(struct servers *servers, int fd)
{
    LIST_FOR_EACH (node, &servers->sockets) {
        struct socket_of_servers *s = LIST_ENTRY(node, struct socket_of_servers, link);

        if (s->watch.fd == fd)
            return s;
    }
    return NULL;
}

static struct socket_of_servers *socket_new(struct servers *servers, int fd)
{
    struct socket_of_servers *s = malloc(sizeof(*s));

    if (s == NULL)
        return NULL;
    if (watch_init(&s->watch, servers->resolver->loop, fd, socket_ready, s) < 0) {
        free(s);
        return NULL;
    }
    s->servers = servers;
    list_init(&s->link);
    list_append(&servers->sockets, &s->link);
    return s;
}

static void socket_free(struct socket_of_servers *s)
{
    watch_deinit(&s->watch);
    list_remove(&s->link);
    free(s);
}

/* c-ares wants a descriptor watched, or (neither direction) is about to close it. Without memory for the watch the
 * question runs into its time limit. */
static void servers_socket_changed(void *data, ares_socket_t fd, int is_reading, int is_writing)
{
    struct servers *servers = data;
    struct socket_of_servers *s = socket_find(servers, fd);

    if (!is_reading && !is_writing) {
        if (s != NULL)
            socket_free(s);
        return;
    }
    if (s == NULL)
        s = socket_new(servers, fd);
    if (s != NULL)
        watch_want(&s->watch,
                   (is_reading ? WATCH_READABLE : 0u) | (is_writing ? WATCH_WRITABLE : 0u));
}

/* Every question that is still with it is answered "destroyed" on the way. */
static void servers_free(struct servers *servers)
{
    if (servers->channel != NULL)
        ares_destroy(servers->channel);
    LIST_FOR_EACH (node, &servers->sockets)
        socket_free(LIST_ENTRY(node, struct socket_of_servers, link));
    timer_deinit(&servers->timer);
    list_remove(&servers->link);
    free(servers);
}

static int servers_new(struct resolver *resolver, struct servers **ret_servers)
{
    struct servers *servers = calloc(1, sizeof(*servers));
    struct ares_options options = {
        .timeout = RESOLVE_TIMEOUT_MS,
        .tries = RESOLVE_N_TRIES,
        .lookups = (char *)(uintptr_t) "b",
        .sock_state_cb = servers_socket_changed,
        .sock_state_cb_data = servers,
    };
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
    int r;

    if (servers == NULL)
        return -ENOMEM;
    servers->resolver = resolver;
    list_init(&servers->link);
    list_init(&servers->sockets);
    r = timer_init(&servers->timer, loop_clock(resolver->loop), servers_timed_out, servers);
    if (r < 0)
        goto free_servers;
    r = ares_init_options(&servers->channel, &options, mask);
    if (r != ARES_SUCCESS) {
        servers->channel = NULL;
        r = r == ARES_ENOMEM ? -ENOMEM : -EIO;
        goto free_servers;
    }
    if (resolver->pinned != NULL &&
        ares_set_servers_ports_csv(servers->channel, resolver->pinned) != ARES_SUCCESS) {
        r = -ENOMEM;
        goto free_servers;
    }
    *ret_servers = servers;
    return 0;

free_servers:
    servers_free(servers);
    return r;
}

/* --- the resolver --- */

static struct servers *resolver_current(struct resolver *resolver)
{
    return LIST_ENTRY(resolver->servers.next, struct servers, link);
}

/* When nobody wants to know any more, which may show within c-ares, old servers go, and the current ones forget what
 * they were asked, instead of asking on for as long as it may take. */
static void resolver_reap(void *owner)
{
    struct resolver *resolver = owner;

    LIST_FOR_EACH (node, &resolver->servers) {
        struct servers *servers = LIST_ENTRY(node, struct servers, link);

        if (servers->n_wanted > 0)
            continue;
        if (servers != resolver_current(resolver)) {
            servers_free(servers);
        } else if (servers->n_questions > 0) {
            ares_cancel(servers->channel);
            servers_rearm(servers);
        }
    }
}

static void question_is_unwanted(struct question *question)
{
    struct resolver *resolver = question->lookup->resolver;

    if (--question->servers->n_wanted == 0)
        turn_schedule(loop_turn(resolver->loop), TURN_BURY, &resolver->reap);
}

/* The current servers will do for the next lookup. */
static bool resolver_is_fresh(const struct resolver *resolver, const struct stat *conf)
{
    const struct list *first = list_first(&resolver->servers);

    if (first == NULL || LIST_ENTRY(first, struct servers, link)->n_questions >= MAX_QUESTIONS)
        return false;
    return resolver->pinned != NULL || file_version_is_same(conf, &resolver->conf);
}

/* A machine that moves between networks gets a new resolv.conf, and c-ares reads it once. */
static int resolver_refresh(struct resolver *resolver)
{
    struct stat conf;
    struct servers *servers;
    int r;

    if (stat(resolv_conf, &conf) < 0)
        memset(&conf, 0, sizeof(conf));
    if (resolver_is_fresh(resolver, &conf))
        return 0;
    r = servers_new(resolver, &servers);
    if (r < 0)
        return list_is_empty(&resolver->servers)
                   ? r
                   : 0; /* the old ones may do; tried again next time */
    list_prepend(&resolver->servers, &servers->link);
    resolver->conf = conf;
    turn_schedule(loop_turn(resolver->loop), TURN_BURY, &resolver->reap);
    return 0;
}

int resolver_new(struct loop *loop, struct resolver **ret_resolver)
{
    struct resolver *resolver = calloc(1, sizeof(*resolver));
    struct ares_options options = {.lookups = (char *)(uintptr_t) "f"};
    int r;

    if (resolver == NULL)
        return -ENOMEM;
    resolver->loop = loop;
    list_init(&resolver->servers);
    task_init(&resolver->reap, resolver_reap, resolver);
    r = ares_library_init(ARES_LIB_INIT_ALL);
    if (r != ARES_SUCCESS) {
        free(resolver);
        return -ENOMEM;
    }
    r = ares_init_options(&resolver->hosts, &options, ARES_OPT_LOOKUPS);
    if (r != ARES_SUCCESS) {
        resolver->hosts = NULL;
        r = r == ARES_ENOMEM ? -ENOMEM : -EIO;
        goto free_resolver;
    }
    r = resolver_refresh(resolver);
    if (r < 0)
        goto free_resolver;
    *ret_resolver = resolver;
    return 0;

free_resolver:
    resolver_free(resolver);
    return r;
}

struct resolver *resolver_free(struct resolver *resolver)
{
    if (resolver == NULL)
        return NULL;
    LIST_FOR_EACH (node, &resolver->servers)
        servers_free(LIST_ENTRY(node, struct servers, link));
    if (resolver->hosts != NULL)
        ares_destroy(resolver->hosts);
    task_cancel(&resolver->reap);
    free(resolver->pinned);
    ares_library_cleanup();
    free(resolver);
    return NULL;
}

int resolver_set_servers(struct resolver *resolver, const char *servers)
{
    char *pinned = strdup(servers);

    if (pinned == NULL)
        return -ENOMEM;
    switch (ares_set_servers_ports_csv(resolver_current(resolver)->channel, servers)) {
    case ARES_SUCCESS:
        free(resolver->pinned);
        resolver->pinned = pinned;
        return 0;
    case ARES_ENOMEM: free(pinned); return -ENOMEM;
    default: free(pinned); return -EINVAL;
    }
}

/* --- a lookup --- */

/* Gone with the last question, or at once. */
static void lookup_free_if_over(struct lookup *lookup)
{
    if (!lookup->is_freed || lookup->is_telling || lookup->n_pending > 0)
        return;
    task_cancel(&lookup->tell);
    free(lookup);
}

static void lookup_tell(void *owner)
{
    struct lookup *lookup = owner;

    lookup->is_telling = true;
    for (enum race_family family = 0; family < RACE_N_FAMILIES; family++) {
        struct lookup_side *side = &lookup->sides[family];

        if (!side->is_known || side->is_told || lookup->is_freed)
            continue;
        side->is_told = true;
        lookup->answer(lookup->owner, family, side->addresses, side->n_addresses, side->why);
    }
    lookup->is_telling = false;
    lookup_free_if_over(lookup);
}

static void side_add(struct lookup_side *side, const union address *address)
{
    for (unsigned i = 0; i < side->n_addresses; i++)
        if (address_is_same(&side->addresses[i], address))
            return;
    if (side->n_addresses < MAX_ADDRESSES_PER_FAMILY)
        side->addresses[side->n_addresses++] = *address;
}

static void lookup_add(struct lookup *lookup, const struct ares_addrinfo *found)
{
    for (const struct ares_addrinfo_node *node = found->nodes; node != NULL; node = node->ai_next) {
        union address address;

        if (node->ai_family != AF_INET && node->ai_family != AF_INET6)
            continue;
        address_set(&address, node->ai_addr, lookup->port);
        side_add(&lookup->sides[node->ai_family == AF_INET ? RACE_IPV4 : RACE_IPV6], &address);
    }
}

static void lookup_know(struct lookup *lookup, enum race_family family, const char *why)
{
    lookup->sides[family].is_known = true;
    lookup->sides[family].why = why;
    if (!lookup->is_freed)
        turn_schedule(loop_turn(lookup->resolver->loop), TURN_NEXT, &lookup->tell);
}

static const char *status_to_text(int status)
{
    switch (status) {
    case ARES_SUCCESS:
    case ARES_ENODATA: return "the name has no address";
    case ARES_ENOTFOUND: return "no such name";
    case ARES_ETIMEOUT: return "the name servers do not answer";
    /* c-ares says so also when each of them has answered with a failure of its own. */
    case ARES_ECONNREFUSED:
    case ARES_ESERVFAIL: return "no name server gives an answer";
    default: return ares_strerror(status);
    }
}

/* An answer of the name servers, which may be here before the question was put (a name that cannot be asked for). */
static void question_answered(void *data, int status, int n_timeouts, struct ares_addrinfo *found)
{
    struct question *question = data;
    struct lookup *lookup = question->lookup;

    (void)n_timeouts;
    if (found != NULL)
        lookup_add(lookup, found);
    ares_freeaddrinfo(found);
    question->is_pending = false;
    question->servers->n_questions--;
    if (!lookup->is_freed)
        question_is_unwanted(question);
    lookup->n_pending--;
    lookup_know(lookup, question->family, status_to_text(status));
    lookup_free_if_over(lookup);
}

static void lookup_ask(struct lookup *lookup, const char *host)
{
    struct servers *servers = resolver_current(lookup->resolver);

    for (enum race_family family = 0; family < RACE_N_FAMILIES; family++) {
        struct ares_addrinfo_hints hints = {.ai_family = family_of[family],
                                            .ai_socktype = SOCK_STREAM};
        struct question *question = &lookup->questions[family];

        *question = (struct question){lookup, servers, family, true};
        lookup->n_pending++;
        servers->n_questions++;
        servers->n_wanted++;
        ares_getaddrinfo(servers->channel, host, NULL, &hints, question_answered, question);
    }
    servers_rearm(servers);
}

static void hosts_answered(void *data, int status, int n_timeouts, struct ares_addrinfo *found)
{
    (void)n_timeouts;
    if (status == ARES_SUCCESS)
        lookup_add(data, found);
    ares_freeaddrinfo(found);
}

/* RFC 6761, section 6.3: these names are the loopback's, and no name server is asked for them. */
static bool is_localhost(const char *host)
{
    static const char localhost[] = "localhost";
    size_t len = strlen(host), name_len = sizeof(localhost) - 1;

    if (len > 0 && host[len - 1] == '.')
        len--;
    return len >= name_len && strncasecmp(host + len - name_len, localhost, name_len) == 0 &&
           (len == name_len || host[len - name_len - 1] == '.');
}

static void lookup_add_loopback(struct lookup *lookup)
{
    union address address;

    address_parse(&address, "::1", lookup->port);
    side_add(&lookup->sides[RACE_IPV6], &address);
    address_parse(&address, "127.0.0.1", lookup->port);
    side_add(&lookup->sides[RACE_IPV4], &address);
}

static bool lookup_has_addresses(const struct lookup *lookup)
{
    return lookup->sides[RACE_IPV4].n_addresses > 0 || lookup->sides[RACE_IPV6].n_addresses > 0;
}

/* Both families are known without asking. */
static bool lookup_is_local(struct lookup *lookup, const char *host)
{
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    union address address;

    if (address_parse(&address, host, lookup->port) == 0)
        side_add(&lookup->sides[address.any.sa_family == AF_INET ? RACE_IPV4 : RACE_IPV6],
                 &address);
    else if (is_localhost(host)) /* c-ares 1.18 leaks where the file does not have it */
        lookup_add_loopback(lookup);
    else
        ares_getaddrinfo(lookup->resolver->hosts, host, NULL, &hints, hosts_answered, lookup);
    return lookup_has_addresses(lookup);
}

int resolver_lookup(struct resolver *resolver, const char *host, uint16_t port,
                    lookup_answer_fn answer, void *owner, struct lookup **ret_lookup)
{
    struct lookup *lookup = calloc(1, sizeof(*lookup));

    if (lookup == NULL)
        return -ENOMEM;
    resolver_refresh(resolver);
    lookup->resolver = resolver;
    lookup->answer = answer;
    lookup->owner = owner;
    lookup->port = port;
    task_init(&lookup->tell, lookup_tell, lookup);
    if (lookup_is_local(lookup, host)) {
        lookup_know(lookup, RACE_IPV6, status_to_text(ARES_ENODATA));
        lookup_know(lookup, RACE_IPV4, status_to_text(ARES_ENODATA));
    } else {
        lookup_ask(lookup, host);
    }
    *ret_lookup = lookup;
    return 0;
}

struct lookup *lookup_free(struct lookup *lookup)
{
    if (lookup == NULL)
        return NULL;
    lookup->is_freed = true;
    for (enum race_family family = 0; family < RACE_N_FAMILIES; family++) {
        if (lookup->questions[family].is_pending)
            question_is_unwanted(&lookup->questions[family]);
    }
    task_cancel(&lookup->tell);
    lookup_free_if_over(lookup);
    return NULL;
}
