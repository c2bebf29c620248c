/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Layouts of the two protocols on UDP port 5351: NAT-PMP (RFC 6886, section 3) and PCP (RFC 6887,
 * sections 7, 11, 12 and 13). Addresses in PCP are of 16 bytes; an IPv4 one is mapped into IPv6.
 */
#ifndef NET_WIRE_PCP_H
#define NET_WIRE_PCP_H

#include "base.h"

#define PCP_PORT        5351 /* of the router, for both protocols */
#define PCP_CLIENT_PORT 5350 /* where hosts listen for announcements, sent to 224.0.0.1 */

/* Common to both: the version decides. */
#define PCP_VERSION_OFF 0
#define PCP_OPCODE_OFF  1
#define PCP_RESPONSE    0x80 /* of the opcode */

/* ---- NAT-PMP ---- */

#define NATPMP_VERSION         0
#define NATPMP_ADDRESS_BYTES   2  /* a request for the outside address */
#define NATPMP_MAP_BYTES       12 /* a request for a port */
#define NATPMP_INSIDE_PORT_OFF 4
#define NATPMP_OUTSIDE_OFF     6 /* port */
#define NATPMP_LIFETIME_OFF    8

#define NATPMP_RESULT_OFF           2 /* 16 bits */
#define NATPMP_EPOCH_OFF            4
#define NATPMP_ERROR_BYTES          8
#define NATPMP_ANSWER_ADDRESS_OFF   8
#define NATPMP_ANSWER_ADDRESS_BYTES 12
#define NATPMP_ANSWER_INSIDE_OFF    8
#define NATPMP_ANSWER_OUTSIDE_OFF   10
#define NATPMP_ANSWER_LIFETIME_OFF  12
#define NATPMP_ANSWER_MAP_BYTES     16

enum natpmp_opcode { NATPMP_ADDRESS, NATPMP_MAP_UDP, NATPMP_MAP_TCP };

enum natpmp_result {
    NATPMP_SUCCESS,
    NATPMP_UNSUPP_VERSION, /* never sent: other versions are answered as PCP */
    NATPMP_REFUSED,
    NATPMP_NETWORK_FAILURE,
    NATPMP_NO_RESOURCES,
    NATPMP_UNSUPP_OPCODE,
};

/* ---- PCP ---- */

#define PCP_VERSION       2
#define PCP_MAX_BYTES     1100
#define PCP_HDR_BYTES     24
#define PCP_LIFETIME_OFF  4
#define PCP_CLIENT_IP_OFF 8 /* requests */
#define PCP_RESULT_OFF    3 /* answers: 8 bits, then */
#define PCP_EPOCH_OFF     8

/* MAP and PEER, from the end of the header: */
#define PCP_NONCE_OFF        24
#define PCP_NONCE_BYTES      12
#define PCP_PROTOCOL_OFF     36
#define PCP_INSIDE_PORT_OFF  40
#define PCP_OUTSIDE_PORT_OFF 42 /* suggested; in answers given */
#define PCP_OUTSIDE_IP_OFF   44
#define PCP_MAP_BYTES        60
#define PCP_PEER_PORT_OFF    60
#define PCP_PEER_IP_OFF      64
#define PCP_PEER_BYTES       80

#define PCP_IP_BYTES 16

/* An option: code, reserved, length of its data; the data, filled up to 4 bytes. */
#define PCP_OPTION_HDR_BYTES 4
#define PCP_OPTION_LEN_OFF   2
#define PCP_OPTION_OPTIONAL  0x80 /* of the code: who does not know it may ignore it */

enum pcp_opcode { PCP_ANNOUNCE, PCP_MAP, PCP_PEER };

enum pcp_option { PCP_THIRD_PARTY = 1, PCP_PREFER_FAILURE = 2, PCP_FILTER = 3 };

enum pcp_result {
    PCP_SUCCESS,
    PCP_UNSUPP_VERSION,
    PCP_NOT_AUTHORIZED,
    PCP_MALFORMED_REQUEST,
    PCP_UNSUPP_OPCODE,
    PCP_UNSUPP_OPTION,
    PCP_MALFORMED_OPTION,
    PCP_NETWORK_FAILURE,
    PCP_NO_RESOURCES,
    PCP_UNSUPP_PROTOCOL,
    PCP_USER_EX_QUOTA,
    PCP_CANNOT_PROVIDE_EXTERNAL,
    PCP_ADDRESS_MISMATCH,
    PCP_RESULT_COUNT
};

/* The IPv4 address in a field of 16 bytes; false: it holds another kind of address. */
static inline bool pcp_load_ip(const uint8_t *at, be32 *ip)
{
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};

    *ip = load_raw32(at + sizeof(mapped));
    return memcmp(at, mapped, sizeof(mapped)) == 0;
}

static inline void pcp_store_ip(uint8_t *at, be32 ip)
{
    memset(at, 0, 10);
    memset(at + 10, 0xFF, 2);
    store_raw32(at + 12, ip);
}

#endif
