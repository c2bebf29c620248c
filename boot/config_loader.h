/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Words that boot loaders put on a command line by themselves, meant for Linux.
 */
#ifndef CONFIG_LOADER_H
#define CONFIG_LOADER_H

#include "config_value.h"

#define LOADER_WORDS_BYTES 120 /* of what is told of them */

enum loader_word {
    LOADER_NONE,  /* not one of them */
    LOADER_QUIET, /* means nothing, and need not be spoken of */
    LOADER_LINUX, /* is ignored, and that is said */
    LOADER_PANIC, /* the same; it looks like an option of ours, but is not */
};

/* Is this token one? Only on a command line; a file was written for us. */
enum loader_word loader_word_of(struct span token);

extern const struct value_type value_mmio; /* struct draft_mmio_place */

#endif
