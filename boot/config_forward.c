/* SPDX-License-Identifier: BSD-3-Clause
 *
 * How a forward is written: our own spelling, PROTO:[BIND:]PORTS:TARGET[+TARGET...][:PORTS], and
 * the two that people have at hand: QEMU's (hostfwd of -netdev user) and VirtualBox's (natpf of a
 * machine, port-forward of a NAT network). All three fill the same struct draft_forward. Where QEMU
 * and VirtualBox leave the guest's address empty they mean the first one their DHCP server hands
 * out; so do we.
 */
#include "config.h"
#include "config_draft.h"
#include "config_value.h"

static const char *const expected_protocol = "tcp, udp or both";
static const char *const expected_port = "one port from 1 to 65535";
static const char *const expected_ports =
    "a port from 1 to 65535, or a range of them like 8000-8100";
static const char *const expected_as_many =
    "one port, the first, or a range as long as the one outside";
static const char *const expected_room = "a first port with room for as many as outside";
static const char *const expected_bind = "an IPv4 address of the uplink, or nothing";
static const char *const expected_target = "an IPv4 address or the NAME of a host=";
static const char *const expected_fewer = "at most 8 targets";
static const char *const expected_guest = "an IPv4 address, or nothing";

static bool same_word(struct span text, const char *word)
{
    if (text.n != strlen(word))
        return false;
    for (size_t i = 0; i < text.n; i++)
        if ((text.s[i] | 0x20) != word[i])
            return false;
    return true;
}

static const char *read_port(struct span piece, uint16_t *to)
{
    uint64_t port;
    if (!value_read_number(piece, 65535, &port) || port == 0)
        return expected_port;
    *to = (uint16_t)port;
    return NULL;
}

/* A port, or FIRST-LAST. */
static const char *read_ports(struct span piece, uint16_t *first, uint16_t *last)
{
    struct span rest = piece, low;
    span_cut(&rest, '-', &low);
    if (read_port(low, first))
        return expected_ports;
    *last = *first;
    return rest.s && (read_port(rest, last) || *last < *first) ? expected_ports : NULL;
}

/* Outside, as the other programs' spellings have it: one port. */
static const char *read_outside_port(struct span piece, struct draft_forward *f)
{
    const char *wrong = read_port(piece, &f->first_port);
    f->last_port = f->first_port;
    return wrong;
}

/* At the target: as many as outside. */
static const char *read_target_ports(struct span piece, struct draft_forward *f)
{
    uint16_t last, more = (uint16_t)(f->last_port - f->first_port);
    const char *wrong = read_ports(piece, &f->target_port, &last);
    if (wrong)
        return wrong;
    if (memchr(piece.s, '-', piece.n) && last - f->target_port != more)
        return expected_as_many;
    return f->target_port + more > 65535 ? expected_room : NULL;
}

/* An address that may be left empty: 0 then. */
static const char *read_optional(struct span piece, be32 *to, const char *expected)
{
    if (piece.n == 0 || span_is(piece, "0.0.0.0"))
        return NULL;
    return value_read_ip4(piece, to) && value_is_host_address(*to) ? NULL : expected;
}

static_assert(CONFIG_MAX_TARGETS == 8, "expected_fewer says so");

static const char *target_read(struct span *text, void *to)
{
    struct draft_target *target = to;
    if (value_read_ip4(*text, &target->ip)) {
        target->kind = TARGET_ADDRESS;
        return value_is_host_address(target->ip) ? NULL : expected_target;
    }
    target->kind = TARGET_NAME;
    return value_host_name.read(text, target->name) ? expected_target : NULL;
}

const struct value_type value_target = {
    "TARGET", "an IPv4 address or the NAME of a host=", target_read, NULL, false};

/* Who may come. Networks and hosts of ours are no answer: what they open is a matter of rule=. */
static const char *outside_read(struct span *text, void *to)
{
    const char *wrong = value_cidr.read(text, to);
    return wrong == value_cidr.what ? value_outside.what : wrong;
}

const struct value_type value_outside = {
    "CIDR", "outside addresses like 203.0.113.0/24; names are for rule=", outside_read, NULL,
    false};

/* TARGET[+TARGET...]; *text is narrowed to the one that is wrong. */
static const char *read_targets(struct span *text, struct draft_forward *f)
{
    struct span rest = *text, piece;
    const char *wrong = NULL;
    while (!wrong && span_cut(&rest, '+', &piece)) {
        *text = piece;
        wrong = f->target_count == CONFIG_MAX_TARGETS
                    ? expected_fewer
                    : target_read(text, &f->targets[f->target_count++]);
    }
    return wrong;
}

static const char *forward_read(struct span *text, void *to)
{
    static const struct {
        const char *word;
        uint8_t protocols;
    } protocols[] = {{"tcp", CONFIG_TCP}, {"udp", CONFIG_UDP}, {"both", CONFIG_TCP | CONFIG_UDP}};
    struct draft_forward *f = to;
    struct span rest = *text, piece;
    unsigned pieces = span_count(*text, ':');
    const char *wrong;

    span_cut(&rest, ':', &piece);
    for (unsigned i = 0; i < ARRAY_COUNT(protocols); i++)
        if (span_is(piece, protocols[i].word))
            f->protocols = protocols[i].protocols;
    if (!f->protocols) {
        *text = piece;
        return expected_protocol;
    }
    if (pieces < 3 || pieces > 5)
        return value_forward.what;
    span_cut(&rest, ':', &piece);
    /* Only an address has dots here, so BIND and PORT cannot be taken for each other. */
    if (pieces == 5 || memchr(piece.s, '.', piece.n)) {
        *text = piece;
        if ((wrong = read_optional(piece, &f->bind, expected_bind)) ||
            !span_cut(&rest, ':', &piece))
            return wrong ? wrong : value_forward.what;
    }
    *text = piece;
    if ((wrong = read_ports(piece, &f->first_port, &f->last_port)))
        return wrong;
    if (!span_cut(&rest, ':', text))
        return expected_target;
    if ((wrong = read_targets(text, f)))
        return wrong;
    f->target_port = f->first_port;
    if (!rest.s)
        return NULL;
    *text = rest;
    return read_target_ports(rest, f);
}

const struct value_type value_forward = {
    "PROTO:[BIND:]PORTS:TARGET[+TARGET...][:PORTS]",
    "PROTO:[BIND:]PORTS:TARGET[+TARGET...][:PORTS], like tcp:8080:web:80", forward_read, NULL,
    false};

/* "-" followed by an address or nothing: a name with a hyphen in it does not look so. */
bool forward_is_qemu(struct span text)
{
    struct span piece;
    be32 ip;
    for (unsigned i = 0; i < 3; i++)
        if (!span_cut(&text, ':', &piece))
            return false;
    struct span guest = piece;
    span_cut(&guest, '-', &piece);
    return guest.s && (guest.n == 0 || value_read_ip4(guest, &ip));
}

static const char *set_guest(struct draft_forward *f, struct span guest)
{
    struct draft_target *target = &f->targets[0];
    f->target_count = 1;
    target->kind = TARGET_FIRST_LEASE;
    if (guest.n == 0)
        return NULL;
    target->kind = TARGET_ADDRESS;
    return value_read_ip4(guest, &target->ip) && value_is_host_address(target->ip) ? NULL
                                                                                   : expected_guest;
}

/* [tcp|udp]:[BIND]:PORT-[GUEST]:PORT */
const char *forward_read_qemu(struct span *text, void *to)
{
    struct draft_forward *f = to;
    struct span rest = *text, middle, guest;
    const char *wrong;
    if (span_count(rest, ':') != 4)
        return "QEMU's [tcp|udp]:[BIND]:PORT-[GUEST]:PORT";
    span_cut(&rest, ':', text);
    if (text->n != 0 && !span_is(*text, "tcp") && !span_is(*text, "udp"))
        return "tcp, udp, or nothing for tcp";
    f->protocols = span_is(*text, "udp") ? CONFIG_UDP : CONFIG_TCP;
    span_cut(&rest, ':', text);
    if ((wrong = read_optional(*text, &f->bind, expected_bind)))
        return wrong;
    span_cut(&rest, ':', &middle);
    guest = middle;
    span_cut(&guest, '-', text);
    if (!guest.s) {
        *text = middle;
        return "PORT-GUEST, or PORT- alone";
    }
    if ((wrong = read_outside_port(*text, f)))
        return wrong;
    *text = guest;
    if ((wrong = set_guest(f, guest)))
        return wrong;
    *text = rest;
    return read_port(rest, &f->target_port);
}

/* NAME,tcp|udp,[BIND],PORT,[GUEST],PORT of a machine, or NAME:tcp:[BIND]:PORT:[GUEST]:PORT, where
 * the brackets are written, of a NAT network. */
static char virtualbox_separator(struct span text)
{
    return memchr(text.s, '[', text.n) ? ':' : ',';
}

bool forward_is_virtualbox(struct span text)
{
    char separator = virtualbox_separator(text);
    struct span piece;
    return span_cut(&text, separator, &piece) && span_cut(&text, separator, &piece) &&
           (same_word(piece, "tcp") || same_word(piece, "udp"));
}

static void strip_brackets(struct span *piece)
{
    if (piece->n >= 2 && piece->s[0] == '[' && piece->s[piece->n - 1] == ']')
        *piece = (struct span){piece->s + 1, piece->n - 2};
}

const char *forward_read_virtualbox(struct span *text, void *to)
{
    struct draft_forward *f = to;
    char separator = virtualbox_separator(*text);
    struct span rest = *text, piece[6];
    const char *wrong;
    if (!forward_is_virtualbox(*text) || span_count(*text, separator) != ARRAY_COUNT(piece))
        return "VirtualBox's NAME,tcp|udp,[BIND],PORT,[GUEST],PORT";
    for (unsigned i = 0; i < ARRAY_COUNT(piece); i++) {
        span_cut(&rest, separator, &piece[i]);
        if (separator == ':')
            strip_brackets(&piece[i]);
    }
    f->protocols = same_word(piece[1], "udp") ? CONFIG_UDP : CONFIG_TCP;
    *text = piece[2];
    if ((wrong = read_optional(piece[2], &f->bind, expected_bind)))
        return wrong;
    *text = piece[3];
    if ((wrong = read_outside_port(piece[3], f)))
        return wrong;
    *text = piece[4];
    if ((wrong = set_guest(f, piece[4])))
        return wrong;
    *text = piece[5];
    return read_port(piece[5], &f->target_port);
}
