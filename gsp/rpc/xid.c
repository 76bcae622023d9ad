/* SPDX-License-Identifier: MIT */
/* The catalogue of Xids (gsp/xid.h). */
#include "gsp/xid.h"

/* What to do, in this appliance's terms. */
#define APPLICATION "look at what the client asked of the GPU; the GPU goes on", false
#define CHANNEL     "the channel is gone, the GPU goes on: make it anew", false
#define RESET       "gpu.reset, then gpu.boot; if it comes back, have the card looked at", true
#define RESET_SOON                                                                                 \
    "finish what runs, then gpu.reset and gpu.boot: the repair takes effect with a reset", true
#define POWER    "switch the machine off and on; check seat, cables and power of the card", true
#define REPLACE  "gpu.reset and a memory test; if it comes back, the card needs service", true
#define NVLINK   "check the NVLink bridge or fabric, then gpu.reset", true
#define WATCH    "nothing now; note it, and reset the GPU when many come", false
#define INFORM   "nothing: it tells, it is no fault", false
#define FIRMWARE "save the report, try another firmware version, then gpu.reset and gpu.boot", true
#define DISPLAY_ "check monitor and cable; without a display it can be ignored", false
#define SECURITY "what asked for it was refused: check its rights and what it asks for", false

/* By number. */
static const struct gsp_xid_info catalogue[] = {
    {8, "the GPU stopped processing: a channel's watchdog ran out", APPLICATION},
    {13, "exception of the graphics or compute engine", APPLICATION},
    {16, "the display did not report its vertical blank in time", DISPLAY_},
    {31, "MMU fault: an access to an address that is not mapped, or not so", APPLICATION},
    {32, "invalid or corrupted commands in a push buffer", APPLICATION},
    {33, "security fault of a falcon", SECURITY},
    {34, "error of an old video engine", CHANNEL},
    {35, "error of an old video engine", CHANNEL},
    {36, "error of an old video engine", CHANNEL},
    {38, "error in the driver's firmware", FIRMWARE},
    {39, "exception of copy engine 0", CHANNEL},
    {40, "exception of copy engine 1", CHANNEL},
    {41, "exception of copy engine 2", CHANNEL},
    {42, "error of the video processor", CHANNEL},
    {43, "a channel was reset because its commands were faulty", CHANNEL},
    {44, "fault of the graphics engine during a context switch", RESET},
    {45, "a channel was taken out, as a rule because of an error before", CHANNEL},
    {46, "the GPU stopped processing: it does not end a task when told", RESET},
    {47, "error of video encoder 0", CHANNEL},
    {48, "double-bit ECC error: memory has lost data", REPLACE},
    {56, "error of the display engine", DISPLAY_},
    {57, "error while training the link to the display", DISPLAY_},
    {58, "error of the frame buffer's memory", REPLACE},
    {59, "internal error of the PMU", RESET},
    {60, "error of SEC2 or the video processor", CHANNEL},
    {61, "breakpoint or warning of the PMU's firmware", RESET},
    {62, "the PMU has halted", RESET},
    {63, "a memory row is to be remapped, or a page to be retired", RESET_SOON},
    {64, "a memory row could not be remapped, or a page not be retired", REPLACE},
    {65, "error of video encoder 1", CHANNEL},
    {66, "illegal access by the driver", FIRMWARE},
    {67, "illegal access by the driver", FIRMWARE},
    {68, "error of video decoder 0", CHANNEL},
    {69, "error of the graphics class: a method or its data", APPLICATION},
    {70, "exception of copy engine 3", CHANNEL},
    {71, "exception of copy engine 4", CHANNEL},
    {72, "exception of copy engine 5", CHANNEL},
    {73, "error of video encoder 2", CHANNEL},
    {74, "error of an NVLink", NVLINK},
    {75, "exception of copy engine 6", CHANNEL},
    {76, "exception of copy engine 7", CHANNEL},
    {77, "exception of copy engine 8", CHANNEL},
    {78, "a virtual GPU could not be started", FIRMWARE},
    {79, "the GPU has fallen off the bus: it does not answer over PCI Express", POWER},
    {80, "commands arrived corrupted at the GPU", RESET},
    {81, "error of the VGA part", RESET},
    {82, "error of JPEG decoder 0", CHANNEL},
    {83, "error of video decoder 1", CHANNEL},
    {84, "error of video decoder 2", CHANNEL},
    {85, "exception of copy engine 9", CHANNEL},
    {86, "error of optical flow unit 0", CHANNEL},
    {87, "too little telemetry from the board", POWER},
    {88, "error of video decoder 3", CHANNEL},
    {89, "error of video decoder 4", CHANNEL},
    {90, "error of the L2 cache or the crossbar", RESET},
    {92, "very many corrected memory errors", WATCH},
    {93, "the InfoROM was to be written too often", WATCH},
    {94, "a memory error that was contained: one channel has lost its data", CHANNEL},
    {95, "a memory error that was not contained: any data may be wrong", RESET},
    {96, "error of video decoder 5", CHANNEL},
    {97, "error of video decoder 6", CHANNEL},
    {98, "error of video decoder 7", CHANNEL},
    {99, "error of JPEG decoder 1", CHANNEL},
    {100, "error of JPEG decoder 2", CHANNEL},
    {101, "error of JPEG decoder 3", CHANNEL},
    {102, "error of JPEG decoder 4", CHANNEL},
    {103, "error of JPEG decoder 5", CHANNEL},
    {104, "error of JPEG decoder 6", CHANNEL},
    {105, "error of JPEG decoder 7", CHANNEL},
    {108, "error in translating an address of the NVLink fabric", NVLINK},
    {109, "a context switch did not end in time", RESET},
    {110, "security fault", POWER},
    {119, "the GSP did not answer a call in time", RESET},
    {120, "the GSP crashed, or one of its tasks did", RESET},
    {121, "error of the link to the CPU (C2C)", RESET},
    {122, "reading the board's flash memory through the PMU failed", REPLACE},
    {123, "writing the board's flash memory through the PMU failed", REPLACE},
    {124, "erasing the board's flash memory through the PMU failed", REPLACE},
    {125, "error in the InfoROM's file system", REPLACE},
    {126, "exception of copy engine 10", CHANNEL},
    {127, "exception of copy engine 11", CHANNEL},
    {128, "exception of copy engine 12", CHANNEL},
    {129, "exception of copy engine 13", CHANNEL},
    {130, "exception of copy engine 14", CHANNEL},
    {131, "exception of copy engine 15", CHANNEL},
    {132, "exception of copy engine 16", CHANNEL},
    {133, "exception of copy engine 17", CHANNEL},
    {134, "exception of copy engine 18", CHANNEL},
    {135, "exception of copy engine 19", CHANNEL},
    {136, "training of an NVLink failed", NVLINK},
    {137, "an access over NVLink without the right to it", SECURITY},
    {139, "error of optical flow unit 1", CHANNEL},
    {140, "an ECC error that cannot be corrected", RESET},
    {141, "an event of the fast path", INFORM},
    {142, "error of video encoder 3", CHANNEL},
    {143, "the GPU could not be initialised", RESET},
    {144, "error of an NVLink's SAW unit", NVLINK},
    {145, "error of an NVLink's RLW unit", NVLINK},
    {146, "error of an NVLink's TLW unit", NVLINK},
    {147, "error of an NVLink's TREX unit", NVLINK},
    {148, "error of an NVLink's NVLPW unit", NVLINK},
    {149, "error of an NVLink's NETIR unit", NVLINK},
    {150, "error of an NVLink's MSE unit", NVLINK},
    {151, "keys of confidential computing could not be changed", RESET},
    {154, "the recommended recovery has changed: the text says to what", RESET},
    {155, "error of NVLink's software", NVLINK},
    {156, "a resource of the GPU was retired", RESET_SOON},
    {157, "a resource of the GPU could not be retired", REPLACE},
    {160, "a channel was retired", RESET_SOON},
    {161, "a channel could not be retired", REPLACE},
};

static const struct gsp_xid_info not_there = {
    .meaning = "not in the catalogue of this build",
    .action = "look it up: docs.nvidia.com/deploy/xid-errors",
    .needs_action = true,
};
static const struct gsp_xid_info others = {
    .number = GSP_XID_OTHERS,
    .meaning =
        "numbers that the catalogue does not have, and that were too many to count one by one",
    .action = "see the events: a firmware that sends such numbers is not to be trusted",
    .needs_action = true,
};

const struct gsp_xid_info *gsp_xid_find(uint32_t number)
{
    for (size_t i = 0; i < ARRAY_SIZE(catalogue); i++) {
        if (catalogue[i].number == number) {
            return &catalogue[i];
        }
    }
    return number == GSP_XID_OTHERS ? &others : &not_there;
}

const struct gsp_xid_info *gsp_xid_at(size_t index)
{
    return index < ARRAY_SIZE(catalogue) ? &catalogue[index] : NULL;
}
