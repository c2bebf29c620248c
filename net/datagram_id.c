/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See net/datagram_id.h.
 */
#include "net/datagram_id.h"

#define ROUNDS 4

static uint16_t permute(const struct hash_key *key, uint64_t tuple, uint16_t n)
{
    uint8_t left = (uint8_t)(n >> 8), right = (uint8_t)n;

    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t mixed = hash_mix(tuple + (right | round << 8), key->k[1]);
        uint8_t next = (uint8_t)(left ^ mixed >> 28);
        left = right;
        right = next;
    }
    return (uint16_t)(left << 8 | right);
}

be16 datagram_id_next(struct datagram_ids *ids, be32 src, be32 dst, uint8_t proto)
{
    const struct hash_key *key = &ids->key;
    uint16_t *counter = &ids->counters[hash_words(key, dst, proto) % DATAGRAM_COUNTERS];
    uint64_t tuple = hash_mix((src | (uint64_t)dst << 32) ^ key->k[0], proto ^ key->k[2]);
    uint16_t id;

    do {
        id = permute(key, tuple, (*counter)++);
    } while (id == 0);
    return hton16(id);
}
