/* SPDX-License-Identifier: MIT
 *
 * access: who may do what with an endpoint, or with URLs of one's own: the lists `users` and `groups` of
 * wsplexd.conf(5), by uid, gid and the names that they have on this machine.
 * Neighbours: config reads the lists, open_request and control ask.
 * Invariant: a right is held only if a rule gives it to exactly that uid, to a group that the kernel says the peer has,
 * or to everybody; rules only give, so their order does not matter.
 */
#ifndef WSPLEX_DAEMON_ACCESS_H
#define WSPLEX_DAEMON_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/target.h"
#include "proto/buffer.h"

/* bit, NAME, word, what it allows */
#define ACCESS_RIGHTS(X)                                                \
    X(1, OPEN, "open", "make a connection to the server")               \
    X(2, JOIN, "join", "meet other users on one connection")            \
    X(4, SEND, "send", "send messages")                                 \
    X(8, RECEIVE, "receive", "get messages")                            \
    X(16, MONITOR, "monitor", "watch the connections that users share") \
    X(32, CONTROL, "control", "see and close the connections that users share")

enum access_right {
#define ACCESS_ENUM(bit, NAME, word, meaning) ACCESS_##NAME = (bit),
    ACCESS_RIGHTS(ACCESS_ENUM)
#undef ACCESS_ENUM
};

/* What everybody may where nobody has said anything: all but to meet others. */
#define ACCESS_DEFAULT ((unsigned)(ACCESS_OPEN | ACCESS_SEND | ACCESS_RECEIVE))

enum access_who { ACCESS_EVERYBODY, ACCESS_USER, ACCESS_GROUP };

struct access_rule {
    enum access_who who;
    uint32_t id; /* uid or gid */
    unsigned rights;
};

/* Long enough for a rule in its own words, and for what is wrong with one. */
enum { ACCESS_TEXT_LEN = 160 };

/* "alice: open join", "1000: receive", "*: none"; for a group "traders: join". words: the rights that may
 * stand there, as in "open|send". False with what is wrong, a sentence without a full stop. */
bool access_rule_read(struct wsp_view text, enum access_who who, const char *words,
                      struct access_rule *ret_rule, char ret_problem[ACCESS_TEXT_LEN]);

/* The rule with a number for the name, which reads as the same rule wherever names have changed. */
void access_rule_format(const struct access_rule *rule, char ret_text[ACCESS_TEXT_LEN]);

/* Without rules, what stands for them is ACCESS_DEFAULT. */
struct access {
    struct access_rule *rules;
    size_t n_rules;
};

/* Adds lists that have no flaw. 0, -ENOMEM. */
int access_add(struct access *access, const struct strings *users, const struct strings *groups);
void access_deinit(struct access *access); /* takes a zeroed one */

/* A peer: its uid, and whether it has a group; context is the caller's. */
struct access_peer {
    uid_t uid;
    bool (*has_group)(const void *context, gid_t group);
    const void *context;
};

/* Bits of enum access_right. */
unsigned access_rights(const struct access *access, const struct access_peer *peer);

/* Whether anybody is given the right to join. */
bool access_lets_join(const struct access *access);

/* Whether that is enough to open anything, that is to come to a connection and to do something there. */
bool access_is_enough(unsigned rights);

/* The word of a right, for each bit from 1 on; NULL: there is none. */
const char *access_right_to_string(unsigned right);

#endif
