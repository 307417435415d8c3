/* SPDX-License-Identifier: MIT
 *
 * file_version: tells whether a file is still the one that was read.
 * Neighbours: tls asks it of CA files, resolver of resolv.conf. Invariant: what was replaced or
 * written to since is another file, as far as the file system's clock can tell.
 */
#ifndef WSPLEX_DAEMON_FILE_VERSION_H
#define WSPLEX_DAEMON_FILE_VERSION_H

#include <stdbool.h>
#include <sys/stat.h>

/* Both as stat(2) gave them; all zero stands for a file that is not there. */
static inline bool file_version_is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

#endif
