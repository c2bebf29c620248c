/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Prints docs/options.md (or, with --help-text, what the console's help says) from the option
 * table.
 */
#include <stdio.h>

#include "boot/options.h"

static void print_line(const char *text)
{
    puts(text);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help-text") == 0)
        config_print_help(print_line);
    else
        config_print_reference(print_line);
    return 0;
}
