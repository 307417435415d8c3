/*
 * allocation: makes the n-th allocation of a test fail; see allocation.h.
 *
 * Between the objects linked into a test program and the C library's allocator.
 *
 * Invariant: when not armed, every call goes through.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/allocation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The names that the linker's --wrap gives to the real functions and to ours. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t n, size_t size);
void __real_free(void *block);
char *__real_strdup(const char *string);
char *__real_strndup(const char *string, size_t max);
void *__real_tsearch(const void *key, void **root, int (*compare)(const void *, const void *));
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);
void __wrap_free(void *block);
char *__wrap_strdup(const char *string);
char *__wrap_strndup(const char *string, size_t max);
void *__wrap_tsearch(const void *key, void **root, int (*compare)(const void *, const void *));
/* libcheck's, called by every assertion that holds. */
void __real__mark_point(const char *file, int line);
void __wrap__mark_point(const char *file, int line);

static bool armed;
static bool failed;
static size_t left;
static unsigned n_suspended;
static void (*free_hook)(const void *block);

void allocation_fail_after(size_t n)
{
    armed = true;
    failed = false;
    left = n;
}

bool allocation_disarm(void)
{
    armed = false;
    return failed;
}

void allocation_suspend(void)
{
    n_suspended++;
}

void allocation_resume(void)
{
    n_suspended--;
}

void allocation_on_free(void (*hook)(const void *block))
{
    free_hook = hook;
}

static bool must_fail(void)
{
    if (!armed || failed || n_suspended > 0)
        return false;
    if (left > 0) {
        left--;
        return false;
    }
    failed = true;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return must_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return must_fail() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return must_fail() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
    return must_fail() ? NULL : __real_reallocarray(old, n, size);
}

void __wrap_free(void *block)
{
    if (free_hook != NULL && block != NULL)
        free_hook(block);
    __real_free(block);
}

char *__wrap_strdup(const char *string)
{
    return must_fail() ? NULL : __real_strdup(string);
}

char *__wrap_strndup(const char *string, size_t max)
{
    return must_fail() ? NULL : __real_strndup(string, max);
}

void *__wrap_tsearch(const void *key, void **root, int (*compare)(const void *, const void *))
{
    return must_fail() ? NULL : __real_tsearch(key, root, compare);
}

void __wrap__mark_point(const char *file, int line)
{
    allocation_suspend();
    __real__mark_point(file, line);
    allocation_resume();
}
