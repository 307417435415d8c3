/* SPDX-License-Identifier: MIT
 *
 * limits: every number of the daemon that bounds an outsider and is nobody's to configure, with its
 * reason; the numbers of the protocols stand in proto/limits.h, quotas in quota.h, what can be
 * configured in options.def.
 * Neighbours: whoever does the bounding. Invariant: no number of this kind anywhere else in daemon.
 */
#ifndef WSPLEX_DAEMON_LIMITS_H
#define WSPLEX_DAEMON_LIMITS_H

/* --- the loop --- */

/* What one callback reads at most in one turn, from a server or a client. One recv of this size
 * takes what a fast peer sends in a millisecond or so; more would only let one connection keep the
 * others waiting. */
#define MAX_READ_PER_TURN (256 * 1024)

/* What is done for one user in one turn (daemon/slice), in bytes that are only read and copied: some milliseconds. Who
 * has a thousand connections that flood makes the others wait for no more than this. What has a price of its own is
 * worth so many bytes: a frame of a client, or an event of a server, for each channel that hears of it; opening a
 * channel, which ends in a socket and some timers; making a piece of a reply to control, each byte of it, and each
 * object that is passed over to find where it begins. */
#define MAX_WORK_PER_TURN (4 * 1024 * 1024)
#define WORK_PER_FRAME    256
#define WORK_PER_HEARER   64
#define WORK_PER_OPEN     (64 * 1024)
#define WORK_PER_PIECE    (16 * 1024)
#define WORK_PER_MADE     16
#define WORK_PER_PASSED   16

/* --- the listener --- */

/* Connections that wait to be accepted: a crowd that comes at once, as after a start of the
 * machine. */
#define MAX_BACKLOG 1024

/* Accepted in one turn, so that a crowd at the door does not stop those inside. */
#define MAX_ACCEPTS_PER_TURN 64

/* Without a descriptor to spare, accepting rests so long, or until a client goes: a wakeup a
 * second, not a processor. */
#define ACCEPT_REST_MS 1000

/* --- the log lines --- */

/* A person reads some twenty lines; what happens more often in ten seconds is one event. */
#define JOURNAL_WINDOW_MS            10000
#define MAX_JOURNAL_LINES_PER_WINDOW 20

/* --- reaching a server --- */

/* Addresses of one family that are kept of a name's answer. Names with more than a handful are load
 * balancers whose addresses do the same; the rest would never get their turn within a connect
 * timeout. */
#define MAX_ADDRESSES_PER_FAMILY 16

/* RFC 8305, section 8: after this long a further address is tried while the ones before go on. */
#define CONNECT_ATTEMPT_DELAY_MS 250

/* RFC 8305, section 8: so long an answer with IPv4 addresses waits for the one with IPv6
 * addresses. */
#define RESOLUTION_DELAY_MS 50

/* A Unix socket whose queue is full is tried again so often: nothing tells when it has room. */
#define CONNECT_UNIX_AGAIN_MS 50

/* One question to one name server, and how often it is put to each; c-ares doubles the time with
 * each round. A lost datagram costs two seconds, and a name server that is down gives way to the
 * next before people give up. */
#define RESOLVE_TIMEOUT_MS 2000
#define RESOLVE_N_TRIES    3

/* What a server's Retry-After is heeded for at most. A mistake in it, or a proxy's for what is behind it, does not silence
 * an endpoint for a day; who comes too early is told so again. */
#define MAX_RETRY_AFTER_S 3600

/* Items of final-codes: each is compared with the code of a connection that has ended, and there are ranges. */
#define MAX_FINAL_CODES 64

/* Questions that one c-ares channel holds at once. Each new one costs a look at all of them, and
 * among 65536 it would search for a free number for ever; with more than these there is a further
 * channel, and one whose askers have all gone is given up with what it still asks. */
#define MAX_QUESTIONS 1024

/* Pinned keys of one target: those of a rotation and its spares, and then some. */
#define MAX_PINS 16

/* Rates that one budget is held to at once. Servers publish two or three. */
#define MAX_RATES 8

/* Hosts of free URLs of which one user has budgets of their own; those beyond have one together. */
#define MAX_FREE_BUDGETS 256

/* The file of what budgets have spent: ten thousand endpoints that have spent their day evenly are
 * less. And lines that are added to it at least before it is written anew: some 60 KiB. */
#define MAX_LEDGER_LEN   (64 * 1024 * 1024)
#define MIN_LEDGER_LINES 1024

/* The clock on the wall was set when it has moved by so much against the one that nobody sets. */
#define LEDGER_DRIFT_MS 2000

/* How soon it is tried again when nothing can be written down: as soon as people look whether what
 * they have mended was it. */
#define LEDGER_RETRY_MS 2000

/* A budget with a period of at least so much survives a power cut as well: no machine is up again
 * sooner. */
#define MIN_SYNCED_PERIOD_MS 60000

/* A disk that has been at it for so long is told of: as a busy one may take seconds. */
#define LEDGER_SLOW_MS 5000

/* At its end the daemon waits so long for what the disk is at, and as long for what was spent to be
 * written down once more: half of what a user who stops it has patience for. */
#define LEDGER_END_MS 2000

/* A file of certificates: the whole public trust store is some 250 KiB. */
#define MAX_TLS_FILE (4 * 1024 * 1024)

/* Files of a directory of certificates: a machine's own has some 150. */
#define MAX_TLS_DIRECTORY 4096

/* TLS settings that are kept ready for the next connection. Each holds its trusted certificates, a megabyte for the
 * public ones; more are made when they are needed, at the cost of reading their files again. */
#define MAX_TLS_CONTEXTS 64

/* TLS sessions that are kept to be resumed: of one target as many as programs usually open at once, of one
 * user as many as leave the others theirs. Each costs some kilobytes, most of them shared with its like. */
#define MAX_TLS_SESSIONS_PER_TARGET 4
#define MAX_TLS_SESSIONS_PER_USER   256
#define MAX_TLS_SESSIONS            1024

/* The certificates and the ticket of one of them. Usual chains have 3 to 8 KiB; OpenSSL takes ten times that, and
 * a ticket of 64 KiB on top. */
#define MAX_TLS_SESSION_LEN (16 * 1024)

/* How long the body of an answer that refuses is waited for. It comes with the head or right behind
 * it; a server that never ends it delays what programs are told by so much. */
#define EXCERPT_WAIT_MS 500

/* The shortest word of an endpoint's credentials that is looked for in such a body: shorter ones are
 * words of any page ("Bearer", "session"), and no good secrets. */
#define MIN_SECRET_WORD 8

/* The value of one credential: a signed token with all its claims has some kilobytes, and servers take
 * no longer header. */
#define MAX_CREDENTIAL (16 * 1024)

/* Of such a value, which is known to be a secret: even a number of four digits is covered. */
#define MIN_SECRET_VALUE 4

/* Of tcp-keepalive, once it has begun: a minute in which four probes are lost is no accident. Where
 * tcp-user-timeout is set, that is how long the kernel goes on probing. */
#define TCP_KEEPALIVE_INTERVAL_S 15
#define TCP_KEEPALIVE_N_PROBES   4

/* --- an upstream --- */

/* Events (messages, pings) that an upstream takes out of what it has read in one turn. What a
 * server sends in frames of a few bytes is spread over turns, as each of them is work for every
 * channel. */
#define MAX_EVENTS_PER_TURN 4096

/* A message that has not come whole holds so much without asking; beyond it, it waits for room for
 * all of it (daemon/reception). A record of TLS, and less than what a TLS connection costs anyway:
 * times the upstreams that a user may have, this is what servers can always make the daemon hold. */
#define MAX_UNRESERVED_LEN (16 * 1024)

/* Read at once where a user has so much that a further message could not go on anyway; the same
 * reason. */
#define MAX_READ_CROWDED (16 * 1024)

/* How long a message may keep room that another one waits for: so long, and as it must be expected
 * to take at this rate (bytes in a second, 2 Mbit/s). A server that sends on over a bad line is not
 * to be cut off, and one that has stopped shall not stop others for minutes. */
#define RESERVED_GRACE_MS 10000
#define MIN_RESERVED_RATE (256 * 1024)

/* Bytes that come out of what an upstream has read compressed, in one turn: some milliseconds of
 * work, as a scratch full that is not compressed makes. A thousand times what was read may wait in
 * it. */
#define MAX_UNPACKED_PER_TURN (1024 * 1024)

/* A message that was put together and is shorter is copied: the room to unpack into is as large, and one that waits
 * for its readers must not hold what it is not charged for. */
#define MIN_TAKEN_LEN 4096

/* Bytes of messages that are compressed for one write; packing costs some five times as much. */
#define MAX_PACKED_PER_TURN (256 * 1024)

/* Bytes that an upstream gathers for one write: four full TLS records, and what a socket usually
 * takes at once. */
#define MAX_WRITE_PER_TURN (64 * 1024)

/* Pongs that wait while a message is being written or the server takes nothing: some thirty of the longest. A server that
 * counts on an answer to each ping sends a few at a time; for one that only floods, the newest must do. */
#define MAX_PONGS_LEN (4 * 1024)

/* What the server's Close, or our own after a fault of the server, waits for: until a private channel's program has had
 * what came before, and what it says to that has gone; it begins anew as long as the server takes something of that. A
 * program that is not busy needs a fraction of it; the server, which wants its answer soon, hardly notices so much. */
#define PARTING_MS 500

/* Messages of a greeting, and bytes of each: logging in takes a few, subscribing to all that a busy desk
 * follows some dozens. */
#define MAX_GREETING         256
#define MAX_GREETING_MESSAGE (64 * 1024)

/* A heartbeat, its answer, or what a server asks and is told. They are a few words; what is longer is
 * not looked at. */
#define MAX_HEARTBEAT_LEN 4096

/* Subscriptions of one channel, and bytes of them. Servers that count topics allow a thousand or less
 * on a connection; all of them are said anew after each reconnection, and looked through when the
 * channel asks for one more. What all channels of a user have together is in quota.h. */
#define MAX_SUBSCRIPTIONS_PER_CHANNEL      1024
#define MAX_SUBSCRIPTION_BYTES_PER_CHANNEL (1024 * 1024)

/* Of an upstream's subscriptions so many are shown, and so much of their texts: a person reads some, and a
 * reply must not be longer than a client's lane. */
#define MAX_SHOWN_SUBSCRIPTIONS 64
#define MAX_SHOWN_TEXT          240

/* Messages in one such write: more are a matter of the next turn, so that what remembers them stays
 * small. */
#define MAX_MESSAGES_PER_WRITE 512

/* --- replies to the one who asked --- */

/* Requests of one connection that wait for their replies: each holds some hundred bytes, so a few megabytes at most. */
#define MAX_ROUTES 16384

/* An id that is longer, quotation marks included, is nobody's id: the longest in use are UUIDs and hashes. */
#define MAX_ROUTED_ID 128

/* When there was no memory for one of them, its request is tried again. */
#define ROUTING_AGAIN_MS 1000

/* --- what is looked for in JSON texts --- */

/* Brackets within brackets: a bit for each is kept while a text is read. Parsers give up between 64 and some
 * thousands; what servers send has a dozen. */
#define MAX_JSON_DEPTH 512

/* A message's key, by which a later one supersedes it: a symbol, a topic, an id. Longer ones are
 * payload; each comparison of two keys would have to read them. */
#define MAX_CONFLATE_KEY 1024

/* --- the history --- */

/* Failed upstreams that are remembered for one user, and for all. One is some 2 KiB at most; a
 * person who looks for the cause looks at the last few. */
#define MAX_HISTORY_PER_USER 16
#define MAX_HISTORY          1024

/* --- a client --- */

/* From connecting to HELLO. Programs send it at once; who does not speak this protocol shall not
 * hold a descriptor. */
#define CLIENT_GREETING_MS 10000

/* From an ERROR to the end of the connection: the time to read it, and to be seen leaving. */
#define CLIENT_PARTING_MS 2000

/* Clients that are refused because their user has too many, and are being told so: they are charged to nobody, and each
 * has a descriptor for as long as CLIENT_PARTING_MS. Those beyond are hung up on without a word. */
#define MAX_REFUSED_CLIENTS 64

/* Channel numbers of one client, however many its user may have: what HELLO tells at most. */
#define MAX_CHANNELS_PER_CLIENT 65536

/* Channels of a client that were refused because its user has too many: they are charged to nobody
 * until they are released, so there can only be as many as a program opens before it reads the
 * first answer. */
#define MAX_UNCHARGED_CHANNELS 64

/* Requests of control that wait for their turn; each holds its arguments, at most one frame. */
#define MAX_REQUESTS_PER_CLIENT 16

/* A piece of a reply to one of them: so many rows are looked at, and no further one begun beyond
 * this length. Ten thousand channels are a list of megabytes, which is made as the client reads
 * it. */
#define MAX_ROWS_PER_PIECE 128
#define REPLY_PIECE_LEN    (32 * 1024)

/* Such pieces for one write to a client: their rows may all be those of others, which are not shown. */
#define MAX_PIECES_PER_WRITE 4

/* What one write to a client gathers: about what a Unix socket's buffer takes at once. */
#define MAX_CLIENT_WRITE (256 * 1024)

/* The least part of it that a channel gets when its turn has come, so that a thousand busy channels
 * do not take turns of a few bytes. */
#define MIN_CHANNEL_WRITE (16 * 1024)

/* A client's own lane: with this much in it no further piece of a reply is made, and at the second
 * it is full, which frames that nobody asked for cannot bring about. */
#define LANE_LOW_LEN (64 * 1024)
#define MAX_LANE_LEN (1024 * 1024)

#endif
