/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Identifications for IPv4 datagrams that leave with the outside address and may arrive in
 * fragments. Hosts choose theirs without knowing of each other, so behind one address they meet,
 * and fragments with the same one are put together whosever they are (RFC 6864, section 5.3.1; RFC
 * 4963).
 *
 * Theory of operation. The destination and protocol choose one of a number of counters; what it
 * counts goes through a permutation of 16 bits that is keyed by source, destination and protocol
 * (four rounds of a Feistel network). So to one destination all of 65,535 datagrams in a row
 * differ, which is what RFC 6864, section 4.3 can ask for in two minutes, and whoever sees some of
 * them can neither guess the next nor tell how many went elsewhere. 0 is left out.
 */
#ifndef NET_DATAGRAM_ID_H
#define NET_DATAGRAM_ID_H

#include "base.h"
#include "net/hash.h"
#include "net/wire/csum.h"
#include "net/wire/ip4.h"

#define DATAGRAM_COUNTERS 1024u

struct datagram_ids {
    struct hash_key key;
    uint16_t counters[DATAGRAM_COUNTERS];
};

be16 datagram_id_next(struct datagram_ids *ids, be32 src, be32 dst, uint8_t proto);

/* Writes it into an IPv4 header, whose checksum stays right. */
static inline void datagram_set_id(uint8_t *ip, be16 id)
{
    uint16_t delta = csum_fold(csum_delta16(load_raw16(ip + IP4_ID_OFF), id));

    store_raw16(ip + IP4_CSUM_OFF, csum_apply(load_raw16(ip + IP4_CSUM_OFF), delta));
    store_raw16(ip + IP4_ID_OFF, id);
}

#endif
