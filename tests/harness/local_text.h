/*
 * local_text: frames of the local protocol as text for people, byte by byte.
 *
 * Between messages.def and the test that compares PROTOCOL.md with it.
 *
 * Invariant: a line begins with the bytes that it is about, and no byte is left out.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_TESTS_HARNESS_LOCAL_TEXT_H
#define WSP_TESTS_HARNESS_LOCAL_TEXT_H

#include <stdio.h>

#include "proto/buffer.h"

/*
 * Writes a frame that decode has accepted, header and payload, in lines like
 *
 *   e8 03                               code 1000
 *
 * one for each part of the header and each field, more where the bytes of a field need them.
 */
void local_text_write_frame(FILE *to, struct wsp_view frame);

/* Writes bytes with a label behind the first line of them, in the same layout. */
void local_text_write_bytes(FILE *to, struct wsp_view bytes, const char *label);

/*
 * Writes the rows of the tables of PROTOCOL.md: every type of frame, and the errors of each kind
 * ("fatal", "cause", "status"; of another kind there are none).
 */
void local_text_write_types(FILE *to);
void local_text_write_errors(FILE *to, const char *kind);

#endif
