/* SPDX-License-Identifier: MIT
 *
 * crypto: random bytes from a pool, and SHA-1; see crypto.h.
 * Neighbours: OpenSSL below; the contexts of upstreams and shares above.
 * Invariant: pool[n_used ..) has never been given out; what has been is wiped.
 */
#include "daemon/crypto.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* RAND_bytes costs 1.5 us however few bytes it gives, the pool 2 ns for a mask. */
enum { POOL_LEN = 4096 };

static struct {
    uint8_t bytes[POOL_LEN];
    size_t n_used;
    int is_filled;
} pool;

static void random_from_system(void *to, size_t len)
{
    if (RAND_bytes(to, (int)len) == 1)
        return;
    fputs("wsplexd: OpenSSL has no random bytes\n", stderr);
    abort();
}

void crypto_random(void *to, size_t len)
{
    if (len > POOL_LEN / 4) {
        random_from_system(to, len);
        return;
    }
    if (!pool.is_filled || len > POOL_LEN - pool.n_used) {
        random_from_system(pool.bytes, POOL_LEN);
        pool.n_used = 0;
        pool.is_filled = 1;
    }
    memcpy(to, pool.bytes + pool.n_used, len);
    OPENSSL_cleanse(pool.bytes + pool.n_used, len);
    pool.n_used += len;
}

int crypto_sha1(const void *data, size_t len, uint8_t ret_digest[20])
{
    return EVP_Digest(data, len, ret_digest, NULL, EVP_sha1(), NULL) == 1 ? 0 : -ENOMEM;
}
