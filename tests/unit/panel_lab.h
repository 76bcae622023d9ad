/* SPDX-License-Identifier: MIT */
/* What a machine and its GPUs may be like, for tests of the screen's fixed part. */
#pragma once

#include <stdio.h>

#include "boot/panel.h"

static struct panel panel;
static struct gsp_snapshot snapshot;
static struct net_status net;
static const struct fl_fail no_failure;

static struct pci_dev device = {.bus = 1};

static void snapshot_of(enum gsp_state state, uint32_t done, uint32_t of)
{
    snapshot = (struct gsp_snapshot){.state = state,
                                     .pci = &device,
                                     .chip = "ga102",
                                     .name = "NVIDIA GeForce RTX 3090",
                                     .uuid = "GPU-f775de86-b591-79f6-20ce-dd3408bdb3f1",
                                     .firmware_version = "570.144",
                                     .vram_bytes = GIB(24) - MIB(61),
                                     .stage_count = of,
                                     .attempt = 1,
                                     .attempts = 3};
    /* What a failed boot did not come to is skipped. */
    const bool failed = state == GSP_FAILED;
    const enum gsp_stage_state now = failed ? GSP_STAGE_FAILED : GSP_STAGE_RUNNING;
    const enum gsp_stage_state after = failed ? GSP_STAGE_SKIPPED : GSP_STAGE_PENDING;
    for (uint32_t i = 0; i < of; i++) {
        snapshot.stage[i] = (struct gsp_stage){.name = i == done ? "frts" : "other",
                                               .us = 16 * US_PER_MS,
                                               .state = i > done   ? after
                                                        : i < done ? GSP_STAGE_OK
                                                                   : now};
    }
}

static void fail_in(const char *stage)
{
    snapshot.fail = (struct fl_fail){.err = FL_ETIMEDOUT};
    snprintf(snapshot.fail.stage, sizeof(snapshot.fail.stage), "%s", stage);
    snprintf(snapshot.fail.what, sizeof(snapshot.fail.what), "NV_PBUS_SW_SCRATCH(14)");
    snprintf(
        snapshot.fail.text, sizeof(snapshot.fail.text),
        "FWSEC-FRTS ended with 0x00000007 in scratch register 14, expected 0; it took 12 ms of "
        "at most 2000 ms");
    snprintf(snapshot.fail.hint, sizeof(snapshot.fail.hint), "switch the machine off and on again");
}

static void network(enum net_nic_state state)
{
    net = (struct net_status){.started = true, .nic_count = 1};
    net.nic[0] = (struct net_nic_status){.state = state, .ip = 0x0a00020f};
}

/* A machine with so many GPUs, the one in each place in a state of its own. */
static FL_UNUSED void machine_of(uint32_t gpus, unsigned turn)
{
    panel = (struct panel){.version = "1.2.3",
                           .machine = "Bench Board",
                           .hostname = "bench7",
                           .token = "5f0c9a7be1d24e6fb8a1c3d5e7f90123"};
    network(turn % 5 == 4 ? NET_NIC_DHCP : NET_NIC_UP);
    panel_say_network(&panel, &net, turn % 2 == 1, false);
    for (uint32_t i = 0; i < gpus; i++) {
        switch ((i + turn) % 4) {
        case 0:
            snapshot_of(GSP_READY, 19, 19);
            break;
        case 1:
            snapshot_of(GSP_BOOTING, 7, 19);
            break;
        case 2:
            snapshot_of(GSP_FAILED, 7, 19);
            fail_in("frts");
            break;
        default:
            snapshot_of(GSP_UNLOADED, 19, 19);
            break;
        }
        panel_say_gpu(&panel.gpu[i], &snapshot, &no_failure);
    }
    panel.gpu_count = gpus;
    panel_say_verdict(&panel, false);
}
