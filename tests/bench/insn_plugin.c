/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A QEMU TCG plugin that counts the guest's instructions into a file other programs can read while
 * the guest runs: an unsigned 64-bit number, updated in place. One vCPU. Used as -plugin
 * build/bench/insn.so,out=FILE
 *
 * Debian does not package qemu-plugin.h; what is used of the plugin API (version 1, QEMU's
 * docs/devel/tcg-plugins) is declared here.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
enum plugin_op { PLUGIN_INLINE_ADD_U64 };

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
                                           void (*cb)(plugin_id id, struct qemu_plugin_tb *tb));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, enum plugin_op op,
                                              void *ptr, uint64_t imm);

__attribute__((visibility("default"))) extern int qemu_plugin_version;
__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const void *info,
                                                               int argc, char **argv);

#define BLOCKS_MAX 65536

struct block {
    uint64_t address, instructions, runs;
};

struct counts {
    uint64_t total;
    uint64_t block_count;
    struct block blocks[BLOCKS_MAX];
};

int qemu_plugin_version = 1;
static struct counts *counts;

static void count_block(plugin_id id, struct qemu_plugin_tb *tb)
{
    (void)id;
    uint64_t n = qemu_plugin_tb_n_insns(tb);
    qemu_plugin_register_vcpu_tb_exec_inline(tb, PLUGIN_INLINE_ADD_U64, &counts->total, n);
    if (counts->block_count == BLOCKS_MAX)
        return;
    struct block *block = &counts->blocks[counts->block_count++];
    block->address = qemu_plugin_tb_vaddr(tb);
    block->instructions = n;
    qemu_plugin_register_vcpu_tb_exec_inline(tb, PLUGIN_INLINE_ADD_U64, &block->runs, 1);
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    const char *path = argc == 1 && !strncmp(argv[0], "out=", 4) ? argv[0] + 4 : NULL;
    if (!path) {
        fprintf(stderr, "insn plugin: give out=FILE\n");
        return -1;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(*counts))) {
        perror(path);
        return -1;
    }
    counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (counts == MAP_FAILED) {
        perror("mmap");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, count_block);
    return 0;
}
