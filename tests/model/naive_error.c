/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ICMP errors, as RFC 5508 has them translated: the quoted packet and the outer one, byte by byte.
 */
#include "tests/model/naive_internal.h"
#include "tests/model/naive_packet.h"

enum drop_reason naive_error(struct naive_nat *n, uint8_t *frame, unsigned zone, bool inward)
{
    struct naive_packet k = naive_take_apart(frame, false),
                        in = naive_take_apart(k.l4 + 8 - 14, false);
    size_t quoted = k.l4_bytes - 8;
    if (k.l4[5] != 0 && quoted > k.l4[5] * 4u)
        quoted = k.l4[5] * 4u; /* behind that is an extension */
    if (quoted > in.ip_bytes)
        quoted = in.ip_bytes;
    quoted -= (size_t)(in.l4 - in.ip);
    uint8_t old[12], new[12];

    if (k.type == 4 || (in.proto == 1 && in.type != (inward ? 8 : 0))) /* 4: source quench */
        return DROP_NO_MAPPING;
    struct naive_flow *f =
        inward ? naive_find_in(n, in.proto, in.dst, in.dport, in.src, in.sport)
               : naive_find_out(n, in.proto, zone, in.dst, in.dport, in.src, in.sport);
    if (!f || k.dst != in.src)
        return DROP_NO_MAPPING;

    memcpy(old, in.ip + 12, 8);
    memcpy(old + 8, in.l4, 4);
    if (in.proto == 1)
        memcpy(old + 8, in.l4 + 4, 2);
    bool l4 = !naive_is_portless(in.proto);
    naive_put32(in.ip + (inward ? 12 : 16), inward ? f->in_ip : f->out_ip);
    if (l4)
        naive_put16(in.l4 + (in.proto == 1 ? 4
                             : inward      ? 0
                                           : 2),
                    inward ? f->in_port : f->out_port);
    memcpy(new, in.ip + 12, 8);
    memcpy(new + 8, in.l4, 4);
    if (in.proto == 1)
        memcpy(new + 8, in.l4 + 4, 2);

    uint8_t *field = naive_csum_field(&in);
    if (l4 && (size_t)(field + 2 - in.l4) <= quoted &&
        !(in.proto == 17 && naive_get16(field) == 0)) {
        unsigned csum = in.proto == 1 ? naive_follow(naive_get16(field), old + 8, new + 8, 2)
                                      : naive_follow(naive_get16(field), old, new, 12);
        naive_put16(field, in.proto == 17 && csum == 0 ? 0xFFFF : csum);
    }
    naive_put16(in.ip + 10, 0);
    naive_put16(in.ip + 10, ~naive_sum(0, in.ip, (size_t)(in.l4 - in.ip)) & 0xFFFF);

    naive_put32(k.ip + (inward ? 16 : 12), inward ? f->in_ip : f->out_ip);
    naive_put16(k.ip + 10, 0);
    naive_put16(k.ip + 10, ~naive_sum(0, k.ip, (size_t)(k.l4 - k.ip)) & 0xFFFF);
    naive_put16(k.l4 + 2, 0);
    naive_put16(k.l4 + 2, ~naive_sum(0, k.l4, k.l4_bytes) & 0xFFFF);
    return DROP_NONE;
}
