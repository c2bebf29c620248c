/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The translator again, as plainly as it can be written, to compare net/nat.h with: lists searched
 * from end to end, frames read and written byte by byte, every checksum computed from nothing.
 *
 * Three things it takes from the translator it judges, and then checks that they were lawful: which
 * outside port was chosen when one had to be, which flow made room for another one, and whether a
 * port rests whose last flows, one closed and one not, ended at the same time. Numbers are in host
 * order throughout, unlike everywhere else.
 */
#ifndef NAIVE_NAT_H
#define NAIVE_NAT_H

#include "base.h"
#include "verdict.h"

#define NAIVE_MAX_FLOWS    512
#define NAIVE_MAX_FORWARDS 16

struct naive_mapping {
    bool live;
    bool resting; /* live, but without flows */
    bool unclear; /* whether it rests or is gone is for the translator to say */
    uint32_t rests_since_ms;
    unsigned proto, zone, in_port, out_port;
    uint32_t in_ip;
};

struct naive_forward;

struct naive_flow {
    bool live;
    bool gone;      /* the translator has it no more */
    uint64_t stamp; /* when it came to be as half open as it is */
    unsigned proto, zone, in_port, rem_port, out_port;
    uint32_t in_ip, rem_ip, out_ip;
    bool through_forward, opened_in, answered, holds;
    /* TCP, [0] outwards, [1] inwards: what was seen, and believed; the last acknowledgment; what
     * the other side has to acknowledge, and what it proves then. */
    bool syn[2], ack[2], fin[2], life[2], rst, joined_late;
    uint32_t ack_no[2], due[2];
    unsigned scale[2];
    enum { NAIVE_NO_END, NAIVE_FIN, NAIVE_RST } end[2];
    uint32_t last_ms, packets[2];
    uint64_t bytes[2];
    struct naive_forward *forward; /* these while it is opened */
    bool filtered;
};

struct naive_forward {
    unsigned proto, zone; /* proto 0: the last resort */
    unsigned first, last, target_port;
    uint32_t bind, from, from_mask;
    unsigned target_count, turn;
    uint32_t targets[8];
};

struct naive_nat {
    struct naive_flow flows[NAIVE_MAX_FLOWS];
    struct naive_mapping mappings[NAIVE_MAX_FLOWS];
    struct naive_forward forwards[NAIVE_MAX_FORWARDS];
    unsigned forward_count, capacity;
    uint64_t stamps;
    unsigned max_flows[2], max_host_flows[2]; /* by zone; 0: any number */
    bool networks[2];                         /* that share */
    uint32_t filtered_zones;  /* bit n: in zone n only who was spoken to may come in */
    bool reserved[3][65536];  /* the router's own, by protocol: TCP, UDP, ICMP */
    bool forwarded[3][65536]; /* what was to be forwarded and was not the router's own */
    uint32_t silent;          /* bit n: hosts whose addresses are n modulo 32 do not answer */
    uint32_t outside;
    uint32_t last_outside; /* other than 0; and when another one took its place */
    bool moved;
    uint32_t moved_ms;
    const char *error; /* the first law that the translator under test has broken, or NULL */
};

enum naive_state {
    NAIVE_ONE_WAY,
    NAIVE_STREAM,
    NAIVE_OPENING,
    NAIVE_OPEN,
    NAIVE_ENDING,
    NAIVE_CLOSING,
    NAIVE_PING
};

enum naive_state naive_state_of(const struct naive_flow *f);

void naive_set_outside(struct naive_nat *n, uint32_t ip, uint32_t now_ms);
void naive_set_forwards(struct naive_nat *n, const struct naive_forward *f, unsigned count);
void naive_expire(struct naive_nat *n, uint32_t now_ms);
unsigned naive_flow_count(const struct naive_nat *n);
unsigned naive_mapping_count(const struct naive_nat *n);
unsigned naive_resting_count(const struct naive_nat *n);
bool naive_claims(struct naive_nat *n, unsigned proto, unsigned port);

/* Translates the frame (Ethernet, IPv4) in place. chosen is the outside port the translator under
 * test gave to this packet's flow (0: none). */
enum drop_reason naive_out(struct naive_nat *n, uint8_t *frame, bool partial, unsigned zone,
                           uint32_t now_ms, unsigned chosen);
enum drop_reason naive_in(struct naive_nat *n, uint8_t *frame, bool partial, uint32_t now_ms);

/* An ICMP error. Of the frame's validity it judges only what the translation needs. */
enum drop_reason naive_error(struct naive_nat *n, uint8_t *frame, unsigned zone, bool inward);

#endif
