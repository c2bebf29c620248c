/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which virtio devices are on the bus of memory: nothing can be asked, so whoever started us says
 * where to look, on the command line (QEMU's microvm without ACPI, Firecracker) or in the AML
 * (microvm with ACPI, newer Firecrackers). Both may name the same one.
 */
#include "drivers/virtio_mmio.h"

#include "acpi.h"
#include "log.h"

static struct virtio_mmio devices[VIRTIO_MMIO_MAX];
static unsigned device_count;

/* Named twice is no mistake: the first counts. */
static bool is_free(const struct virtio_mmio_place *place)
{
    for (unsigned i = 0; i < device_count; i++) {
        const struct virtio_mmio_place *other = &devices[i].place;
        if (other->base == place->base)
            return false;
        if (other->base < place->base + place->bytes && place->base < other->base + other->bytes) {
            log_error("0x%llx: no virtio device can be there: one is at 0x%llx",
                      (unsigned long long)place->base, (unsigned long long)other->base);
            return false;
        }
    }
    return true;
}

void virtio_mmio_add(const struct virtio_mmio_place *place)
{
    if (!is_free(place))
        return;
    if (device_count == VIRTIO_MMIO_MAX)
        log_warn("0x%llx: more than %u virtio devices: left out", (unsigned long long)place->base,
                 VIRTIO_MMIO_MAX);
    else if (virtio_mmio_open(&devices[device_count], place, NULL) == 0)
        device_count++;
}

static void add_those_of_aml(void)
{
    const struct acpi_virtio_mmio *found;

    for (unsigned at = 0; (found = acpi_virtio_mmio_at(at)) != NULL; at++)
        virtio_mmio_add(&(struct virtio_mmio_place){
            .base = found->base, .bytes = found->bytes, .gsi = found->gsi, .level = found->level});
}

struct virtio_mmio *virtio_mmio_next(uint32_t kind, const struct virtio_mmio *previous)
{
    static bool asked;

    if (!asked)
        add_those_of_aml();
    asked = true;
    for (unsigned i = previous ? (unsigned)(previous - devices) + 1 : 0; i < device_count; i++)
        if (devices[i].kind == kind)
            return &devices[i];
    return NULL;
}
