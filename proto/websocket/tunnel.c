/*
 * tunnel: what is said to a proxy before the tunnel stands; see tunnel.h.
 *
 * Between head, which reads an HTTP answer, and the daemon's tunnel, which moves the bytes.
 *
 * Invariant: not one byte behind the proxy's answer is taken.
 *
 *  state  | what comes                           | next
 *  HTTP   | a head with a status of 1xx          | HTTP, at most WSP_MAX_N_INTERIM_ANSWERS times
 *         | 2xx                                  | OPEN
 *         | another, or no head                  | BROKEN
 *  METHOD | 5, 0 (no authentication)             | REPLY; the request is due
 *         | 5, 2, if credentials were offered    | AUTH; the credentials are due
 *         | anything else                        | BROKEN
 *  AUTH   | 1, 0                                 | REPLY; the request is due
 *         | anything else                        | BROKEN
 *  REPLY  | 5, 0, any, a type and its address    | OPEN
 *         | anything else                        | BROKEN
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/tunnel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/limits.h"
#include "proto/websocket/basic.h"

enum { STATE_HTTP, STATE_METHOD, STATE_AUTH, STATE_REPLY, STATE_OPEN, STATE_BROKEN };

enum {
    SOCKS_VERSION = 5,
    SOCKS_CONNECT = 1,
    SOCKS_NO_AUTHENTICATION = 0,
    SOCKS_PASSWORD = 2,
    SOCKS_NO_METHOD = 0xff,
    SOCKS_PASSWORD_VERSION = 1, /* RFC 1929 */
    SOCKS_IPV4 = 1,
    SOCKS_NAME = 3,
    SOCKS_IPV6 = 4,
    MAX_SOCKS_STRING = 255, /* its length is one byte */
};

static int broken(struct wsp_tunnel *tunnel, const char *problem)
{
    tunnel->state = STATE_BROKEN;
    tunnel->problem = problem;
    return WSP_BROKEN;
}

/* --- HTTP: what is asked --- */

static void put(struct wsp_buffer *out, struct wsp_view view, int *error)
{
    if (*error == 0)
        *error = wsp_buffer_append(out, view.data, view.len);
}

static void put_text(struct wsp_buffer *out, const char *text, int *error)
{
    put(out, wsp_view_of_string(text), error);
}

/* The port is named always (RFC 9110, section 9.3.6). */
static void put_authority(struct wsp_buffer *out, const struct wsp_tunnel_asked *asked, int *error)
{
    char port[sizeof(":65535")];

    snprintf(port, sizeof(port), ":%u", (unsigned)asked->port);
    put(out, asked->host, error);
    put_text(out, port, error);
}

static int http_write(struct wsp_buffer *out, const struct wsp_tunnel_asked *asked)
{
    int r = 0;

    put_text(out, "CONNECT ", &r);
    put_authority(out, asked, &r);
    put_text(out, " HTTP/1.1\r\nHost: ", &r);
    put_authority(out, asked, &r);
    if (asked->user_agent.len > 0)
        put_text(out, "\r\nUser-Agent: ", &r);
    put(out, asked->user_agent, &r);
    if (asked->has_credentials) {
        put_text(out, "\r\nProxy-Authorization: ", &r);
        if (r == 0)
            r = wsp_basic_append(out, asked->username, asked->password);
    }
    put_text(out, "\r\n\r\n", &r);
    return r;
}

static int http_init(struct wsp_tunnel *tunnel, const struct wsp_tunnel_asked *asked)
{
    if (asked->has_credentials && !wsp_basic_is_valid(asked->username, asked->password))
        return broken(tunnel,
                      "HTTP cannot carry its credentials: they hold a control character, or "
                      "the user name a colon");
    tunnel->state = STATE_HTTP;
    wsp_head_init(&tunnel->head, WSP_HEAD_RESPONSE, WSP_MAX_TUNNEL_HEAD, WSP_MAX_HTTP_N_FIELDS);
    return http_write(&tunnel->out, asked);
}

/* --- HTTP: what is answered --- */

/* RFC 9110, section 11.6: a challenge begins with its scheme. */
static bool challenges_with_basic(const struct wsp_head *head)
{
    struct wsp_head_list challenges = wsp_head_list(head, "Proxy-Authenticate");
    struct wsp_view challenge;

    while (wsp_head_list_next(&challenges, &challenge)) {
        size_t len = 0;

        while (len < challenge.len && !wsp_byte_is_blank(challenge.data[len]))
            len++;
        challenge.len = len;
        if (wsp_token_is(challenge, "Basic"))
            return true;
    }
    return false;
}

static const struct {
    unsigned status;
    const char *problem;
} http_refusals[] = {
    {400, "it found the request for a tunnel malformed"},
    {403, "it does not allow a tunnel there"},
    {404, "it does not know where that is, or is no proxy"},
    {405, "it makes no tunnels"},
    {429, "it has had too many requests"},
    {500, "it is in trouble itself"},
    {501, "it makes no tunnels"},
    {502, "it could not reach the server"},
    {503, "it is not available, or could not reach the server"},
    {504, "the server did not answer it in time"},
};

static const char *http_problem(const struct wsp_tunnel *tunnel)
{
    /* Some answer with the server's status to credentials that they do not take. */
    if (tunnel->answer == 407 || tunnel->answer == 401) {
        if (wsp_head_count(&tunnel->head, "Proxy-Authenticate") > 0 &&
            !challenges_with_basic(&tunnel->head))
            return "it wants credentials in another way than Basic";
        return tunnel->has_credentials ? "it does not take the credentials"
                                       : "it wants credentials";
    }
    if (tunnel->answer < 400)
        return "that is no answer to CONNECT";
    for (size_t i = 0; i < sizeof(http_refusals) / sizeof(http_refusals[0]); i++) {
        if (http_refusals[i].status == tunnel->answer)
            return http_refusals[i].problem;
    }
    return "it refuses";
}

/* A head of success has no body, whatever it says of one (RFC 9110, section 9.3.6). */
static int http_next(struct wsp_tunnel *tunnel)
{
    int r;

    while ((r = wsp_head_next(&tunnel->head)) == 0) {
        unsigned status = wsp_head_status(&tunnel->head);

        tunnel->input = wsp_head_rest(&tunnel->head);
        if (status >= 200 && status < 300) {
            tunnel->state = STATE_OPEN;
            return 0;
        }
        tunnel->answer = status;
        if (status >= 200)
            return broken(tunnel, http_problem(tunnel));
        if (status == 101 || ++tunnel->n_interim > WSP_MAX_N_INTERIM_ANSWERS)
            return broken(tunnel, "that is no answer to CONNECT");
        tunnel->answer = 0;
        wsp_head_restart(&tunnel->head);
    }
    if (r == WSP_BROKEN)
        return broken(tunnel, wsp_head_flaw_to_string(wsp_head_get_flaw(&tunnel->head)));
    if (r == WSP_MORE)
        tunnel->input.len = 0;
    return r;
}

/* --- SOCKS5: what is asked --- */

static void put_u8(struct wsp_buffer *out, unsigned value, int *error)
{
    if (*error == 0)
        *error = wsp_buffer_append_u8(out, (uint8_t)value);
}

static void put_string(struct wsp_buffer *out, struct wsp_view string, int *error)
{
    put_u8(out, (unsigned)string.len, error);
    put(out, string, error);
}

/* RFC 1928, section 4. */
static void put_request(struct wsp_buffer *out, const struct wsp_tunnel_asked *asked, int *error)
{
    put_u8(out, SOCKS_VERSION, error);
    put_u8(out, SOCKS_CONNECT, error);
    put_u8(out, 0, error);
    if (asked->address.len > 0) {
        put_u8(out, asked->address.len == 4 ? SOCKS_IPV4 : SOCKS_IPV6, error);
        put(out, asked->address, error);
    } else {
        put_u8(out, SOCKS_NAME, error);
        put_string(out, asked->host, error);
    }
    put_u8(out, asked->port >> 8, error);
    put_u8(out, asked->port & 0xff, error);
}

/* The greeting names the methods (RFC 1928, section 3); whether the credentials (RFC 1929, section 2)
 * are said is for the proxy's answer to decide. */
static int socks_write(struct wsp_tunnel *tunnel, const struct wsp_tunnel_asked *asked)
{
    struct wsp_buffer *out = &tunnel->out;
    int r = 0;

    put_u8(out, SOCKS_VERSION, &r);
    put_u8(out, asked->has_credentials ? 2 : 1, &r);
    put_u8(out, SOCKS_NO_AUTHENTICATION, &r);
    if (asked->has_credentials)
        put_u8(out, SOCKS_PASSWORD, &r);
    tunnel->due = wsp_buffer_len(out);
    if (asked->has_credentials) {
        put_u8(out, SOCKS_PASSWORD_VERSION, &r);
        put_string(out, asked->username, &r);
        put_string(out, asked->password, &r);
    }
    tunnel->credentials_len = wsp_buffer_len(out) - tunnel->due;
    put_request(out, asked, &r);
    tunnel->request_len = wsp_buffer_len(out) - tunnel->due - tunnel->credentials_len;
    return r;
}

static int socks_init(struct wsp_tunnel *tunnel, const struct wsp_tunnel_asked *asked)
{
    if (asked->address.len == 0 && asked->host.len > MAX_SOCKS_STRING)
        return broken(tunnel, "SOCKS5 has no room for a host name of more than 255 bytes");
    if (asked->has_credentials &&
        (asked->username.len > MAX_SOCKS_STRING || asked->password.len > MAX_SOCKS_STRING))
        return broken(tunnel,
                      "SOCKS5 has no room for a user name or password of more than 255 bytes");
    tunnel->state = STATE_METHOD;
    return socks_write(tunnel, asked);
}

/* --- SOCKS5: what is answered --- */

static const char not_socks[] = "its answer is not SOCKS5";

/* RFC 1928, section 6; an address that is out of reach is no reason to give up the others. */
static const struct {
    const char *problem;
    bool is_about_address;
} socks_refusals[] = {
    [1] = {"it failed, and does not say why", true},
    [2] = {"its rules do not allow this connection", false},
    [3] = {"it cannot reach the server's network", true},
    [4] = {"it cannot reach the server's host", true},
    [5] = {"the server refused its connection", true},
    [6] = {"the way from it to the server is too long or did not answer", true},
    [7] = {"it does not know the command CONNECT", false},
    [8] = {"it does not know this kind of address", true},
};

/* Takes of the input until so much of the answer is here. */
static bool reply_has(struct wsp_tunnel *tunnel, size_t len)
{
    size_t n = len > tunnel->reply_len ? len - tunnel->reply_len : 0;

    if (n > tunnel->input.len)
        n = tunnel->input.len;
    if (n > 0) {
        memcpy(tunnel->reply + tunnel->reply_len, tunnel->input.data, n);
        tunnel->reply_len += n;
        tunnel->input.data += n;
        tunnel->input.len -= n;
    }
    return tunnel->reply_len >= len;
}

static int socks_request_is_due(struct wsp_tunnel *tunnel)
{
    tunnel->state = STATE_REPLY;
    tunnel->reply_len = 0;
    tunnel->due += tunnel->request_len;
    return WSP_MORE;
}

/* What was held ready to be said is not wanted after all. */
static void socks_forget_credentials(struct wsp_tunnel *tunnel)
{
    wsp_buffer_consume(&tunnel->out, tunnel->due + tunnel->credentials_len);
    tunnel->due = 0;
}

static int socks_method(struct wsp_tunnel *tunnel)
{
    const uint8_t *reply = tunnel->reply;

    if (!reply_has(tunnel, 1))
        return WSP_MORE;
    if (reply[0] != SOCKS_VERSION)
        return broken(tunnel, not_socks);
    if (!reply_has(tunnel, 2))
        return WSP_MORE;
    if (reply[1] == SOCKS_NO_AUTHENTICATION) {
        socks_forget_credentials(tunnel);
        return socks_request_is_due(tunnel);
    }
    if (reply[1] == SOCKS_PASSWORD && tunnel->has_credentials) {
        tunnel->state = STATE_AUTH;
        tunnel->reply_len = 0;
        tunnel->due += tunnel->credentials_len;
        return WSP_MORE;
    }
    if (reply[1] != SOCKS_NO_METHOD)
        return broken(tunnel, not_socks);
    return broken(tunnel, tunnel->has_credentials
                              ? "it wants credentials in another way than user name and password"
                              : "it wants credentials");
}

static int socks_auth(struct wsp_tunnel *tunnel)
{
    if (!reply_has(tunnel, 1))
        return WSP_MORE;
    if (tunnel->reply[0] != SOCKS_PASSWORD_VERSION)
        return broken(tunnel, not_socks);
    if (!reply_has(tunnel, 2))
        return WSP_MORE;
    if (tunnel->reply[1] != 0)
        return broken(tunnel, "it does not take the credentials");
    return socks_request_is_due(tunnel);
}

/* A refusal ends with its code: some proxies hang up behind it. */
static int socks_refused(struct wsp_tunnel *tunnel)
{
    size_t n = sizeof(socks_refusals) / sizeof(socks_refusals[0]);

    tunnel->answer = tunnel->reply[1];
    if (tunnel->answer >= n)
        return broken(tunnel, "that is no reply code of SOCKS5");
    tunnel->is_about_address = socks_refusals[tunnel->answer].is_about_address;
    return broken(tunnel, socks_refusals[tunnel->answer].problem);
}

static int socks_reply(struct wsp_tunnel *tunnel)
{
    const uint8_t *reply = tunnel->reply;
    size_t address_len;

    if (!reply_has(tunnel, 1))
        return WSP_MORE;
    if (reply[0] != SOCKS_VERSION)
        return broken(tunnel, not_socks);
    if (!reply_has(tunnel, 2))
        return WSP_MORE;
    if (reply[1] != 0)
        return socks_refused(tunnel);
    if (!reply_has(tunnel, 5))
        return WSP_MORE;
    switch (reply[3]) {
    case SOCKS_IPV4: address_len = 4; break;
    case SOCKS_IPV6: address_len = 16; break;
    case SOCKS_NAME: address_len = 1 + (size_t)reply[4]; break;
    default: return broken(tunnel, not_socks);
    }
    if (!reply_has(tunnel, 4 + address_len + 2))
        return WSP_MORE;
    tunnel->state = STATE_OPEN;
    return 0;
}

/* --- both --- */

int wsp_tunnel_init(struct wsp_tunnel *tunnel, const struct wsp_tunnel_asked *asked)
{
    int r;

    *tunnel = (struct wsp_tunnel){.has_credentials = asked->has_credentials};
    wsp_buffer_init(&tunnel->out, SIZE_MAX);
    wsp_buffer_keep_secret(&tunnel->out);
    if (asked->kind == WSP_TUNNEL_SOCKS5)
        return socks_init(tunnel, asked);
    r = http_init(tunnel, asked);
    tunnel->due = wsp_buffer_len(&tunnel->out);
    return r;
}

void wsp_tunnel_deinit(struct wsp_tunnel *tunnel)
{
    wsp_buffer_deinit(&tunnel->out);
    wsp_head_deinit(&tunnel->head);
}

struct wsp_view wsp_tunnel_output(const struct wsp_tunnel *tunnel)
{
    return (struct wsp_view){wsp_buffer_peek(&tunnel->out), tunnel->due};
}

void wsp_tunnel_written(struct wsp_tunnel *tunnel, size_t len)
{
    wsp_buffer_consume(&tunnel->out, len);
    tunnel->due -= len;
}

void wsp_tunnel_feed(struct wsp_tunnel *tunnel, struct wsp_view input)
{
    tunnel->input = input;
    if (tunnel->state == STATE_HTTP)
        wsp_head_feed(&tunnel->head, input);
}

int wsp_tunnel_next(struct wsp_tunnel *tunnel)
{
    int r = WSP_MORE;

    do {
        switch (tunnel->state) {
        case STATE_HTTP: return http_next(tunnel);
        case STATE_METHOD: r = socks_method(tunnel); break;
        case STATE_AUTH: r = socks_auth(tunnel); break;
        case STATE_REPLY: r = socks_reply(tunnel); break;
        case STATE_OPEN: return 0;
        default: return WSP_BROKEN;
        }
    } while (r == WSP_MORE && tunnel->input.len > 0);
    return r;
}

struct wsp_view wsp_tunnel_rest(const struct wsp_tunnel *tunnel)
{
    return tunnel->input;
}

const char *wsp_tunnel_problem(const struct wsp_tunnel *tunnel)
{
    return tunnel->problem;
}

unsigned wsp_tunnel_answer(const struct wsp_tunnel *tunnel)
{
    return tunnel->answer;
}

bool wsp_tunnel_is_about_address(const struct wsp_tunnel *tunnel)
{
    return tunnel->is_about_address;
}
