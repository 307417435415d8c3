/* SPDX-License-Identifier: MIT
 *
 * config_files: see config_files.h.
 * Between the tests of configurations and the file system. Invariant: see config_files.h.
 */
#include "tests/harness/config_files.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];
static char path[128];

void config_files_begin(void)
{
    snprintf(directory, sizeof(directory), "/tmp/test_config.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/wsplexd.conf", directory);
}

void config_files_end(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    ck_assert_int_eq(system(command), 0);
}

void config_file_write(const char *name, const char *text)
{
    char file[192];
    FILE *to;

    snprintf(file, sizeof(file), "%s/%s", directory, name);
    to = fopen(file, "w");
    ck_assert_ptr_nonnull(to);
    fputs(text, to);
    fclose(to);
}

void config_directory_make(const char *name)
{
    char file[192];

    snprintf(file, sizeof(file), "%s/%s", directory, name);
    ck_assert_int_eq(mkdir(file, 0700), 0);
}

const char *config_file_path(void)
{
    return path;
}

static void collect(struct config_reporter *base, const char *file, int line, const char *text)
{
    struct collector *collector = (struct collector *)(void *)base;
    size_t used = strlen(collector->text);
    const char *name = strrchr(file, '/');

    snprintf(collector->text + used, sizeof(collector->text) - used, "%s:%d: %s\n",
             name ? name + 1 : file, line, text);
}

void collector_init(struct collector *collector)
{
    *collector = (struct collector){.base = {collect}};
}

int config_files_load(struct collector *collector, struct config **ret_config)
{
    collector_init(collector);
    return config_load(path, true, CONFIG_MACHINE, &collector->base, ret_config);
}
