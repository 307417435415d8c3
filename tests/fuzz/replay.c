/*
 * replay: main() of a fuzz target outside of a fuzzer.
 *
 * Between the files of $CORPUS/NAME, where NAME is that of the program without "fuzz_", and the
 * target's LLVMFuzzerTestOneInput(). Prints TAP, one line per file.
 *
 * Invariant: a file that crashes the target is one failed test; the others still run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/guard.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* An input that needs longer than this is a finding as well. */
#define MAX_SECONDS 20

static uint8_t *read_file(const char *path, size_t *ret_len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    uint8_t *data;
    size_t len;

    if (fd < 0 || fstat(fd, &st) < 0)
        return NULL;
    len = (size_t)st.st_size;
    data = malloc(len + 1);
    if (data == NULL || read(fd, data, len) != (ssize_t)len) {
        free(data);
        close(fd);
        return NULL;
    }
    close(fd);
    *ret_len = len;
    return data;
}

static bool replay(const char *path)
{
    size_t len;
    uint8_t *data = read_file(path, &len);
    int status;
    pid_t child;

    if (data == NULL) {
        printf("# %s: %s\n", path, strerror(errno));
        return false;
    }
    fflush(stdout);
    child = fork();
    if (child == 0) {
        struct guard guard;

        alarm(MAX_SECONDS);
        guard_init(&guard, data, len);
        free(data);
        LLVMFuzzerTestOneInput(guard.data, guard.len);
        guard_deinit(&guard);
        exit(EXIT_SUCCESS);
    }
    free(data);
    if (child < 0 || waitpid(child, &status, 0) != child)
        return false;
    if (WIFSIGNALED(status))
        printf("# %s: %s\n", path, strsignal(WTERMSIG(status)));
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static const char *target_name(const char *program)
{
    const char *prefix = "fuzz_";
    const char *name = strstr(program, prefix);

    for (const char *next = name; next != NULL; next = strstr(next + 1, prefix))
        name = next;
    return name == NULL ? program : name + strlen(prefix);
}

int main(int argc, char **argv)
{
    const char *corpus = getenv("CORPUS");
    const char *name = target_name(argv[0]);
    char dir[PATH_MAX / 2];
    char path[PATH_MAX];
    struct dirent **inputs = NULL;
    int n_inputs;
    int n_failed = 0;

    (void)argc;
    snprintf(dir, sizeof(dir), "%s/%s", corpus == NULL ? "tests/fuzz/corpus" : corpus, name);
    n_inputs = scandir(dir, &inputs, is_input, alphasort);
    if (n_inputs <= 0) {
        printf("1..1\nnot ok 1 - there is no input in %s\n", dir);
        return EXIT_FAILURE;
    }
    printf("1..%d\n", n_inputs);
    for (int i = 0; i < n_inputs; i++) {
        bool passed;

        snprintf(path, sizeof(path), "%s/%s", dir, inputs[i]->d_name);
        passed = replay(path);
        printf("%s %d - %s/%s\n", passed ? "ok" : "not ok", i + 1, name, inputs[i]->d_name);
        n_failed += !passed;
        free(inputs[i]);
    }
    free(inputs);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
