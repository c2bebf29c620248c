/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reading and writing DHCP options; see dhcp.h.
 *
 * Invariants: the reader never looks past the message, nor past the end of the field it walks; an
 * option's pieces are joined in the order options field, file, sname (RFC 3396, section 5), and
 * never grow beyond the space for them.
 */
#include "net/wire/dhcp.h"

#include "net/wire/eth.h"

/* Where an option's value is collected. Which options there are is decided here and nowhere else.
 */
static struct dhcp_value *value_of(struct dhcp_message *m, struct dhcp_value small[8], uint8_t code)
{
    switch (code) {
    case DHCP_OPT_CLIENT_ID:
        return &m->client_id;
    case DHCP_OPT_NAME:
        return &m->name;
    case DHCP_OPT_RELAY:
        return &m->relay;
    case DHCP_OPT_DNS:
        return &m->dns;
    case DHCP_OPT_PARAMS:
        return &m->params;
    case DHCP_OPT_TYPE:
        return &small[0];
    case DHCP_OPT_REQUESTED:
        return &small[1];
    case DHCP_OPT_SERVER:
        return &small[2];
    case DHCP_OPT_LEASE:
        return &small[3];
    case DHCP_OPT_MAX_SIZE:
        return &small[4];
    case DHCP_OPT_OVERLOAD:
        return &small[5];
    default:
        return NULL;
    }
}

/* Adds a piece to what is there of an option. False if there is no room to join them. */
static bool add_piece(struct dhcp_message *m, struct dhcp_value *v, const uint8_t *at, uint8_t n)
{
    if (!v->at) {
        v->at = at;
        v->n = n;
        return true;
    }
    if (v->n + n > sizeof(m->joined) - m->joined_used)
        return false;
    uint8_t *to = m->joined + m->joined_used;
    memcpy(to, v->at, v->n);
    memcpy(to + v->n, at, n);
    v->at = to;
    v->n = (uint16_t)(v->n + n);
    m->joined_used = (uint16_t)(m->joined_used + v->n);
    return true;
}

static bool read_field(struct dhcp_message *m, struct dhcp_value small[8], const uint8_t *at,
                       const uint8_t *end)
{
    while (at < end && *at != DHCP_OPT_END) {
        if (*at == DHCP_OPT_PAD) {
            at++;
            continue;
        }
        if (end - at < 2 || end - at < 2 + at[1])
            return false;
        struct dhcp_value *v = value_of(m, small, at[0]);
        if (v && !add_piece(m, v, at + 2, at[1]))
            return false;
        at += 2 + at[1];
    }
    return true;
}

/* The options with a fixed length: right, or the message is refused. */
static bool read_small(struct dhcp_message *m, const struct dhcp_value small[8])
{
    static const uint8_t lengths[5] = {1, 4, 4, 4, 2};

    for (unsigned i = 0; i < ARRAY_COUNT(lengths); i++)
        if (small[i].at && small[i].n != lengths[i])
            return false;
    m->type = small[0].at ? small[0].at[0] : 0;
    m->requested = small[1].at ? load_raw32(small[1].at) : 0;
    m->server = small[2].at ? load_raw32(small[2].at) : 0;
    m->lease_s = small[3].at ? load_be32(small[3].at) : 0;
    m->max_size = small[4].at ? load_be16(small[4].at) : 0;
    return true;
}

bool dhcp_read(struct dhcp_message *m, const uint8_t *bytes, size_t n)
{
    struct dhcp_value small[8];

    if (n < DHCP_OPTIONS_OFF || load_be32(bytes + DHCP_COOKIE_OFF) != DHCP_COOKIE)
        return false;
    if (bytes[DHCP_HTYPE_OFF] != DHCP_HTYPE_ETHERNET || bytes[DHCP_HLEN_OFF] != MAC_BYTES)
        return false;
    memset(m, 0, offsetof(struct dhcp_message, joined));
    memset(small, 0, sizeof(small));
    m->bytes = bytes;
    m->op = bytes[DHCP_OP_OFF];
    m->flags = load_raw16(bytes + DHCP_FLAGS_OFF);
    m->xid = load_raw32(bytes + DHCP_XID_OFF);
    m->ciaddr = load_raw32(bytes + DHCP_CIADDR_OFF);
    m->yiaddr = load_raw32(bytes + DHCP_YIADDR_OFF);
    m->giaddr = load_raw32(bytes + DHCP_GIADDR_OFF);
    memcpy(m->mac, bytes + DHCP_CHADDR_OFF, MAC_BYTES);
    if (mac_is_group(m->mac) || mac_is_zero(m->mac))
        return false;

    if (!read_field(m, small, bytes + DHCP_OPTIONS_OFF, bytes + n))
        return false;
    /* Only the options field itself may say that there are more in the other two. */
    uint8_t overload = 0;
    if (small[5].at) {
        if (small[5].n != 1 || small[5].at[0] < 1 || small[5].at[0] > 3)
            return false;
        overload = small[5].at[0];
    }
    const uint8_t *file = bytes + DHCP_FILE_OFF, *sname = bytes + DHCP_SNAME_OFF;
    if ((overload & 1) && !read_field(m, small, file, file + DHCP_FILE_BYTES))
        return false;
    if ((overload & 2) && !read_field(m, small, sname, sname + DHCP_SNAME_BYTES))
        return false;
    return read_small(m, small);
}

static uint8_t *put_piece(uint8_t *at, uint8_t code, const uint8_t *value, size_t n)
{
    at[0] = code;
    at[1] = (uint8_t)n;
    memcpy(at + 2, value, n);
    return at + 2 + n;
}

static bool put_spare(struct dhcp_spare *spare, uint8_t code, const void *value, size_t n)
{
    if (!spare->at || n > 255 || (size_t)(spare->end - spare->at) < n + 3)
        return false;
    spare->at = put_piece(spare->at, code, value, n);
    spare->used = true;
    return true;
}

bool dhcp_put(struct dhcp_writer *w, uint8_t code, const void *value, size_t n)
{
    size_t pieces = n == 0 ? 1 : (n + 254) / 255;
    /* Behind it there must be room for the end mark and, where there are spare fields, for the
     * option that says that they are used. */
    size_t kept = w->file.at || w->sname.at ? 4 : 1;
    const uint8_t *bytes = value;

    if ((size_t)(w->end - w->at) < n + 2 * pieces + kept)
        return put_spare(&w->file, code, value, n) || put_spare(&w->sname, code, value, n);
    for (; n > 255; n -= 255, bytes += 255)
        w->at = put_piece(w->at, code, bytes, 255);
    w->at = put_piece(w->at, code, bytes, n);
    return true;
}

bool dhcp_put8(struct dhcp_writer *w, uint8_t code, uint8_t value)
{
    return dhcp_put(w, code, &value, 1);
}

bool dhcp_put16(struct dhcp_writer *w, uint8_t code, uint16_t value)
{
    be16 v = hton16(value);
    return dhcp_put(w, code, &v, 2);
}

bool dhcp_put32(struct dhcp_writer *w, uint8_t code, uint32_t value)
{
    be32 v = hton32(value);
    return dhcp_put(w, code, &v, 4);
}

bool dhcp_put_ip(struct dhcp_writer *w, uint8_t code, be32 value)
{
    return dhcp_put(w, code, &value, 4);
}

size_t dhcp_finish(struct dhcp_writer *w, uint8_t *start)
{
    uint8_t overload = (uint8_t)((w->file.used ? 1 : 0) | (w->sname.used ? 2 : 0));

    if (overload)
        w->at = put_piece(w->at, DHCP_OPT_OVERLOAD, &overload, 1);
    if (w->file.used)
        *w->file.at = DHCP_OPT_END;
    if (w->sname.used)
        *w->sname.at = DHCP_OPT_END;
    *w->at++ = DHCP_OPT_END;
    while (w->at < start + DHCP_MIN_BYTES && w->at < w->end)
        *w->at++ = DHCP_OPT_PAD;
    return (size_t)(w->at - start);
}
