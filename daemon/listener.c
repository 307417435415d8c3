/* SPDX-License-Identifier: MIT
 *
 * listener: accepts programs on the Unix socket.
 * Between the file system or systemd and server. Invariant: while it rests nothing is watched, so that a shortage of
 * descriptors costs one wakeup a second and not a processor.
 */
#include "daemon/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemon/limits.h"
#include "daemon/shortage.h"

static int problem(char ret_problem[LISTENER_PROBLEM_LEN], int error, const char *path,
                   const char *what)
{
    snprintf(ret_problem, LISTENER_PROBLEM_LEN, "%.150s: %s: %s", path, what, strerror(error));
    return -error;
}

static void listener_ready(void *owner, unsigned events)
{
    struct listener *listener = owner;

    (void)events;
    for (int i = 0; i < MAX_ACCEPTS_PER_TURN; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            listener->accepted(listener->owner, fd);
            continue;
        }
        /* One that went away again before it was accepted is none of our trouble. */
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if (errno == EAGAIN) {
            listener->is_short = false;
            return;
        }

        int error = errno;

        if (!listener->is_short)
            listener->trouble(listener->owner, strerror(error));
        listener->is_short = true;
        if (is_shortage(error)) {
            watch_want(&listener->watch, 0);
            timer_start(&listener->rest, ACCEPT_REST_MS);
        }
        return;
    }
}

static void rest_fire(void *owner)
{
    listener_resume(owner);
}

void listener_resume(struct listener *listener)
{
    if (!listener->watch.loop)
        return;
    timer_stop(&listener->rest);
    watch_want(&listener->watch, WATCH_READABLE);
}

/* ---- a socket of our own ---- */

static int directory_make(const struct listener_options *options,
                          char ret_problem[LISTENER_PROBLEM_LEN])
{
    if (!options->directory || mkdir(options->directory, options->directory_mode) == 0)
        return 0;
    if (errno == EEXIST)
        return 0;
    return problem(ret_problem, errno, options->directory, "the directory cannot be made");
}

enum { LOCK_PATH_LEN = sizeof(((struct sockaddr_un *)0)->sun_path) + sizeof(".lock") };

/* True if the locked file is the one that others will find at the path, not one that its owner has removed. */
static bool is_file_of(int fd, const char *path)
{
    struct stat of_fd, of_path;

    return fstat(fd, &of_fd) == 0 && lstat(path, &of_path) == 0 && of_fd.st_dev == of_path.st_dev &&
           of_fd.st_ino == of_path.st_ino;
}

/* Two daemons that start together must not both find the other's socket stale. */
static int lock_take(struct listener *listener, const char *path,
                     char ret_problem[LISTENER_PROBLEM_LEN])
{
    char lock_path[LOCK_PATH_LEN];

    snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
    for (;;) {
        int fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0)
            return problem(ret_problem, errno, lock_path, "cannot be made");
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
            close(fd);
            return problem(ret_problem, EADDRINUSE, path, "another wsplexd owns this socket");
        }
        if (is_file_of(fd, lock_path)) {
            listener->lock_fd = fd;
            return 0;
        }
        close(fd);
    }
}

/* Whoever is no wsplexd holds no lock: the socket itself is asked. */
static int stale_remove(const char *path, const struct sockaddr_un *address,
                        char ret_problem[LISTENER_PROBLEM_LEN])
{
    struct stat status;
    int fd, r;

    if (lstat(path, &status) < 0)
        return errno == ENOENT ? 0 : problem(ret_problem, errno, path, "cannot be examined");
    if (!S_ISSOCK(status.st_mode))
        return problem(ret_problem, EEXIST, path,
                       "is there and not a socket; remove it, or use another path");
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return problem(ret_problem, errno, path, "no socket to try it with");
    r = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? errno : 0;
    close(fd);
    if (r != ECONNREFUSED)
        return problem(ret_problem, EADDRINUSE, path, "somebody answers on this socket");
    if (unlink(path) < 0)
        return problem(ret_problem, errno, path, "a stale socket cannot be removed");
    return 0;
}

/* Nobody can connect between bind and chmod: listen comes last. */
static int socket_make(struct listener *listener, const struct listener_options *options,
                       const struct sockaddr_un *address, char ret_problem[LISTENER_PROBLEM_LEN])
{
    const char *path = address->sun_path;

    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fd < 0)
        return problem(ret_problem, errno, path, "no socket");
    if (bind(listener->fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
        return problem(ret_problem, errno, path, "the socket cannot be made");
    listener->path = strdup(path);
    if (!listener->path) {
        unlink(path);
        return problem(ret_problem, ENOMEM, path, "the socket cannot be made");
    }
    if (options->group != (gid_t)-1 && chown(path, (uid_t)-1, options->group) < 0)
        return problem(ret_problem, errno, path, "cannot be given to socket-group");
    if (chmod(path, options->mode) < 0)
        return problem(ret_problem, errno, path, "cannot be given socket-mode");
    if (listen(listener->fd, MAX_BACKLOG) < 0)
        return problem(ret_problem, errno, path, "cannot listen");
    return 0;
}

static int own_socket(struct listener *listener, const struct listener_options *options,
                      char ret_problem[LISTENER_PROBLEM_LEN])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int r;

    if (strlen(options->path) >= sizeof(address.sun_path))
        return problem(ret_problem, ENAMETOOLONG, options->path,
                       "a socket's path has at most 107 bytes");
    memcpy(address.sun_path, options->path, strlen(options->path) + 1);
    r = directory_make(options, ret_problem);
    if (r == 0)
        r = lock_take(listener, options->path, ret_problem);
    if (r == 0)
        r = stale_remove(options->path, &address, ret_problem);
    if (r == 0)
        r = socket_make(listener, options, &address, ret_problem);
    return r;
}

/* ---- systemd's ---- */

/* 1: there is none. */
static int systemd_socket(struct listener *listener, char ret_problem[LISTENER_PROBLEM_LEN])
{
    int n = sd_listen_fds(1);

    if (n == 0)
        return 1;
    if (n < 0)
        return problem(ret_problem, -n, "LISTEN_FDS", "systemd's sockets cannot be taken");
    for (int i = 1; i < n; i++)
        close(SD_LISTEN_FDS_START + i);
    listener->fd = SD_LISTEN_FDS_START;
    if (n > 1)
        return problem(ret_problem, E2BIG, "LISTEN_FDS",
                       "more than one socket; give wsplexd exactly one");
    if (sd_is_socket_unix(listener->fd, SOCK_STREAM, 1, NULL, 0) <= 0)
        return problem(ret_problem, EPROTOTYPE, "LISTEN_FDS",
                       "not a listening Unix stream socket; use ListenStream with a path");
    if (fcntl(listener->fd, F_SETFL, O_NONBLOCK) < 0)
        return problem(ret_problem, errno, "LISTEN_FDS", "cannot be made non-blocking");
    return 0;
}

int listener_init(struct listener *listener, struct loop *loop,
                  const struct listener_options *options, void (*accepted)(void *owner, int fd),
                  void (*trouble)(void *owner, const char *text), void *owner,
                  char ret_problem[LISTENER_PROBLEM_LEN])
{
    int r;

    *listener = (struct listener){
        .fd = -1, .lock_fd = -1, .accepted = accepted, .trouble = trouble, .owner = owner};
    r = systemd_socket(listener, ret_problem);
    if (r > 0)
        r = own_socket(listener, options, ret_problem);
    if (r == 0) {
        r = timer_init(&listener->rest, loop_clock(loop), rest_fire, listener);
        if (r == 0)
            r = watch_init(&listener->watch, loop, listener->fd, listener_ready, listener);
        if (r < 0)
            problem(ret_problem, -r, options->path, "cannot be watched");
    }
    if (r < 0) {
        listener_deinit(listener);
        return r;
    }
    watch_want(&listener->watch, WATCH_READABLE);
    return 0;
}

void listener_deinit(struct listener *listener)
{
    if (!listener->accepted)
        return;
    watch_deinit(&listener->watch);
    timer_deinit(&listener->rest);
    if (listener->fd >= 0)
        close(listener->fd);
    if (listener->path)
        unlink(listener->path);
    if (listener->lock_fd >= 0) {
        if (listener->path) {
            char lock_path[LOCK_PATH_LEN];

            snprintf(lock_path, sizeof(lock_path), "%s.lock", listener->path);
            unlink(lock_path);
        }
        close(listener->lock_fd);
    }
    free(listener->path);
    memset(listener, 0, sizeof(*listener));
}
