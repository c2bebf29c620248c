/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The pair of 8259A interrupt controllers: the 16 legacy lines.
 */
#ifndef PIC_H
#define PIC_H

#include "base.h"

#define PIC_LINES  16
#define PIC_VECTOR 0x20 /* of line 0 */

/* Moves the lines to PIC_VECTOR.. and masks them all. False if the machine has no 8259. */
bool pic_init(void);

void pic_unmask(unsigned line);
void pic_mask(unsigned line);

/* True if line really asked: noise on the wires looks like line 7 or 15. Acknowledges what must be.
 */
bool pic_is_genuine(unsigned line);

/* End of interrupt, after the handlers have silenced their devices (the lines of PCI are
 * level-triggered). */
void pic_end(unsigned line);

#endif
