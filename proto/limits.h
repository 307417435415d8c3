/*
 * limits: every number of proto that bounds an outsider, with its reason.
 *
 * Whatever a peer, on the local socket or on the network, can make grow stands here; a codec that
 * needs a bound takes it from this file or has it as an argument whose default stands here. Sizes
 * are bytes unless the name says n_ or MS. The invariant: no number of this kind anywhere else in
 * proto.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_PROTO_LIMITS_H
#define WSP_PROTO_LIMITS_H

/* --- the local protocol --- */

/*
 * Payload of one local frame. One read of the daemon's scratch buffer holds a whole frame, and a
 * long message of one channel gives way to another channel after at most this much.
 */
#define WSP_MAX_LOCAL_PAYLOAD 65536

/*
 * What a client may send on a channel before the daemon's first CREDIT, header bytes included: one
 * frame of any size, or several small ones, so that opening and the first sends are pipelined. It
 * is a constant of the protocol; a daemon with many channels holds as much for each of them.
 */
#define WSP_INITIAL_CREDIT (12 + WSP_MAX_LOCAL_PAYLOAD)

/*
 * Channel numbers that a client may use before it has read the daemon's HELLO; no daemon's
 * max_channels is below it. Enough for any program that opens what it needs at its start.
 */
#define WSP_INITIAL_CHANNELS 16

/*
 * A reply of the daemon, all pieces together, as the library holds it. Ten thousand channels at
 * some 500 bytes of JSON each are 5 MiB; twelve times that is a daemon that has lost its mind.
 */
#define WSP_MAX_REPLY (64 * 1024 * 1024)

/*
 * How long the library waits for the daemon to take a connection and to greet. A daemon that the
 * service manager starts on the first connect may need seconds on a machine that boots.
 */
#define WSP_MAX_GREETING_MS 30000

/* --- messages --- */

/*
 * A whole message when nothing else is configured. Exchange feeds' snapshots and home automation's
 * state dumps are a few MiB; 16 MiB is a common bound of other implementations; 64 such messages
 * still fit into a small machine.
 */
#define WSP_DEFAULT_MAX_MESSAGE (16 * 1024 * 1024)

/*
 * What max-message may be configured to. Local frames count cumulative bytes in 64 bits, zlib takes
 * 32-bit lengths: one GiB keeps every sum of a few messages within 32 bits.
 */
#define WSP_MAX_MAX_MESSAGE (1024 * 1024 * 1024)

/* --- RFC 6455 --- */

/* Payload of a control frame, by RFC 6455 section 5.5. */
#define WSP_MAX_CONTROL_PAYLOAD 125

/* Reason of a close: a control payload less the two bytes of the code. */
#define WSP_MAX_CLOSE_REASON 123

/*
 * The head of an HTTP request or answer, all lines together. Servers commonly bound a request's
 * head to 8 to 64 KiB; answers with large cookies and security policies stay below it as well.
 */
#define WSP_MAX_HTTP_HEAD 65536

/* Header fields in one HTTP head: some hundred is what servers accept (Apache 100, nginx no
 * bound). */
#define WSP_MAX_HTTP_N_FIELDS 256

/*
 * 1xx answers before the final one. A server sends one or two (103 with hints); without a bound it
 * could keep a connection in CONNECTING and us reading for as long as the deadline lets it.
 */
#define WSP_MAX_N_INTERIM_ANSWERS 8

/*
 * What is kept of the body of an answer that refuses, and what FAILED carries of it: a JSON object
 * or some lines of text that say why. More would only help a server to put a page of markup before
 * somebody's eyes.
 */
#define WSP_MAX_ANSWER_EXCERPT 1024

/*
 * Frames of one message when nothing else is configured. Honest servers send 100,000 of a few bytes
 * (streamed answers); frames without payload cost no memory, so only this number ends them.
 */
#define WSP_DEFAULT_MAX_FRAGMENTS 1000000

/* --- a proxy --- */

/*
 * The head of a proxy's answer to CONNECT: a status, perhaps some challenges, of which the longest
 * kinds carry tokens of a few KiB.
 */
#define WSP_MAX_TUNNEL_HEAD 16384

/* --- RFC 7692 --- */

/*
 * Compressed bytes of one message for each byte that it may come to, so that one which never comes
 * to anything ends as well. A sender that flushes after every byte writes seven for it.
 */
#define WSP_MAX_DEFLATE_EXPANSION 8

/* --- what a program asks for when it opens a WebSocket --- */

/*
 * A URL, both as given and as serialised. Browsers take more, but servers answer 414 at 8 KiB or so
 * of request line; 16 KiB leaves room for a token in the query.
 */
#define WSP_MAX_URL 16384

/* The path of a Unix socket: what its address holds on Linux, without the zero at the end. */
#define WSP_MAX_SOCKET_PATH 107

/* One subprotocol name, and how many. Registered names stay under 60 bytes; some pass tokens
 * here. */
#define WSP_MAX_SUBPROTOCOL    4096
#define WSP_MAX_N_SUBPROTOCOLS 64

/* One extra request header's name and value, how many, and all of them together. The value must
 * hold a bearer token or a cookie jar; the sum leaves half of the request's head to what is
 * ours. */
#define WSP_MAX_HEADER_NAME  256
#define WSP_MAX_HEADER_VALUE 16384
#define WSP_MAX_N_HEADERS    64
#define WSP_MAX_HEADERS      32768

/* The name of an endpoint: what an administrator types into a configuration and a metric's
 * label. */
#define WSP_MAX_ENDPOINT_NAME 64

#endif
