/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a panic asks of the console.
 */
#ifndef CONSOLE_PRIVATE_H
#define CONSOLE_PRIVATE_H

/* What comes now stays: the screen is cleared for it, and no longer moves on. */
void console_panic(void);

#endif
