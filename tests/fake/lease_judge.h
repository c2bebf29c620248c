/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Whether a lease table is in order: everything that follows from the states of its slots, counted
 * anew from them. A CHECK fails if not.
 */
#ifndef LEASE_JUDGE_H
#define LEASE_JUDGE_H

#include "net/dhcp_lease.h"

void lease_judge(struct lease_table *t);

#endif
