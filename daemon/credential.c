/* SPDX-License-Identifier: MIT
 *
 * credential: secrets into the texts that name them; see credential.h.
 * Between the file system and upgrade, greeting or heartbeat. Invariant: no read can wait for anybody, no failure quotes
 * a value, and what was read is wiped before anybody is told.
 */
#include "daemon/credential.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/limits.h"
#include "proto/ascii.h"
#include "proto/limits.h"
#include "proto/local/errors.h"
#include "proto/rules.h"
#include "proto/utf8.h"

/* --- texts --- */

static const char opening[] = "%{";
static const char prefix[] = "%{credential:";
_Static_assert(WSP_MAX_ENDPOINT_NAME == 64, "a text below says so");

/* A text up to and with its next name. */
struct piece {
    struct wsp_view literal;
    struct wsp_view name; /* empty: there is none */
    const char *flaw;     /* NULL: none */
};

static struct wsp_view view_skip(struct wsp_view view, size_t len)
{
    return (struct wsp_view){view.data + len, view.len - len};
}

/* rest begins with what opens a name. */
static void piece_take_name(struct wsp_view *rest, struct piece *piece)
{
    const size_t prefix_len = sizeof(prefix) - 1;
    const uint8_t *end;

    if (rest->len < prefix_len || memcmp(rest->data, prefix, prefix_len) != 0) {
        piece->flaw =
            "%{ begins the name of a credential, as in %{credential:NAME}; write %%{ for the two "
            "characters";
        return;
    }
    piece->name = view_skip(*rest, prefix_len);
    end = memchr(piece->name.data, '}', piece->name.len);
    if (end == NULL) {
        piece->flaw = "a %{credential:NAME} has no closing brace";
        return;
    }
    piece->name.len = (size_t)(end - piece->name.data);
    if (!wsp_endpoint_name_is_valid((const char *)piece->name.data, piece->name.len))
        piece->flaw =
            "the name in a %{credential:NAME} is none; use letters, digits, dots, _ and -, "
            "at most 64, and begin with a letter or a digit";
    *rest = view_skip(*rest, prefix_len + piece->name.len + 1);
}

/* False at the end of the text. */
static bool piece_next(struct wsp_view *rest, struct piece *ret_piece)
{
    struct piece piece = {.literal = *rest};
    const uint8_t *found;

    if (rest->len == 0)
        return false;
    found = memmem(rest->data, rest->len, opening, sizeof(opening) - 1);
    if (found == NULL) {
        rest->len = 0;
    } else {
        piece.literal.len = (size_t)(found - rest->data);
        *rest = view_skip(*rest, piece.literal.len);
        /* The percent sign before it takes its meaning away, and goes. */
        if (piece.literal.len > 0 && found[-1] == '%')
            *rest = view_skip(*rest, 1);
        else
            piece_take_name(rest, &piece);
    }
    *ret_piece = piece;
    return true;
}

const char *credential_flaw(struct wsp_view text)
{
    struct piece piece = {.flaw = NULL};

    while (piece.flaw == NULL && piece_next(&text, &piece))
        ;
    return piece.flaw;
}

bool credential_is_in(struct wsp_view text)
{
    struct piece piece = {.flaw = NULL};

    while (piece_next(&text, &piece)) {
        if (piece.flaw != NULL || piece.name.len > 0)
            return true;
    }
    return false;
}

/* --- files --- */

/* What is being read, and its bytes on the stack, which whoever has it wipes. */
struct secret {
    char name[WSP_MAX_ENDPOINT_NAME + 1];
    char path[PATH_MAX];
    bool is_systemd; /* which decides by itself who may read it, and tells nobody how */
    struct failure *failure;
    size_t len;
    uint8_t
        bytes[MAX_CREDENTIAL + sizeof("\r\n")]; /* one more than may be there, to see that it is */
};

static int secret_fail(const struct secret *secret, const char *why)
{
    failure_set(secret->failure, WSP_CAUSE_CREDENTIAL, 0,
                "the credential %s cannot be read from %.100s: %s", secret->name, secret->path,
                why);
    return 1;
}

static int secret_fail_errno(const struct secret *secret)
{
    if (errno == ENOENT)
        return secret_fail(secret,
                           "there is no such file; write the secret into it, with mode 600");
    if (errno == ELOOP)
        return secret_fail(secret, "it is a symbolic link; name a file itself");
    return secret_fail(secret, strerror(errno));
}

/* False: the name is too long for a path. */
static bool secret_set_path(struct secret *secret, const char *directory)
{
    int len = snprintf(secret->path, sizeof(secret->path), "%s/%s", directory, secret->name);

    return len >= 0 && (size_t)len < sizeof(secret->path);
}

/* What systemd was told of one name goes before the files of the directory. */
static bool secret_locate(struct secret *secret, const char *directory)
{
    const char *systemd = getenv("CREDENTIALS_DIRECTORY");
    struct stat is;

    secret->is_systemd = systemd != NULL && systemd[0] == '/' && secret_set_path(secret, systemd) &&
                         (lstat(secret->path, &is) == 0 || errno != ENOENT);
    return secret->is_systemd || secret_set_path(secret, directory);
}

/* 0; 1 with the failure. */
static int secret_judge(const struct secret *secret, const struct stat *is)
{
    char why[80];

    if (S_ISLNK(is->st_mode)) {
        errno = ELOOP;
        return secret_fail_errno(secret);
    }
    if (!S_ISREG(is->st_mode))
        return secret_fail(secret, "it is not a regular file");
    if (is->st_size >= (off_t)sizeof(secret->bytes)) {
        snprintf(why, sizeof(why), "it is longer than %d bytes", MAX_CREDENTIAL);
        return secret_fail(secret, why);
    }
    if (secret->is_systemd)
        return 0;
    if (is->st_uid != 0 && is->st_uid != geteuid()) {
        snprintf(why, sizeof(why), "it belongs to user %u; give it to user %u, the daemon's",
                 (unsigned)is->st_uid, (unsigned)geteuid());
        return secret_fail(secret, why);
    }
    if ((is->st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return secret_fail(secret, "not only its owner may use it; give it mode 600 (chmod 600)");
    return 0;
}

static int secret_fill(struct secret *secret, int fd)
{
    while (secret->len < sizeof(secret->bytes)) {
        ssize_t n = read(fd, secret->bytes + secret->len, sizeof(secret->bytes) - secret->len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return secret_fail_errno(secret);
        if (n == 0)
            return 0;
        secret->len += (size_t)n;
    }
    return secret_fail(secret, "it is being written to");
}

/* A FIFO would be waited for, and a device may do anything when it is opened: so the file is looked at before as well. */
static int secret_read(struct secret *secret)
{
    struct stat is;
    int fd, r;

    if (lstat(secret->path, &is) < 0)
        return secret_fail_errno(secret);
    r = secret_judge(secret, &is);
    if (r != 0)
        return r;
    fd = open(secret->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
    if (fd < 0)
        return secret_fail_errno(secret);
    if (fstat(fd, &is) < 0)
        r = secret_fail_errno(secret);
    else
        r = secret_judge(secret, &is);
    if (r == 0)
        r = secret_fill(secret, fd);
    close(fd);
    return r;
}

/* Editors end a line. */
static void secret_strip(struct secret *secret)
{
    if (secret->len > 0 && secret->bytes[secret->len - 1] == '\n')
        secret->len--;
    else
        return;
    if (secret->len > 0 && secret->bytes[secret->len - 1] == '\r')
        secret->len--;
}

/* --- values --- */

static int secret_check(const struct secret *secret, enum credential_kind kind)
{
    if (secret->len == 0)
        return secret_fail(secret, "it is empty");
    if (secret->len > MAX_CREDENTIAL)
        return secret_fail(secret, "it is too long");
    for (size_t i = 0; i < secret->len; i++) {
        if (secret->bytes[i] < ' ' || secret->bytes[i] == 0x7f)
            return secret_fail(secret,
                               "it has a second line, or another control character; it must be one "
                               "line of text");
    }
    if (kind == CREDENTIAL_TEXT && !wsp_utf8_is_valid((const char *)secret->bytes, secret->len))
        return secret_fail(secret, "it is not UTF-8, as a text message must be");
    return 0;
}

/* RFC 3986, section 2.3: what is never encoded. */
static bool is_unreserved(uint8_t byte)
{
    return wsp_ascii_is_letter((char)byte) || wsp_ascii_is_digit((char)byte) || byte == '-' ||
           byte == '.' || byte == '_' || byte == '~';
}

static int append_encoded(struct wsp_buffer *to, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "0123456789ABCDEF";
    int r = 0;

    for (size_t i = 0; i < len && r == 0; i++) {
        char encoded[3] = {'%', digits[bytes[i] >> 4], digits[bytes[i] & 15]};

        r = is_unreserved(bytes[i]) ? wsp_buffer_append_u8(to, bytes[i])
                                    : wsp_buffer_append(to, encoded, sizeof(encoded));
    }
    return r;
}

static int append_value(struct wsp_buffer *to, const struct secret *secret,
                        enum credential_kind kind)
{
    wsp_buffer_keep_secret(to);
    return kind == CREDENTIAL_QUERY ? append_encoded(to, secret->bytes, secret->len)
                                    : wsp_buffer_append(to, secret->bytes, secret->len);
}

/* A length and so many bytes. */
static int values_add(struct wsp_buffer *values, const struct secret *secret,
                      enum credential_kind kind)
{
    size_t start = wsp_buffer_len(values);
    uint32_t len = 0;
    int r = wsp_buffer_append(values, &len, sizeof(len));

    if (r == 0)
        r = append_value(values, secret, kind);
    if (r < 0)
        return r;
    len = (uint32_t)(wsp_buffer_len(values) - start - sizeof(len));
    memcpy(values->data + values->start + start, &len, sizeof(len));
    return 0;
}

bool credential_next(struct wsp_view *values, struct wsp_view *ret_value)
{
    struct wsp_view taken;
    uint32_t len;

    if (!wsp_view_take(values, sizeof(len), &taken))
        return false;
    memcpy(&len, taken.data, sizeof(len));
    return wsp_view_take(values, len, ret_value);
}

static int secret_put(struct secret *secret, enum credential_kind kind, struct wsp_buffer *to,
                      struct wsp_buffer *values)
{
    int r = secret_read(secret);

    if (r != 0)
        return r;
    secret_strip(secret);
    r = secret_check(secret, kind);
    if (r == 0)
        r = append_value(to, secret, kind);
    if (r == 0 && values != NULL)
        r = values_add(values, secret, CREDENTIAL_PLAIN);
    if (r == 0 && values != NULL && kind == CREDENTIAL_QUERY)
        r = values_add(values, secret, kind);
    return r;
}

static int put_named(const char *directory, struct wsp_view name, enum credential_kind kind,
                     struct wsp_buffer *to, struct wsp_buffer *values, struct failure *ret_failure)
{
    struct secret secret;
    int r;

    secret.failure = ret_failure;
    secret.len = 0;
    memcpy(secret.name, name.data, name.len);
    secret.name[name.len] = '\0';
    if (secret_locate(&secret, directory))
        r = secret_put(&secret, kind, to, values);
    else
        r = secret_fail(&secret, strerror(ENAMETOOLONG));
    explicit_bzero(secret.bytes, sizeof(secret.bytes));
    return r;
}

int credential_expand(const char *directory, struct wsp_view text, enum credential_kind kind,
                      struct wsp_buffer *to, struct wsp_buffer *values, struct failure *ret_failure)
{
    struct piece piece;
    int r = 0;

    if (directory == NULL)
        return wsp_buffer_append(to, text.data, text.len);
    while (r == 0 && piece_next(&text, &piece)) {
        if (piece.flaw != NULL) {
            failure_set(ret_failure, WSP_CAUSE_CREDENTIAL, 0, "%s", piece.flaw);
            return 1;
        }
        r = wsp_buffer_append(to, piece.literal.data, piece.literal.len);
        if (r == 0 && piece.name.len > 0)
            r = put_named(directory, piece.name, kind, to, values, ret_failure);
    }
    return r;
}
