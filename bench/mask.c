/* SPDX-License-Identifier: MIT
 *
 * mask: what masking a payload costs beside copying it, for frames of several lengths. Each line is a length, and the
 * time of wsp_mask() in units of the memcpy() of as many bytes: the median of pairs that were measured in turns, with
 * the least and the greatest. A frame's payload is masked as it is copied to where it is written from, so 1 is the
 * price of a masking that costs nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/websocket/mask.h"

enum {
    N_PAIRS = 31,
    N_BYTES = 32 * 1024 * 1024, /* of each measurement */
    MAX_LEN = 1024 * 1024,
};

static uint8_t from[MAX_LEN + 1], to[MAX_LEN];

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* The compiler must not know what is done with to. */
static void use(const void *data)
{
    __asm__ volatile("" : : "r"(data) : "memory");
}

static double copying(size_t len, size_t n)
{
    double begin = now();

    for (size_t i = 0; i < n; i++) {
        memcpy(to, from + 1, len);
        use(to);
    }
    return now() - begin;
}

static double masking(size_t len, size_t n)
{
    uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
    double begin = now();

    for (size_t i = 0; i < n; i++) {
        key[0] = (uint8_t)i;
        wsp_mask(to, from + 1, len, key, 0);
        use(to);
    }
    return now() - begin;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(void)
{
    static const size_t lengths[] = {16, 125, 1024, 16384, MAX_LEN};

    memset(from, 'x', sizeof(from));
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        double ratios[N_PAIRS];
        size_t n = N_BYTES / lengths[i] / (lengths[i] < 1024 ? 4 : 1);

        for (int pair = 0; pair < N_PAIRS; pair++)
            ratios[pair] = masking(lengths[i], n) / copying(lengths[i], n);
        qsort(ratios, N_PAIRS, sizeof(*ratios), ascending);
        printf("%zu %.2f %.2f %.2f\n", lengths[i], ratios[N_PAIRS / 2], ratios[0],
               ratios[N_PAIRS - 1]);
    }
    return 0;
}
