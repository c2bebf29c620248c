/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A translator with hosts around it, for tests that ask who may pass, for how long, and under which
 * address and port: packets are made, taken through parser and translator as the dataplane does it,
 * and looked at again.
 */
#ifndef NAT_RIG_H
#define NAT_RIG_H

#include "net/nat.h"
#include "tests/fake/frame_build.h"

#define UDP  IP_PROTO_UDP
#define TCP  IP_PROTO_TCP
#define ICMP IP_PROTO_ICMP

/* Two hosts, our outside address, two remote ends. */
#define A       BE_IP4(192, 168, 8, 2)
#define B       BE_IP4(192, 168, 8, 3)
#define OUTSIDE BE_IP4(203, 0, 113, 9)
#define R1      BE_IP4(198, 51, 100, 1)
#define R2      BE_IP4(198, 51, 100, 2)

extern struct nat rig_nat;
extern uint32_t rig_now_ms;
extern struct frame rig_frame; /* the packet made last, and what came out if it passed */

/* The last packet as it came out (if it passed), and its flow (or NULL). */
extern struct view rig_last;
extern struct flow *rig_last_flow;
extern enum flow_dir rig_last_dir; /* which way it went in the flow */

/* For cmocka: a translator for 1,000 flows, whose clock wraps in the first minutes. The pool must
 * be whole at the end. */
int rig_setup(void **state);
int rig_teardown(void **state);
/* The uplink has this address from now on, and no flow of another is left. */
void rig_set_outside(be32 ip);
/* Another one, for this many flows. */
void rig_restart(uint32_t capacity);
/* The same with networks that filter by address. */
void rig_restart_filtering(uint32_t capacity, uint32_t filtered_zones);

/* Time passes, flows expire. */
void rig_wait_ms(uint32_t ms);

struct rig_send {
    uint8_t proto; /* one that nothing is known about: the ports are payload */
    be32 src;
    uint16_t sport; /* ICMP: the identifier */
    be32 dst;
    uint16_t dport;
    uint8_t flags; /* TCP; ICMP: the type */
};

/* Puts a packet into rig_frame. */
void nat_rig_make(const struct rig_send *s);

/* Takes p, or rig_frame, through the translator. What comes out has right checksums. */
enum drop_reason nat_rig_pass(struct pkt *p, uint8_t zone, enum flow_dir dir);
enum drop_reason rig_send_frame(uint8_t zone, enum flow_dir dir);

/* The same for packets that are not translated, between zones. Nothing in them may change. */
enum drop_reason rig_plain_pkt(struct pkt *p, uint8_t from, uint8_t to);
enum drop_reason rig_plain_frame(uint8_t from, uint8_t to);
enum drop_reason rig_plain(const struct rig_send *s, uint8_t from, uint8_t to);

/* From zone 0; to the outside address. */
enum drop_reason rig_out(uint8_t proto, be32 src, uint16_t sport, be32 dst, uint16_t dport,
                         uint8_t flags);
enum drop_reason rig_in(uint8_t proto, be32 src, uint16_t sport, uint16_t dport, uint8_t flags);

/* rig_frame as a packet; give it back with rig_release(). */
struct pkt *rig_pkt(void);
void rig_release(struct pkt *p);

/* The source port of the last packet that passed. */
uint16_t rig_outside_port(void);

#define PASSES(call)          assert_int_equal(call, DROP_NONE)
#define REFUSED(call, reason) assert_int_equal(call, DROP_##reason)

/* Puts an ICMP error of this type about the packet in rig_frame there, from src to that packet's
 * source. */
void rig_make_error(be32 src, uint8_t type, uint8_t code);

/* Takes the error in rig_frame through, once or (hairpin) twice; the frame is then what comes
 * out. */
enum drop_reason rig_send_error(uint8_t zone, enum flow_dir dir, bool twice);

/* A connection from A's port to port 80 of R1. */
void rig_handshake(uint16_t port);

#endif
