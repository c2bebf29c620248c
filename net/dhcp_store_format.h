/* SPDX-License-Identifier: BSD-3-Clause
 *
 * How leases lie on a disk.
 *
 * The disk is cut into blocks of 4096 bytes. Blocks 0 and 1 are two copies of the header, written
 * once. Then comes a group for each two blocks: the two copies of up to STORE_GROUP_RECORDS leases,
 * which are written in turn, so that one of them is whole whatever happens to the other. The copy
 * with the higher round number counts. Blocks of zeros are empty.
 *
 * Every block has a CRC-32C of all before it; a group's blocks also carry their place and the
 * header's id, so that none is taken for another, nor for what was there before. All numbers are
 * little-endian. Times are seconds that were left when the block was written: there is no clock
 * that goes on while the router is off, so a lease lasts at least as long as its client was told.
 */
#ifndef NET_DHCP_STORE_FORMAT_H
#define NET_DHCP_STORE_FORMAT_H

#include "base.h"
#include "net/dhcp_lease.h"

#define STORE_BLOCK_BYTES   4096u
#define STORE_HEADER_BLOCKS 2u
#define STORE_COPIES        2u
#define STORE_KEY_BYTES     24
#define STORE_MIN_BYTES     65536u
#define STORE_MAX_GROUPS    4095u /* of a larger disk only so many are used: 32 MB */

enum store_record_state { STORE_EMPTY, STORE_GRANTED, STORE_OVER };

/* One lease. */
struct store_record {
    struct lease_id who; /* made with the header's key */
    be32 ip;
    uint32_t network; /* store_network() of its name */
    uint32_t left_s;  /* CONFIG_FOREVER: it has no end; 0: it is over */
    uint8_t state;    /* enum store_record_state */
    uint8_t by_mac;   /* the table's, which who depends on */
    uint8_t port;
    uint8_t zero;
    uint8_t mac[MAC_BYTES];
    uint8_t zeros[2];
    char name[LEASE_NAME_BYTES];
};
static_assert(sizeof(struct store_record) == 104, "records lie on the disk as they are");

#define STORE_GROUP_RECORDS 39u

struct store_group {
    uint64_t id;
    uint32_t group;
    uint32_t round; /* of writing; 1 or more */
    uint8_t zeros[16];
    struct store_record records[STORE_GROUP_RECORDS];
    uint8_t rest[4];
    uint32_t crc;
};
static_assert(sizeof(struct store_group) == STORE_BLOCK_BYTES, "a block");

struct store_header {
    uint8_t magic[16];
    uint32_t version;
    uint32_t zero;
    uint64_t id;
    uint8_t key[STORE_KEY_BYTES]; /* of what leases know their clients by */
    uint32_t crc;                 /* of all before it; one sector holds all that matters */
    uint8_t rest[STORE_BLOCK_BYTES - 60];
};
static_assert(sizeof(struct store_header) == STORE_BLOCK_BYTES, "a block");

enum store_verdict {
    STORE_OURS,
    STORE_BLANK,   /* zeros */
    STORE_DAMAGED, /* ours by its first bytes, but not whole */
    STORE_NEWER,   /* ours, of a version that is not known here */
    STORE_FOREIGN,
};

/* Fills a header in. random: 32 bytes. */
void store_header_make(struct store_header *header, const uint8_t *random);
enum store_verdict store_header_judge(const struct store_header *header);

/* Fills in what a group's block needs besides its records. */
void store_group_seal(struct store_group *block, uint64_t id, uint32_t group, uint32_t round);

/* STORE_OURS, STORE_BLANK or STORE_DAMAGED. */
enum store_verdict store_group_judge(const struct store_group *block, uint64_t id, uint32_t group);

/* True if a record says what one can say; its name, of whatever bytes, then ends within it. */
bool store_record_good(const struct store_record *record);

bool store_is_zero(const void *bytes, size_t n);

uint32_t store_network(const char *name);

/* Groups that a disk of so many bytes has room for; 0: it is too small. And the bytes of a disk
 * that has room for so many leases. */
uint32_t store_groups(uint64_t disk_bytes);
uint64_t store_bytes(uint32_t leases);

static inline uint32_t store_block_of(uint32_t group, unsigned copy)
{
    return STORE_HEADER_BLOCKS + group * STORE_COPIES + copy;
}

#endif
