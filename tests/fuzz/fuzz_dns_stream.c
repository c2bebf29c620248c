/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Fuzzes the framing of DNS over TCP. The first byte of the input chooses where the rest, a stream,
 * is cut into pieces.
 *
 * Judged: whatever the cuts, the messages are those that a look at the whole stream finds, up to
 * where it is broken; and a sender who keeps to the window never finds no room.
 */
#include "tests/fuzz/fuzz.h"

#include "net/dns_stream.h"

#define MOST 512

/* Takes what is there; true if that was the end. *seen: how much of the stream has come out. */
static bool take(struct dns_stream *s, const uint8_t *stream, size_t put, size_t *seen)
{
    const uint8_t *message;
    size_t length;

    for (;;) {
        enum dns_frame frame = dns_stream_next(s, MOST, &message, &length);
        size_t left = put - *seen, expected = left < 2 ? 0 : load_be16(stream + *seen);
        bool broken = left >= 2 && (expected == 0 || expected > MOST);
        REQUIRE((frame == DNS_FRAME_BROKEN) == broken);
        if (broken)
            return true;
        REQUIRE((frame == DNS_FRAME_WHOLE) == (left >= 2 && left - 2 >= expected));
        if (frame == DNS_FRAME_PART)
            return false;
        REQUIRE(length == expected && memcmp(message, stream + *seen + 2, length) == 0);
        *seen += 2 + length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dns_stream s;
    size_t at = 0, seen = 0;

    if (size < 1)
        return 0;
    s.n = s.taken = 0;
    uint32_t cut = *data++;
    size--;
    while (at < size) {
        cut = cut * 1664525u + 1013904223u;
        size_t n = MIN((size_t)(cut >> 20), MIN(size - at, sizeof(s.bytes) - (at - seen)));
        uint8_t *exact = malloc(n + 1);
        memcpy(exact, data + at, n);
        REQUIRE(dns_stream_put(&s, exact, n));
        free(exact);
        at += n;
        if (take(&s, data, at, &seen))
            break;
    }
    return 0;
}
