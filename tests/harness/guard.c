/*
 * guard: test input that ends at an unmapped page; see guard.h.
 *
 * Between a test or a fuzz corpus and the code that reads the bytes.
 *
 * Invariant: the byte behind the input is never mapped.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/guard.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void guard_init(struct guard *guard, const void *data, size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t readable = (len + page - 1) / page * page;
    uint8_t *mapping =
        mmap(NULL, readable + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (mapping == MAP_FAILED || mprotect(mapping + readable, page, PROT_NONE) < 0)
        abort();
    *guard = (struct guard){
        .data = mapping + readable - len,
        .len = len,
        .mapping = mapping,
        .mapping_len = readable + page,
    };
    if (len > 0)
        memcpy(guard->data, data, len);
}

void guard_deinit(struct guard *guard)
{
    if (guard == NULL || guard->mapping == NULL)
        return;
    munmap(guard->mapping, guard->mapping_len);
    *guard = (struct guard){0};
}
