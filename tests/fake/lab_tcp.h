/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TCP by hand with the router's own host, in the lab of host_lab.h: ends of connections that send
 * what a test says, and acknowledge nothing by themselves. Whoever has an end answers ARP.
 */
#ifndef LAB_TCP_H
#define LAB_TCP_H

#include "tests/fake/host_lab.h"

#define LAB_TCP_ENDS      64
#define LAB_TCP_GOT_BYTES 70000

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

struct tcp_end {
    unsigned port; /* of the router; UPLINK_PORT: behind the gateway */
    be32 ip, peer_ip;
    uint16_t own, peer; /* ports */
    uint16_t window;
    uint32_t seq, ack; /* next to send, and to come */
    unsigned flags;    /* all that came */
    unsigned segments; /* that came, */
    size_t n;          /* and their bytes, in order and each once */
    uint8_t got[LAB_TCP_GOT_BYTES];
};

/* Forgets all ends. */
void lab_tcp_reset(void);

/* A further end, which has said nothing yet. */
struct tcp_end *lab_tcp_end(unsigned port, be32 ip, uint16_t own, be32 peer_ip, uint16_t peer);

/* Sends a segment; what has come of it is taken, for all ends. */
void lab_tcp_send(struct tcp_end *e, unsigned flags, const void *bytes, size_t n);

/* Takes what the router has sent, ARP and segments. What is neither, or for no end, is kept for
 * lab_tcp_other, the newest only. */
void lab_tcp_take(void);
extern struct frame lab_tcp_other;
extern unsigned lab_tcp_others;

/* SYN, and if it is answered by one, ACK: true. */
bool lab_tcp_open(struct tcp_end *e);

/* Says that all that came has come, until nothing more does. */
void lab_tcp_read(struct tcp_end *e);

#endif
