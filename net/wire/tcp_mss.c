/* SPDX-License-Identifier: BSD-3-Clause
 *
 * MSS clamping (RFC 9293, sections 3.1 and 3.7.1).
 *
 * The option list is walked to its end before anything is written, so that a list that turns out to
 * be malformed leaves no half-made change. A SYN should carry one MSS option; every one that is
 * there is lowered, because receivers differ in which of several they believe.
 */
#include "net/wire/tcp_mss.h"
#include "net/wire/csum.h"

#define MSS_OPTION_BYTES 4
#define MSS_OPTIONS_MAX  10 /* in 40 bytes of options */

/* Fills at[] with the offsets, from the TCP header, of MSS values above max; -1 if malformed. */
static int find_mss(const uint8_t *tcp, size_t hdr_bytes, uint16_t max, uint8_t *at)
{
    size_t pos = TCP_HDR_BYTES;
    int found = 0;

    while (pos < hdr_bytes && tcp[pos] != TCP_OPT_END) {
        if (tcp[pos] == TCP_OPT_NOP) {
            pos++;
            continue;
        }
        size_t left = hdr_bytes - pos;
        if (left < 2 || tcp[pos + 1] < 2 || tcp[pos + 1] > left)
            return -1;
        if (tcp[pos] == TCP_OPT_MSS) {
            if (tcp[pos + 1] != MSS_OPTION_BYTES)
                return -1;
            if (load_be16(tcp + pos + 2) > max)
                at[found++] = (uint8_t)(pos + 2);
        }
        pos += tcp[pos + 1];
    }
    return found;
}

unsigned tcp_window_scale(const uint8_t *tcp)
{
    size_t pos = TCP_HDR_BYTES, hdr_bytes = (tcp[TCP_DATAOFF_OFF] >> 4) * 4u;

    while (pos < hdr_bytes && tcp[pos] != TCP_OPT_END) {
        if (tcp[pos] == TCP_OPT_NOP) {
            pos++;
            continue;
        }
        size_t left = hdr_bytes - pos;
        if (left < 2 || tcp[pos + 1] < 2 || tcp[pos + 1] > left)
            return TCP_SCALE_MAX;
        if (tcp[pos] == TCP_OPT_SCALE)
            return tcp[pos + 1] == 3 ? MIN(tcp[pos + 2], TCP_SCALE_MAX) : TCP_SCALE_MAX;
        pos += tcp[pos + 1];
    }
    return 0;
}

/* The sum is of aligned 16-bit words: a value at an odd offset has its bytes in two of them, in the
 * halves opposite to those they would have in one. */
static uint32_t delta_at(size_t offset, be16 from, be16 to)
{
    return offset & 1 ? csum_delta16(swap16(from), swap16(to)) : csum_delta16(from, to);
}

bool tcp_mss_clamp(struct pkt *p, const struct view *v, uint16_t max)
{
    uint8_t *tcp = p->data + v->l4_off;
    uint8_t at[MSS_OPTIONS_MAX];
    size_t hdr_bytes = (tcp[TCP_DATAOFF_OFF] >> 4) * 4u;
    int found = find_mss(tcp, hdr_bytes, max, at);
    uint32_t delta = 0;

    if (found <= 0)
        return false;
    CHECK(!pkt_shared(p));
    for (int i = 0; i < found; i++) {
        delta += delta_at(at[i], load_raw16(tcp + at[i]), hton16(max));
        store_be16(tcp + at[i], max);
    }
    /* A partial checksum is the sum of the pseudo-header alone, which has not changed. */
    if (!(p->flags & PKT_NEEDS_CSUM))
        store_raw16(tcp + TCP_CSUM_OFF,
                    csum_apply(load_raw16(tcp + TCP_CSUM_OFF), csum_fold(delta)));
    return true;
}
