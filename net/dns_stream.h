/* SPDX-License-Identifier: BSD-3-Clause
 *
 * DNS messages in a TCP stream: each has two bytes with its length before it (RFC 1035,
 * section 4.2.2), and the stream comes in pieces of any size (RFC 7766, section 8).
 *
 * Theory of operation. What comes is put behind what is there; whole messages are taken from the
 * front, in place. How much is put is bounded by the receive window, which is opened by as much as
 * was taken: so a sender can fill the room and no more, and as the longest message fits in it with
 * its length, there is always one to take or a reason to hang up.
 */
#ifndef NET_DNS_STREAM_H
#define NET_DNS_STREAM_H

#include "base.h"

#define DNS_FRAME_HDR_BYTES 2
#define DNS_STREAM_BYTES    4096

enum dns_frame {
    DNS_FRAME_PART,  /* the rest is to come */
    DNS_FRAME_WHOLE, /* a message is there */
    DNS_FRAME_BROKEN /* of no length, or longer than it may be: nothing behind it makes sense */
};

struct dns_stream {
    uint16_t n, taken; /* bytes there; of those, from the front, no longer needed */
    uint8_t bytes[DNS_STREAM_BYTES];
};

/* What the n bytes that have come so far are, of a stream that begins with head: only as many bytes
 * of it as the length has, or n, are looked at. A message may have most bytes; *length is set if it
 * is whole. */
enum dns_frame dns_frame_look(const uint8_t *head, size_t n, size_t most, size_t *length);

/* False if there is no room for them all: nothing is put then. */
bool dns_stream_put(struct dns_stream *s, const uint8_t *bytes, size_t n);

/* Takes the next message, if it is whole: it stays where it is until the next put. */
enum dns_frame dns_stream_next(struct dns_stream *s, size_t most, const uint8_t **message,
                               size_t *length);

#endif
