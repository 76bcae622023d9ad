/* SPDX-License-Identifier: MIT */
/*
 * A whole bring-up of a GA102 over TCP, without QEMU: the driver in this process, the model in
 * another one (tests/model/wire/remote_pci.h), and nothing between them but the protocol.
 *
 * Registers and configuration space are requests. Memory is a buffer of the server's that is copied
 * to and fro: this process has a copy of it mapped at the very address that the GPU sees it at, and
 * gives it to mm/ as the machine's only RAM. What the driver wrote (found by write protection) goes
 * out before each register write, which may be a doorbell; what the GPU wrote comes in whenever the
 * driver waits. There are no interrupts, so the GPU shows no MSI. Time is real.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "arch/asan.h"
#include "arch/clock.h"
#include "arch/host/host.h"
#include "arch/log.h"
#include "gsp/hw/chips.h"
#include "mm/dma.h"
#include "mm/ram.h"
#include "tests/synth/synth.h"
#include "tests/unit/remote_client.h"
#include "tests/unit/rig.h"

#define CHIP        "ga102"
#define FW_VERSION  "570.144"
#define ARENA_BYTES MIB(24)
#define ARENA_PAGES (ARENA_BYTES / FL_PAGE_SIZE)
#define GPU_DEVFN   0x08u /* 00:01.0: no bridge in front of it */
#define CFG_CAP_PTR 0x34u
#define CAP_MSI     0x05u
#define CAP_MSIX    0x11u
#define CAPS_MAX    48u
/* In the middle of a bring-up of about 3600. */
#define KILL_AT_REQUEST 2400u
#define SYNC_EVERY_NS   UINT64_C(2000000)
#define ANSWER_SILENCE  UINT32_MAX /* what a bus reads when nobody is there */

/* The buffer that both sides have. */
static struct arena {
    uint32_t handle;
    uint8_t *cpu;      /* where the GPU sees it, too; owned mapping */
    uint8_t *agreed;   /* what both had when they last met; owned */
    uint8_t *incoming; /* owned */
    bool dirty[ARENA_PAGES];
    uint64_t next_pull_ns;
    uint64_t pushed_bytes, pulls, changed_pages;
} arena;

static struct bench {
    struct remote_server server;
    struct remote_client client;
    bool gone;        /* the connection; the GPU is then as good as unplugged */
    uint64_t kill_at; /* number of the request before which the server dies; 0: it does not */
    struct {
        uint32_t index;
    } bar[PCI_BAR_COUNT];
    uint16_t hidden_caps[2];
    struct pci pci;
    struct rig rig; /* its gpu only: for rig_boot and its kin */
    struct fl_file files[RIG_FILES_MAX];
    struct dma_buf file_memory[RIG_FILES_MAX];
    size_t file_count;
    struct range ram;
    struct gsp_options options;
} bench;

static void check(enum remote_status s, const char *what)
{
    if (s == REMOTE_REFUSED) {
        fail_msg("%s was refused: %s", what, bench.client.error);
    }
    bench.gone = bench.gone || s == REMOTE_GONE;
}

/* ---- memory ---- */

static void on_write_fault(int number, siginfo_t *info, void *context)
{
    const uintptr_t at = (uintptr_t)info->si_addr, base = (uintptr_t)arena.cpu;

    (void)context;
    if (at < base || at - base >= ARENA_BYTES) {
        (void)signal(number, SIG_DFL); /* a real one: comes again, and ends the program */
        return;
    }
    const size_t page = (at - base) / FL_PAGE_SIZE;
    arena.dirty[page] = true;
    (void)mprotect(arena.cpu + page * FL_PAGE_SIZE, FL_PAGE_SIZE, PROT_READ | PROT_WRITE);
}

/* Not instrumented: mm/ has poisoned what is nobody's, pages and the ends of pages, and a page is
 * pushed as a whole. Returns the first byte that differs; *end gets the one behind the last. */
FL_NO_ASAN static size_t adopt(size_t page, size_t *end)
{
    const volatile uint8_t *ours = arena.cpu + page * FL_PAGE_SIZE;
    uint8_t *agreed = arena.agreed + page * FL_PAGE_SIZE;
    size_t first = FL_PAGE_SIZE;

    *end = 0;
    for (size_t i = 0; i < FL_PAGE_SIZE; i++) {
        const uint8_t v = ours[i];
        if (v != agreed[i]) {
            first = first == FL_PAGE_SIZE ? i : first;
            *end = i + 1;
            agreed[i] = v;
        }
    }
    return first;
}

static void push_page(size_t page)
{
    const size_t at = page * FL_PAGE_SIZE;
    size_t end;
    /* Only what changed: the GPU may write elsewhere in the page. */
    const size_t first = adopt(page, &end);

    if (first < end) {
        check(remote_sysmem_write(&bench.client, arena.handle, at + first,
                                  arena.agreed + at + first, end - first),
              "SYSMEM_WRITE");
        arena.pushed_bytes += end - first;
    }
    (void)mprotect(arena.cpu + at, FL_PAGE_SIZE, PROT_READ);
    arena.dirty[page] = false;
}

/* From the end: a queue's head, which says that there is something, lies before what it speaks of,
 * and the GPU may look at any time. */
static void push(void)
{
    for (size_t page = ARENA_PAGES; page-- > 0;) {
        if (arena.dirty[page] && !bench.gone) {
            push_page(page);
        }
    }
}

/* Takes over byte by byte what differs from what both had: the rest of a page may be newer here. */
static void pull(void)
{
    check(remote_sysmem_read(&bench.client, arena.handle, 0, arena.incoming, ARENA_BYTES),
          "SYSMEM_READ");
    arena.pulls++;
    for (size_t page = 0; page < ARENA_PAGES && !bench.gone; page++) {
        const size_t at = page * FL_PAGE_SIZE;
        if (memcmp(arena.incoming + at, arena.agreed + at, FL_PAGE_SIZE) == 0) {
            continue;
        }
        arena.changed_pages++;
        for (size_t i = at; i < at + FL_PAGE_SIZE; i++) {
            if (arena.incoming[i] != arena.agreed[i]) {
                arena.cpu[i] = arena.agreed[i] = arena.incoming[i];
            }
        }
    }
}

static uint64_t idle_hook(void *ctx)
{
    (void)ctx;
    if (bench.gone) {
        return UINT64_MAX;
    }
    if (clock_now_ns() >= arena.next_pull_ns) {
        push();
        pull();
        arena.next_pull_ns = clock_now_ns() + SYNC_EVERY_NS;
    }
    return arena.next_pull_ns;
}

static void arena_open(void)
{
    static uint64_t pages[ARENA_PAGES];
    const struct sigaction sa = {.sa_sigaction = on_write_fault, .sa_flags = SA_SIGINFO};

    memset(&arena, 0, sizeof(arena));
    assert_int_equal(remote_map_sysmem(&bench.client, ARENA_BYTES, true, &arena.handle, pages),
                     REMOTE_OK);
    void *const want = (void *)(uintptr_t)pages[0]; /* an address, as a number from the wire */
    arena.cpu = mmap(want, ARENA_BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    assert_ptr_equal(arena.cpu, want);
    arena.agreed = calloc(1, ARENA_BYTES);
    arena.incoming = malloc(ARENA_BYTES);
    assert_true(arena.agreed != NULL && arena.incoming != NULL);
    assert_int_equal(sigaction(SIGSEGV, &sa, NULL), 0);
    assert_int_equal(mprotect(arena.cpu, ARENA_BYTES, PROT_READ), 0);

    struct fl_fail fail = {0};
    bench.ram = (struct range){.base = pages[0], .size = ARENA_BYTES};
    host_ram_configure(FL_PAGE_SIZE, 0); /* what is taken from elsewhere fails at once */
    host_ram_report(&bench.ram, 1);
    assert_int_equal(ram_init(&fail), FL_OK);
}

static void arena_close(void)
{
    (void)signal(SIGSEGV, SIG_DFL);
    host_ram_configure(HOST_RAM_LOW_BYTES, HOST_RAM_HIGH_BYTES);
    free(arena.agreed);
    free(arena.incoming);
    asan_allow(arena.cpu, ARENA_BYTES);
    (void)munmap(arena.cpu, ARENA_BYTES);
}

/* ---- the bus, as the driver sees it ---- */

static uint32_t cfg_read(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
                         unsigned size)
{
    uint32_t v = 0;

    (void)ctx;
    (void)seg;
    if (bus != 0 || devfn != GPU_DEVFN || bench.gone) {
        return ANSWER_SILENCE >> (32 - 8 * size);
    }
    check(remote_cfg_read(&bench.client, off, size, &v), "CFG_READ");
    for (size_t i = 0; i < ARRAY_SIZE(bench.hidden_caps); i++) {
        if (bench.hidden_caps[i] != 0 && off == bench.hidden_caps[i]) {
            v &= ~0xffu; /* id 0, as boards show a capability that is switched off */
        }
    }
    return bench.gone ? ANSWER_SILENCE >> (32 - 8 * size) : v;
}

static void cfg_write(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
                      unsigned size, uint32_t value)
{
    (void)ctx;
    (void)seg;
    if (bus == 0 && devfn == GPU_DEVFN && !bench.gone) {
        push();
        check(remote_cfg_write(&bench.client, off, size, value), "CFG_WRITE");
    }
}

static uint64_t bar_read(void *ctx, uint64_t off, unsigned size)
{
    const uint32_t *bar = ctx;
    uint8_t word[8] = {0};

    if (!bench.gone) {
        check(remote_mmio_read(&bench.client, *bar, off, word, size), "MMIO_READ");
    }
    return bench.gone ? UINT64_MAX >> (64 - 8 * size) : get_le64(word);
}

static void bar_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
    const uint32_t *bar = ctx;
    uint8_t word[8];

    put_le64(word, value);
    if (bench.kill_at != 0 && bench.client.requests >= bench.kill_at) {
        assert_int_equal(kill(bench.server.pid, SIGKILL), 0);
        bench.kill_at = 0;
    }
    if (!bench.gone) {
        push();
        check(remote_mmio_write(&bench.client, *bar, off, word, size), "MMIO_WRITE");
    }
}

static enum fl_err map_bar(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, unsigned bar,
                           struct mmio *out)
{
    static const struct mmio_ops ops = {bar_read, bar_write};
    uint64_t size = 0;

    (void)ctx;
    (void)seg;
    (void)bus;
    (void)devfn;
    if (remote_map_bar(&bench.client, bar, NULL, &size) != REMOTE_OK) {
        return FL_ENOENT;
    }
    bench.bar[bar].index = bar;
    *out = (struct mmio){.ops = &ops, .ctx = &bench.bar[bar].index, .size = size};
    return FL_OK;
}

static const struct pci_ops pci_ops = {cfg_read, cfg_write, map_bar};

static void hide_interrupts(void)
{
    uint32_t at = 0, id = 0;
    size_t n = 0;

    assert_int_equal(remote_cfg_read(&bench.client, CFG_CAP_PTR, 1, &at), REMOTE_OK);
    for (unsigned i = 0; i < CAPS_MAX && at != 0 && n < ARRAY_SIZE(bench.hidden_caps); i++) {
        assert_int_equal(remote_cfg_read(&bench.client, at, 1, &id), REMOTE_OK);
        if (id == CAP_MSI || id == CAP_MSIX) {
            bench.hidden_caps[n++] = (uint16_t)at;
        }
        assert_int_equal(remote_cfg_read(&bench.client, at + 1, 1, &at), REMOTE_OK);
    }
    assert_true(n > 0);
}

/* ---- building and tearing down ---- */

static void add_file(const struct gsp_chip *chip, enum gsp_fw_kind kind)
{
    const struct synth_fw_options fo = {.chip = CHIP, .version = FW_VERSION};
    struct synth_blob blob = {0};
    char path[FL_FILE_NAME_MAX - 16];

    for (unsigned f = 0; f < SYNTH_FILE_COUNT && blob.data == NULL; f++) {
        if (strcmp(synth_file_name((enum synth_file)f), gsp_fw_kind_name(kind)) == 0) {
            blob = synth_firmware((enum synth_file)f, &fo);
        }
    }
    assert_non_null(blob.data);
    assert_true(gsp_fw_path(chip, kind, FW_VERSION, 0, path, sizeof(path)) > 0);
    struct dma_buf *buf = &bench.file_memory[bench.file_count];
    assert_int_equal(dma_alloc(buf, blob.size, FL_PAGE_SIZE, 47, "file"), FL_OK);
    memcpy(buf->cpu, blob.data, blob.size);
    struct fl_file *file = &bench.files[bench.file_count++];
    *file = (struct fl_file){
        .address = buf->bus.raw, .size = blob.size, .dir_size = blob.size, .state = FL_FILE_OK};
    snprintf(file->path, sizeof(file->path), "/firmware/%s", path);
    free(blob.data);
}

static void enumerate(void *arg)
{
    struct fl_fail fail = {0};

    (void)arg;
    if (pci_enumerate(&bench.pci, &pci_ops, NULL, &fail) != FL_OK) {
        fail_msg("PCI: %s", fail.text);
    }
}

static void bench_open(void)
{
    const struct model_config cfg = {
        .chip = CHIP, .strict = MODEL_STRICT, .seed = 1, .fw_version = FW_VERSION};
    const struct gsp_chip *chip = gsp_chip_by_name(CHIP);
    struct fl_fail fail = {0};

    assert_non_null(chip);
    memset(&bench, 0, sizeof(bench));
    host_reset();
    host_clock_use_real();
    remote_server_start(&bench.server, &cfg, true);
    assert_true(remote_connect(&bench.client, bench.server.port));
    arena_open();
    hide_interrupts();
    host_idle_hook(idle_hook, NULL);
    rig_run(enumerate, NULL);
    struct pci_dev *dev = NULL;
    for (size_t i = 0; i < bench.pci.count; i++) {
        if (gsp_match(&bench.pci.dev[i])) {
            dev = &bench.pci.dev[i];
        }
    }
    assert_non_null(dev);
    for (unsigned k = 0; k < GSP_FW_KIND_COUNT; k++) {
        if (gsp_chip_needs(chip, (enum gsp_fw_kind)k)) {
            add_file(chip, (enum gsp_fw_kind)k);
        }
    }
    bench.options = (struct gsp_options){
        .files = bench.files, .file_count = bench.file_count, .force_version = FW_VERSION};
    bench.rig.gpu = gsp_create(dev, &bench.options, &fail);
    if (bench.rig.gpu == NULL) {
        fail_msg("gsp_create: %s", fail.text);
    }
}

static void destroy(void *arg)
{
    (void)arg;
    gsp_destroy(bench.rig.gpu);
}

static struct remote_outcome bench_close(void)
{
    struct remote_outcome out;
    struct dma_stats dma;

    rig_run(destroy, NULL);
    host_idle_unhook(idle_hook, NULL);
    for (size_t i = 0; i < bench.file_count; i++) {
        dma_free(&bench.file_memory[i]);
    }
    dma_get_stats(&dma);
    assert_int_equal(dma.live_bytes, 0);
    remote_disconnect(&bench.client);
    arena_close();
    host_clock_use_virtual();
    assert_true(remote_server_stop(&bench.server, &out));
    return out;
}

/* ---- tests ---- */

static void comes_up(void **state)
{
    (void)state;
    bench_open();
    const uint64_t start_us = clock_now_us();
    if (rig_boot(&bench.rig) != FL_OK) {
        const struct gsp_snapshot s = rig_snapshot(&bench.rig);
        fail_msg("boot failed in stage %s (%s): %s [%s]", s.fail.stage, fl_err_name(s.fail.err),
                 s.fail.text, s.fail.hint);
    }
    const uint64_t boot_us = clock_now_us() - start_us;
    const struct gsp_snapshot s = rig_snapshot(&bench.rig);
    assert_int_equal(s.state, GSP_READY);
    assert_string_equal(s.chip, CHIP);
    assert_string_equal(s.firmware_version, FW_VERSION);
    assert_int_equal(strncmp(s.uuid, "GPU-", 4), 0);
    assert_true(s.name[0] != '\0' && s.fb_region_count > 0 && s.wpr2_hi > s.wpr2_lo);
    assert_int_equal(s.interrupts, 0);
    for (uint32_t i = 0; i < s.stage_count; i++) {
        assert_true(s.stage[i].state == GSP_STAGE_OK || s.stage[i].state == GSP_STAGE_SKIPPED);
    }
    print_message("  up after %llu ms: %llu reads, %llu writes, %llu requests, %llu KiB out, %llu "
                  "looks at memory, %llu pages in\n",
                  (unsigned long long)(boot_us / US_PER_MS), (unsigned long long)s.reg_reads,
                  (unsigned long long)s.reg_writes, (unsigned long long)bench.client.requests,
                  (unsigned long long)(arena.pushed_bytes >> 10), (unsigned long long)arena.pulls,
                  (unsigned long long)arena.changed_pages);

    assert_int_equal(rig_unload(&bench.rig), FL_OK);
    assert_int_equal(rig_snapshot(&bench.rig).state, GSP_UNLOADED);
    const struct remote_outcome out = bench_close();
    assert_string_equal(out.violation, "");
    assert_int_equal(out.model.gsp_boots, 1);
    assert_int_equal(out.model.gsp_unloads, 1);
    assert_false(out.model.wpr2_up || out.model.gsp_running);
    assert_int_equal(out.wire.refused + out.wire.dropped, 0);
    assert_int_equal(out.model.reads + out.model.writes >= s.reg_reads + s.reg_writes, true);
}

/* The server dies in the middle: the driver sees a lost link and says so, as with a pulled board.
 */
static void server_dies(void **state)
{
    struct remote_outcome out;
    (void)state;
    bench_open();
    bench.kill_at = KILL_AT_REQUEST;
    assert_int_not_equal(rig_boot(&bench.rig), FL_OK);
    const struct gsp_snapshot s = rig_snapshot(&bench.rig);
    assert_int_equal(s.state, GSP_FAILED);
    assert_int_equal(s.fail.err, FL_ELINKLOST);
    assert_true(bench.kill_at == 0 && s.fail.text[0] != '\0');
    print_message("  %s: %s\n", s.fail.stage, s.fail.text);
    rig_run(destroy, NULL);
    host_idle_unhook(idle_hook, NULL);
    for (size_t i = 0; i < bench.file_count; i++) {
        dma_free(&bench.file_memory[i]);
    }
    remote_disconnect(&bench.client);
    arena_close();
    host_clock_use_virtual();
    assert_false(remote_server_stop(&bench.server, &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_up),
        cmocka_unit_test(server_dies),
    };
    log_set_level(LOG_WARN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
