/*
 * fuzz_frame: a frame header at every length of the input, for both roles.
 *
 * The first byte holds the role and the reserved bits in force. What was said of a prefix must hold for
 * every longer one, and a header that was read must be written as it stood.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/frame.h"

#include "tests/fuzz/chunks.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int read_copy(const uint8_t *bytes, size_t len, unsigned how,
                     struct wsp_frame_header *ret_header, size_t *ret_len, const char **ret_why)
{
    enum wsp_role role = how & 1 ? WSP_ROLE_SERVER : WSP_ROLE_CLIENT;
    uint8_t *copy = malloc(len + 1);
    int r;

    require(copy != NULL);
    memcpy(copy + 1, bytes, len);
    r = wsp_frame_header_read((struct wsp_view){copy + 1, len}, role, (uint8_t)(how & 0x70),
                              ret_header, ret_len, ret_why);
    free(copy);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    int said = WSP_MORE;
    const char *said_why = NULL;
    size_t said_len = 0;

    if (len == 0)
        return 0;
    for (size_t n = 0; n <= len - 1 && n <= 20; n++) {
        struct wsp_frame_header header;
        uint8_t written[WSP_FRAME_MAX_HEADER];
        size_t header_len = 0;
        const char *why = NULL;
        int r = read_copy(data + 1, n, data[0], &header, &header_len, &why);

        require(said == WSP_MORE || (r == said && why == said_why && header_len == said_len));
        require((r == WSP_BROKEN) == (why != NULL));
        if (r == 0) {
            require(header_len <= n && header.payload_len <= INT64_MAX);
            require(wsp_frame_header_write(written, &header) == header_len);
            require(memcmp(written, data + 1, header_len) == 0);
        }
        require(r != WSP_MORE || n < WSP_FRAME_MAX_HEADER);
        said = r;
        said_why = why;
        said_len = header_len;
    }
    return 0;
}
