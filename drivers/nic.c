/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What NIC drivers share.
 */
#include "drivers/nic_driver.h"

#include "log.h"

void nic_taken_down(struct nic *nic, const char *why)
{
    if (nic->dead)
        return;
    nic->dead = why;
    log_error("port at %s: device offered %s; port taken down", nic->location, why);
}
