/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A storm of frames, and a watch over where they arrive; storm.py compiles and runs it.
 *
 *     storm QUIET_MS END[:FILE:COUNT:RATE]...
 *
 * END is an inherited descriptor: a datagram socket of which each datagram is a frame, or a packet
 * socket. All are read to the end; those with a FILE also send COUNT of its frames, in random
 * order, at most RATE a second (0: as fast as they are taken). FILE is a sequence of frames, each
 * behind its length (32 bits, host order).
 *
 * Every frame of a storm carries a mark, MARK and one byte that says where it came from. When all
 * is sent and nothing with a mark has come for QUIET_MS, what was seen is printed:
 *
 *     sent END COUNT
 *     seen END VID MARK COUNT      frames with that mark; VID is the outermost tag's, 0 without
 *     other END VID MAC COUNT      frames without a mark, by source
 *     lost END COUNT               frames the capture missed: the others prove nothing then
 *
 * Linux only. Nothing is lost on datagram sockets: both ends wait.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <linux/if_packet.h>

#define MARK        "\xA5storm\x5A"
#define MARK_BYTES  7
#define ENDS_MAX    32
#define VIDS        4096
#define BATCH       32
#define FRAME_MAX   65536
#define OTHERS_MAX  256
/* A packet socket's ring, which unlike its buffer may be large without privileges. Of longer frames
 * only the beginning is looked at. */
#define SLOTS       8192
#define SLOT_BYTES  2048
#define BLOCK_BYTES (1 << 16)
#define DRAIN_S     20 /* at most, if marks never stop coming */

struct other {
    uint16_t vid;
    uint8_t mac[6];
    unsigned long count;
};

struct end {
    int fd;
    unsigned char
        *ring; /* of a packet socket; the kernel counts what it misses, and keeps tags apart */
    unsigned next_slot;
    unsigned char *frames;
    unsigned frame_count;
    unsigned *offsets; /* of the frames, each behind its length */
    unsigned long want, sent;
    double rate;
    unsigned long (*seen)[256]; /* by VID and mark */
    unsigned others_count;
    struct other others[OTHERS_MAX];
};

static struct end ends[ENDS_MAX];
static int end_count;
static uint64_t random_state = 88172645463325252ull;
static double last_mark_s;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint32_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 16);
}

static void load_frames(struct end *e, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        die(path);
    fseek(file, 0, SEEK_END);
    long bytes = ftell(file);
    rewind(file);
    e->frames = malloc((size_t)bytes);
    e->offsets = malloc((size_t)bytes);
    if (!e->frames || !e->offsets || fread(e->frames, 1, (size_t)bytes, file) != (size_t)bytes)
        die(path);
    fclose(file);
    uint32_t length;
    for (long at = 0; at < bytes; at += 4 + (long)length) {
        memcpy(&length, e->frames + at, 4);
        e->offsets[e->frame_count++] = (unsigned)at;
    }
}

static void make_ring(struct end *e)
{
    int one = 1, version = TPACKET_V2;
    struct tpacket_req ring = {.tp_block_size = BLOCK_BYTES,
                               .tp_block_nr = SLOTS / (BLOCK_BYTES / SLOT_BYTES),
                               .tp_frame_size = SLOT_BYTES,
                               .tp_frame_nr = SLOTS};
    if (setsockopt(e->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
        setsockopt(e->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) ||
        setsockopt(e->fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring)))
        die("packet socket");
    e->ring = mmap(NULL, (size_t)SLOTS * SLOT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, e->fd, 0);
    if (e->ring == MAP_FAILED)
        die("ring");
}

static void add_end(char *text)
{
    struct end *e = &ends[end_count++];
    char *save = NULL, *word = strtok_r(text, ":", &save);
    if (!word || end_count >= ENDS_MAX)
        exit(2);
    e->fd = atoi(word);
    char *path = strtok_r(NULL, ":", &save);
    if (path) {
        char *count = strtok_r(NULL, ":", &save), *rate = strtok_r(NULL, ":", &save);
        load_frames(e, path);
        e->want = strtoul(count ? count : "0", NULL, 10);
        e->rate = atof(rate ? rate : "0");
    }
    int domain = 0;
    socklen_t size = sizeof(domain);
    if (getsockopt(e->fd, SOL_SOCKET, SO_DOMAIN, &domain, &size))
        die("SO_DOMAIN");
    if (domain == AF_PACKET)
        make_ring(e);
    e->seen = calloc(VIDS, sizeof(*e->seen));
    if (!e->seen)
        die("memory");
}

static unsigned outer_vid(const unsigned char *frame, unsigned length)
{
    if (length >= 16 && frame[12] == 0x81 && frame[13] == 0)
        return (frame[14] << 8 | frame[15]) & (VIDS - 1);
    return 0;
}

static void count_other(struct end *e, unsigned vid, const unsigned char *mac)
{
    for (unsigned i = 0; i < e->others_count; i++)
        if (e->others[i].vid == vid && !memcmp(e->others[i].mac, mac, 6)) {
            e->others[i].count++;
            return;
        }
    if (e->others_count == OTHERS_MAX)
        return;
    struct other *o = &e->others[e->others_count++];
    o->vid = (uint16_t)vid;
    memcpy(o->mac, mac, 6);
    o->count = 1;
}

static void look_at(struct end *e, unsigned vid, const unsigned char *frame, unsigned length)
{
    const unsigned char *at = memmem(frame, length, MARK, MARK_BYTES);
    if (at && at + MARK_BYTES < frame + length) {
        e->seen[vid][at[MARK_BYTES]]++;
        last_mark_s = now_s();
    } else if (length >= 12) {
        count_other(e, vid, frame + 6);
    }
}

static int read_ring(struct end *e)
{
    int n = 0;
    for (; n < SLOTS; n++) {
        unsigned char *slot = e->ring + (size_t)(e->next_slot % SLOTS) * SLOT_BYTES;
        struct tpacket2_hdr *header = (struct tpacket2_hdr *)slot;
        uint32_t status = __atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE);
        if (!(status & TP_STATUS_USER))
            break;
        const unsigned char *frame = slot + header->tp_mac;
        unsigned vid = status & TP_STATUS_VLAN_VALID ? header->tp_vlan_tci & (VIDS - 1)
                                                     : outer_vid(frame, header->tp_snaplen);
        look_at(e, vid, frame, header->tp_snaplen);
        __atomic_store_n(&header->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
        e->next_slot++;
    }
    return n;
}

/* Reads what is there; returns how many. */
static int read_some(struct end *e)
{
    static unsigned char buffers[BATCH][FRAME_MAX];
    struct mmsghdr messages[BATCH] = {0};
    struct iovec iov[BATCH];
    if (e->ring)
        return read_ring(e);
    for (int i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){buffers[i], FRAME_MAX};
        messages[i].msg_hdr.msg_iov = &iov[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    int n = recvmmsg(e->fd, messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++)
        look_at(e, outer_vid(buffers[i], messages[i].msg_len), buffers[i], messages[i].msg_len);
    return n > 0 ? n : 0;
}

/* How many frames the end may send now. */
static unsigned long due(const struct end *e, double elapsed_s)
{
    unsigned long limit = e->want;
    if (e->rate > 0 && elapsed_s * e->rate < (double)limit)
        limit = (unsigned long)(elapsed_s * e->rate);
    return limit > e->sent ? limit - e->sent : 0;
}

/* Sends what is due and taken; returns how many. */
static int send_some(struct end *e, double elapsed_s)
{
    unsigned long n = due(e, elapsed_s);
    if (!n || !e->frame_count)
        return 0;
    if (n > BATCH)
        n = BATCH;
    struct mmsghdr messages[BATCH] = {0};
    struct iovec iov[BATCH];
    for (unsigned long i = 0; i < n; i++) {
        unsigned char *frame = e->frames + e->offsets[next_random() % e->frame_count];
        uint32_t length;
        memcpy(&length, frame, 4);
        iov[i] = (struct iovec){frame + 4, length};
        messages[i].msg_hdr.msg_iov = &iov[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    int done = sendmmsg(e->fd, messages, (unsigned)n, MSG_DONTWAIT);
    if (done < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS)
        die("send");
    e->sent += done > 0 ? (unsigned long)done : 0;
    return done > 0 ? done : 0;
}

static void run(double quiet_s)
{
    double start = now_s(), all_sent_s = 0;
    last_mark_s = start;
    for (;;) {
        struct pollfd wait[ENDS_MAX];
        int moved = 0, unsent = 0, unsent_now = 0;
        double elapsed_s = now_s() - start;
        for (int i = 0; i < end_count; i++) {
            struct end *e = &ends[i];
            moved += read_some(e) + send_some(e, elapsed_s);
            int now = due(e, elapsed_s) > 0;
            unsent += e->sent < e->want;
            unsent_now += now;
            wait[i] = (struct pollfd){.fd = e->fd, .events = now ? POLLIN | POLLOUT : POLLIN};
        }
        if (!unsent && !all_sent_s)
            all_sent_s = last_mark_s = now_s();
        if (!unsent && (now_s() - last_mark_s > quiet_s || now_s() - all_sent_s > DRAIN_S))
            return;
        if (!moved)
            poll(wait, (nfds_t)end_count, unsent && !unsent_now ? 1 : 10);
    }
}

static void report(const struct end *e)
{
    if (e->want)
        printf("sent %d %lu\n", e->fd, e->sent);
    for (unsigned vid = 0; vid < VIDS; vid++)
        for (unsigned mark = 0; mark < 256; mark++)
            if (e->seen[vid][mark])
                printf("seen %d %u %u %lu\n", e->fd, vid, mark, e->seen[vid][mark]);
    for (unsigned i = 0; i < e->others_count; i++) {
        const struct other *o = &e->others[i];
        printf("other %d %u %02x:%02x:%02x:%02x:%02x:%02x %lu\n", e->fd, o->vid, o->mac[0],
               o->mac[1], o->mac[2], o->mac[3], o->mac[4], o->mac[5], o->count);
    }
    struct tpacket_stats stats = {0};
    socklen_t size = sizeof(stats);
    if (e->ring && !getsockopt(e->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) &&
        stats.tp_drops)
        printf("lost %d %u\n", e->fd, stats.tp_drops);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: storm QUIET_MS END[:FILE:COUNT:RATE]...\n");
        return 2;
    }
    for (int i = 2; i < argc; i++)
        add_end(argv[i]);
    printf("ready\n");
    fflush(stdout);
    run(atof(argv[1]) / 1000);
    for (int i = 0; i < end_count; i++)
        report(&ends[i]);
    return 0;
}
