/* SPDX-License-Identifier: MIT
 *
 * crypto: the two things that the WebSocket protocol wants of a cryptographic library.
 * Neighbours: upstream uses them through its context, shares for epochs; OpenSSL gives them.
 * Invariant: no random byte is given out twice.
 */
#ifndef WSPLEX_DAEMON_CRYPTO_H
#define WSPLEX_DAEMON_CRYPTO_H

#include <stddef.h>
#include <stdint.h>

/* Unpredictable bytes. Cheap for a few (RFC 6455 wants four for each frame): they come from a pool.
 * Ends the process when the system has no randomness, as nothing could be sent safely from then
 * on. */
void crypto_random(void *to, size_t len);

/* SHA-1, for Sec-WebSocket-Accept (RFC 6455, section 4.2.2), where its weakness does not matter. 0,
 * -ENOMEM. */
int crypto_sha1(const void *data, size_t len, uint8_t ret_digest[20]);

#endif
