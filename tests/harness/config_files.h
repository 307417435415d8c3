/* SPDX-License-Identifier: MIT
 *
 * config_files: configurations as files in a directory of their own, and what is told about them.
 * Neighbours: tests of daemon/config write them and compare what is reported.
 * Invariant: one directory for each test, gone after it.
 */
#ifndef WSPLEX_TESTS_CONFIG_FILES_H
#define WSPLEX_TESTS_CONFIG_FILES_H

#include "daemon/config.h"

/* A checked fixture. */
void config_files_begin(void);
void config_files_end(void);

/* name is relative to the directory. */
void config_file_write(const char *name, const char *text);
void config_directory_make(const char *name);

/* Of the main file, wsplexd.conf. */
const char *config_file_path(void);

/* What was reported, one problem per line, file names without their directory. */
struct collector {
    struct config_reporter base;
    char text[8192];
};
void collector_init(struct collector *collector);

/* config_load of the main file of a machine's daemon. */
int config_files_load(struct collector *collector, struct config **ret_config);

#endif
