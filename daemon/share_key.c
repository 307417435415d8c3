/* SPDX-License-Identifier: MIT
 *
 * share_key: writes the identity fields of a target one after another, each in a form that can be read back in one way.
 * Between target, whose fields they are, and share, which looks keys up. Invariant: every text is preceded by its length
 * and every list by its number of items, so no field can pass for a part of its neighbour.
 */
#include "daemon/share_key.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/destination.h"

/* Written twice: first without a buffer, for the length. */
struct writer {
    uint8_t *to;
    size_t len;
};

static void write_bytes(struct writer *writer, const void *bytes, size_t len)
{
    if (writer->to != NULL && len > 0)
        memcpy(writer->to + writer->len, bytes, len);
    writer->len += len;
}

static void write_number(struct writer *writer, uint64_t number)
{
    write_bytes(writer, &number, sizeof(number));
}

/* NULL is not the empty text. */
static void write_text(struct writer *writer, const char *text)
{
    write_number(writer, text == NULL ? UINT64_MAX : strlen(text));
    write_bytes(writer, text, text == NULL ? 0 : strlen(text));
}

/* RFC 9110, section 5.1: case does not matter in ASCII, and a field name is ASCII. */
static void write_lower_case(struct writer *writer, const char *text)
{
    write_number(writer, strlen(text));
    for (; *text != '\0'; text++) {
        char c = *text >= 'A' && *text <= 'Z' ? (char)(*text - 'A' + 'a') : *text;

        write_bytes(writer, &c, 1);
    }
}

static void write_strings(struct writer *writer, const struct strings *strings)
{
    write_number(writer, strings->n_items);
    for (size_t i = 0; i < strings->n_items; i++)
        write_text(writer, strings->items[i]);
}

static void write_tls(struct writer *writer, const struct target *target)
{
    const struct tls_settings *tls = &target->tls;

    write_number(writer, target->scope);
    write_number(writer, target->is_wide);
    write_text(writer, target->endpoint);
    write_text(writer, target->url.hostname);
    write_number(writer, target->url.port);
    write_text(writer, target->url.socket_path);
    write_text(writer, target->proxy == NULL ? NULL : target->proxy->url.href);
    write_text(writer, tls->ca_file);
    write_text(writer, tls->ca_path);
    write_text(writer, tls->cert_file);
    write_text(writer, tls->key_file);
    write_strings(writer, &tls->pins);
    write_number(writer, tls->is_insecure);
}

static void write_target(struct writer *writer, const struct target *target)
{
    write_tls(writer, target);
    /* Who may go to fewer places since a reload does not join what was allowed before. */
    write_text(writer, destination_text(target->destination));
    write_text(writer, target->url.href);
    write_strings(writer, &target->protocols);
    write_number(writer, target->headers.n_items);
    for (size_t i = 0; i < target->headers.n_items; i++) {
        if (i % 2 == 0)
            write_lower_case(writer, target->headers.items[i]);
        else
            write_text(writer, target->headers.items[i]);
    }
    write_text(writer, target->credentials_dir);
    write_number(writer, target->max_message);
    write_number(writer, target->is_deflated);
    write_number(writer, target->is_taking_over);
    write_number(writer, target->window_bits);
    /* Of the endpoint alone, and so the same for all; but those of before a reload are not those of after it. */
    write_text(writer, target->conflate_key_text);
    write_number(writer, target->routing.is_on);
    write_text(writer, target->routing.member);
}

static struct share_key *key_new(const struct target *target,
                                 void (*write)(struct writer *writer, const struct target *target))
{
    struct writer writer = {0};
    struct share_key *key;

    write(&writer, target);
    key = malloc(sizeof(*key) + writer.len);
    if (key == NULL)
        return NULL;
    key->owner = NULL;
    key->len = writer.len;
    writer = (struct writer){.to = key->bytes};
    write(&writer, target);
    return key;
}

struct share_key *share_key_new(const struct target *target)
{
    return key_new(target, write_target);
}

struct share_key *share_key_new_tls(const struct target *target)
{
    return key_new(target, write_tls);
}

struct share_key *share_key_copy(const struct share_key *key)
{
    struct share_key *copy = malloc(sizeof(*copy) + key->len);

    if (copy == NULL)
        return NULL;
    memcpy(copy, key, sizeof(*copy) + key->len);
    copy->owner = NULL;
    return copy;
}

struct share_key *share_key_free(struct share_key *key)
{
    if (key != NULL)
        explicit_bzero(key->bytes, key->len);
    free(key);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    const struct share_key *x = a;
    const struct share_key *y = b;

    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return memcmp(x->bytes, y->bytes, x->len);
}

bool share_key_equals(const struct share_key *a, const struct share_key *b)
{
    return compare(a, b) == 0;
}

int share_key_add(void **tree, struct share_key *key)
{
    return tsearch(key, tree, compare) == NULL ? -ENOMEM : 0;
}

void share_key_remove(void **tree, const struct share_key *key)
{
    tdelete(key, tree, compare);
}

void share_key_replace(void *const *tree, const struct share_key *old, struct share_key *key)
{
    struct share_key **found = tfind(old, tree, compare);

    if (found != NULL)
        *found = key;
}

struct share_key *share_key_find(void *const *tree, const struct share_key *key)
{
    struct share_key *const *found = tfind(key, tree, compare);

    return found == NULL ? NULL : *found;
}
