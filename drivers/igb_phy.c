/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Has the PHY of an 82576 negotiate again (82576, sections 8.2.4 and 8.5; IEEE 802.3,
 * section 22.2.4): a reset of the controller does not reach it, and whoever had it before may have
 * put it to sleep. Firmware uses it too, so it is asked for first (section 4.7).
 */
#include "drivers/igb.h"

#include "clock.h"

#define MDIO_MAX_US      1000
#define SEMAPHORE_MAX_US 10000
#define STEP_US          50

/* Reading SMBI sets it: whoever read 0 has it. 0 or -ETIMEDOUT. */
static int take_semaphore(struct e1000 *e)
{
    int err = e1000_wait(e, IGB_SWSM, IGB_SWSM_SMBI, 0, SEMAPHORE_MAX_US);

    if (err)
        return err;
    for (unsigned waited_us = 0; waited_us < SEMAPHORE_MAX_US; waited_us += STEP_US) {
        e1000_write(e, IGB_SWSM, e1000_read(e, IGB_SWSM) | IGB_SWSM_SWESMBI);
        if (e1000_read(e, IGB_SWSM) & IGB_SWSM_SWESMBI)
            return 0;
        clock_delay_us(STEP_US);
    }
    e1000_write(e, IGB_SWSM, 0);
    return -ETIMEDOUT;
}

static int take_phy(struct e1000 *e, uint32_t bit)
{
    int err = take_semaphore(e);

    if (err)
        return err;
    uint32_t sync = e1000_read(e, IGB_SW_FW_SYNC);
    bool is_free = (sync & (bit | IGB_SW_FW_SYNC_FIRMWARE(bit))) == 0;
    if (is_free)
        e1000_write(e, IGB_SW_FW_SYNC, sync | bit);
    e1000_write(e, IGB_SWSM, 0);
    return is_free ? 0 : -EBUSY;
}

static void release_phy(struct e1000 *e, uint32_t bit)
{
    if (take_semaphore(e))
        return; /* nobody can ask for it then, either */
    e1000_write(e, IGB_SW_FW_SYNC, e1000_read(e, IGB_SW_FW_SYNC) & ~bit);
    e1000_write(e, IGB_SWSM, 0);
}

/* One access to the PHY's control register. 0, -ETIMEDOUT or -EIO. */
static int access_control(struct e1000 *e, uint32_t command, uint32_t *value)
{
    e1000_write(e, IGB_MDIC, command | IGB_MDIC_PHY_1 | IGB_MDIC_REG(MII_CONTROL) | *value);
    int err = e1000_wait(e, IGB_MDIC, IGB_MDIC_READY, IGB_MDIC_READY, MDIO_MAX_US);
    if (err)
        return err;
    uint32_t answer = e1000_read(e, IGB_MDIC);
    *value = answer & IGB_MDIC_DATA_MASK;
    return answer & IGB_MDIC_ERROR ? -EIO : 0;
}

int igb_phy_restart(struct e1000 *e)
{
    uint32_t bit = IGB_SW_FW_SYNC_PHY0 << IGB_STATUS_LAN_ID(e1000_read(e, E1000_STATUS));
    uint32_t control = 0;
    int err = take_phy(e, bit);

    if (err)
        return err;
    err = access_control(e, IGB_MDIC_READ, &control);
    if (!err) {
        control &= ~(MII_CONTROL_POWER_DOWN | MII_CONTROL_ISOLATE);
        control |= MII_CONTROL_NEGOTIATE | MII_CONTROL_RESTART;
        err = access_control(e, IGB_MDIC_WRITE, &control);
    }
    release_phy(e, bit);
    return err;
}
