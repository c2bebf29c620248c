/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See dns_stream.h.
 */
#include "net/dns_stream.h"

enum dns_frame dns_frame_look(const uint8_t *head, size_t n, size_t most, size_t *length)
{
    if (n < DNS_FRAME_HDR_BYTES)
        return DNS_FRAME_PART;
    *length = load_be16(head);
    if (*length == 0 || *length > most)
        return DNS_FRAME_BROKEN;
    return n - DNS_FRAME_HDR_BYTES < *length ? DNS_FRAME_PART : DNS_FRAME_WHOLE;
}

bool dns_stream_put(struct dns_stream *s, const uint8_t *bytes, size_t n)
{
    s->n = (uint16_t)(s->n - s->taken);
    memmove(s->bytes, s->bytes + s->taken, s->n);
    s->taken = 0;
    if (n > sizeof(s->bytes) - s->n)
        return false;
    memcpy(s->bytes + s->n, bytes, n);
    s->n = (uint16_t)(s->n + n);
    return true;
}

enum dns_frame dns_stream_next(struct dns_stream *s, size_t most, const uint8_t **message,
                               size_t *length)
{
    const uint8_t *head = s->bytes + s->taken;
    enum dns_frame frame = dns_frame_look(head, (size_t)(s->n - s->taken), most, length);

    if (frame == DNS_FRAME_WHOLE) {
        *message = head + DNS_FRAME_HDR_BYTES;
        s->taken = (uint16_t)(s->taken + DNS_FRAME_HDR_BYTES + *length);
    }
    return frame;
}
