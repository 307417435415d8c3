/*
 * head: the head of an HTTP/1.1 message, read piece by piece (RFC 9112): start line and fields.
 *
 * Between the transport's bytes and handshake.c (or the daemon's proxy); see head.h for the contract.
 *
 * Input is copied line by line, up to and with each LF; a line is judged when its LF is there:
 *
 *     state        empty line       begins with a blank    anything else
 *     start line   request: skip    bad                    start line, then fields
 *                  response: bad
 *     fields       whole            joins the last field   a field
 *     whole        -                -                      -
 *
 * Invariant: nothing is judged before its LF but the size, and the size is judged the same however
 * the bytes were cut; so the result depends on the bytes alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/head.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/rules.h"

/* The first room for fields; a usual answer has fewer. */
#define FIRST_ROOM 16

static struct wsp_view view_of(const struct wsp_head *head, struct wsp_head_span span)
{
    return (struct wsp_view){wsp_buffer_peek(&head->bytes) + span.at, span.len};
}

static struct wsp_head_span span_of(const struct wsp_head *head, struct wsp_view view)
{
    return (struct wsp_head_span){
        .at = (uint32_t)(view.data - wsp_buffer_peek(&head->bytes)),
        .len = (uint32_t)view.len,
    };
}

static bool take_digit(struct wsp_view *view, unsigned *ret_digit)
{
    if (view->len == 0 || view->data[0] < '0' || view->data[0] > '9')
        return false;
    *ret_digit = view->data[0] - (unsigned)'0';
    view->data++;
    view->len--;
    return true;
}

/* -- the beginning and the end -- */

void wsp_head_init(struct wsp_head *head, enum wsp_head_kind kind, size_t max_bytes,
                   size_t max_fields)
{
    *head = (struct wsp_head){.kind = kind, .max_fields = max_fields};
    /* Spans have 32 bits. */
    wsp_buffer_init(&head->bytes, max_bytes > UINT32_MAX ? UINT32_MAX : max_bytes);
    /* A request carries credentials, and an answer may tell them back. */
    wsp_buffer_keep_secret(&head->bytes);
}

void wsp_head_deinit(struct wsp_head *head)
{
    if (head == NULL)
        return;
    wsp_buffer_deinit(&head->bytes);
    free(head->lines);
    *head = (struct wsp_head){.kind = head->kind};
}

void wsp_head_restart(struct wsp_head *head)
{
    wsp_buffer_truncate(&head->bytes, 0);
    head->flaw = WSP_HEAD_SOUND;
    head->has_start = false;
    head->is_whole = false;
    head->line_at = 0;
    head->n_lines = 0;
}

void wsp_head_feed(struct wsp_head *head, struct wsp_view input)
{
    head->input = input;
}

/* -- start lines (RFC 9112, sections 3 and 4) -- */

static enum wsp_head_flaw take_version(struct wsp_head *head, struct wsp_view *rest,
                                       enum wsp_head_flaw flaw_if_none)
{
    unsigned minor;

    if (!wsp_view_take_literal(rest, WSP_VIEW_LITERAL("HTTP/")))
        return flaw_if_none;
    if (!wsp_view_take_literal(rest, WSP_VIEW_LITERAL("1.")) || !take_digit(rest, &minor))
        return WSP_HEAD_BAD_VERSION;
    head->version_minor = (uint8_t)minor;
    return WSP_HEAD_SOUND;
}

static enum wsp_head_flaw read_status_line(struct wsp_head *head, struct wsp_view line)
{
    enum wsp_head_flaw flaw = take_version(head, &line, WSP_HEAD_BAD_STATUS_LINE);
    unsigned hundreds, tens, ones;

    if (flaw != WSP_HEAD_SOUND)
        return flaw;
    if (!wsp_view_take_literal(&line, WSP_VIEW_LITERAL(" ")) || !take_digit(&line, &hundreds) ||
        !take_digit(&line, &tens) || !take_digit(&line, &ones) || hundreds == 0)
        return WSP_HEAD_BAD_STATUS_LINE;
    /* The space belongs there even when no phrase follows, but real servers leave it out. */
    if (line.len > 0 && !wsp_view_take_literal(&line, WSP_VIEW_LITERAL(" ")))
        return WSP_HEAD_BAD_STATUS_LINE;
    head->status = (uint16_t)(hundreds * 100 + tens * 10 + ones);
    head->start[0] = (struct wsp_head_span){0};
    head->start[1] = span_of(head, wsp_view_trimmed(line));
    return WSP_HEAD_SOUND;
}

static bool take_word(struct wsp_view *line, struct wsp_view *ret_word)
{
    const uint8_t *space = line->len == 0 ? NULL : memchr(line->data, ' ', line->len);

    return space != NULL && wsp_view_take(line, (size_t)(space - line->data), ret_word) &&
           wsp_view_take_literal(line, WSP_VIEW_LITERAL(" "));
}

static bool is_target(struct wsp_view target)
{
    for (size_t i = 0; i < target.len; i++) {
        if (target.data[i] <= ' ' || target.data[i] >= 0x7f)
            return false;
    }
    return target.len > 0;
}

static enum wsp_head_flaw read_request_line(struct wsp_head *head, struct wsp_view line)
{
    struct wsp_view method;
    struct wsp_view target;
    enum wsp_head_flaw flaw;

    if (!take_word(&line, &method) || !wsp_view_is_token(method) || !take_word(&line, &target) ||
        !is_target(target))
        return WSP_HEAD_BAD_REQUEST_LINE;
    flaw = take_version(head, &line, WSP_HEAD_BAD_REQUEST_LINE);
    if (flaw == WSP_HEAD_SOUND && line.len > 0)
        flaw = WSP_HEAD_BAD_REQUEST_LINE;
    head->start[0] = span_of(head, method);
    head->start[1] = span_of(head, target);
    return flaw;
}

static enum wsp_head_flaw read_start(struct wsp_head *head, struct wsp_view line)
{
    enum wsp_head_flaw flaw;

    /* A server should ignore empty lines before a request (RFC 9112, section 2.2). */
    if (line.len == 0 && head->kind == WSP_HEAD_REQUEST)
        return WSP_HEAD_SOUND;
    flaw = head->kind == WSP_HEAD_REQUEST ? read_request_line(head, line)
                                          : read_status_line(head, line);
    head->has_start = flaw == WSP_HEAD_SOUND;
    return flaw;
}

/* -- fields (RFC 9112, section 5) -- */

/* Room for one more field is made before its line is copied, so that -ENOMEM loses nothing. */
static int reserve_line(struct wsp_head *head)
{
    size_t n_room = head->n_room == 0 ? FIRST_ROOM : 2 * head->n_room;
    struct wsp_head_line *lines;

    if (head->n_lines < head->n_room || head->n_lines == head->max_fields)
        return 0;
    if (n_room > head->max_fields)
        n_room = head->max_fields;
    lines = reallocarray(head->lines, n_room, sizeof(*lines));
    if (lines == NULL)
        return -ENOMEM;
    head->lines = lines;
    head->n_room = n_room;
    return 0;
}

static enum wsp_head_flaw read_field(struct wsp_head *head, struct wsp_view line)
{
    const uint8_t *colon = memchr(line.data, ':', line.len);
    struct wsp_view name;

    /* A blank before the colon makes the name no token; section 5.1 has servers refuse it, and we
     * do so as a client too: nobody means it well. */
    if (colon == NULL || !wsp_view_take(&line, (size_t)(colon - line.data), &name) ||
        !wsp_view_is_token(name))
        return WSP_HEAD_BAD_FIELD;
    if (head->n_lines == head->max_fields)
        return WSP_HEAD_TOO_MANY_FIELDS;
    wsp_view_take_literal(&line, WSP_VIEW_LITERAL(":"));
    head->lines[head->n_lines++] = (struct wsp_head_line){
        .name = span_of(head, name),
        .value = span_of(head, wsp_view_trimmed(line)),
    };
    return WSP_HEAD_SOUND;
}

/* obs-fold: what lies between the last value and this line becomes spaces (section 5.2), so that the
 * value is one run of bytes again. */
static enum wsp_head_flaw join_fold(struct wsp_head *head, struct wsp_view line)
{
    struct wsp_head_span *value;
    struct wsp_view joined;
    uint8_t *bytes = head->bytes.data + head->bytes.start;
    size_t line_end = span_of(head, line).at + line.len;

    if (head->n_lines == 0)
        return WSP_HEAD_BAD_FOLD;
    value = &head->lines[head->n_lines - 1].value;
    memset(bytes + value->at + value->len, ' ', head->line_at - value->at - value->len);
    joined = (struct wsp_view){bytes + value->at, line_end - value->at};
    *value = span_of(head, wsp_view_trimmed(joined));
    return WSP_HEAD_SOUND;
}

/* -- lines -- */

/* The line from line_at to the end of bytes, LF included. */
static enum wsp_head_flaw end_line(struct wsp_head *head)
{
    struct wsp_view line = {
        .data = wsp_buffer_peek(&head->bytes) + head->line_at,
        .len = wsp_buffer_len(&head->bytes) - head->line_at - 1,
    };

    /* A lone LF ends a line as well (RFC 9112, section 2.2). */
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    if (memchr(line.data, '\r', line.len) != NULL || memchr(line.data, '\0', line.len) != NULL)
        return WSP_HEAD_BAD_BYTE;
    if (!head->has_start)
        return read_start(head, line);
    if (line.len == 0) {
        head->is_whole = true;
        return WSP_HEAD_SOUND;
    }
    return wsp_byte_is_blank(line.data[0]) ? join_fold(head, line) : read_field(head, line);
}

int wsp_head_next(struct wsp_head *head)
{
    while (head->flaw == WSP_HEAD_SOUND && !head->is_whole) {
        const uint8_t *lf;
        size_t len;
        int r;

        if (head->input.len == 0)
            return WSP_MORE;
        lf = memchr(head->input.data, '\n', head->input.len);
        len = lf == NULL ? head->input.len : (size_t)(lf - head->input.data) + 1;
        r = reserve_line(head);
        if (r == 0)
            r = wsp_buffer_append(&head->bytes, head->input.data, len);
        if (r == -ENOBUFS) {
            head->flaw = WSP_HEAD_TOO_LARGE;
            break;
        }
        if (r < 0)
            return r;
        head->input.data += len;
        head->input.len -= len;
        if (lf != NULL) {
            head->flaw = end_line(head);
            head->line_at = wsp_buffer_len(&head->bytes);
        }
    }
    return head->flaw == WSP_HEAD_SOUND ? 0 : WSP_BROKEN;
}

struct wsp_view wsp_head_rest(const struct wsp_head *head)
{
    return head->input;
}

enum wsp_head_flaw wsp_head_get_flaw(const struct wsp_head *head)
{
    return head->flaw;
}

const char *wsp_head_flaw_to_string(enum wsp_head_flaw flaw)
{
    static const char *const texts[] = {
#define WSP_HEAD_FLAW(name, text) [WSP_HEAD_##name] = text,
        WSP_HEAD_FLAWS(WSP_HEAD_FLAW)
#undef WSP_HEAD_FLAW
    };

    return (size_t)flaw < sizeof(texts) / sizeof(texts[0]) ? texts[flaw] : "unknown flaw";
}

/* -- what a whole head says -- */

struct wsp_view wsp_head_method(const struct wsp_head *head)
{
    return view_of(head, head->start[0]);
}

struct wsp_view wsp_head_target(const struct wsp_head *head)
{
    return view_of(head, head->start[1]);
}

struct wsp_view wsp_head_reason(const struct wsp_head *head)
{
    return view_of(head, head->start[1]);
}

struct wsp_field wsp_head_field(const struct wsp_head *head, size_t index)
{
    return (struct wsp_field){
        .name = view_of(head, head->lines[index].name),
        .value = view_of(head, head->lines[index].value),
    };
}

bool wsp_head_find(const struct wsp_head *head, const char *name, size_t *index,
                   struct wsp_view *ret_value)
{
    for (size_t i = index == NULL ? 0 : *index; i < head->n_lines; i++) {
        struct wsp_field field = wsp_head_field(head, i);

        if (!wsp_token_is(field.name, name))
            continue;
        if (index != NULL)
            *index = i + 1;
        *ret_value = field.value;
        return true;
    }
    return false;
}

bool wsp_head_find_only(const struct wsp_head *head, const char *name, struct wsp_view *ret_value)
{
    return wsp_head_count(head, name) == 1 && wsp_head_find(head, name, NULL, ret_value);
}

size_t wsp_head_count(const struct wsp_head *head, const char *name)
{
    struct wsp_view value;
    size_t index = 0;
    size_t n = 0;

    while (wsp_head_find(head, name, &index, &value))
        n++;
    return n;
}

struct wsp_head_list wsp_head_list(const struct wsp_head *head, const char *name)
{
    return (struct wsp_head_list){.head = head, .name = name};
}

bool wsp_head_list_next(struct wsp_head_list *list, struct wsp_view *ret_element)
{
    do {
        if (wsp_list_next(&list->value, ret_element))
            return true;
    } while (wsp_head_find(list->head, list->name, &list->index, &list->value));
    return false;
}

bool wsp_head_list_has(const struct wsp_head *head, const char *name, const char *token)
{
    struct wsp_head_list list = wsp_head_list(head, name);
    struct wsp_view element;

    while (wsp_head_list_next(&list, &element)) {
        if (wsp_token_is(element, token))
            return true;
    }
    return false;
}
