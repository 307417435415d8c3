/*
 * test_adapters: each loop that client-lib/adapters knows drives a client through a conversation:
 * connecting within the loop, sending from outside of the library's handlers, and the loss of the
 * daemon.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config.h"
#include "tests/harness/client_fixture.h"
#include "tests/harness/unit.h"

#include <string.h>
#include <wsplex/libevent.h>
#include <wsplex/sd-event.h>
#ifdef HAVE_GLIB
#    include <wsplex/glib.h>
#endif

enum { DEADLINE_S = 60 };

/* A loop as a test sees it. */
struct loop {
    void (*attach)(struct wsplex *client);
    void (*detach)(void);    /* also from within */
    void (*end)(void);       /* once it is detached and no longer runs */
    void (*run)(void);       /* until quit, or the deadline */
    void (*quit)(void);      /* from within */
    void (*call_soon)(void); /* calls send_ping() from the loop itself */
};

static const struct loop *loop;
static struct wsplex_websocket *websocket;

static void send_ping(void)
{
    ck_assert_int_eq(wsplex_websocket_send_text(websocket, "ping", 4), 0);
}

/* --- libevent --- */

static struct event_base *base;
static struct wsplex_libevent *libevent;

static void on_libevent_soon(evutil_socket_t fd, short what, void *userdata)
{
    (void)fd;
    (void)what;
    (void)userdata;
    send_ping();
}

static void libevent_attach(struct wsplex *client)
{
    base = event_base_new();
    ck_assert_int_eq(wsplex_libevent_attach(client, base, &libevent), 0);
}

static void libevent_detach(void)
{
    libevent = wsplex_libevent_detach(libevent);
}

static void libevent_end(void)
{
    event_base_free(base);
}

static void libevent_run(void)
{
    struct timeval deadline = {DEADLINE_S, 0};

    event_base_loopexit(base, &deadline);
    event_base_dispatch(base);
}

static void libevent_quit(void)
{
    event_base_loopbreak(base);
}

static void libevent_call_soon(void)
{
    struct timeval soon = {0, 1000};

    event_base_once(base, -1, EV_TIMEOUT, on_libevent_soon, NULL, &soon);
}

/* --- sd-event --- */

static sd_event *event;
static struct wsplex_sd_event *adapter;

static int on_sd_event_soon(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    (void)userdata;
    send_ping();
    return 0;
}

static int on_sd_event_end(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)usec;
    (void)userdata;
    return sd_event_exit(sd_event_source_get_event(source), 0);
}

static void systemd_attach(struct wsplex *client)
{
    ck_assert_int_ge(sd_event_new(&event), 0);
    ck_assert_int_ge(wsplex_sd_event_attach(client, event, &adapter), 0);
}

static void systemd_detach(void)
{
    adapter = wsplex_sd_event_detach(adapter);
}

static void systemd_end(void)
{
    sd_event_unref(event);
}

static void systemd_run(void)
{
    sd_event_add_time_relative(event, NULL, CLOCK_MONOTONIC, DEADLINE_S * UINT64_C(1000000), 0,
                               on_sd_event_end, NULL);
    sd_event_loop(event);
}

static void systemd_quit(void)
{
    sd_event_exit(event, 0);
}

static void systemd_call_soon(void)
{
    sd_event_add_time_relative(event, NULL, CLOCK_MONOTONIC, 1000, 0, on_sd_event_soon, NULL);
}

/* --- GLib --- */

#ifdef HAVE_GLIB
static GMainContext *context;
static GMainLoop *main_loop;
static GSource *source;

static gboolean on_glib_soon(gpointer userdata)
{
    (void)userdata;
    send_ping();
    return G_SOURCE_REMOVE;
}

static gboolean on_glib_end(gpointer userdata)
{
    (void)userdata;
    g_main_loop_quit(main_loop);
    return G_SOURCE_REMOVE;
}

static void glib_attach(struct wsplex *client)
{
    context = g_main_context_new();
    main_loop = g_main_loop_new(context, FALSE);
    source = wsplex_g_source_new(client);
    g_source_attach(source, context);
}

static void glib_detach(void)
{
    if (!source)
        return;
    g_source_destroy(source);
    g_source_unref(source);
    source = NULL;
}

static void glib_end(void)
{
    g_main_loop_unref(main_loop);
    g_main_context_unref(context);
}

static void call_later(guint n_ms, GSourceFunc function)
{
    GSource *later = g_timeout_source_new(n_ms);

    g_source_set_callback(later, function, NULL, NULL);
    g_source_attach(later, context);
    g_source_unref(later);
}

static void glib_run(void)
{
    call_later(DEADLINE_S * 1000, on_glib_end);
    g_main_loop_run(main_loop);
}

static void glib_quit(void)
{
    g_main_loop_quit(main_loop);
}

static void glib_call_soon(void)
{
    call_later(1, on_glib_soon);
}
#endif

static const struct loop loops[] = {
    {libevent_attach, libevent_detach, libevent_end, libevent_run, libevent_quit,
     libevent_call_soon},
    {systemd_attach, systemd_detach, systemd_end, systemd_run, systemd_quit, systemd_call_soon},
#ifdef HAVE_GLIB
    {glib_attach, glib_detach, glib_end, glib_run, glib_quit, glib_call_soon},
#endif
};

enum {
    N_LOOPS = N_OF(loops),
};

/* --- the conversation --- */

static pid_t server;

static void on_open(const struct wsplex_event *e, void *userdata)
{
    (void)e;
    (void)userdata;
    loop->call_soon();
}

static void on_open_stop_serving(const struct wsplex_event *e, void *userdata)
{
    (void)e;
    (void)userdata;
    fake_daemon_stop_apart(server);
}

static void on_message(const struct wsplex_event *e, void *userdata)
{
    (void)userdata;
    ck_assert_int_eq(wsplex_websocket_close(e->target, 1000, NULL), 0);
}

static void on_close(const struct wsplex_event *e, void *userdata)
{
    int *how_to_end = userdata;

    loop->quit();
    if (*how_to_end == 1) {
        loop->detach();
        wsplex_free(wsplex_websocket_client(e->target));
    }
}

static void open_in_loop(struct client_fixture *f, int *how_to_end)
{
    loop->attach(f->client);
    ck_assert_int_eq(wsplex_websocket_new(f->client, FIXTURE_URL, NULL, 0, NULL, &websocket), 0);
    ck_assert_int_eq(recorder_attach(&f->recorder, websocket), 0);
    ck_assert_int_eq(
        wsplex_websocket_add_event_listener(websocket, "close", on_close, how_to_end, 0), 0);
}

/* Freed after the loop, and in a handler of it. */
START_TEST(a_conversation)
{
    int how_to_end = _i / N_LOOPS;
    struct client_fixture f;

    loop = &loops[_i % N_LOOPS];
    client_fixture_init(&f);
    server = fake_daemon_serve_apart(&f.daemon);
    open_in_loop(&f, &how_to_end);
    ck_assert_int_eq(wsplex_websocket_add_event_listener(websocket, "open", on_open, NULL, 0), 0);
    ck_assert_int_eq(wsplex_websocket_add_event_listener(websocket, "message", on_message, NULL, 0),
                     0);
    loop->run();
    client_fixture_assert_events(&f, "open echo\ntext ping\nclose clean 1000 \n");
    loop->detach();
    loop->end();
    if (how_to_end == 1)
        f.client = NULL;
    fake_daemon_stop_apart(server);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(the_daemon_goes)
{
    struct client_fixture f;
    int how_to_end = 0;

    loop = &loops[_i];
    client_fixture_init(&f);
    server = fake_daemon_serve_apart(&f.daemon);
    open_in_loop(&f, &how_to_end);
    ck_assert_int_eq(
        wsplex_websocket_add_event_listener(websocket, "open", on_open_stop_serving, NULL, 0), 0);
    fake_daemon_stop_listening(&f.daemon);
    loop->run();
    client_fixture_assert_events(&f, "open echo\nerror -104\nclose unclean 1006 \n");
    loop->detach();
    loop->end();
    client_fixture_deinit(&f);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("adapters");
    TCase *tcase = unit_case(suite, "adapters");

    tcase_set_timeout(tcase, 2 * DEADLINE_S);
    tcase_add_loop_test(tcase, a_conversation, 0, 2 * N_LOOPS);
    tcase_add_loop_test(tcase, the_daemon_goes, 0, N_LOOPS);
    return suite;
}
