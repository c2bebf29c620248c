/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A router's answers to requests for ports (net/pcp.h) before a translator that only keeps a list,
 * for tests. Networks lan and guest are served, dark is not.
 */
#ifndef PCP_RIG_H
#define PCP_RIG_H

#include "net/pcp.h"

#define OUTSIDE BE_IP4(203, 0, 113, 2)
#define HOST(i) BE_IP4(192, 168, 8, (i))
#define A       HOST(10)
#define B       HOST(11)
#define REMOTE  BE_IP4(198, 51, 100, 10)
#define LAN     0
#define DARK    1 /* is not served */
#define GUEST   2
#define SECOND  1000000ull
#define NOTHING 0xFFFF /* no answer */
#define FORWARD 4000   /* a port that somebody has already */

extern struct config pcprig_config;
extern struct pcp pcprig_pcp;
extern uint64_t pcprig_now_us;
extern uint8_t pcprig_request[PCP_MAX_BYTES + 100], pcprig_answer[PCP_MAX_BYTES];
extern size_t pcprig_answer_bytes;
extern bool pcprig_no_room; /* the translator has no port */

/* What was announced to lan last, in both protocols, and how often to each network. */
extern struct announced {
    unsigned count[CONFIG_MAX_NETS];
    uint8_t bytes[2][PCP_HDR_BYTES];
    size_t n[2];
} pcprig_announced;

/* Setup and teardown of a test: at its end the translator holds what there are entries for. */
int pcprig_start(void **state);
int pcprig_stop(void **state);

/* How many holds the translator has. */
unsigned pcprig_holds(void);

/* n bytes of request come from there; the length of the answer. pcprig_ask() is from lan, and a
 * while later, so that no limit is reached. */
size_t pcprig_send_as(unsigned network, be32 from, size_t n);
size_t pcprig_ask(be32 from, size_t n);

/* A whole request in NAT-PMP: the result, or NOTHING. */
unsigned pcprig_natpmp(be32 from, uint8_t opcode, uint16_t inside, uint16_t outside, uint32_t s);

/* Make a request in PCP; its length. An option goes at its end. */
size_t pcprig_make(be32 from, uint8_t opcode, uint32_t lifetime_s);
size_t pcprig_make_map(be32 from, uint8_t nonce, uint8_t proto, uint16_t inside, uint16_t outside,
                       uint32_t lifetime_s);
size_t pcprig_make_peer(be32 from, uint8_t nonce, uint8_t proto, uint16_t inside, uint16_t outside,
                        be32 peer, uint16_t peer_port, uint32_t lifetime_s);
size_t pcprig_add_option(size_t n, uint8_t code, uint16_t bytes);

/* Sends it and looks at what every answer has; the result, or NOTHING. A whole MAP. What an answer
 * says. */
unsigned pcprig_result_of(be32 from, size_t n);
unsigned pcprig_map(be32 from, uint8_t nonce, uint8_t proto, uint16_t inside, uint16_t outside,
                    uint32_t lifetime_s);
uint32_t pcprig_got_s(void);
unsigned pcprig_got_port(void);

#endif
