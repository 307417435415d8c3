/* SPDX-License-Identifier: MIT
 *
 * tls_file: reads PEM files; see tls_file.h.
 * Between the file system and tls_context. Invariant: no read can wait for anybody, and no text of a file is shown.
 */
#include "daemon/tls_file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/limits.h"
#include "proto/local/errors.h"

/* What is being read, and how its failures begin. */
struct reader {
    const char *what; /* "the trusted certificates cannot be read from" */
    const char *path;
    struct failure *failure;
};

static int reader_fail(const struct reader *reader, const char *why)
{
    failure_set(reader->failure, WSP_CAUSE_TLS, 0, "%s %.120s: %s", reader->what, reader->path,
                why);
    return 1;
}

static int reader_fail_errno(const struct reader *reader)
{
    return reader_fail(reader, strerror(errno));
}

const char *tls_error_text(void)
{
    unsigned long error = ERR_get_error();
    const char *reason;

    ERR_clear_error();
    if (ERR_SYSTEM_ERROR(error))
        return strerror(ERR_GET_REASON(error));
    reason = ERR_reason_error_string(error);
    return reason != NULL ? reason : "unknown error";
}

/* --- bytes --- */

struct content {
    uint8_t *bytes;
    size_t len;
    struct stat stat;
};

/* What was read may be a key. */
static void content_deinit(struct content *content)
{
    if (content->bytes != NULL)
        explicit_bzero(content->bytes, content->len);
    free(content->bytes);
}

static int content_fill(struct content *content, int fd, const struct reader *reader)
{
    size_t room = (size_t)content->stat.st_size + 1; /* one more, to see that it does not grow */

    content->bytes = malloc(room);
    if (content->bytes == NULL)
        return -ENOMEM;
    while (content->len < room) {
        ssize_t n = read(fd, content->bytes + content->len, room - content->len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return reader_fail_errno(reader);
        if (n == 0)
            return 0;
        content->len += (size_t)n;
    }
    return reader_fail(reader, "it is being written to");
}

/* A FIFO would be waited for, and a device may do anything when it is opened. */
static int content_load(const struct reader *reader, struct content *ret_content)
{
    struct content content = {0};
    int fd, r;

    if (stat(reader->path, &content.stat) < 0)
        return reader_fail_errno(reader);
    if (!S_ISREG(content.stat.st_mode))
        return reader_fail(reader, "it is not a regular file");
    fd = open(reader->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return reader_fail_errno(reader);
    if (fstat(fd, &content.stat) < 0)
        r = reader_fail_errno(reader);
    else if (!S_ISREG(content.stat.st_mode))
        r = reader_fail(reader, "it is not a regular file");
    else if (content.stat.st_size > MAX_TLS_FILE)
        r = reader_fail(reader, "it is too long for a file of certificates");
    else
        r = content_fill(&content, fd, reader);
    close(fd);
    if (r == 0)
        *ret_content = content;
    else
        content_deinit(&content);
    return r;
}

/* --- PEM --- */

/* OpenSSL would ask on the terminal. */
static int passphrase_none(char *to, int len, int is_writing, void *was_asked)
{
    (void)to;
    (void)len;
    (void)is_writing;
    if (was_asked != NULL)
        *(bool *)was_asked = true;
    return -1;
}

/* The last block has been read, rather than one that is damaged. */
static bool pem_is_over(void)
{
    unsigned long error = ERR_peek_last_error();

    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

/* Gives the certificates of a file one after another to take, which becomes their owner. *ret_n says how many. */
static int certificates_read(const struct reader *reader, int (*take)(void *owner, X509 *x509),
                             void *owner, int *ret_n)
{
    struct content content;
    X509 *x509;
    BIO *bio;
    int n = 0;
    int r = content_load(reader, &content);

    if (r != 0)
        return r;
    ERR_clear_error();
    bio = BIO_new_mem_buf(content.bytes, (int)content.len);
    if (bio == NULL)
        r = -ENOMEM;
    while (r == 0 && (x509 = PEM_read_bio_X509_AUX(bio, NULL, passphrase_none, NULL)) != NULL) {
        n++;
        if (take(owner, x509) != 1)
            r = reader_fail(reader, tls_error_text());
    }
    if (r == 0 && !pem_is_over())
        r = reader_fail(reader, tls_error_text());
    ERR_clear_error();
    BIO_free(bio);
    content_deinit(&content);
    if (r == 0)
        *ret_n = n;
    return r;
}

/* --- trust --- */

static int anchor_take(void *owner, X509 *x509)
{
    int r = X509_STORE_add_cert(owner, x509);

    X509_free(x509);
    return r;
}

static const char trusted[] = "the trusted certificates cannot be read from";

int tls_file_trust(const char *path, X509_STORE *store, struct failure *ret_failure)
{
    const struct reader reader = {trusted, path, ret_failure};
    int n = 0;
    int r = certificates_read(&reader, anchor_take, store, &n);

    if (r == 0 && n == 0)
        return reader_fail(&reader, "it holds no certificate in PEM (BEGIN CERTIFICATE)");
    return r;
}

static bool ends_in(const char *name, const char *end)
{
    size_t len = strlen(name), end_len = strlen(end);

    return len > end_len && strcmp(name + len - end_len, end) == 0;
}

/* As c_rehash(1) names its links: "9d66eef0.0". */
static bool is_hash_name(const char *name)
{
    size_t n_digits;

    if (strspn(name, "0123456789abcdef") != 8 || name[8] != '.')
        return false;
    n_digits = strspn(name + 9, "0123456789");
    return n_digits > 0 && name[9 + n_digits] == '\0';
}

static bool is_trust_name(const char *name)
{
    return name[0] != '.' && (ends_in(name, ".pem") || ends_in(name, ".crt") || is_hash_name(name));
}

/* Files that have been read: in a directory of OpenSSL's each has two names. */
struct seen {
    struct {
        dev_t device;
        ino_t inode;
    } files[MAX_TLS_DIRECTORY];
    size_t n_files;
};

/* True if the file is one to read; the first time. */
static bool seen_add(struct seen *seen, const char *path)
{
    struct stat file;

    /* What cannot be looked at, as a link that leads nowhere, is told when it is read. */
    if (stat(path, &file) < 0)
        return true;
    if (!S_ISREG(file.st_mode))
        return false;
    for (size_t i = 0; i < seen->n_files; i++)
        if (seen->files[i].device == file.st_dev && seen->files[i].inode == file.st_ino)
            return false;
    seen->files[seen->n_files].device = file.st_dev;
    seen->files[seen->n_files].inode = file.st_ino;
    seen->n_files++;
    return true;
}

static int entry_trust(const struct reader *directory, const char *name, struct seen *seen,
                       X509_STORE *store, int *n_certificates)
{
    struct reader reader = *directory;
    char *path;
    int n = 0, r = 0;

    if (seen->n_files == MAX_TLS_DIRECTORY)
        return reader_fail(directory, "it holds too many files");
    if (asprintf(&path, "%s/%s", directory->path, name) < 0)
        return -ENOMEM;
    reader.path = path;
    if (seen_add(seen, path))
        r = certificates_read(&reader, anchor_take, store, &n);
    free(path);
    *n_certificates += n;
    return r;
}

int tls_directory_trust(const char *path, X509_STORE *store, struct failure *ret_failure)
{
    const struct reader reader = {trusted, path, ret_failure};
    struct seen *seen = calloc(1, sizeof(*seen));
    DIR *directory = opendir(path);
    struct dirent *entry;
    int n_certificates = 0, r = 0;

    if (seen == NULL)
        r = -ENOMEM;
    else if (directory == NULL)
        r = reader_fail_errno(&reader);
    while (r == 0 && (entry = readdir(directory)) != NULL)
        if (is_trust_name(entry->d_name))
            r = entry_trust(&reader, entry->d_name, seen, store, &n_certificates);
    if (directory != NULL)
        closedir(directory);
    free(seen);
    if (r == 0 && n_certificates == 0)
        r = reader_fail(&reader,
                        "no file of it that ends in .pem or .crt holds a certificate in PEM");
    return r;
}

/* --- the client's own --- */

struct own {
    SSL_CTX *context;
    int n;
};

static int own_take(void *owner, X509 *x509)
{
    struct own *own = owner;
    int r;

    if (own->n++ > 0) {
        r = (int)SSL_CTX_add0_chain_cert(own->context, x509);
        if (r != 1)
            X509_free(x509);
        return r;
    }
    r = SSL_CTX_use_certificate(own->context, x509);
    X509_free(x509);
    return r;
}

/* Root may let a group of its own choice read it, as where keys lie in one folder for several services. */
static bool is_for_others(const struct stat *stat)
{
    return (stat->st_mode & S_IRWXO) != 0 || ((stat->st_mode & S_IRWXG) != 0 && stat->st_uid != 0);
}

static int key_parse(const struct reader *reader, const struct content *content, EVP_PKEY **ret_key)
{
    static const char mark[] = "PRIVATE KEY-----"; /* EC PRIVATE KEY and others are keys as well */
    bool was_asked = false;
    BIO *bio;

    if (memmem(content->bytes, content->len, mark, sizeof(mark) - 1) == NULL)
        return reader_fail(reader, "there is no key in PEM in it (BEGIN PRIVATE KEY)");
    if (is_for_others(&content->stat))
        return reader_fail(reader, "others can read it; make it its owner's alone (chmod 600)");
    bio = BIO_new_mem_buf(content->bytes, (int)content->len);
    if (bio == NULL)
        return -ENOMEM;
    ERR_clear_error();
    *ret_key = PEM_read_bio_PrivateKey(bio, NULL, passphrase_none, &was_asked);
    BIO_free(bio);
    if (*ret_key != NULL)
        return 0;
    if (was_asked)
        return reader_fail(reader, "it is encrypted, and nobody can be asked for the passphrase; "
                                   "write it without one (openssl pkey)");
    return reader_fail(reader, "its key is damaged, or of a kind that is not known here");
}

static int key_use(const struct reader *reader, SSL_CTX *context)
{
    struct content content;
    EVP_PKEY *key = NULL;
    int r = content_load(reader, &content);

    if (r != 0)
        return r;
    r = key_parse(reader, &content, &key);
    content_deinit(&content);
    if (r == 0 &&
        (SSL_CTX_use_PrivateKey(context, key) != 1 || SSL_CTX_check_private_key(context) != 1))
        r = reader_fail(reader, "it is not the key of the certificate in cert-file");
    EVP_PKEY_free(key);
    ERR_clear_error();
    return r;
}

static const char key_what[] = "the client's key cannot be read from";

bool tls_failure_is_of_key(const struct failure *failure)
{
    return strncmp(failure->text, key_what, strlen(key_what)) == 0;
}

int tls_file_use(const char *cert_file, const char *key_file, SSL_CTX *context,
                 struct failure *ret_failure)
{
    const struct reader certificate = {"the client's certificate cannot be read from", cert_file,
                                       ret_failure};
    const struct reader key = {key_what, key_file != NULL ? key_file : cert_file, ret_failure};
    struct own own = {context, 0};
    int n = 0;
    int r = certificates_read(&certificate, own_take, &own, &n);

    if (r == 0 && n == 0)
        r = reader_fail(&certificate, "it holds no certificate in PEM (BEGIN CERTIFICATE)");
    return r == 0 ? key_use(&key, context) : r;
}
