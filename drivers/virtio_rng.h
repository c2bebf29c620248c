/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The virtio entropy device.
 */
#ifndef VIRTIO_RNG_H
#define VIRTIO_RNG_H

#include "drivers/virtio.h"

/* Starts the device, mixes what it gives within 10 ms into the generator, and stops it. Returns the
 * bytes. */
size_t virtio_rng_read(struct virtio_dev *dev);

#endif
