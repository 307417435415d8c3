/*
 * test_transport_socket: the contract of daemon/transport.h over a pair of sockets.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/loop.h"
#include "daemon/transport_socket.h"
#include "proto/local/errors.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop *loop;
static struct transport *transport;
static int peer;
static unsigned told;

static void on_ready(void *owner, unsigned events)
{
    ck_assert_ptr_eq(owner, &told);
    told |= events;
    loop_stop(loop);
}

static void setup(void)
{
    int pair[2];
    int n_bytes = 1 << 16;

    told = 0;
    ck_assert_int_eq(loop_new(&loop), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    /* Whatever this machine's sockets hold by themselves. */
    ck_assert_int_eq(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &n_bytes, sizeof(n_bytes)), 0);
    ck_assert_int_eq(transport_socket_new(loop, pair[0], &transport), 0);
    peer = pair[1];
    transport->ready = on_ready;
    transport->owner = &told;
}

static void teardown(void)
{
    transport = transport_free(transport);
    transport_free(NULL);
    loop_free(loop);
    close(peer);
}

START_TEST(bytes_pass_both_ways)
{
    char bytes[10];
    struct iovec parts[] = {{(void *)(uintptr_t) "ab", 2}, {(void *)(uintptr_t) "cde", 3}};

    ck_assert_int_eq(transport_read(transport, bytes, sizeof(bytes)), -EAGAIN);
    ck_assert_int_eq(write(peer, "xyz", 3), 3);
    transport_want(transport, TRANSPORT_READABLE);
    ck_assert_uint_eq(told, 0);
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert_uint_eq(told, TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(transport, bytes, sizeof(bytes)), 3);
    ck_assert_mem_eq(bytes, "xyz", 3);
    ck_assert_int_eq(transport_write(transport, parts, 2), 5);
    ck_assert_int_eq(read(peer, bytes, sizeof(bytes)), 5);
    ck_assert_mem_eq(bytes, "abcde", 5);
}
END_TEST

START_TEST(end_of_one_direction_leaves_the_other)
{
    char byte;
    struct iovec part = {(void *)(uintptr_t) "a", 1};

    shutdown(peer, SHUT_WR);
    ck_assert_int_eq(transport_read(transport, &byte, 1), 0);
    ck_assert_int_eq(transport_write(transport, &part, 1), 1);
    transport_shutdown(transport);
    ck_assert_int_eq(read(peer, &byte, 1), 1);
    ck_assert_int_eq(read(peer, &byte, 1), 0);
}
END_TEST

START_TEST(full_socket_takes_part_and_becomes_writable_again)
{
    static char megabyte[1 << 20];
    struct iovec part = {megabyte, sizeof(megabyte)};
    ssize_t n = transport_write(transport, &part, 1);

    ck_assert_int_gt(n, 0);
    ck_assert_int_lt(n, (ssize_t)sizeof(megabyte));
    ck_assert_int_eq(transport_write(transport, &part, 1), -EAGAIN);
    while (read(peer, megabyte, sizeof(megabyte)) > 0)
        ;
    transport_want(transport, TRANSPORT_WRITABLE);
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert_uint_eq(told, TRANSPORT_WRITABLE);
}
END_TEST

START_TEST(failure_is_described_and_raises_no_signal)
{
    struct failure failure;
    struct iovec part = {(void *)(uintptr_t) "a", 1};

    close(peer);
    peer = dup(STDERR_FILENO);
    ck_assert_int_eq(transport_write(transport, &part, 1), -EPIPE);
    transport_describe(transport, &failure);
    ck_assert_uint_eq(failure.cause, WSP_CAUSE_LOST);
    ck_assert_str_eq(failure.text, "the connection failed: Broken pipe");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("transport_socket");
    TCase *tcase = unit_case(suite, "socket");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, bytes_pass_both_ways);
    tcase_add_test(tcase, end_of_one_direction_leaves_the_other);
    tcase_add_test(tcase, full_socket_takes_part_and_becomes_writable_again);
    tcase_add_test(tcase, failure_is_described_and_raises_no_signal);
    return suite;
}
