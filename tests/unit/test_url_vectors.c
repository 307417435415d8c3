/*
 * test_url_vectors: the web-platform-tests' URLs, as browsers agree on them; one TAP line for each.
 *
 * The data is not part of the project: it is looked for in $WSPLEX_SHARED/data, then in ../shared/data
 * beside the source tree, and where it is absent the whole test is skipped. So this program has a
 * main() of its own instead of the harness's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/idna.h"
#include "proto/url.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VECTORS "data/websocket-url-vectors.json"

/* The file must have as many, so that a truncated one is no success. */
#define N_VECTORS 469

static const char *member(json_t *vector, const char *name)
{
    const char *value = json_string_value(json_object_get(vector, name));

    return value == NULL ? "" : value;
}

/* Says as a TAP comment what is wrong, and returns whether nothing is. */
static bool is_equal(const char *what, const char *actual, const char *expected)
{
    if (strcmp(actual, expected) == 0)
        return true;
    printf("# %s is \"%s\", not \"%s\"\n", what, actual, expected);
    return false;
}

/* A query or a fragment as the URL object shows it: nothing at all when it is empty. */
static bool is_shown_as(const char *what, char mark, const char *actual, const char *expected)
{
    if (*expected == mark)
        return is_equal(what, actual, expected + 1);
    return is_equal(what, actual, expected);
}

static bool url_matches(const struct wsp_url *url, json_t *vector)
{
    static const char *const protocols[] = {"ws:", "wss:", "http:", "https:"};
    char port[8] = "";
    char resource[WSP_MAX_URL + 1];
    char origin[WSP_MAX_URL + 1];

    if (!url->is_default_port)
        snprintf(port, sizeof(port), "%u", url->port);
    snprintf(resource, sizeof(resource), "%s%s%s", url->path, url->query[0] != '\0' ? "?" : "",
             url->query);
    snprintf(origin, sizeof(origin), "%s//%s", member(vector, "protocol"), member(vector, "host"));
    return is_equal("href", url->href, member(vector, "href")) &&
           is_equal("protocol", protocols[url->scheme], member(vector, "protocol")) &&
           is_equal("username", url->username, member(vector, "username")) &&
           is_equal("password", url->password, member(vector, "password")) &&
           is_equal("host_header", url->host_header, member(vector, "host")) &&
           is_equal("host", url->host, member(vector, "hostname")) &&
           is_equal("port", port, member(vector, "port")) &&
           is_equal("path", url->path, member(vector, "pathname")) &&
           is_shown_as("query", '?', url->query, member(vector, "search")) &&
           is_shown_as("fragment", '#', url->fragment, member(vector, "hash")) &&
           is_equal("resource", url->resource, resource) && is_equal("origin", url->origin, origin);
}

/* What the URL standard says. */
static bool parses_as_url(json_t *vector, const char *input, size_t len, const struct wsp_url *base)
{
    struct wsp_url url;
    bool must_fail = json_is_true(json_object_get(vector, "failure"));
    int r = wsp_url_parse(&url, input, len, base, idna_to_ascii);
    bool passed;

    if (r != 0) {
        if (!must_fail || r < 0)
            printf("# %s (%d)\n", wsp_url_problem_to_string(r), r);
        return must_fail && r > 0;
    }
    if (must_fail)
        printf("# it was taken as %s\n", url.href);
    passed = !must_fail && url_matches(&url, vector);
    wsp_url_deinit(&url);
    return passed;
}

/* What the WebSocket constructor says: the URL, or SyntaxError for a failure or a fragment. */
static bool parses_as_websocket(json_t *vector, const char *input, size_t len,
                                const struct wsp_url *base)
{
    struct wsp_url url;
    const char *expected = member(vector, "websocket");
    int r = wsp_url_parse_websocket(&url, input, len, base, idna_to_ascii);
    bool passed;

    if (r == 0) {
        passed = is_equal("websocket", url.href, expected);
        wsp_url_deinit(&url);
        return passed;
    }
    if (r == WSP_URL_FRAGMENT)
        return is_equal("websocket", "SyntaxError(fragment)", expected);
    return r > 0 && is_equal("websocket", "SyntaxError", expected);
}

static bool vector_passes(json_t *vector)
{
    json_t *input = json_object_get(vector, "input");
    const char *base_text = json_string_value(json_object_get(vector, "base"));
    struct wsp_url base = {0};
    bool passed;

    if (base_text != NULL &&
        wsp_url_parse(&base, base_text, strlen(base_text), NULL, idna_to_ascii) != 0) {
        printf("# the base %s is refused\n", base_text);
        return false;
    }
    passed = parses_as_url(vector, json_string_value(input), json_string_length(input),
                           base_text == NULL ? NULL : &base) &&
             parses_as_websocket(vector, json_string_value(input), json_string_length(input),
                                 base_text == NULL ? NULL : &base);
    wsp_url_deinit(&base);
    return passed;
}

/* The vectors, or NULL with the reason in *ret_error where there are none. */
static json_t *vectors_load(json_error_t *ret_error)
{
    const char *shared = getenv("WSPLEX_SHARED");
    const char *source = getenv("top_srcdir");
    char path[PATH_MAX];

    if (shared != NULL)
        snprintf(path, sizeof(path), "%s/%s", shared, VECTORS);
    else
        snprintf(path, sizeof(path), "%s/../shared/%s", source == NULL ? "." : source, VECTORS);
    return json_load_file(path, JSON_ALLOW_NUL, ret_error);
}

int main(void)
{
    json_error_t error;
    json_t *vectors = vectors_load(&error);
    json_t *vector;
    size_t index;
    size_t n_failed = 0;

    if (vectors == NULL && json_error_code(&error) == json_error_cannot_open_file) {
        printf("1..0 # SKIP %s\n", error.text);
        return EXIT_SUCCESS;
    }
    if (json_array_size(vectors) != N_VECTORS) {
        printf("1..1\nnot ok 1 - there are %d vectors in the file\n", N_VECTORS);
        return EXIT_FAILURE;
    }
    printf("1..%d\n", N_VECTORS);
    json_array_foreach (vectors, index, vector) {
        bool passed = vector_passes(vector);
        char *name =
            json_dumps(json_object_get(vector, "input"), JSON_ENCODE_ANY | JSON_ENSURE_ASCII);

        printf("%s %zu - ", passed ? "ok" : "not ok", index + 1);
        /* A # in a description would begin a directive. */
        for (const char *c = name; c != NULL && *c != '\0'; c++)
            printf(*c == '#' ? "(hash)" : "%c", *c);
        printf("\n");
        free(name);
        n_failed += !passed;
    }
    json_decref(vectors);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
