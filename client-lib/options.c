/*
 * options: see options.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "client-lib/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"
#include "proto/rules.h"

struct wsplex_options {
    enum wsplex_sharing sharing;
    struct wsp_buffer headers;
    struct wsp_buffer pairs;
    struct wsplex_position resume; /* an epoch of zeros: none */
};

int wsplex_options_new(struct wsplex_options **ret_options)
{
    struct wsplex_options *options = calloc(1, sizeof(*options));

    if (!options)
        return -ENOMEM;
    wsp_buffer_init(&options->headers, WSP_MAX_HEADERS);
    wsp_buffer_init(&options->pairs, WSP_MAX_LOCAL_PAYLOAD);
    *ret_options = options;
    return 0;
}

struct wsplex_options *wsplex_options_free(struct wsplex_options *options)
{
    if (!options)
        return NULL;
    wsp_buffer_deinit(&options->headers);
    wsp_buffer_deinit(&options->pairs);
    free(options);
    return NULL;
}

int wsplex_options_set_sharing(struct wsplex_options *options, enum wsplex_sharing sharing)
{
    if (sharing != WSPLEX_SHARING_DEFAULT && sharing != WSPLEX_SHARING_PRIVATE &&
        sharing != WSPLEX_SHARING_SHARED)
        return -EINVAL;
    options->sharing = sharing;
    return 0;
}

void wsplex_options_set_resume(struct wsplex_options *options,
                               const struct wsplex_position *position)
{
    options->resume = position ? *position : (struct wsplex_position){0};
}

static struct wsp_view buffer_view(const struct wsp_buffer *buffer)
{
    return (struct wsp_view){wsp_buffer_peek(buffer), wsp_buffer_len(buffer)};
}

/* All or nothing: a name without its value is no pair. */
static int pair_append(struct wsp_buffer *list, const char *name, const char *value)
{
    size_t len = wsp_buffer_len(list);
    int r = wsp_local_list_append(list, wsp_view_of_string(name));

    if (r == 0)
        r = wsp_local_list_append(list, wsp_view_of_string(value));
    if (r < 0)
        wsp_buffer_truncate(list, len);
    return r == -ENOBUFS || r == -EMSGSIZE ? -E2BIG : r;
}

int wsplex_options_add_header(struct wsplex_options *options, const char *name, const char *value)
{
    if (!wsp_header_name_is_valid(name, strlen(name)) ||
        !wsp_header_name_is_for_user(name, strlen(name)) ||
        !wsp_header_value_is_valid(value, strlen(value)))
        return -EINVAL;
    if (wsp_local_list_count(buffer_view(&options->headers)) / 2 >= WSP_MAX_N_HEADERS)
        return -E2BIG;
    return pair_append(&options->headers, name, value);
}

/* Copies the pairs but for those of the name. */
static int pairs_copy_without(struct wsp_buffer *ret_pairs, struct wsp_view pairs,
                              struct wsp_view name)
{
    struct wsp_view old_name, old_value;

    while (wsp_local_list_next(&pairs, &old_name) && wsp_local_list_next(&pairs, &old_value)) {
        int r;

        if (wsp_view_equals(old_name, name))
            continue;
        r = wsp_local_list_append(ret_pairs, old_name);
        if (r == 0)
            r = wsp_local_list_append(ret_pairs, old_value);
        if (r < 0)
            return r;
    }
    return 0;
}

int wsplex_options_set(struct wsplex_options *options, const char *name, const char *value)
{
    struct wsp_buffer pairs;
    int r;

    if (name[0] == '\0')
        return -EINVAL;
    wsp_buffer_init(&pairs, WSP_MAX_LOCAL_PAYLOAD);
    r = pairs_copy_without(&pairs, buffer_view(&options->pairs), wsp_view_of_string(name));
    if (r == 0)
        r = pair_append(&pairs, name, value);
    if (r < 0) {
        wsp_buffer_deinit(&pairs);
        return r;
    }
    wsp_buffer_deinit(&options->pairs);
    options->pairs = pairs;
    return 0;
}

_Static_assert((int)WSPLEX_SHARING_DEFAULT == WSP_SHARING_DEFAULT &&
                   (int)WSPLEX_SHARING_PRIVATE == WSP_SHARING_PRIVATE &&
                   (int)WSPLEX_SHARING_SHARED == WSP_SHARING_SHARED,
               "the public enum is that of the protocol");

void wsp_options_apply(const struct wsplex_options *options, struct wsp_local_open *open)
{
    open->sharing = (uint8_t)options->sharing;
    open->headers = buffer_view(&options->headers);
    open->options = buffer_view(&options->pairs);
    memcpy(open->resume_epoch.bytes, options->resume.epoch, sizeof(options->resume.epoch));
    open->resume_after = options->resume.number;
}
