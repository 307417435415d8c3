/*
 * url: URLs of WebSockets, as the WHATWG URL standard parses them; see url.h.
 *
 * Between the program that typed a URL and url_host, percent and buffer, which it is made with.
 *
 * Invariant: a struct wsp_url is a whole, valid, serialised URL whose strings are printable ASCII.
 *
 * The standard's parser is a state machine over code points, because it serves all schemes and the
 * setters of the URL object. Special schemes do with four steps:
 *
 *   clean      the input of blanks around it and newlines in it
 *   cut        it into parts, nothing decoded yet, and complete them from the base (url_parts)
 *   write      the parts, normalised and encoded, as the href, and remember where each one stands
 *   copy       the href and its parts into the strings of the object
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/url.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/ascii.h"
#include "proto/buffer.h"
#include "proto/percent.h"
#include "proto/url_host.h"
#include "proto/url_parts.h"
#include "proto/utf8.h"

/* --- clean --- */

/*
 * A copy of the input without the C0 controls and spaces around it and without the tabs and newlines
 * in it (basic URL parser, steps 1 and 3). The caller frees it.
 */
static char *input_clean(const char *input, size_t len, struct wsp_span *ret_clean)
{
    char *clean = malloc(len + 1);
    size_t n_kept = 0;

    if (clean == NULL)
        return NULL;
    while (len > 0 && (uint8_t)input[0] <= 0x20) {
        input++;
        len--;
    }
    while (len > 0 && (uint8_t)input[len - 1] <= 0x20)
        len--;
    for (size_t i = 0; i < len; i++) {
        if (input[i] != '\t' && input[i] != '\n' && input[i] != '\r')
            clean[n_kept++] = input[i];
    }
    *ret_clean = (struct wsp_span){clean, n_kept};
    return clean;
}

/* --- write --- */

/* Where a part stands in the href. */
struct mark {
    size_t start;
    size_t len;
};

/* The URL as it is written. After the first error nothing more is written, so it is checked once. */
struct href {
    struct wsp_buffer text;
    int error;
    enum wsp_scheme scheme;
    enum wsp_host_kind host_kind;
    uint16_t port;
    bool is_default_port;
    struct mark whole;  /* what stands behind it is no part of the href */
    struct mark prefix; /* scheme:// */
    struct mark username;
    struct mark password;
    struct mark host;
    struct mark host_and_port;
    struct mark path;
    struct mark query;
    struct mark resource;
    struct mark fragment;
    struct mark socket_path; /* decoded */
};

static size_t href_len(const struct href *href)
{
    return wsp_buffer_len(&href->text);
}

static struct mark mark_from(const struct href *href, size_t start)
{
    return (struct mark){start, href_len(href) - start};
}

static void put(struct href *href, const char *text)
{
    if (href->error == 0)
        href->error = wsp_buffer_append(&href->text, text, strlen(text));
}

static struct mark put_encoded(struct href *href, struct wsp_span span, enum wsp_percent_set set)
{
    size_t start = href_len(href);

    if (href->error == 0)
        href->error = wsp_percent_encode(&href->text, span.text, span.len, set);
    return mark_from(href, start);
}

static void put_credentials(struct href *href, const struct wsp_url_parts *parts)
{
    if (parts->username.len == 0 && parts->password.len == 0)
        return;
    href->username = put_encoded(href, parts->username, WSP_PERCENT_USERINFO);
    if (parts->password.len > 0) {
        put(href, ":");
        href->password = put_encoded(href, parts->password, WSP_PERCENT_USERINFO);
    }
    put(href, "@");
}

/* The state "port". *ret_port is the default where the span is empty. */
static int port_parse(struct wsp_span span, uint16_t default_port, uint16_t *ret_port)
{
    unsigned int port = 0;

    for (size_t i = 0; i < span.len; i++) {
        if (!wsp_ascii_is_digit(span.text[i]))
            return WSP_URL_BAD_PORT;
        port = port * 10 + (unsigned int)(span.text[i] - '0');
        if (port > UINT16_MAX)
            return WSP_URL_BAD_PORT;
    }
    *ret_port = span.len == 0 ? default_port : (uint16_t)port;
    return 0;
}

static void put_number(struct href *href, unsigned int number)
{
    char text[sizeof("65535")];
    char *start = text + sizeof(text) - 1;

    *start = '\0';
    do {
        *--start = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put(href, start);
}

static void put_host(struct href *href, const struct wsp_url_parts *parts, wsp_to_ascii_fn to_ascii)
{
    const uint16_t default_port = wsp_scheme_facts(href->scheme)->default_port;
    size_t start = href_len(href);

    if (href->error == 0)
        href->error = wsp_url_host_parse(parts->host.text, parts->host.len, to_ascii, &href->text,
                                         &href->host_kind);
    href->host = mark_from(href, start);
    if (href->error == 0)
        href->error = port_parse(parts->port, default_port, &href->port);
    href->is_default_port = href->port == default_port;
    if (!href->is_default_port) {
        put(href, ":");
        put_number(href, href->port);
    }
    href->host_and_port = mark_from(href, start);
}

/* "." and "..", in which each dot may be written as %2e. */
static bool is_single_dot(struct wsp_span segment)
{
    return wsp_ascii_equals(segment.text, segment.len, ".") ||
           wsp_ascii_equals(segment.text, segment.len, "%2e");
}

static bool is_double_dot(struct wsp_span segment)
{
    return wsp_ascii_equals(segment.text, segment.len, "..") ||
           wsp_ascii_equals(segment.text, segment.len, ".%2e") ||
           wsp_ascii_equals(segment.text, segment.len, "%2e.") ||
           wsp_ascii_equals(segment.text, segment.len, "%2e%2e");
}

/* "Shorten a path": takes the last segment and its slash away, if there is one. */
static void href_shorten(struct href *href, size_t path_start)
{
    const char *text = (const char *)wsp_buffer_peek(&href->text);
    size_t len = href_len(href);

    if (len == path_start)
        return;
    do {
        len--;
    } while (text[len] != '/');
    wsp_buffer_truncate(&href->text, len);
}

/* The state "path". Every segment is written with the slash before it. */
static void put_segments(struct href *href, size_t path_start, struct wsp_span rest)
{
    bool is_last = false;

    while (!is_last) {
        struct wsp_span segment = {rest.text, 0};

        while (segment.len < rest.len && !wsp_url_is_slash(rest.text[segment.len]))
            segment.len++;
        is_last = segment.len == rest.len;
        wsp_span_skip(&rest, is_last ? segment.len : segment.len + 1);
        if (is_double_dot(segment) && href->error == 0)
            href_shorten(href, path_start);
        if (is_double_dot(segment) || is_single_dot(segment)) {
            /* A dot segment at the end leaves the slash behind which it stood. */
            if (is_last)
                put(href, "/");
        } else {
            put(href, "/");
            put_encoded(href, segment, WSP_PERCENT_PATH);
        }
    }
}

static void put_resource(struct href *href, const struct wsp_url_parts *parts)
{
    size_t start = href_len(href);

    put_encoded(href, parts->directory, WSP_PERCENT_PATH);
    put_segments(href, start, parts->path);
    href->path = mark_from(href, start);
    href->resource = href->path;
    if (!parts->has_query)
        return;
    put(href, "?");
    href->query = put_encoded(href, parts->query, WSP_PERCENT_QUERY);
    /* An empty query is in the URL and not in the request. */
    if (href->query.len > 0)
        href->resource = mark_from(href, start);
}

static void put_fragment(struct href *href, const struct wsp_url_parts *parts)
{
    if (!parts->has_fragment)
        return;
    put(href, "#");
    href->fragment = put_encoded(href, parts->fragment, WSP_PERCENT_FRAGMENT);
}

static void put_url(struct href *href, const struct wsp_url_parts *parts, wsp_to_ascii_fn to_ascii)
{
    put(href, "://");
    href->prefix = mark_from(href, 0);
    put_credentials(href, parts);
    put_host(href, parts, to_ascii);
    put_resource(href, parts);
    put_fragment(href, parts);
    href->whole = mark_from(href, 0);
}

/* Writes what the mark's text means when it is decoded. */
static void put_socket_path(struct href *href, struct mark encoded)
{
    size_t start = href_len(href), len;
    uint8_t *room;

    if (href->error == 0)
        href->error = wsp_buffer_reserve(&href->text, encoded.len, &room);
    if (href->error != 0)
        return;
    len = wsp_percent_decode(
        (char *)room, (const char *)wsp_buffer_peek(&href->text) + encoded.start, encoded.len);
    if (memchr(room, '\0', len) != NULL)
        href->error = WSP_URL_BAD_SOCKET;
    else if (len > WSP_MAX_SOCKET_PATH)
        href->error = WSP_URL_LONG_SOCKET;
    wsp_buffer_commit(&href->text, len);
    href->socket_path = mark_from(href, start);
}

/* Without a path of the request, which is / then, the href has none either. */
static void put_unix_url(struct href *href, const struct wsp_url_parts *parts)
{
    struct mark socket;

    put(href, parts->slashes.len > 0 ? "://" : ":");
    socket = put_encoded(href, parts->socket, WSP_PERCENT_PATH);
    if (parts->has_path) {
        put(href, ":");
        put_resource(href, parts);
    } else if (parts->has_query) {
        put(href, "?");
        put_encoded(href, parts->query, WSP_PERCENT_QUERY);
    }
    put_fragment(href, parts);
    href->whole = mark_from(href, 0);
    if (!parts->has_path)
        put_resource(href, parts);
    put_socket_path(href, socket);
}

static int href_write(struct href *href, const struct wsp_url_parts *parts,
                      wsp_to_ascii_fn to_ascii)
{
    const struct wsp_scheme_facts *facts = wsp_scheme_facts(href->scheme);

    put(href, facts->name);
    if (facts->is_unix)
        put_unix_url(href, parts);
    else
        put_url(href, parts, to_ascii);
    return href->error == -ENOBUFS ? WSP_URL_TOO_LONG : href->error;
}

/* --- copy --- */

/* Copies a part of the href into the block, with a NUL behind it, and moves on to what follows. */
static const char *block_add(char **next, const struct href *href, struct mark mark)
{
    char *string = *next;

    if (mark.len > 0)
        memcpy(string, wsp_buffer_peek(&href->text) + mark.start, mark.len);
    string[mark.len] = '\0';
    *next = string + mark.len + 1;
    return string;
}

/* A Unix socket has no host; what asks for one all the same gets the name of this machine. */
static void url_set_local(struct wsp_url *url)
{
    url->host = url->hostname = url->host_header = "localhost";
    url->origin = "null";
    url->port = wsp_scheme_facts(url->scheme)->default_port;
    url->is_default_port = true;
}

/* Makes the object's strings, all of them in one block. */
static int url_init(struct wsp_url *ret, const struct href *href, const struct wsp_url_parts *parts)
{
    struct wsp_url url = {
        .scheme = href->scheme,
        .host_kind = href->host_kind,
        .port = href->port,
        .is_default_port = href->is_default_port,
        .is_secure = wsp_scheme_facts(href->scheme)->is_secure,
        .has_query = parts->has_query,
        .has_fragment = parts->has_fragment,
    };
    const size_t n_brackets = href->host_kind == WSP_HOST_IPV6 ? 1 : 0;
    const struct mark hostname = {href->host.start + n_brackets, href->host.len - 2 * n_brackets};
    const struct {
        const char **string;
        struct mark mark;
    } strings[] = {
        {&url.href, href->whole},
        {&url.username, href->username},
        {&url.password, href->password},
        {&url.host, href->host},
        {&url.hostname, hostname},
        {&url.path, href->path},
        {&url.query, href->query},
        {&url.fragment, href->fragment},
        {&url.resource, href->resource},
        {&url.socket_path, href->socket_path},
        /* The origin is scheme://host_header: the latter overwrites the NUL of the former. */
        {&url.origin, href->prefix},
        {&url.host_header, href->host_and_port},
    };
    const size_t n_strings = sizeof(strings) / sizeof(strings[0]);
    size_t size = 0;
    char *next;

    for (size_t i = 0; i < n_strings; i++)
        size += strings[i].mark.len + 1;
    url.block = malloc(size);
    if (url.block == NULL)
        return -ENOMEM;
    next = url.block;
    for (size_t i = 0; i < n_strings; i++) {
        if (strings[i].string == &url.host_header)
            next--; /* see the table */
        *strings[i].string = block_add(&next, href, strings[i].mark);
    }
    if (wsp_scheme_facts(href->scheme)->is_unix)
        url_set_local(&url);
    *ret = url;
    return 0;
}

static int url_make(struct wsp_url *ret, const struct wsp_url_parts *parts,
                    wsp_to_ascii_fn to_ascii)
{
    struct href href = {.scheme = parts->scheme};
    int r;

    wsp_buffer_init(&href.text, WSP_MAX_URL);
    r = href_write(&href, parts, to_ascii);
    if (r == 0)
        r = url_init(ret, &href, parts);
    wsp_buffer_deinit(&href.text);
    return r;
}

static int url_parse(struct wsp_url *ret, const char *input, size_t len, const struct wsp_url *base,
                     wsp_to_ascii_fn to_ascii, enum wsp_url_use use)
{
    struct wsp_url_parts parts;
    struct wsp_span clean;
    char *copy;
    int r;

    if (len > WSP_MAX_URL)
        return WSP_URL_TOO_LONG;
    if (!wsp_utf8_is_valid(input, len))
        return WSP_URL_NOT_UTF8;
    copy = input_clean(input, len, &clean);
    if (copy == NULL)
        return -ENOMEM;
    r = wsp_url_cut(clean, base, use, &parts);
    if (r == 0) {
        if (use == WSP_URL_USE_WEBSOCKET)
            parts.scheme = wsp_scheme_facts(parts.scheme)->for_websocket;
        r = url_make(ret, &parts, to_ascii);
    }
    free(copy);
    return r;
}

int wsp_url_parse(struct wsp_url *ret, const char *input, size_t len, const struct wsp_url *base,
                  wsp_to_ascii_fn to_ascii)
{
    return url_parse(ret, input, len, base, to_ascii, WSP_URL_USE_STANDARD);
}

int wsp_url_parse_proxy(struct wsp_url *ret, const char *input, size_t len,
                        wsp_to_ascii_fn to_ascii)
{
    return url_parse(ret, input, len, NULL, to_ascii, WSP_URL_USE_PROXY);
}

int wsp_url_parse_websocket(struct wsp_url *ret, const char *input, size_t len,
                            const struct wsp_url *base, wsp_to_ascii_fn to_ascii)
{
    struct wsp_url url;
    int r = url_parse(&url, input, len, base, to_ascii, WSP_URL_USE_WEBSOCKET);

    if (r != 0)
        return r;
    if (url.has_fragment) {
        wsp_url_deinit(&url);
        return WSP_URL_FRAGMENT;
    }
    *ret = url;
    return 0;
}

void wsp_url_deinit(struct wsp_url *url)
{
    if (url == NULL)
        return;
    free(url->block);
    *url = (struct wsp_url){0};
}

const char *wsp_url_problem_to_string(int problem)
{
    switch (problem) {
#define X(name, text) \
    case name: return text;
        WSP_URL_PROBLEMS(X)
#undef X
    default: return "the URL is not valid";
    }
}
