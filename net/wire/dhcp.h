/* SPDX-License-Identifier: BSD-3-Clause
 *
 * DHCP messages: layout (RFC 2131, section 2), options (RFC 2132), and a bounds-checked reader and
 * writer of options. The reader knows overloaded fields (option 52) and options in several pieces
 * (RFC 3396).
 */
#ifndef NET_WIRE_DHCP_H
#define NET_WIRE_DHCP_H

#include "base.h"

#define DHCP_SERVER_PORT 67
#define DHCP_CLIENT_PORT 68

#define DHCP_OP_OFF       0
#define DHCP_HTYPE_OFF    1
#define DHCP_HLEN_OFF     2
#define DHCP_HOPS_OFF     3
#define DHCP_XID_OFF      4
#define DHCP_SECS_OFF     8
#define DHCP_FLAGS_OFF    10
#define DHCP_CIADDR_OFF   12
#define DHCP_YIADDR_OFF   16
#define DHCP_SIADDR_OFF   20
#define DHCP_GIADDR_OFF   24
#define DHCP_CHADDR_OFF   28
#define DHCP_CHADDR_BYTES 16
#define DHCP_SNAME_OFF    44
#define DHCP_SNAME_BYTES  64
#define DHCP_FILE_OFF     108
#define DHCP_FILE_BYTES   128
#define DHCP_COOKIE_OFF   236
#define DHCP_COOKIE       0x63825363u /* host order */
#define DHCP_OPTIONS_OFF  240
#define DHCP_MIN_BYTES    300 /* BOOTP's; shorter messages are padded (RFC 1542, section 2.1) */
#define DHCP_SAFE_BYTES   548 /* what every client takes: a 576-byte IP packet */

#define DHCP_HTYPE_ETHERNET 1
#define DHCP_FLAG_BROADCAST BE16(0x8000)

enum dhcp_op { DHCP_BOOTREQUEST = 1, DHCP_BOOTREPLY = 2 };

enum dhcp_type {
    DHCP_TYPE_DISCOVER = 1,
    DHCP_TYPE_OFFER,
    DHCP_TYPE_REQUEST,
    DHCP_TYPE_DECLINE,
    DHCP_TYPE_ACK,
    DHCP_TYPE_NAK,
    DHCP_TYPE_RELEASE,
    DHCP_TYPE_INFORM,
};

enum dhcp_option_code {
    DHCP_OPT_PAD = 0,
    DHCP_OPT_MASK = 1,
    DHCP_OPT_ROUTER = 3,
    DHCP_OPT_DNS = 6,
    DHCP_OPT_NAME = 12,
    DHCP_OPT_DOMAIN = 15,
    DHCP_OPT_MTU = 26,
    DHCP_OPT_BROADCAST = 28,
    DHCP_OPT_REQUESTED = 50,
    DHCP_OPT_LEASE = 51,
    DHCP_OPT_OVERLOAD = 52,
    DHCP_OPT_TYPE = 53,
    DHCP_OPT_SERVER = 54,
    DHCP_OPT_PARAMS = 55,
    DHCP_OPT_MAX_SIZE = 57,
    DHCP_OPT_T1 = 58,
    DHCP_OPT_T2 = 59,
    DHCP_OPT_CLIENT_ID = 61,
    DHCP_OPT_TFTP_SERVER = 66,
    DHCP_OPT_BOOT_FILE = 67,
    DHCP_OPT_RELAY = 82,   /* RFC 3046 */
    DHCP_OPT_ROUTES = 121, /* RFC 3442 */
    DHCP_OPT_END = 255,
};

/* A message's fixed fields and the options anyone here asks for. Values point into the message, or,
 * for an option that came in several pieces, into joined. */
struct dhcp_message {
    const uint8_t *bytes;
    uint8_t op;
    uint8_t type; /* enum dhcp_type; 0: plain BOOTP */
    uint8_t mac[MAC_BYTES];
    be16 flags;
    be32 xid; /* as it stands */
    be32 ciaddr, yiaddr, giaddr;
    be32 requested, server; /* options 50 and 54; 0 if absent */
    uint32_t lease_s;       /* option 51; 0 if absent */
    uint16_t max_size;      /* option 57, of the UDP payload and its headers; 0 if absent */
    struct dhcp_value {
        const uint8_t *at; /* NULL: absent */
        uint16_t n;
    } client_id, name, relay, dns, params; /* options 61, 12, 82, 6 and 55 */
    uint16_t joined_used;
    uint8_t joined[1024];
};

/* Reads a message of an Ethernet client. False for what is cut short, has no cookie, is no Ethernet
 * client's, has an option that runs over its field, or one with a length that cannot be. */
bool dhcp_read(struct dhcp_message *m, const uint8_t *bytes, size_t n);

/* Options being written to [at, end), and what finds no room there to the spare fields (option 52),
 * if there are any. An option that does not fit is left out whole. */
struct dhcp_writer {
    uint8_t *at, *end;
    struct dhcp_spare {
        uint8_t *at, *end; /* NULL: not to be used */
        bool used;
    } file, sname;
};

/* False if it did not fit; room for the end mark is always kept. More than 255 bytes are written in
 * pieces (RFC 3396), but not to the spare fields. */
bool dhcp_put(struct dhcp_writer *w, uint8_t code, const void *value, size_t n);
bool dhcp_put8(struct dhcp_writer *w, uint8_t code, uint8_t value);
bool dhcp_put16(struct dhcp_writer *w, uint8_t code, uint16_t value);
bool dhcp_put32(struct dhcp_writer *w, uint8_t code, uint32_t value);
bool dhcp_put_ip(struct dhcp_writer *w, uint8_t code, be32 value);

/* Writes the end mark and pads the message that began at start to DHCP_MIN_BYTES; returns its
 * length. */
size_t dhcp_finish(struct dhcp_writer *w, uint8_t *start);

#endif
