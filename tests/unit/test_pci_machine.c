/* SPDX-License-Identifier: MIT */
/*
 * pci/machine.c: configuration space through ECAM and through the ports. It looks at the machine
 * once, so that each case runs in a process of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "arch/host/host.h"
#include "pci/pci_priv.h"

enum { BUS_SHIFT = 20, DEVFN_SHIFT = 12 }; /* PCI Express Base 4.0 section 7.2.2 */

static int bad;
#define check(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "line %d: %s\n", __LINE__, #cond);                                     \
            bad = 1;                                                                               \
        }                                                                                          \
    } while (0)

/* Runs a case in a child: the static state of machine.c dies with it. */
static void in_child(void (*fn)(void))
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        host_reset();
        fn();
        _exit(bad);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- what is seen of an access ------------------------------------------------------------------
 */

struct seen {
    uint64_t at; /* ECAM: from the start of the region; ports: bus, devfn, register */
    unsigned size;
    uint64_t value;
    unsigned reads, writes;
};
static struct seen ecam_a, ecam_b, port;

static uint64_t ecam_read(void *ctx, uint64_t off, unsigned size)
{
    struct seen *s = ctx;
    s->at = off;
    s->size = size;
    s->reads++;
    return UINT64_C(0x8899aabbccddeeff);
}

static void ecam_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
    struct seen *s = ctx;
    s->at = off;
    s->size = size;
    s->value = value;
    s->writes++;
}

static const struct mmio_ops ecam_ops = {ecam_read, ecam_write};

static uint32_t port_read(void *ctx, uint8_t bus, uint8_t devfn, uint16_t off, unsigned size)
{
    (void)ctx;
    port.at = (uint64_t)bus << BUS_SHIFT | (uint64_t)devfn << DEVFN_SHIFT | off;
    port.size = size;
    port.reads++;
    return 0x12345678;
}

static void port_write(void *ctx, uint8_t bus, uint8_t devfn, uint16_t off, unsigned size,
                       uint32_t value)
{
    (void)port_read(ctx, bus, devfn, off, size);
    port.reads--;
    port.value = value;
    port.writes++;
}

static const struct host_pci_port_ops port_ops = {port_read, port_write};

static uint32_t cfg_read(uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off, unsigned size)
{
    return pci_machine_ops()->cfg_read(NULL, seg, bus, devfn, off, size);
}

static void cfg_write(uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off, unsigned size,
                      uint32_t value)
{
    pci_machine_ops()->cfg_write(NULL, seg, bus, devfn, off, size, value);
}

/* --- cases ---------------------------------------------------------------------------------------
 */

#define BASE_A UINT64_C(0xe0000000) /* bus 0 of segment 0 */
#define BASE_B UINT64_C(0x4000000000)

/* Segment 0 with buses 10-1f, segment 2 with bus 40 alone; regions of exactly that size, so that
 * nothing more can be mapped. Two entries of the table that cannot be used. */
static void set_ecam(void)
{
    static const struct machine_ecam table[] = {
        {1, 0x20, 0x1f, {BASE_A}}, /* ends before it begins */
        {0, 0x10, 0x1f, {BASE_A}},
        {3, 0x00, 0x0f, {UINT64_C(0x8000000000)}}, /* cannot be mapped */
        {2, 0x40, 0x40, {BASE_B}},
    };
    host_mmio_register(BASE_A + (UINT64_C(0x10) << BUS_SHIFT), UINT64_C(16) << BUS_SHIFT, &ecam_ops,
                       &ecam_a);
    host_mmio_register(BASE_B + (UINT64_C(0x40) << BUS_SHIFT), UINT64_C(1) << BUS_SHIFT, &ecam_ops,
                       &ecam_b);
    host_ecam_set(table, ARRAY_SIZE(table));
}

static void ecam_case(void)
{
    struct pci_root roots[PCI_MAX_ROOTS];
    bool extended = false;

    set_ecam();
    host_pci_port_set(&port_ops, NULL);
    for (unsigned i = 0; i < 2; i++) { /* the second time it knows */
        check(pci_machine_roots(roots, PCI_MAX_ROOTS, &extended) == 2);
    }
    check(extended);
    check(roots[0].segment == 0 && roots[0].bus_first == 0x10 && roots[0].bus_last == 0x1f);
    check(roots[1].segment == 2 && roots[1].bus_first == 0x40 && roots[1].bus_last == 0x40);
    check(pci_machine_roots(roots, 1, &extended) == 1 && extended);
    extended = true;
    check(pci_machine_roots(roots, 0, &extended) == 0 && !extended);

    const uint8_t devfn = PCI_DEVFN(3, 1);
    const uint64_t at = (UINT64_C(2) << BUS_SHIFT) + ((uint64_t)devfn << DEVFN_SHIFT);
    check(cfg_read(0, 0x12, devfn, 0xffc, 4) == 0xccddeeff);
    check(ecam_a.at == at + 0xffc && ecam_a.size == 4);
    check(cfg_read(0, 0x12, devfn, 0x102, 2) == 0xeeff);
    check(ecam_a.at == at + 0x102 && ecam_a.size == 2);
    check(cfg_read(0, 0x12, devfn, 0x103, 1) == 0xff);
    check(ecam_a.at == at + 0x103 && ecam_a.size == 1);
    cfg_write(0, 0x12, devfn, 0x100, 4, 0x11223344);
    check(ecam_a.at == at + 0x100 && ecam_a.size == 4 && ecam_a.value == 0x11223344);
    cfg_write(0, 0x12, devfn, 0x104, 2, 0x5566);
    check(ecam_a.at == at + 0x104 && ecam_a.size == 2 && ecam_a.value == 0x5566);
    cfg_write(0, 0x12, devfn, 0x107, 1, 0x77);
    check(ecam_a.at == at + 0x107 && ecam_a.size == 1 && ecam_a.value == 0x77);
    check(ecam_a.reads == 3 && ecam_a.writes == 3);

    /* The first and the last bus, and another segment. */
    (void)cfg_read(0, 0x10, 0, 0, 4);
    check(ecam_a.at == 0 && ecam_a.reads == 4);
    (void)cfg_read(0, 0x1f, 0, 0, 4);
    check(ecam_a.at == UINT64_C(15) << BUS_SHIFT && ecam_a.reads == 5);
    (void)cfg_read(2, 0x40, 0, 4, 4);
    check(ecam_b.at == 4 && ecam_b.reads == 1);
    check(port.reads == 0 && port.writes == 0);
    /* What no ECAM has goes through the ports, where those reach. */
    check(cfg_read(0, 0x0f, 0, 0, 4) == 0x12345678 && cfg_read(0, 0x20, 0, 0, 4) == 0x12345678);
    check(cfg_read(2, 0x3f, 0, 0, 4) == PCI_ID_NONE && cfg_read(2, 0x41, 0, 0, 4) == PCI_ID_NONE);
    check(port.reads == 2 && ecam_b.reads == 1);
}

static void port_case(void)
{
    struct pci_root root;
    bool extended = true;

    host_pci_port_set(&port_ops, NULL);
    check(pci_machine_roots(&root, 1, &extended) == 1 && !extended);
    check(root.segment == 0 && root.bus_first == 0 && root.bus_last == 0xff);
    check(pci_machine_roots(&root, 0, &extended) == 0);
    check(cfg_read(0, 5, PCI_DEVFN(2, 3), 0xfc, 2) == 0x12345678);
    check(port.at ==
          ((UINT64_C(5) << BUS_SHIFT) | ((uint64_t)PCI_DEVFN(2, 3) << DEVFN_SHIFT) | 0xfc));
    check(port.size == 2 && port.reads == 1);
    cfg_write(0, 6, 8, 0xff, 1, 0x42);
    check(port.at == ((UINT64_C(6) << BUS_SHIFT) | (UINT64_C(8) << DEVFN_SHIFT) | 0xff));
    check(port.size == 1 && port.value == 0x42 && port.writes == 1);
    /* The ports know one segment and the first 256 bytes. */
    check(cfg_read(0, 5, 0, 0x100, 4) == PCI_ID_NONE && cfg_read(1, 5, 0, 0, 4) == PCI_ID_NONE);
    cfg_write(0, 5, 0, 0x100, 4, 1);
    cfg_write(1, 5, 0, 0, 4, 1);
    check(port.reads == 1 && port.writes == 1);
}

static void nothing_case(void)
{
    static struct pci pci;
    struct pci_root root;
    struct fl_fail fail;
    bool extended = true;

    check(pci_machine_roots(&root, 1, &extended) == 0 && !extended);
    check(cfg_read(0, 0, 0, 0, 4) == PCI_ID_NONE);
    cfg_write(0, 0, 0, 0, 4, 0);
    fl_fail_clear(&fail);
    check(pci_enumerate(&pci, pci_machine_ops(), NULL, &fail) == FL_ENOTSUP);
    check(fail.err == FL_ENOTSUP && strcmp(fail.stage, "pci") == 0);
    check(strstr(fail.text, "MCFG") != NULL);
}

static void ecam(void **state)
{
    (void)state;
    in_child(ecam_case);
}

static void ports(void **state)
{
    (void)state;
    in_child(port_case);
}

static void neither(void **state)
{
    (void)state;
    in_child(nothing_case);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ecam),
        cmocka_unit_test(ports),
        cmocka_unit_test(neither),
    };
    return cmocka_run_group_tests_name("pci machine", tests, NULL, NULL);
}
