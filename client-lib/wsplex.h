/*
 * libwsplex: the browser's WebSocket object for C programs, on connections that wsplexd holds.
 *
 * This is the one public header. A program makes a client (struct wsplex, its line to the daemon),
 * opens WebSockets on it (struct wsplex_websocket, the object of the WHATWG WebSockets standard)
 * and either calls wsplex_run() or drives the client from a loop of its own with wsplex_get_fd(),
 * wsplex_get_events(), wsplex_get_timeout_ms() and wsplex_dispatch(). Handlers run inside
 * wsplex_run(), wsplex_dispatch() and wsplex_websocket_dispatch_event(), nowhere else.
 *
 * Invariant: the library needs libc alone; it starts no thread, touches no signal, raises no
 * SIGPIPE, never logs, never ends the process, and blocks nowhere but in wsplex_run().
 *
 * What holds for all functions
 *
 *   Threads    A client and its WebSockets belong to one thread at a time. Clients share nothing:
 *              take one for each thread.
 *   Fork       A child sees a closed client: functions that return an error return -ECHILD there,
 *              wsplex_get_fd() is -1, every WebSocket reads CLOSED, and no event comes. Only
 *              wsplex_free() and wsplex_websocket_free() are of use in a child; what they do there
 *              does not reach the daemon or the parent.
 *   Errors     0 is done; a negative errno says what went wrong. Three of them stand for the
 *              standard's exceptions, see enum wsplex_error. wsplex_strerror() has a sentence for
 *              each, wsplex_error_text() the particulars of the last one. What the network does is
 *              never a return value but an event, as in the browser.
 *   Memory     Every function that may allocate may return -ENOMEM and has then changed nothing.
 *              Should memory run out while a message arrives, its WebSocket is failed (`error`, then
 *              `close` 1006); the program goes on.
 *   Pointers   Must not be NULL unless it says so. Strings given are UTF-8, NUL-terminated and
 *              copied; strings returned are owned by the object, never NULL, and live as long as it
 *              does unless it says otherwise. ret_ parameters are written only on success.
 *   Bytes      All lengths and amounts are bytes.
 *   Handlers   may call any function, unless it says otherwise, and have to return: no longjmp() and
 *              no C++ exception out of them.
 *
 * "Standard" below is https://websockets.spec.whatwg.org/, quoted by the names of its sections;
 * "extension" marks what it does not have.
 *
 * ABI: all structs are opaque but struct wsplex_event, which grows only at its end and carries its
 * size. Enums may gain members.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_H
#define WSPLEX_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A client: one line to the daemon and the WebSockets on it. */
struct wsplex;

/* A WebSocket object. */
struct wsplex_websocket;

/* What a WebSocket is opened with beyond the standard's arguments. Extension. */
struct wsplex_options;

/* ------------------------------------------------------------------------------------------------
 * Errors
 */

/*
 * The exceptions of the standard, and the other returned errors with a meaning of our own. All are
 * negative errno values, so that they and those of the system (-ENOMEM, -ECONNREFUSED, ...) are
 * one kind of number.
 */
enum wsplex_error {
    WSPLEX_ERROR_SYNTAX = -EINVAL,          /* SyntaxError: a URL, a subprotocol, a reason */
    WSPLEX_ERROR_INVALID_ACCESS = -ERANGE,  /* InvalidAccessError: a close code */
    WSPLEX_ERROR_INVALID_STATE = -ENOTCONN, /* InvalidStateError: send() while CONNECTING, or where
                                               only receiving is allowed */
    WSPLEX_ERROR_NOT_UTF8 = -EILSEQ,    /* text that is not UTF-8 (a browser cannot have that) */
    WSPLEX_ERROR_TOO_LARGE = -EMSGSIZE, /* a message above max-message */
    WSPLEX_ERROR_AWAY = -ENOBUFS,       /* the daemon is away, and as much waits for it as may */
    WSPLEX_ERROR_FORKED = -ECHILD,      /* the client was made before fork(); this is the child */
    WSPLEX_ERROR_NESTED = -EDEADLK,     /* dispatching from within a handler */
};

/*
 * A sentence for a returned error (or its positive errno), in English, without a full stop. Static,
 * never NULL, safe in every thread; an unknown number gives a sentence that says so.
 */
const char *wsplex_strerror(int error);

/*
 * What exactly went wrong in the last function of this client or of one of its WebSockets that
 * returned an error, or in the last loss of the daemon: a sentence that names the culprit, such as
 * the socket paths tried, the byte of a text that is not UTF-8, the subprotocol at fault. Empty
 * when nothing went wrong yet. Valid until the next call that fails.
 */
const char *wsplex_error_text(const struct wsplex *client);

/* ------------------------------------------------------------------------------------------------
 * The client
 */

/*
 * Makes a client. socket_path names the daemon's Unix socket; NULL looks it up, each time a
 * connection is made:
 *
 *   $WSPLEX_SOCKET                          if set and not empty, this alone
 *   $XDG_RUNTIME_DIR/wsplex/wsplex.sock     if $XDG_RUNTIME_DIR is set and not empty
 *   /run/wsplex/wsplex.sock                 else, or if nobody listens at the user's
 *
 * Nothing is connected yet: that happens in the first wsplex_connect(), wsplex_websocket_new() or
 * wsplex_request(), and again in the next one after the daemon went away. The environment is not
 * looked at in a program that runs with raised privileges (secure_getenv(3)).
 *
 * Errors: -ENAMETOOLONG (the path does not fit into a socket address), -ENOSYS (a kernel older than
 * Linux 4.14, which cannot tell a child of fork()), -ENOMEM.
 * The caller owns *ret_client and gives it to wsplex_free().
 */
int wsplex_new(const char *socket_path, struct wsplex **ret_client);

/*
 * Frees the client, all its WebSockets and outstanding requests. No event and no reply comes any
 * more; what was sent and not yet written to the daemon is lost (let wsplex_run() return first, or
 * wait until wsplex_get_n_pending() is 0). Connections that are still there are closed as a
 * browser's are when its page goes (standard: "Garbage collection", make disappear): with 1001, or
 * left where they are shared. The same happens when the process ends. May be called in a handler: wsplex_dispatch() or wsplex_run() then returns at once.
 * client may be NULL. Returns NULL.
 */
struct wsplex *wsplex_free(struct wsplex *client);

/*
 * Connects to the daemon now, to learn at once whether one is there. Does nothing when connected.
 * Never waits: with a daemon too busy to accept, the connection is completed from
 * wsplex_dispatch().
 *
 * Errors: what connect(2) gives for the last path tried (-ENOENT, -ECONNREFUSED: no daemon there;
 * -EACCES: this user may not), -ENAMETOOLONG, -EMFILE, -ENFILE, -ENOMEM, -ECHILD;
 * wsplex_error_text() names every path tried with its error.
 */
int wsplex_connect(struct wsplex *client);

/*
 * The descriptor to wait on, for poll(2), epoll(7) and the like; only ever wait on it. -1 while
 * there is no connection, in a child after fork(), and as long as only a timeout is waited for;
 * poll(2) takes that and passes over it. It
 * may change in wsplex_connect(), wsplex_websocket_new(), wsplex_request() and wsplex_dispatch():
 * ask again before each wait, or use wsplex_set_on_wait_change().
 */
int wsplex_get_fd(const struct wsplex *client);

/*
 * The events to wait for on it: POLLIN, and POLLOUT while something waits to be written; 0 when
 * there is no descriptor. Changes with every call to the library: ask again before each wait.
 */
short wsplex_get_events(const struct wsplex *client);

/*
 * After how many milliseconds wsplex_dispatch() wants to be called even if nothing happens on the
 * descriptor: 0 when there is work left, -1 when there is no need.
 */
int wsplex_get_timeout_ms(const struct wsplex *client);

/*
 * Does what can be done without waiting: reads from the daemon, fires events, writes what waits.
 * Call it when the descriptor is ready or the timeout is over; at other times it does no harm. One
 * call does a bounded amount of work, so that a flood of messages does not starve the program's
 * loop; then wsplex_get_timeout_ms() is 0.
 *
 * The loss of the daemon is no error here but arrives as `error` and `close` events, and as
 * replies. Errors: -EDEADLK within a handler, -ECHILD.
 */
int wsplex_dispatch(struct wsplex *client);

/*
 * Waits and dispatches until no WebSocket of the client is left that is not CLOSED, no request is
 * outstanding and all that was sent has been handed to the daemon; or until wsplex_stop(). This is
 * the one function that blocks.
 * Errors: -EDEADLK within a handler, -ECHILD, what poll(2) gives (-ENOMEM). Signals do not end it.
 */
int wsplex_run(struct wsplex *client);

/*
 * Makes wsplex_run() return 0 as soon as the handler that calls this returns. Without effect when
 * no wsplex_run() is under way.
 */
void wsplex_stop(struct wsplex *client);

/*
 * What to do when the daemon goes away (it stops, is restarted, crashes, or ends the connection).
 * Extension; off unless this is called.
 *
 * Off, with max_away_ms 0, every WebSocket gets `error` and `close` 1006. On, the client comes back
 * by itself: it connects again after a random part of a delay that doubles from 50 ms up to 10 s, in
 * wsplex_dispatch() when wsplex_get_timeout_ms() is over, or in wsplex_run(). Every WebSocket that
 * was opened since this was called stays as it is:
 *
 *   CONNECTING   stays so, and is opened by the next daemon.
 *   OPEN         gets `interrupted` and stays OPEN. When a daemon has opened its connection again,
 *                after the position that it had come to, it gets `gap` if anything is missing or
 *                nobody knows, and `resumed`. Its subscriptions are sent again. When the subprotocol
 *                is another one then, or the connection cannot be made, it gets `error` and `close`.
 *   CLOSING      gets `error` and `close` 1006, unless messages still wait to be sent: then it is
 *                opened again for them, and closed behind them.
 *
 * No message is ever sent twice, and none disappears silently. Those that the daemon has not been
 * given whole are sent by the next one. Of those that it had, and had not yet reported as written to
 * the network, `unsent` tells the number; is_in_doubt is true where the daemon died and nobody knows.
 * bufferedAmount no longer has them. In the meantime send() queues up to max_queued bytes for each
 * WebSocket and returns WSPLEX_ERROR_AWAY beyond that; 0 refuses all.
 *
 * Requests fail as ever. The client does not come back when it is told that it has broken the
 * protocol or may not use the daemon, nor when the daemon breaks the protocol.
 *
 * max_away_ms  for how long to wait for a daemon before the WebSockets get `error` and `close` after
 *              all; negative: for ever. May be changed at any time.
 *
 * Errors: -ECHILD.
 */
int wsplex_set_reconnect(struct wsplex *client, int max_away_ms, size_t max_queued);

/*
 * Everything that wsplex_run() waits for, counted: WebSockets that are not CLOSED, outstanding
 * requests, and 1 if something else still waits to be written to the daemon, such as what a freed
 * WebSocket had sent. For loops that want to know when to end. 0 in a child after fork().
 */
size_t wsplex_get_n_pending(const struct wsplex *client);

/* See wsplex_set_on_wait_change(). */
typedef void (*wsplex_wait_handler)(struct wsplex *client, void *userdata);

/*
 * Has handler called whenever the answer of wsplex_get_fd(), wsplex_get_events() or
 * wsplex_get_timeout_ms() has changed, for loops that keep a registration (epoll, libevent); loops
 * that ask before each wait do not need it. It is called from within the function that made the
 * change, in wsplex_dispatch() once at its end, and always before a descriptor is closed, but for
 * wsplex_free(): take the registration away before that. It is not called for what holds already
 * when it is set. It may call those three functions and no other of this library. NULL takes it
 * away.
 */
void wsplex_set_on_wait_change(struct wsplex *client, wsplex_wait_handler handler, void *userdata);

/* What a reply's status can be beside 0 and negative errors: the daemon refused. Extension. */
enum wsplex_status {
    WSPLEX_STATUS_UNKNOWN_VERB = 1, /* the daemon does not know the verb */
    WSPLEX_STATUS_BAD_ARGUMENT = 2, /* an argument is missing, too many, or not valid */
    WSPLEX_STATUS_ACCESS = 3,       /* this user may not do that */
    WSPLEX_STATUS_NOT_FOUND = 4,    /* the object does not exist, or is another user's */
    WSPLEX_STATUS_BUSY = 5,         /* as many requests are under way as the daemon allows */
    WSPLEX_STATUS_FAILED = 6,       /* it was tried, and failed */
    WSPLEX_STATUS_INTERNAL = 7,     /* the daemon is in trouble itself */
};

/*
 * The answer to a request. status is 0, json the reply (json_length bytes of UTF-8 and a NUL that
 * is not counted, valid during the call); or status is positive, an enum wsplex_status, and json
 * says more; or status is negative and json empty: -ECONNRESET when the daemon went away, -EPROTO
 * when it broke the protocol, -ETIMEDOUT when it never greeted, -ENOMEM. A status that this version
 * does not know is positive as well.
 */
typedef void (*wsplex_reply_handler)(struct wsplex *client, int status, const char *json,
                                     size_t json_length, void *userdata);

/*
 * Asks the daemon something or gives it an order: a verb of wsplexctl with its arguments,
 * n_arguments strings (PROTOCOL.md, REQUEST). Extension.
 *
 * handler is called exactly once, from wsplex_dispatch() or wsplex_run(), unless the client is
 * freed before. Requests may overlap. Errors: those of wsplex_connect(); -E2BIG when verb and
 * arguments do not fit into a frame (64 KiB).
 */
int wsplex_request(struct wsplex *client, const char *verb, const char *const *arguments,
                   size_t n_arguments, wsplex_reply_handler handler, void *userdata);

/* ------------------------------------------------------------------------------------------------
 * Options at opening (extension)
 */

enum wsplex_sharing {
    WSPLEX_SHARING_DEFAULT = 0, /* what the endpoint says; private for a free URL */
    WSPLEX_SHARING_PRIVATE = 1, /* a connection of its own */
    WSPLEX_SHARING_SHARED = 2,  /* one with all that ask for the same; never silently another one */
};

/*
 * Makes an empty set of options; it serves any number of WebSockets. Errors: -ENOMEM.
 * The caller owns *ret_options and gives it to wsplex_options_free().
 */
int wsplex_options_new(struct wsplex_options **ret_options);

/* Frees the set. WebSockets opened with it are not touched. options may be NULL. Returns NULL. */
struct wsplex_options *wsplex_options_free(struct wsplex_options *options);

/* Whether to share the connection. Errors: -EINVAL (no member of the enum). */
int wsplex_options_set_sharing(struct wsplex_options *options, enum wsplex_sharing sharing);

/*
 * Adds a header field to the opening handshake; the same name may be added again. Not for those
 * that the handshake itself writes (Host, Connection, Upgrade, Sec-WebSocket-...). User-Agent and
 * Authorization take the place of what the daemon would say by itself (the latter from the user part
 * of the URL); no Origin is sent unless it is added. Errors: -EINVAL
 * (no valid name or value, or not for the program to set), -E2BIG (too many), -ENOMEM.
 */
int wsplex_options_add_header(struct wsplex_options *options, const char *name, const char *value);

/*
 * Sets an option of the daemon by name, in the syntax of wsplexd.conf(5), such as "linger" to "5s".
 * Whether the daemon knows it and allows it is told by an `error` event that names it. Setting it
 * again replaces the value.
 * Errors: -EINVAL (empty name), -E2BIG (too many or too long), -ENOMEM.
 */
int wsplex_options_set(struct wsplex_options *options, const char *name, const char *value);

/*
 * A message's place among all that its WebSocket may get: a number, which grows, and the epoch in
 * which it counts, 16 random bytes: each connection to the server begins another one. Only equal
 * epochs can be compared.
 */
struct wsplex_position {
    uint8_t epoch[16];
    uint64_t number;
};

/* Bytes of a position as text, with the NUL at its end. */
#define WSPLEX_POSITION_SIZE 54

/*
 * A position as text of hexadecimal digits, a colon and a decimal number, to be kept in a file.
 * Errors of the latter: -EINVAL for any other text.
 */
void wsplex_position_to_string(const struct wsplex_position *position,
                               char ret_text[WSPLEX_POSITION_SIZE]);
int wsplex_position_from_string(const char *text, struct wsplex_position *ret_position);

/*
 * Lets the WebSocket go on behind a position that wsplex_websocket_get_position() of an earlier one
 * gave: its first message is the next one, if the daemon still has it (the option "replay" of its
 * endpoint says how much it keeps); else `gap` comes before it and says what is missing, or that
 * nobody knows. NULL takes that away.
 */
void wsplex_options_set_resume(struct wsplex_options *options,
                               const struct wsplex_position *position);

/* ------------------------------------------------------------------------------------------------
 * The WebSocket object (standard: "The WebSocket interface")
 */

/* readyState. */
enum wsplex_ready_state {
    WSPLEX_CONNECTING = 0, /* the connection has not yet been established */
    WSPLEX_OPEN = 1,       /* communication is possible */
    WSPLEX_CLOSING = 2,    /* the closing handshake is under way, or close() has been called */
    WSPLEX_CLOSED = 3,     /* it has been closed or could not be opened */
};

/* binaryType. */
enum wsplex_binary_type {
    WSPLEX_BINARY_TYPE_BLOB = 0,
    WSPLEX_BINARY_TYPE_ARRAYBUFFER = 1,
};

/*
 * new WebSocket(url, protocols). Returns at once with an object in CONNECTING; `open`, or `error`
 * and `close`, come later, so handlers set right after it miss nothing.
 *
 * url         ws: or wss: (http: and https: stand for them), without fragment; parsed here.
 *             Extensions: wsplex-endpoint:NAME for an endpoint of the daemon's configuration;
 *             ws+unix:/path/of/socket:/request/path?query, or wss+unix: with TLS, for a server on a
 *             Unix socket, which only a daemon of the program's own user opens for it.
 * protocols   n_protocols subprotocol names in the order of preference; may be NULL when 0.
 * options     extension; NULL for none. Copied.
 *
 * Errors: WSPLEX_ERROR_SYNTAX (SyntaxError: the URL, a subprotocol that is no token or occurs
 * twice; also a host that is not ASCII where libidn2 is not installed, and the text says so); those
 * of wsplex_connect(); -E2BIG (URL, protocols and options together exceed what the daemon takes);
 * -EMFILE (the client has used up its channel numbers); -ECHILD. The caller owns *ret_websocket and
 * gives it to wsplex_websocket_free().
 */
int wsplex_websocket_new(struct wsplex *client, const char *url, const char *const *protocols,
                         size_t n_protocols, const struct wsplex_options *options,
                         struct wsplex_websocket **ret_websocket);

/*
 * Frees the object; no event of it comes any more. A connection that is still there is closed as
 * one of a browser's collected objects is (standard: "Garbage collection"): without a code, after
 * all that was sent before has gone. May be called at any time, also in its own handlers and
 * listeners: the object and the event's data then stay readable until that handler returns.
 * websocket may be NULL. Returns NULL.
 */
struct wsplex_websocket *wsplex_websocket_free(struct wsplex_websocket *websocket);

/* The client that it was made with. Extension. */
struct wsplex *wsplex_websocket_client(const struct wsplex_websocket *websocket);

/* url: serialised. wsplex-endpoint:NAME for an endpoint. */
const char *wsplex_websocket_url(const struct wsplex_websocket *websocket);

/* The serialisation of the URL's origin, as MessageEvent.origin has it; "null" for an endpoint and
 * for a Unix socket. */
const char *wsplex_websocket_origin(const struct wsplex_websocket *websocket);

/* protocol: the subprotocol that the server chose. Empty before `open`. */
const char *wsplex_websocket_protocol(const struct wsplex_websocket *websocket);

/* extensions: the extensions in use, as in Sec-WebSocket-Extensions. Empty before `open`. */
const char *wsplex_websocket_extensions(const struct wsplex_websocket *websocket);

/* readyState. */
enum wsplex_ready_state wsplex_websocket_ready_state(const struct wsplex_websocket *websocket);

/*
 * bufferedAmount: payload bytes given to send that the daemon has not yet written to the network,
 * wherever they wait: in this process, in the socket or in the daemon. Falls only as events are
 * dispatched. Once the connection closes it never falls again, and each further send adds to it.
 */
uint64_t wsplex_websocket_buffered_amount(const struct wsplex_websocket *websocket);

/*
 * binaryType. Kept for the program's own use: in C, the data of a message is a pointer and a length
 * for both values. Blob by default. Setting returns -EINVAL for what is no member of the enum (a
 * browser ignores it), and changes nothing then.
 */
enum wsplex_binary_type wsplex_websocket_binary_type(const struct wsplex_websocket *websocket);
int wsplex_websocket_set_binary_type(struct wsplex_websocket *websocket,
                                     enum wsplex_binary_type binary_type);

/*
 * send(string) and send(binary). The data is copied, the message is queued whole, and
 * bufferedAmount grows by its length; wsplex_dispatch() and wsplex_run() write it. data may be NULL when length is 0. Text may contain U+0000.
 * In CLOSING and CLOSED the message is only counted in bufferedAmount, as the standard says, and 0
 * returned.
 *
 * The queue has no bound but memory: watch bufferedAmount.
 *
 * Errors: WSPLEX_ERROR_INVALID_STATE (InvalidStateError) in CONNECTING, and where this user may
 * receive and not send; WSPLEX_ERROR_NOT_UTF8 for text that is not UTF-8, and the text says at which
 * byte; WSPLEX_ERROR_TOO_LARGE for a message above max-message (of its endpoint, or 16 MiB);
 * WSPLEX_ERROR_AWAY (see wsplex_set_reconnect()); -ENOMEM; -ECHILD. A message that failed is not counted.
 */
int wsplex_websocket_send_text(struct wsplex_websocket *websocket, const char *text, size_t length);
int wsplex_websocket_send_binary(struct wsplex_websocket *websocket, const void *data,
                                 size_t length);

/* The code argument of wsplex_websocket_close() that stands for "not given". */
#define WSPLEX_NO_CODE (-1)

/*
 * close(code, reason). code is 1000, 3000 to 4999, or WSPLEX_NO_CODE; reason may be NULL for "not
 * given" and is then the empty string. A reason without a code is sent with 1000. In CONNECTING the
 * connection fails (`error`, then `close` 1006); in OPEN everything sent before goes first, then
 * the closing handshake begins; in CLOSING and CLOSED nothing happens. Returns with readyState at
 * least CLOSING, never CLOSED; `close` comes later. Extension: unlike in the standard, `message`
 * events go on until `close`, so that no answer under way is lost.
 *
 * Errors: WSPLEX_ERROR_INVALID_ACCESS (InvalidAccessError) for another code, WSPLEX_ERROR_SYNTAX
 * (SyntaxError) for a reason above 123 bytes, WSPLEX_ERROR_NOT_UTF8, -ENOMEM, -ECHILD.
 */
int wsplex_websocket_close(struct wsplex_websocket *websocket, int code, const char *reason);

/*
 * The position of the last message that handlers were called for; before the first one, that of the
 * message before it. What wsplex_options_set_resume() takes. It stays after `close`. Extension.
 *
 * Errors: WSPLEX_ERROR_INVALID_STATE before `open`.
 */
int wsplex_websocket_get_position(const struct wsplex_websocket *websocket,
                                  struct wsplex_position *ret_position);

/*
 * Has the daemon say something to the server for this WebSocket whenever their connection is made:
 * the text message on_connect, now if it is open, and after each reconnection, of whatever part; and
 * on_leave when this WebSocket leaves or unsubscribes. Of WebSockets, also of other programs, that
 * share the connection and subscribe with the same text, the first one's is sent, and the last one
 * takes it back. Extension.
 *
 * on_leave may be NULL or empty: nothing is said then. Both keep their places among what is sent,
 * cost no bufferedAmount, and may be called in CONNECTING. To subscribe with the same on_connect
 * again does nothing; to unsubscribe with one that is not subscribed neither.
 *
 * Errors: WSPLEX_ERROR_SYNTAX (on_connect is empty); WSPLEX_ERROR_NOT_UTF8; -EEXIST (it is there, with
 * another on_leave); WSPLEX_ERROR_INVALID_STATE in CLOSING and CLOSED, and where this user may
 * receive and not send; -E2BIG (both together exceed 64 KiB); -ENOMEM; -ECHILD.
 */
int wsplex_websocket_subscribe(struct wsplex_websocket *websocket, const char *on_connect,
                               const char *on_leave);
int wsplex_websocket_unsubscribe(struct wsplex_websocket *websocket, const char *on_connect);

/* ------------------------------------------------------------------------------------------------
 * Events (standard: "Feedback from the protocol"; DOM: "Events"; HTML: "Event handlers")
 *
 *   type        interface      when
 *   `open`      Event          the connection is established; readyState is OPEN
 *   `message`   MessageEvent   a message has come
 *   `error`     Event          the connection was failed; `close` follows at once
 *   `close`     CloseEvent     the last event; readyState is CLOSED
 *
 * Extensions, for wsplex_websocket_add_event_listener():
 *
 *   `interrupted`   the connection to the server is gone, or the daemon is, and will be made again;
 *                   cause, http_status, cause_text and retry_after say why, as in `error`.
 *                   readyState stays OPEN, and no message comes until `resumed`
 *   `gap`           messages are missing here, or may be: gap and cause_text say why, is_counted and
 *                   count how many, position after which one it goes on
 *   `resumed`       the connection is there again
 *   `unsent`        count messages, bytes long together, will not be sent; or, where is_in_doubt is
 *                   true, may have been sent or not. bufferedAmount no longer has them
 *
 * `interrupted` and `resumed` come in turn; a `gap` of what was missed in between comes before
 * `resumed`. They only come where the endpoint is configured to persist, or wsplex_set_reconnect() was
 * called. `gap` and `unsent` may come at other times as well.
 */

/*
 * Why a WebSocket failed, as far as the daemon says so. A later daemon may give numbers that are
 * not here. Extension.
 */
enum wsplex_cause {
    /* what was asked for cannot be */
    WSPLEX_CAUSE_URL = 1,           /* the daemon does not take the URL */
    WSPLEX_CAUSE_SUBPROTOCOL = 2,   /* nor a subprotocol */
    WSPLEX_CAUSE_HEADER = 3,        /* a request header is malformed or not the program's to set */
    WSPLEX_CAUSE_OPTION = 4,        /* an option is unknown, has a bad value, or may not be set */
    WSPLEX_CAUSE_CONFLICT = 5,      /* the endpoint decides an option, and differently */
    WSPLEX_CAUSE_NO_ENDPOINT = 6,   /* the configuration has no endpoint of this name */
    WSPLEX_CAUSE_ACCESS = 7,        /* this user may not connect there */
    WSPLEX_CAUSE_QUOTA = 8,         /* this user has as much as the daemon allows */
    WSPLEX_CAUSE_DESTINATION = 9,   /* a rule of the daemon forbids this host, port or address */
    WSPLEX_CAUSE_RECEIVE_ONLY = 10, /* it may receive and not send */
    /* the connection to the server could not be made */
    WSPLEX_CAUSE_RESOLVE = 16,    /* the host name has no address */
    WSPLEX_CAUSE_CONNECT = 17,    /* no address accepts a connection */
    WSPLEX_CAUSE_TLS = 18,        /* the TLS handshake failed, or the certificate is not trusted */
    WSPLEX_CAUSE_HANDSHAKE = 19,  /* the answer was no WebSocket; see http_status */
    WSPLEX_CAUSE_TIMEOUT = 20,    /* the server took too long */
    WSPLEX_CAUSE_CANCELLED = 21,  /* close() was called while CONNECTING */
    WSPLEX_CAUSE_PROXY = 22,      /* the proxy refused, or broke down; see http_status */
    WSPLEX_CAUSE_CREDENTIAL = 23, /* a secret that the endpoint names cannot be read */
    /* it was made, and ended badly */
    WSPLEX_CAUSE_PROTOCOL = 32,      /* the server broke the WebSocket protocol */
    WSPLEX_CAUSE_LOST = 33,          /* the connection ended without a closing handshake */
    WSPLEX_CAUSE_SLOW_CONSUMER = 34, /* this program fell too far behind */
    WSPLEX_CAUSE_TOO_BIG = 35,       /* a message is larger than the limit */
    WSPLEX_CAUSE_SHUTDOWN = 36,      /* the daemon stops */
    WSPLEX_CAUSE_INTERNAL = 37,      /* the daemon is in trouble itself */
    /* it was made, and the daemon makes it anew */
    WSPLEX_CAUSE_SERVER_CLOSED = 38, /* the server closed it; cause_text has its code and reason */
    WSPLEX_CAUSE_PLANNED = 39,       /* on purpose; cause_text says whose */
};

/* Why messages are missing. A later daemon may give numbers that are not here. Extension. */
enum wsplex_gap {
    WSPLEX_GAP_SLOW_CONSUMER = 1, /* this program fell too far behind: they were dropped */
    WSPLEX_GAP_NOT_KEPT = 2,      /* the daemon does not keep them any more */
    WSPLEX_GAP_RECONNECTED =
        3, /* the connection was made anew: nobody knows what the server said */
    WSPLEX_GAP_UNKNOWN_EPOCH = 4, /* the daemon, or the connection, is another one than before */
};

/*
 * An event: the standard's Event, MessageEvent and CloseEvent in one struct, so that every member
 * is there in every event; those that its interface does not have are 0, false, NULL or "".
 *
 * The library makes it, and it is valid during the handler's call, with all that it points to. A
 * program makes one only for wsplex_websocket_dispatch_event(), zeroed, with size set. New members
 * are added at the end.
 */
struct wsplex_event {
    size_t size; /* sizeof(struct wsplex_event) as its maker knows it */

    /* Event */
    const char *type;                /* "open", "message", "error", "close", or the program's own */
    struct wsplex_websocket *target; /* whom it is fired at */
    bool is_trusted;                 /* false if it comes from wsplex_websocket_dispatch_event() */

    /* MessageEvent */
    bool is_binary;            /* how the message was sent; false is text, which is valid UTF-8 */
    const void *data;          /* the message, followed by a NUL that is not counted */
    size_t length;             /* its bytes */
    const char *origin;        /* wsplex_websocket_origin() */
    const char *last_event_id; /* always empty, as in a browser */

    /* CloseEvent */
    bool was_clean; /* the closing handshake was completed */
    uint16_t code;  /* the server's, or ours; 1005 if none was given, 1006 if there was no close */
    const char *reason;   /* NUL-terminated; may contain U+0000, so: */
    size_t reason_length; /* its bytes */

    /*
     * What `error` says beyond the standard, and `interrupted`. Extension. cause is positive for what the daemon says,
     * an enum wsplex_cause; or negative: -ECONNRESET, the daemon went away; -EPROTO, it broke the
     * protocol; -ETIMEDOUT, it never greeted; -EMFILE, it allows no more WebSockets; -ENOMEM.
     */
    int cause;
    int http_status;        /* the server's answer instead of 101, or that of an HTTP proxy which
                               refuses (WSPLEX_CAUSE_PROXY); 0 if it did not come to that */
    const char *cause_text; /* a sentence for people, in English */

    /*
     * What else the server's answer said, if it answered with another status than 101: after how
     * many seconds it wants to be asked again (Retry-After; 0 if it does not say), and how its body
     * begins, at most 1 KiB. The excerpt is the server's word and valid UTF-8 whatever it sent; it
     * may hold secrets and control characters: not for a log or a terminal as it is.
     */
    uint32_t retry_after;
    const char *excerpt;   /* NUL-terminated; empty if there is none */
    size_t excerpt_length; /* its bytes */

    /* Extensions */
    bool is_replayed; /* `message`: it had come before this WebSocket was there, or came back */
    struct wsplex_position position; /* `message`: its own; `gap`: that of the last one missing */
    int gap;                         /* `gap`: an enum wsplex_gap */
    bool is_counted;                 /* `gap`, `unsent`: count is known */
    uint64_t count;                  /* messages */
    uint64_t bytes;                  /* `unsent`: of payload in them */
    bool is_in_doubt;                /* `unsent`: they may have been sent, nobody knows */
};

/* A handler or listener. userdata is what it was registered with. */
typedef void (*wsplex_event_handler)(const struct wsplex_event *event, void *userdata);

/*
 * onopen, onmessage, onerror, onclose. One handler each; NULL takes it away. It takes its turn
 * among the listeners of its type from the moment it was first set, as HTML says: replacing it by
 * another keeps its place, taking it away and setting it again puts it last. Errors: -ENOMEM (never
 * when handler is NULL or replaces another), -ECHILD.
 */
int wsplex_websocket_set_on_open(struct wsplex_websocket *websocket, wsplex_event_handler handler,
                                 void *userdata);
int wsplex_websocket_set_on_message(struct wsplex_websocket *websocket,
                                    wsplex_event_handler handler, void *userdata);
int wsplex_websocket_set_on_error(struct wsplex_websocket *websocket, wsplex_event_handler handler,
                                  void *userdata);
int wsplex_websocket_set_on_close(struct wsplex_websocket *websocket, wsplex_event_handler handler,
                                  void *userdata);

/* Flags of wsplex_websocket_add_event_listener(). */
enum wsplex_listener_flags {
    WSPLEX_LISTENER_ONCE = 1, /* removed right before it is called */
};

/*
 * addEventListener(type, callback, {once}). Listeners are called in the order of registration. The
 * same type, handler and userdata together are one listener: adding it again does nothing. A
 * listener added during the dispatch of an event does not get that event; one removed before its
 * turn is not called.
 * Errors: -EINVAL (unknown flags), -ENOMEM, -ECHILD.
 */
int wsplex_websocket_add_event_listener(struct wsplex_websocket *websocket, const char *type,
                                        wsplex_event_handler handler, void *userdata,
                                        unsigned int flags);

/* removeEventListener(type, callback). Does nothing if there is no such listener. */
void wsplex_websocket_remove_event_listener(struct wsplex_websocket *websocket, const char *type,
                                            wsplex_event_handler handler, void *userdata);

/*
 * dispatchEvent(event): calls the handlers and listeners of event->type before it returns, with a
 * copy of event that has target set and is_trusted false. Changes nothing about the connection. May
 * be called in a handler, and the event may have any type.
 * Errors: WSPLEX_ERROR_INVALID_STATE (InvalidStateError) if event is one that is being dispatched;
 * -EINVAL (size is too small for an event of any version, type is NULL or empty); -ECHILD.
 */
int wsplex_websocket_dispatch_event(struct wsplex_websocket *websocket,
                                    const struct wsplex_event *event);

/*
 * stopImmediatePropagation(): no further listener gets this event. Only within a handler, with the
 * event that it was called with; anything else is ignored.
 */
void wsplex_event_stop_immediate_propagation(const struct wsplex_event *event);

#ifdef __cplusplus
}
#endif

#endif
