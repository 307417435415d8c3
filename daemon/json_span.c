/* SPDX-License-Identifier: MIT
 *
 * json_span: a walk over a JSON text, and what is looked for on it.
 * Between routing and backlog, which ask, and the payload of a message. Invariant: see json_span.h.
 *
 *  the walk expects  | meets                  | event          | expects next
 *  VALUE, FIRST_ITEM | { or [                 | BEGIN          | FIRST_NAME or FIRST_ITEM
 *                    | a string, a number ... | VALUE          | COMMA, or TEXT_END outside of all
 *  FIRST_ITEM        | ]                      | END            | COMMA, or TEXT_END outside of all
 *  FIRST_NAME, NAME  | a string and a colon   | NAME           | VALUE
 *  FIRST_NAME        | }                      | END            | COMMA, or TEXT_END outside of all
 *  COMMA             | ,                      |                | NAME in an object, VALUE in an array
 *                    | the bracket that fits  | END            | COMMA, or TEXT_END outside of all
 *  TEXT_END          | the end                | DONE           |
 *  any               | anything else          | BROKEN         |
 */
#include "daemon/json_span.h"

#include <stdint.h>
#include <string.h>

#include "daemon/limits.h"

enum { BITS = 64 };
_Static_assert(MAX_JSON_DEPTH % BITS == 0, "whole words");

enum walk_event { WALK_BROKEN, WALK_DONE, WALK_NAME, WALK_VALUE, WALK_BEGIN, WALK_END };

enum walk_state {
    EXPECTS_VALUE,
    EXPECTS_FIRST_ITEM,
    EXPECTS_FIRST_NAME,
    EXPECTS_NAME,
    EXPECTS_COMMA,
    EXPECTS_TEXT_END
};

struct walk {
    const uint8_t *at, *end;
    enum walk_state expects;
    unsigned depth; /* brackets that are open */
    uint64_t is_object[MAX_JSON_DEPTH / BITS];
    /* of the last event */
    unsigned level;        /* brackets around the value, or around that whose name it is */
    enum span_type type;   /* VALUE, BEGIN */
    const uint8_t *begin;  /* VALUE, BEGIN: its first byte */
    struct wsp_view token; /* NAME: what stands between the quotation marks */
};

/* --- the walk --- */

static void skip_space(struct walk *walk)
{
    while (walk->at < walk->end &&
           (*walk->at == ' ' || *walk->at == '\n' || *walk->at == '\r' || *walk->at == '\t'))
        walk->at++;
}

static bool take(struct walk *walk, uint8_t byte)
{
    if (walk->at == walk->end || *walk->at != byte)
        return false;
    walk->at++;
    return true;
}

static bool take_word(struct walk *walk, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(walk->end - walk->at) < len || memcmp(walk->at, word, len) != 0)
        return false;
    walk->at += len;
    return true;
}

static bool take_digits(struct walk *walk)
{
    const uint8_t *begin = walk->at;

    while (walk->at < walk->end && *walk->at >= '0' && *walk->at <= '9')
        walk->at++;
    return walk->at > begin;
}

/* RFC 8259, section 6. */
static bool take_number(struct walk *walk)
{
    take(walk, '-');
    if (!take(walk, '0') && !take_digits(walk))
        return false;
    if (take(walk, '.') && !take_digits(walk))
        return false;
    if (take(walk, 'e') || take(walk, 'E')) {
        if (!take(walk, '+'))
            take(walk, '-');
        return take_digits(walk);
    }
    return true;
}

/* The value of a hexadecimal digit, 16 for what is none. */
static unsigned hex_value(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10u : 16;
}

/* What follows a backslash: RFC 8259, section 7. */
static bool take_escape(struct walk *walk)
{
    if (walk->at == walk->end)
        return false;
    if (*walk->at != 'u')
        return *walk->at != '\0' && strchr("\"\\/bfnrt", *walk->at++) != NULL;
    walk->at++;
    for (int i = 0; i < 4; i++)
        if (walk->at == walk->end || hex_value(*walk->at++) == 16)
            return false;
    return true;
}

/* From the first quotation mark to the last. */
static bool take_string(struct walk *walk)
{
    if (!take(walk, '"'))
        return false;
    while (walk->at < walk->end && *walk->at >= 0x20) {
        uint8_t byte = *walk->at++;

        if (byte == '"')
            return true;
        if (byte == '\\' && !take_escape(walk))
            return false;
    }
    return false;
}

static enum walk_event value_is_over(struct walk *walk, enum walk_event event)
{
    walk->level = walk->depth;
    walk->expects = walk->depth == 0 ? EXPECTS_TEXT_END : EXPECTS_COMMA;
    return event;
}

static bool is_in_object(const struct walk *walk)
{
    unsigned i = walk->depth - 1;

    return walk->is_object[i / BITS] >> i % BITS & 1;
}

static enum walk_event begin_container(struct walk *walk, bool is_object)
{
    uint64_t bit = UINT64_C(1) << walk->depth % BITS;

    if (walk->depth == MAX_JSON_DEPTH)
        return WALK_BROKEN;
    walk->type = is_object ? SPAN_OBJECT : SPAN_ARRAY;
    walk->level = walk->depth;
    if (is_object)
        walk->is_object[walk->depth / BITS] |= bit;
    else
        walk->is_object[walk->depth / BITS] &= ~bit;
    walk->depth++;
    walk->expects = is_object ? EXPECTS_FIRST_NAME : EXPECTS_FIRST_ITEM;
    walk->at++;
    return WALK_BEGIN;
}

static enum walk_event end_container(struct walk *walk)
{
    walk->depth--;
    return value_is_over(walk, WALK_END);
}

static enum walk_event walk_value(struct walk *walk)
{
    bool is_there;

    if (walk->at == walk->end)
        return WALK_BROKEN;
    walk->begin = walk->at;
    switch (*walk->at) {
    case '{': return begin_container(walk, true);
    case '[': return begin_container(walk, false);
    case '"':
        walk->type = SPAN_STRING;
        is_there = take_string(walk);
        break;
    case 't':
        walk->type = SPAN_TRUE;
        is_there = take_word(walk, "true");
        break;
    case 'f':
        walk->type = SPAN_FALSE;
        is_there = take_word(walk, "false");
        break;
    case 'n':
        walk->type = SPAN_NULL;
        is_there = take_word(walk, "null");
        break;
    default:
        walk->type = SPAN_NUMBER;
        is_there = take_number(walk);
        break;
    }
    return is_there ? value_is_over(walk, WALK_VALUE) : WALK_BROKEN;
}

static enum walk_event walk_name(struct walk *walk)
{
    const uint8_t *begin = walk->at;

    if (!take_string(walk))
        return WALK_BROKEN;
    walk->token = (struct wsp_view){begin + 1, (size_t)(walk->at - begin) - 2};
    skip_space(walk);
    if (!take(walk, ':'))
        return WALK_BROKEN;
    walk->level = walk->depth;
    walk->expects = EXPECTS_VALUE;
    return WALK_NAME;
}

static void walk_init(struct walk *walk, struct wsp_view text)
{
    walk->at = text.data;
    walk->end = text.len > 0 ? text.data + text.len : text.data;
    walk->expects = EXPECTS_VALUE;
    walk->depth = 0;
    memset(walk->is_object, 0, sizeof(walk->is_object));
}

static enum walk_event walk_next(struct walk *walk)
{
    skip_space(walk);
    switch (walk->expects) {
    case EXPECTS_FIRST_ITEM: return take(walk, ']') ? end_container(walk) : walk_value(walk);
    case EXPECTS_VALUE: return walk_value(walk);
    case EXPECTS_FIRST_NAME: return take(walk, '}') ? end_container(walk) : walk_name(walk);
    case EXPECTS_NAME: return walk_name(walk);
    case EXPECTS_COMMA: break;
    case EXPECTS_TEXT_END: return walk->at == walk->end ? WALK_DONE : WALK_BROKEN;
    }
    if (take(walk, is_in_object(walk) ? '}' : ']'))
        return end_container(walk);
    if (!take(walk, ','))
        return WALK_BROKEN;
    skip_space(walk);
    return is_in_object(walk) ? walk_name(walk) : walk_value(walk);
}

/* --- names --- */

static uint32_t take_hex(struct wsp_view *raw)
{
    uint32_t unit = 0;

    for (int i = 0; i < 4; i++)
        unit = unit << 4 | hex_value(raw->data[i]);
    raw->data += 4;
    raw->len -= 4;
    return unit;
}

/* Half of a surrogate pair that stands alone is taken as what it is, which no UTF-8 is equal to. */
static size_t encode_utf8(uint32_t code_point, uint8_t bytes[4])
{
    size_t n = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    static const uint8_t leads[] = {0, 0x00, 0xC0, 0xE0, 0xF0};

    for (size_t i = n - 1; i > 0; i--, code_point >>= 6)
        bytes[i] = (uint8_t)(0x80 | (code_point & 0x3F));
    bytes[0] = (uint8_t)(leads[n] | code_point);
    return n;
}

static size_t take_unicode(struct wsp_view *raw, uint8_t bytes[4])
{
    uint32_t unit = take_hex(raw);

    if (unit >= 0xD800 && unit < 0xDC00 && raw->len >= 6 && memcmp(raw->data, "\\u", 2) == 0) {
        struct wsp_view next = {raw->data + 2, raw->len - 2};
        uint32_t low = take_hex(&next);

        if (low >= 0xDC00 && low < 0xE000) {
            *raw = next;
            unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        }
    }
    return encode_utf8(unit, bytes);
}

/* The next byte, or the bytes that an escape stands for, of what the walk has found sound. */
static size_t take_character(struct wsp_view *raw, uint8_t bytes[4])
{
    static const char escapes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    uint8_t byte = *raw->data++;

    raw->len--;
    if (byte == '\\') {
        byte = *raw->data++;
        raw->len--;
        if (byte == 'u')
            return take_unicode(raw, bytes);
        byte = (uint8_t)meanings[strchr(escapes, byte) - escapes];
    }
    bytes[0] = byte;
    return 1;
}

/* RFC 6901, section 4: "~1" is "/", "~0" is "~". */
static uint8_t take_name_byte(struct wsp_view *name, bool is_reference)
{
    uint8_t byte = *name->data++;

    name->len--;
    if (is_reference && byte == '~' && name->len > 0) {
        byte = *name->data++ == '1' ? '/' : '~';
        name->len--;
    }
    return byte;
}

static bool is_named(struct wsp_view raw, struct wsp_view name, bool is_reference)
{
    while (raw.len > 0) {
        uint8_t bytes[4];
        size_t n = take_character(&raw, bytes);

        for (size_t i = 0; i < n; i++)
            if (name.len == 0 || take_name_byte(&name, is_reference) != bytes[i])
                return false;
    }
    return name.len == 0;
}

/* --- members --- */

/* The member whose value comes next, if its name is asked for and stands there for the first time. */
static struct json_member *find_named(struct json_member *members, size_t n_members,
                                      struct wsp_view raw)
{
    for (size_t i = 0; i < n_members; i++)
        if (is_named(raw, members[i].name, false))
            return members[i].n++ == 0 ? &members[i] : NULL;
    return NULL;
}

static void forget_all(struct json_member *members, size_t n_members)
{
    for (size_t i = 0; i < n_members; i++)
        members[i] = (struct json_member){.name = members[i].name};
}

enum span_type json_find_members(struct wsp_view text, struct json_member *members,
                                 size_t n_members)
{
    enum span_type type = SPAN_NONE;
    struct json_member *member = NULL;
    enum walk_event event;
    struct walk walk;

    forget_all(members, n_members);
    walk_init(&walk, text);
    while ((event = walk_next(&walk)) > WALK_DONE) {
        if (event == WALK_NAME && walk.level == 1)
            member = find_named(members, n_members, walk.token);
        if ((event == WALK_VALUE || event == WALK_BEGIN) && walk.level == 0)
            type = walk.type;
        if (member == NULL || walk.level != 1)
            continue;
        if (event == WALK_VALUE || event == WALK_BEGIN) {
            member->type = walk.type;
            member->value.data = walk.begin;
        }
        if (event == WALK_VALUE || event == WALK_END) {
            member->value.len = (size_t)(walk.at - member->value.data);
            member = NULL;
        }
    }
    if (event == WALK_DONE)
        return type;
    forget_all(members, n_members);
    return SPAN_NONE;
}

/* --- pointers --- */

/* How far a walk has followed a pointer. */
struct path {
    struct wsp_view pointer;
    unsigned depth;   /* brackets that are open and on the way, from the outermost on */
    unsigned deepest; /* reference tokens that have been found, the most so far */
    size_t index;     /* of the next item, in the innermost array on the way */
    bool is_next;     /* the value that comes is on the way */
    bool is_twice;
};

/* The n-th reference token without its "/". False: there are not so many. */
static bool reference(struct wsp_view pointer, unsigned n, struct wsp_view *ret_token)
{
    for (;;) {
        const uint8_t *slash;

        if (pointer.len == 0)
            return false;
        pointer.data++;
        pointer.len--;
        slash = pointer.len > 0 ? memchr(pointer.data, '/', pointer.len) : NULL;
        *ret_token = pointer;
        if (slash != NULL)
            ret_token->len = (size_t)(slash - pointer.data);
        if (n-- == 0)
            return true;
        pointer.data += ret_token->len;
        pointer.len -= ret_token->len;
    }
}

/* RFC 6901, section 4: digits without a leading zero; "-" names no item that is there. */
static bool is_index(struct wsp_view token, size_t index)
{
    size_t value = 0;

    if (token.len == 0 || (token.data[0] == '0' && token.len > 1))
        return false;
    for (size_t i = 0; i < token.len; i++) {
        if (token.data[i] < '0' || token.data[i] > '9' || value > (SIZE_MAX - 9) / 10)
            return false;
        value = value * 10 + (token.data[i] - '0');
    }
    return value == index;
}

static void path_name(struct path *path, const struct walk *walk)
{
    struct wsp_view token;

    path->is_next = walk->level == path->depth &&
                    reference(path->pointer, walk->level - 1, &token) &&
                    is_named(walk->token, token, true);
    if (path->is_next && path->deepest >= walk->level)
        path->is_twice = true;
}

/* A value begins: is it on the way? Items have no name that would have said so. */
static bool path_value(struct path *path, const struct walk *walk, bool is_item)
{
    bool is_next = walk->level == 0 || path->is_next;
    struct wsp_view token;

    path->is_next = false;
    if (is_item && walk->level == path->depth && path->deepest < walk->level)
        is_next =
            reference(path->pointer, walk->level - 1, &token) && is_index(token, path->index++);
    if (is_next && path->deepest < walk->level)
        path->deepest = walk->level;
    if (is_next && walk->depth > walk->level) {
        path->depth = walk->depth;
        path->index = 0;
    }
    return is_next;
}

enum span_type json_find_pointer(struct wsp_view text, struct wsp_view pointer,
                                 struct wsp_view *ret_value)
{
    struct path path = {.pointer = pointer};
    enum span_type type = SPAN_NONE;
    struct wsp_view value = {NULL, 0}, token;
    unsigned n_references = 0;
    bool is_item = false;
    enum walk_event event;
    struct walk walk;

    while (reference(pointer, n_references, &token))
        n_references++;
    walk_init(&walk, text);
    while ((event = walk_next(&walk)) > WALK_DONE) {
        if (event == WALK_NAME) {
            path_name(&path, &walk);
        } else if (event == WALK_END) {
            if (path.depth > walk.level)
                path.depth = walk.level;
        } else if (path_value(&path, &walk, is_item) && walk.level == n_references) {
            type = walk.type;
            value.data = walk.begin;
        }
        if ((event == WALK_VALUE || event == WALK_END) && walk.level == n_references &&
            type != SPAN_NONE && value.len == 0)
            value.len = (size_t)(walk.at - value.data);
        is_item = walk.depth > 0 && !is_in_object(&walk);
    }
    if (event == WALK_BROKEN || path.is_twice || type == SPAN_NONE)
        return SPAN_NONE;
    *ret_value = value;
    return type;
}

bool json_pointer_is_valid(struct wsp_view pointer)
{
    if (pointer.len > 0 && pointer.data[0] != '/')
        return false;
    for (size_t i = 0; i < pointer.len; i++)
        if (pointer.data[i] == '~' &&
            (i + 1 == pointer.len || (pointer.data[i + 1] != '0' && pointer.data[i + 1] != '1')))
            return false;
    return true;
}
