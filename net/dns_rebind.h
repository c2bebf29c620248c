/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Rebinding: answers from outside that lead inside. A web page's own name, answered with an address
 * of the LAN, lets a browser's same-origin rule pass the page's requests to that host.
 *
 * An answer is judged whole: one address inside among others outside is how it is done. Addresses
 * inside are those that mean nothing outside (private, loopback, link-local, unspecified; RFC
 * 6890), and those the caller says are ours; of IPv6 also those that carry such an IPv4 address.
 * Looked at are A and AAAA, and the hints of HTTPS and SVCB (RFC 9460), wherever they stand in the
 * answer.
 */
#ifndef NET_DNS_REBIND_H
#define NET_DNS_REBIND_H

#include "base.h"
#include "net/wire/dns.h"

enum dns_rebind {
    DNS_REBIND_NONE,
    DNS_REBIND_INSIDE,
    DNS_REBIND_UNREADABLE, /* cut short or malformed; others might read it otherwise */
};

/* An answer whose question is q. A truncated one may end anywhere. is_ours is asked about IPv4
 * addresses that are not private. */
enum dns_rebind dns_rebind_judge(const uint8_t *message, size_t n, const struct dns_question *q,
                                 bool (*is_ours)(void *ctx, be32 ip), void *ctx);

#endif
