/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the pure part of musl refers to outside itself, in the shape this kernel has: one thread, no
 * locale, no files. Defining these keeps the archive's own members, which would make system calls,
 * out of the link; tools/check-image fails the build if one gets in all the same.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include "base.h"
#include "power.h"

/* Of musl, not in its public headers. */
int *__errno_location(void);
int *___errno_location(void);
int __lockfile(void *file);
void __unlockfile(void *file);
void __stdio_exit_needed(void);
NORETURN void __stack_chk_fail(void);

static int error_number;

int *__errno_location(void)
{
    return &error_number;
}

int *___errno_location(void)
{
    return &error_number;
}

/* Streams are locked if they are shared; the one that snprintf makes never is. */
int __lockfile(void *file)
{
    (void)file;
    return 0;
}

void __unlockfile(void *file)
{
    (void)file;
}

/* Called by nothing; named by every stream operation so that exit() flushes. */
void __stdio_exit_needed(void)
{
}

/* musl is built with the stack protector. */
void __stack_chk_fail(void)
{
    panic("a stack frame was overwritten");
}

/* "%lc" of printf: wide characters are not used. */
int wctomb(char *s, wchar_t wc)
{
    (void)s;
    (void)wc;
    return -1;
}

/* The errors that this kernel's functions return, without musl's locale machinery. */
static const struct {
    int error;
    char text[16];
} error_texts[] = {
    {0, "no error"},       {ENOMEM, "out of memory"}, {ENODEV, "no such device"},
    {ENOENT, "not found"}, {ENOSPC, "no room left"},  {EINVAL, "invalid"},
    {EIO, "device error"}, {ETIMEDOUT, "timed out"},  {ENOTSUP, "not supported"},
    {EBUSY, "busy"},       {ERANGE, "out of range"},  {EEXIST, "exists already"},
};

char *strerror(int error)
{
    for (unsigned i = 0; i < ARRAY_COUNT(error_texts); i++)
        if (error_texts[i].error == error)
            return (char *)(uintptr_t)error_texts[i].text; /* C's signature lacks the const */
    return (char *)(uintptr_t) "error";
}
