/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Between panic and power.
 */
#ifndef POWER_PRIVATE_H
#define POWER_PRIVATE_H

#include "base.h"

/* Calls what power_at_exit was given, once. */
void power_stop_devices(bool comes_back);

#endif
