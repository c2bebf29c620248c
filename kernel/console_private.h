/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the ends of a run ask of the console.
 */
#ifndef CONSOLE_PRIVATE_H
#define CONSOLE_PRIVATE_H

/* What was written is said, and what comes now is waited for again. */
void console_drain(void);

/* That, and what comes now stays: the screen is cleared for it, and no longer moves on. */
void console_panic(void);

#endif
