/*
 * disk_faults: to be preloaded into a daemon: a disk that hangs, or is slow, and a death at the worst moment.
 *
 * Between tests/integration/test_budgets.py and libc. What is to happen is said by files in the directory $DISK_FAULTS:
 *
 *     hang     fdatasync does not return while it is there; `hanging` tells that one does so
 *     slow     fdatasync takes a fifth of a second
 *     connect  the first connect over IP kills the process, before the kernel hears of it
 *
 * Invariant: without these files nothing is changed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { POLL_NS = 5000000, SLOW_NS = 200000000 };

static bool path_of(const char *name, char ret_path[4096])
{
    const char *directory = getenv("DISK_FAULTS");

    return directory != NULL && snprintf(ret_path, 4096, "%s/%s", directory, name) < 4096;
}

static bool is_there(const char *name)
{
    char path[4096];

    return path_of(name, path) && access(path, F_OK) == 0;
}

static void make(const char *name)
{
    char path[4096];
    int fd = path_of(name, path) ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;

    if (fd >= 0)
        close(fd);
}

static void rest(long ns)
{
    nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

int fdatasync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");

    if (is_there("slow"))
        rest(SLOW_NS);
    while (is_there("hang")) {
        make("hanging");
        rest(POLL_NS);
    }
    return real(fd);
}

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
    int (*real)(int, const struct sockaddr *, socklen_t) =
        (int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "connect");

    if (address->sa_family != AF_UNIX && is_there("connect"))
        kill(getpid(), SIGKILL);
    return real(fd, address, len);
}
