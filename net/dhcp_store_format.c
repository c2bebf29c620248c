/* SPDX-License-Identifier: BSD-3-Clause
 *
 * How leases lie on a disk; see dhcp_store_format.h.
 */
#include "net/dhcp_store_format.h"

#include "net/wire/crc32c.h"

#define VERSION 1

static const uint8_t magic[16] = "Sluice leases\r\n";

bool store_is_zero(const void *bytes, size_t n)
{
    const uint8_t *b = bytes;

    return n == 0 || (b[0] == 0 && memcmp(b, b + 1, n - 1) == 0);
}

void store_header_make(struct store_header *header, const uint8_t *random)
{
    memset(header, 0, sizeof(*header));
    memcpy(header->magic, magic, sizeof(magic));
    header->version = VERSION;
    memcpy(&header->id, random, sizeof(header->id));
    memcpy(header->key, random + sizeof(header->id), sizeof(header->key));
    header->crc = crc32c(header, offsetof(struct store_header, crc));
}

enum store_verdict store_header_judge(const struct store_header *header)
{
    if (store_is_zero(header, sizeof(*header)))
        return STORE_BLANK;
    if (memcmp(header->magic, magic, sizeof(magic)) != 0)
        return STORE_FOREIGN;
    if (header->crc != crc32c(header, offsetof(struct store_header, crc)))
        return STORE_DAMAGED;
    return header->version == VERSION ? STORE_OURS : STORE_NEWER;
}

void store_group_seal(struct store_group *block, uint64_t id, uint32_t group, uint32_t round)
{
    block->id = id;
    block->group = group;
    block->round = round;
    memset(block->zeros, 0, sizeof(block->zeros));
    memset(block->rest, 0, sizeof(block->rest));
    block->crc = crc32c(block, offsetof(struct store_group, crc));
}

enum store_verdict store_group_judge(const struct store_group *block, uint64_t id, uint32_t group)
{
    if (store_is_zero(block, sizeof(*block)))
        return STORE_BLANK;
    if (block->id != id || block->group != group || block->round == 0 ||
        block->crc != crc32c(block, offsetof(struct store_group, crc)))
        return STORE_DAMAGED;
    return STORE_OURS;
}

bool store_record_good(const struct store_record *record)
{
    return (record->state == STORE_GRANTED || record->state == STORE_OVER) &&
           (record->state == STORE_OVER) == (record->left_s == 0) && record->by_mac <= 1 &&
           !(record->mac[0] & 1) && record->ip != 0 &&
           memchr(record->name, 0, sizeof(record->name)) != NULL;
}

uint32_t store_network(const char *name)
{
    return crc32c(name, strlen(name));
}

uint32_t store_groups(uint64_t disk_bytes)
{
    uint64_t blocks = disk_bytes / STORE_BLOCK_BYTES;

    if (disk_bytes < STORE_MIN_BYTES)
        return 0;
    return (uint32_t)MIN((blocks - STORE_HEADER_BLOCKS) / STORE_COPIES, STORE_MAX_GROUPS);
}

uint64_t store_bytes(uint32_t leases)
{
    uint64_t groups = (leases + STORE_GROUP_RECORDS - 1) / STORE_GROUP_RECORDS;

    return MAX((STORE_HEADER_BLOCKS + groups * STORE_COPIES) * STORE_BLOCK_BYTES,
               (uint64_t)STORE_MIN_BYTES);
}
