/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `include`: several files as one tree, each node keeping its origin. [control] */
#ifndef CONFIG_INCLUDE_H
#define CONFIG_INCLUDE_H

#include "config/yaml.h"

/* Read the files that *root asks for and merge them into it; *root becomes the merged tree, without
 * the key `include`. 0, also when files were missing or clashed, which is reported; -ENOMEM. */
int include_resolve(struct yaml_tree *t, struct report *r, struct yaml_node **root);

/* Read a regular file whole: 0 with a NUL-ended text to free, or -errno (-EFBIG, -EISDIR too). */
int include_read_file(const char *path, char **text, size_t *len);

#endif
