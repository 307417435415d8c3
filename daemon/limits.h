/* SPDX-License-Identifier: MIT
 *
 * Every number of the daemon that bounds an outsider and is nobody's to configure, with its reason; the numbers of the
 * protocols stand in proto/limits.h, quotas in quota.h, defaults of what can be configured in target.h and config.h.
 * Neighbours: whoever does the bounding. Invariant: no number of this kind anywhere else in daemon.
 */
#ifndef WSPLEX_DAEMON_LIMITS_H
#define WSPLEX_DAEMON_LIMITS_H

/* --- the loop --- */

/* What one callback reads at most in one turn, from a server or a client. One recv of this size takes what a fast peer
 * sends in a millisecond or so; more would only let one connection keep the others waiting. */
#define MAX_READ_PER_TURN (256 * 1024)

/* --- reaching a server --- */

/* Addresses of one family that are kept of a name's answer. Names with more than a handful are load balancers whose
 * addresses do the same; the rest would never get their turn within a connect timeout. */
#define MAX_ADDRESSES_PER_FAMILY 16

/* RFC 8305, section 8: after this long a further address is tried while the ones before go on. */
#define CONNECT_ATTEMPT_DELAY_MS 250

/* RFC 8305, section 8: so long an answer with IPv4 addresses waits for the one with IPv6 addresses. */
#define RESOLUTION_DELAY_MS 50

/* One question to one name server, and how often it is put to each; c-ares doubles the time with each round. A lost
 * datagram costs two seconds, and a name server that is down gives way to the next before people give up. */
#define RESOLVE_TIMEOUT_MS 2000
#define RESOLVE_N_TRIES    3

/* --- an upstream --- */

/* Events (messages, pings) that an upstream takes out of what it has read in one turn. What a server sends in frames
 * of a few bytes is spread over turns, as each of them is work for every channel. */
#define MAX_EVENTS_PER_TURN 4096

/* Bytes that an upstream gathers for one write: four full TLS records, and what a socket usually takes at once. */
#define MAX_WRITE_PER_TURN (64 * 1024)

/* Messages in one such write: more are a matter of the next turn, so that what remembers them stays small. */
#define MAX_MESSAGES_PER_WRITE 512

#endif
