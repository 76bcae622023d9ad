/* SPDX-License-Identifier: MIT */
/*
 * The main program of the appliance: what starts when the machine is ready, in order. Every step
 * that can fail leaves a note for the API and goes on; the network comes up whatever else does not.
 */
#include <stdio.h>
#include <string.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/log.h"
#include "arch/machine.h"
#include "arch/screen.h"
#include "arch/x86_64/x86.h"
#include "boot/config.h"
#include "boot/panel.h"
#include "boot/unpack_files.h"
#include "gsp/gsp.h"
#include "mm/ram.h"
#include "net/api/api.h"
#include "net/api/events.h"
#include "net/api/pci_watch.h"
#include "net/http/http.h"
#include "net/http/tls.h"
#include "net/stack/netmain.h"
#include "pci/pci.h"

/* A virtual network is up in 20 ms, a real switch port in seconds: too long for a GPU to wait. */
#define NETWORK_HEAD_START_US (40 * US_PER_MS)

/* A screen that is about to freeze is worth waiting for an address: DHCP behind a slow switch. */
#define LAST_PICTURE_WAIT_US (5 * US_PER_S)

enum {
    CONFIG_TEXT_MAX = 2048,
    NOTES_MAX = 24,
    MAIN_STACK_BYTES = 64 * 1024,
    GPU_STACK_BYTES = 64 * 1024
};

static struct {
    struct boot_config config;
    struct pci pci;
    struct api_context api;
    char note_text[NOTES_MAX][CONFIG_MESSAGE_MAX];
    const char *notes[NOTES_MAX + 1];
    struct gsp_options gsp;
    char token[ACCESS_TOKEN_TEXT]; /* made at boot */
    char config_text[CONFIG_TEXT_MAX];
    struct gsp_registry_key registry[API_MAX_GPUS][GSP_REGISTRY_MAX];
    volatile bool stop; /* nothing sets it yet: the appliance ends with the power */
} self;

static void note(enum log_level level, const char *module, const char *text)
{
    log_line(level, module, "%s", text);
    for (size_t i = 0; i < NOTES_MAX; i++) {
        if (self.notes[i] == NULL) {
            snprintf(self.note_text[i], sizeof(self.note_text[i]), "%s", text);
            self.notes[i] = self.note_text[i];
            return;
        }
    }
}

static void read_config(const struct fl_handoff *h)
{
    config_defaults(&self.config);
    if (h->config != 0) {
        config_parse(&self.config, (const char *)(uintptr_t)h->config, h->config_size);
    } else {
        note(LOG_WARN, "config",
             "there is no /firstlight.conf on the boot volume; defaults are used");
    }
    log_set_level(self.config.log_level);
    if (!self.config.screen) {
        screen_off();
    }
    for (uint32_t i = 0; i < self.config.message_count && i < CONFIG_MESSAGES_MAX; i++) {
        note(LOG_WARN, "config", self.config.message[i]);
    }
}

/* Who may do what. Before the network is up. */
static void set_access(void)
{
    struct access_config *a = &self.api.access;
    a->read_token = self.config.read_token;
    a->hostname = self.config.hostname;
    a->hosts = self.config.hosts;
    a->token = self.config.token;
    if (a->token[0] != '\0') {
        log_info("boot", "the token is the one of firstlight.conf");
    } else if (access_make_token(self.token) == FL_OK) {
        a->token = self.token;
        log_local("boot", "token for what changes something: %s", self.token);
    } else {
        note(LOG_WARN, "boot",
             "this machine gives no random numbers, so no token was made: set "
             "token = ... in firstlight.conf for what needs one");
    }
}

static struct tls_file tls_file(const struct fl_handoff *h, const char *path)
{
    const struct fl_file *files = (const struct fl_file *)(uintptr_t)h->files;
    for (uint32_t i = 0; i < h->file_count; i++) {
        if (strcmp(files[i].path, path) == 0 && files[i].state == FL_FILE_OK) {
            return (struct tls_file){(const char *)(uintptr_t)files[i].address, files[i].size};
        }
    }
    return (struct tls_file){0};
}

static void tls_note(const char *text) { note(LOG_WARN, "tls", text); }

/* Before the network is up: it opens the port. */
static void set_tls(const struct fl_handoff *h)
{
    if (self.config.tls == CONFIG_TLS_NO) {
        return;
    }
    struct fl_fail fail = {0};
    const struct tls_options o = {.hostname = self.config.hostname,
                                  .cert = tls_file(h, "tls/cert.pem"),
                                  .key = tls_file(h, "tls/key.pem"),
                                  .only = self.config.tls == CONFIG_TLS_ONLY,
                                  .wake = net_wake,
                                  .note = tls_note};
    if (tls_start(&o, &fail) != FL_OK) {
        note(LOG_ERROR, "tls", fail.text);
    }
}

static void take_over_notes(const struct fl_handoff *h)
{
    for (uint32_t i = 0; i < h->message_count && i < ARRAY_SIZE(h->messages); i++) {
        char text[sizeof(h->messages[i].text)];
        memcpy(text, h->messages[i].text, sizeof(text));
        text[sizeof(text) - 1] = '\0';
        note(LOG_WARN, "stub", text);
    }
}

static void firmware_note(const char *text) { note(LOG_ERROR, "boot", text); }

static void log_files(const struct fl_handoff *h)
{
    const struct fl_file *files = (const struct fl_file *)(uintptr_t)h->files;
    for (uint32_t i = 0; i < h->file_count; i++) {
        if (files[i].state == FL_FILE_OK) {
            log_info("boot", "file %s size=%llu us=%llu", files[i].path,
                     (unsigned long long)files[i].size, (unsigned long long)files[i].load_us);
        }
    }
}

/* One per GPU: brings it up, serves its firmware and does what it is told until the end. */
static void gpu_fiber(void *arg) { gsp_run(arg, &self.stop); }

/* The screen hangs on a GPU that is brought up: what was its picture is anything from now on. The
 * last picture had better show the address: without a network nobody could ask anyway. */
static void leave_screen(void)
{
    (void)!net_wait_up(deadline_in_us(LAST_PICTURE_WAIT_US));
    log_info("boot", "the screen hangs on a GPU that is brought up now: it stays as it is");
    panel_last_words();
    screen_stop();
}

static unsigned count_gpus(void)
{
    unsigned found = 0;
    for (size_t i = 0; i < self.pci.count; i++) {
        found += gsp_match(&self.pci.dev[i]);
    }
    return found;
}

/* All at the same time: while one waits, another works. */
static void start_gpus(void)
{
    static const char *const names[API_MAX_GPUS] = {"gpu0", "gpu1", "gpu2", "gpu3",
                                                    "gpu4", "gpu5", "gpu6", "gpu7"};
    const unsigned found = count_gpus();
    for (size_t i = 0; i < self.pci.count && self.api.gpu_count < API_MAX_GPUS; i++) {
        const struct pci_dev *d = &self.pci.dev[i];
        if (!gsp_match(d)) {
            continue;
        }
        struct api_gpu *g = &self.api.gpus[self.api.gpu_count];
        g->pci = d;
        for (unsigned bar = 0; bar < PCI_BAR_COUNT; bar++) {
            if (screen_lies_in(d->bar[bar].address, d->bar[bar].size)) {
                leave_screen();
            }
        }
        const char *name = names[self.api.gpu_count];
        struct gsp_options options = self.gsp;
        config_for_gpu(&self.config, (unsigned)self.api.gpu_count, &options,
                       self.registry[self.api.gpu_count]);
        options.label = found > 1 ? name : NULL;
        g->gpu = gsp_create(d, &options, &g->fail);
        if (g->gpu != NULL && fiber_spawn(name, gpu_fiber, g->gpu, GPU_STACK_BYTES) == NULL) {
            FL_FAIL(&g->fail, FL_ENOMEM, "fiber", "no memory for the stack of the GPU's fiber");
            gsp_destroy(g->gpu);
            g->gpu = NULL;
        }
        if (g->gpu == NULL) {
            log_error("boot", "%s: %s", name, g->fail.text);
        }
        self.api.gpu_count++;
    }
    if (found == 0) {
        log_info("boot", "no NVIDIA GPU on PCI Express");
    } else if (found > API_MAX_GPUS) {
        char text[CONFIG_MESSAGE_MAX];
        snprintf(text, sizeof(text), "%u GPUs in this machine, the first %u are brought up", found,
                 (unsigned)API_MAX_GPUS);
        note(LOG_WARN, "boot", text);
    }
    self.api.probing = false;
    panel_wake();
}

/* Something new of a GPU: for who listens, and for the screen. */
static void wake(void)
{
    net_wake();
    panel_wake();
}

/* In every round of the network fiber. */
static void serve(void)
{
    events_poll();
    http_poll();
}

static void main_fiber(void *arg)
{
    (void)arg;
    const struct fl_handoff *h = machine_handoff();
    log_info("boot", "Firstlight %s on %s", self.api.version, machine_name());
    take_over_notes(h);
    read_config(h);

    set_access();
    set_tls(h);
    config_text(&self.config, self.config_text, sizeof(self.config_text));
    self.api.config = self.config_text;
    self.api.expect_gpus = self.config.expect_gpus;
    self.api.host_label = config_host_label(&self.config);

    struct fl_fail fail = {0};
    if (ram_init(&fail) != FL_OK) {
        note(LOG_ERROR, "mm", fail.text);
        fl_fail_clear(&fail);
    }
    if (pci_enumerate_first(&self.pci, pci_machine_ops(), NULL, gsp_match, &fail) != FL_OK) {
        note(LOG_ERROR, "pci", fail.text);
    }
    self.api.pci = &self.pci;
    self.api.probing = count_gpus() > 0; /* who asks at once is not told to wait for nothing */

    struct net_config net = {.dhcp = self.config.dhcp,
                             .ip = self.config.ip,
                             .mask = self.config.mask,
                             .gateway = self.config.gateway,
                             .dns = self.config.dns,
                             .ipv6 = self.config.ipv6,
                             .mdns = self.config.mdns,
                             .ntp = !self.config.ntp              ? NET_NTP_NO
                                    : self.config.ntp_server != 0 ? NET_NTP_SERVER
                                                                  : NET_NTP_DHCP,
                             .ntp_server = self.config.ntp_server,
                             .syslog_server = self.config.syslog_server,
                             .syslog_port = self.config.syslog_port,
                             .http = !tls_only(),
                             .https = tls_enabled()};
    snprintf(net.hostname, sizeof(net.hostname), "%s", self.config.hostname);
    net_start(
        &self.pci, &net,
        &(struct net_service){
            .start = http_start, .poll = serve, .due_us = events_due_us, .changed = panel_wake});
    /* The network first: a GPU that does not come up is worth nothing unless somebody can ask. Who
     * asks already gets an answer before anything else is begun. */
    const struct deadline head_start = deadline_in_us(NETWORK_HEAD_START_US);
    if (net_wait_up(head_start) != FL_OK) {
        log_info("boot", "the network is not up yet; going on with the GPUs");
    } else if (net_has_been_up()) {
        (void)!http_wait_first_answer(head_start);
    }
    x86_console_release();
    panel_start(&(struct panel_options){.api = &self.api,
                                        .hostname = self.config.hostname,
                                        .token = self.token,
                                        .tls = tls_enabled(),
                                        .tls_only = tls_only()});
    pci_complete(&self.pci);
    if (!pci_watch_start(&self.pci)) {
        note(LOG_WARN, "pci", "no memory for a fiber: the state of links is that of the boot");
    }
    log_files(h);
    unpack_files((struct fl_file *)(uintptr_t)h->files, h->file_count, firmware_note);

    self.gsp = (struct gsp_options){
        .files = (const struct fl_file *)(uintptr_t)h->files,
        .file_count = h->file_count,
        .wake = wake,
    };
    start_gpus();
}

void kernel_main(void)
{
    self.api.version = FL_VERSION;
    self.api.notes = self.notes;
    self.api.probing = true;
    self.api.firmware_us = x86_boot_firmware_us();
    api_init(&self.api);
    x86_console_start();
    x86_power_button_start();
    if (fiber_spawn("main", main_fiber, NULL, MAIN_STACK_BYTES) == NULL) {
        machine_panic("no memory for the first fiber");
    }
    fiber_run(NULL, NULL);
    machine_panic("the last fiber has ended");
}
