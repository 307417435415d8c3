/* SPDX-License-Identifier: MIT
 *
 * tls_options: see tls_options.h.
 * Between options and target. Invariant: see tls_options.h.
 */
#include "daemon/tls_options.h"

#include <errno.h>
#include <string.h>

static int text_copy(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return from && !*to ? -ENOMEM : 0;
}

int tls_options_fill(struct tls_settings *settings, const struct endpoint_options *options,
                     const char *ca_file, const char *ca_path)
{
    bool has_trust = options->ca_file || options->ca_path;
    int r = text_copy(&settings->ca_file, has_trust ? options->ca_file : ca_file);

    settings->is_insecure = options->insecure_tls != NULL;
    if (r == 0)
        r = text_copy(&settings->ca_path, has_trust ? options->ca_path : ca_path);
    if (r == 0)
        r = text_copy(&settings->cert_file, options->cert_file);
    if (r == 0)
        r = text_copy(&settings->key_file, options->key_file);
    for (size_t i = 0; r == 0 && i < options->pins.n_items; i++)
        r = strings_add(&settings->pins, options->pins.items[i], strlen(options->pins.items[i]));
    return r;
}
