/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Frames by hand into the bench router, and numbered rows about where they come out. For cmocka
 * tests: what is wrong fails the test.
 */
#ifndef RIG_FRAMES_H
#define RIG_FRAMES_H

#include "tests/fake/router_rig.h"

/* Lets a frame of n bytes in all come in by port: these addresses and type, and 5A bytes. */
void rig_raw(struct rig *r, unsigned port, const uint8_t *dst, const uint8_t *src, uint16_t type,
             size_t n);

/* Bit p: one frame was sent by port p. Takes them; a second one fails. */
unsigned rig_ports_sent(struct rig *r);

/* A frame of 60 bytes, a step, and the ports it left by. */
unsigned rig_ask(struct rig *r, unsigned port, const uint8_t *dst, const uint8_t *src,
                 uint16_t type);

struct rig_row {
    int id;
    unsigned port;
    const uint8_t *dst, *src;
    uint16_t type;
    unsigned sent, heard; /* by these ports; so many times by the router itself */
    enum drop_reason dropped;
};

/* Asks each; the row that turns out otherwise fails by its number. */
void rig_run_rows(struct rig *r, const struct rig_row *rows, unsigned n);

/* Lets r->in in, and says what became of it: the port it left by, s: the stack has it, e: an answer
 * of the router's went back, 2: it left by several, .: nothing. r->out is what left last. */
char rig_outcome_raw(struct rig *r, unsigned port);
/* The same for a packet to the router's MAC; from station to station. */
char rig_outcome(struct rig *r, unsigned port, const struct rig_packet *k);
char rig_switched(struct rig *r, unsigned port, const struct rig_packet *k);

/* Lets r->in come in as a device with offloads delivers it: a partial checksum, and gso_size if it
 * is not 0; and a step. */
void rig_input_partial(struct rig *r, unsigned port, uint16_t gso_size);

#endif
