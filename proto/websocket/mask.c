/*
 * mask: masking of payload bytes (RFC 6455, section 5.3), a vector at a time.
 *
 * Inside the frame, in both directions: message.c calls it; see mask.h for the contract.
 *
 * Invariant: byte i of the piece meets byte (offset + i) mod 4 of the key.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/mask.h"

#include <string.h>

/* SSE2 and NEON have registers of this size; elsewhere the compiler makes words of it. */
typedef uint32_t vector __attribute__((vector_size(16)));

/* Loads and stores go through memcpy(), so neither pointer need be aligned. */
static inline vector load(const uint8_t *from)
{
    vector v;

    memcpy(&v, from, sizeof(v));
    return v;
}

static inline void store(uint8_t *to, vector v)
{
    memcpy(to, &v, sizeof(v));
}

void wsp_mask(uint8_t *to, const uint8_t *from, size_t len, const uint8_t key[4], size_t offset)
{
    const uint8_t rotated[4] = {key[offset % 4], key[(offset + 1) % 4], key[(offset + 2) % 4],
                                key[(offset + 3) % 4]};
    uint32_t word, last;
    vector mask;
    size_t i = 0;

    memcpy(&word, rotated, sizeof(word));
    mask = (vector){word, word, word, word};
    for (; len - i >= 4 * sizeof(vector); i += 4 * sizeof(vector)) {
        vector a = load(from + i);
        vector b = load(from + i + sizeof(vector));
        vector c = load(from + i + 2 * sizeof(vector));
        vector d = load(from + i + 3 * sizeof(vector));

        store(to + i, a ^ mask);
        store(to + i + sizeof(vector), b ^ mask);
        store(to + i + 2 * sizeof(vector), c ^ mask);
        store(to + i + 3 * sizeof(vector), d ^ mask);
    }
    for (; len - i >= sizeof(vector); i += sizeof(vector))
        store(to + i, load(from + i) ^ mask);
    /* A multiple of 4 lies behind, here and below, so the key begins anew. */
    for (; len - i >= sizeof(word); i += sizeof(word)) {
        memcpy(&last, from + i, sizeof(last));
        last ^= word;
        memcpy(to + i, &last, sizeof(last));
    }
    for (size_t j = 0; i + j < len; j++)
        to[i + j] = from[i + j] ^ rotated[j];
}
