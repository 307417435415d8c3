/*
 * local_frames: well-formed frames of a client, built from few bytes of a script; see local_frames.h.
 *
 * Between a script and a pipe.
 *
 * Invariant: what is built can be decoded.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/local_frames.h"

#include <string.h>

#include "tests/fuzz/chunks.h"
#include "tests/fuzz/feed.h"

static void frames_put(struct local_frames *frames, const struct wsp_message *message)
{
    size_t before = wsp_buffer_len(&frames->bytes);

    require(wsp_message_encode(&frames->bytes, message) == 0);
    frames->n_built += wsp_buffer_len(&frames->bytes) - before;
}

static const char *const urls[] = {
    "ws://h/",
    "ws://i/?q",
    "wsplex-endpoint:feed",
    "wsplex-endpoint:block",
    "wsplex-endpoint:own",
    "wsplex-endpoint:none",
    "wss://u:p@h:1/\xc3\xa9",
    "http://[",
};

static const char *const options[][2] = {
    {NULL, NULL},
    {"queue", "4096"},
    {"max-message", "1024"},
    {"linger", "0"},
    {"slow-consumer", "block"},
    {"slow-consumer", "disconnect"},
    {"linger", "1h"},
    {"linger", "many"},
    {"no such option, and a name that is long enough to be cut where a character is not over "
     "\xc3\xa9",
     "1"},
    {"ca-file", "/etc/passwd"},
    {"slow-consumer", "drop-oldest"},
    {"slow-consumer", "drop-newest"},
    {"slow-consumer", "conflate"},
    {"queue-messages", "3"},
    {"replay", "3"},
    {"replay-bytes", "2000"},
};

/* The last run is run 0, the one before it run 1; beyond the first, an epoch that nobody has heard of. */
static void put_position(struct local_frames *frames, struct script *script,
                         struct wsp_local_open *open)
{
    unsigned n_back = script_u8(script);
    const struct list *node = frames->feed->runs.prev;

    open->resume_after = script_u8(script);
    while (n_back > 0 && node != &frames->feed->runs) {
        node = node->prev;
        n_back--;
    }
    memset(open->resume_epoch.bytes, 0xff, sizeof(open->resume_epoch.bytes));
    if (node != &frames->feed->runs)
        memcpy(open->resume_epoch.bytes, LIST_ENTRY(node, struct feed_run, link)->epoch,
               sizeof(open->resume_epoch.bytes));
}

static void put_open(struct local_frames *frames, struct script *script)
{
    uint8_t who = script_u8(script), what = script_u8(script);
    const char *const *option = options[(what >> 3) % (sizeof(options) / sizeof(options[0]))];
    struct wsp_message message = {
        .type = WSP_LOCAL_OPEN,
        .channel = who & 7,
        .open = {.sharing = who >> 3 & 3, .url = wsp_view_of_string(urls[what & 7])},
    };
    struct wsp_buffer pairs, protocols;

    wsp_buffer_init(&pairs, SIZE_MAX);
    wsp_buffer_init(&protocols, SIZE_MAX);
    if (option[0])
        require(wsp_local_list_append_strings(&pairs, option, 2) == 0);
    if (who & 0x20)
        require(wsp_local_list_append_strings(&protocols, (const char *[]){"p", "q"}, 2) == 0);
    message.open.options = (struct wsp_view){wsp_buffer_peek(&pairs), wsp_buffer_len(&pairs)};
    message.open.protocols =
        (struct wsp_view){wsp_buffer_peek(&protocols), wsp_buffer_len(&protocols)};
    if (who & 0x40)
        message.open.headers = message.open.options;
    if (who & 0x80)
        put_position(frames, script, &message.open);
    frames->credit[message.channel] = 0;
    frames_put(frames, &message);
    wsp_buffer_deinit(&pairs);
    wsp_buffer_deinit(&protocols);
}

static void put_data(struct local_frames *frames, struct script *script)
{
    uint8_t what = script_u8(script);
    bool is_binary = (what & 0x10) != 0;
    struct wsp_message message = {
        .type = is_binary ? WSP_LOCAL_BINARY : WSP_LOCAL_TEXT,
        .channel = what & 7,
        .flags = what & 8 ? WSP_WIRE_MORE : 0,
    };
    size_t len = script_size(script, WSP_MAX_LOCAL_PAYLOAD);

    message.binary.payload =
        feed_pattern(what >> 5, is_binary, frames->n_built < LOCAL_FRAMES_MAX_BUILT ? len : 0);
    frames_put(frames, &message);
}

static void put_credit(struct local_frames *frames, struct script *script)
{
    uint32_t number = script_u8(script) & 7;
    struct wsp_message message = {.type = WSP_LOCAL_CREDIT, .channel = number};

    frames->credit[number] += script_size(script, SIZE_MAX);
    message.credit.total = frames->credit[number];
    frames_put(frames, &message);
}

static void put_close(struct local_frames *frames, struct script *script)
{
    static const uint16_t codes[] = {0, 1000, 3000, 4999, 1001};
    uint8_t what = script_u8(script);
    struct wsp_message message = {.type = WSP_LOCAL_CLOSE, .channel = what & 7};

    message.close.discard = what >> 3 & 1;
    message.close.code = codes[(what >> 4 & 7) % (sizeof(codes) / sizeof(codes[0]))];
    if (what & 0x80)
        message.close.reason = feed_pattern(what, false, script_size(script, 200));
    frames_put(frames, &message);
}

static void put_subscribe(struct local_frames *frames, struct script *script)
{
    uint8_t what = script_u8(script);
    char on_connect[] = LOCAL_FRAMES_TOPIC "+0", on_leave[] = LOCAL_FRAMES_TOPIC "-0!";
    struct wsp_message message = {.type = WSP_LOCAL_SUBSCRIBE, .channel = what & 7};

    on_connect[sizeof(on_connect) - 2] = (char)('0' + (what >> 4 & 7));
    on_leave[sizeof(on_leave) - 3] = (char)('0' + (what >> 4 & 7));
    if (!(what & 0x80))
        on_leave[sizeof(on_leave) - 2] = '\0';
    if (what & 8) {
        message.type = WSP_LOCAL_UNSUBSCRIBE;
        message.unsubscribe.on_connect = wsp_view_of_string(on_connect);
    } else {
        message.subscribe.on_connect = wsp_view_of_string(on_connect);
        message.subscribe.on_leave = wsp_view_of_string(on_leave);
    }
    frames_put(frames, &message);
}

static void put_request(struct local_frames *frames, struct script *script)
{
    static const char *const verbs[] = {
        "status", "upstreams", "clients", "channels", "endpoints", "show", "drain", "history",
    };
    uint8_t what = script_u8(script);
    struct wsp_view name = wsp_view_of_string(verbs[what & 7]), own;
    struct wsp_message message = {.type = WSP_LOCAL_REQUEST, .request.id = what >> 3};
    struct wsp_buffer arguments;
    char number[2] = {(char)('0' + (what >> 3 & 7)), '\0'};

    wsp_buffer_init(&arguments, SIZE_MAX);
    if (what >= 0xc0) {
        own = script_bytes(script, what & 0x3f);
        if (what & 1)
            name = own;
        else
            require(wsp_local_list_append(&arguments, own) == 0);
    } else if ((what & 7) == 5) {
        require(wsp_local_list_append(&arguments, wsp_view_of_string(number)) == 0);
    }
    message.request.verb = name;
    message.request.arguments =
        (struct wsp_view){wsp_buffer_peek(&arguments), wsp_buffer_len(&arguments)};
    frames_put(frames, &message);
    wsp_buffer_deinit(&arguments);
}

static void put_flood(struct local_frames *frames, struct script *script)
{
    unsigned n = 4u * script_u8(script);
    struct wsp_message message = {.type = WSP_LOCAL_REQUEST};

    message.request.verb = feed_pattern(0, false, 70);
    while (n-- > 0 && frames->n_built < LOCAL_FRAMES_MAX_BUILT)
        frames_put(frames, &message);
}

static void put_empty(struct local_frames *frames, uint8_t type, struct script *script)
{
    frames_put(frames, &(struct wsp_message){.type = type, .channel = script_u8(script) & 7});
}

void local_frames_init(struct local_frames *frames, const struct feed *feed)
{
    *frames = (struct local_frames){.feed = feed};
    wsp_buffer_init(&frames->bytes, SIZE_MAX);
}

void local_frames_deinit(struct local_frames *frames)
{
    wsp_buffer_deinit(&frames->bytes);
}

void local_frames_greet(struct local_frames *frames)
{
    struct wsp_message hello = {.type = WSP_LOCAL_HELLO};

    require(wsp_buffer_append(&frames->bytes, WSP_WIRE_MAGIC, WSP_WIRE_MAGIC_LEN) == 0);
    frames_put(frames, &hello);
}

void local_frames_build(struct local_frames *frames, enum local_frame frame, struct script *script)
{
    switch (frame) {
    case LOCAL_FRAME_OPEN: put_open(frames, script); break;
    case LOCAL_FRAME_DATA: put_data(frames, script); break;
    case LOCAL_FRAME_CREDIT: put_credit(frames, script); break;
    case LOCAL_FRAME_CLOSE: put_close(frames, script); break;
    case LOCAL_FRAME_RELEASE: put_empty(frames, WSP_LOCAL_RELEASE, script); break;
    case LOCAL_FRAME_ABORT: put_empty(frames, WSP_LOCAL_ABORT, script); break;
    case LOCAL_FRAME_REQUEST: put_request(frames, script); break;
    case LOCAL_FRAME_SUBSCRIBE: put_subscribe(frames, script); break;
    case LOCAL_FRAME_FLOOD: put_flood(frames, script); break;
    }
}
