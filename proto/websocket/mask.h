/*
 * mask: masking of payload bytes (RFC 6455, section 5.3), a vector at a time.
 *
 * On the way of a message this stands inside the frame: message.c calls it on the way in (server
 * role) and on the way out (client role).
 *
 * Invariant: masking twice with the same key and offset
 * gives back the bytes one began with, whatever the alignment.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_PROTO_WEBSOCKET_MASK_H
#define WSPLEX_PROTO_WEBSOCKET_MASK_H

#include <stddef.h>
#include <stdint.h>

/*
 * Writes the len bytes at from to to, each XORed with its byte of key.
 *
 * offset is the place of from[0] within its frame's payload, in bytes, so that a payload may be
 * masked piece by piece. to may be from (in place); other overlaps are not allowed.
 */
void wsp_mask(uint8_t *to, const uint8_t *from, size_t len, const uint8_t key[4], size_t offset);

#endif
