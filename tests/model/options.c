/* SPDX-License-Identifier: MIT */
/* The command line: what there is, what it means, and the options that only print. */
#include "tests/model/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help_text[] =
    "gpu-model: an NVIDIA GPU for stock QEMU (>= 10.1) over vfio-user, or for a user-space driver\n"
    "over TCP. One of --socket and --tcp is needed.\n"
    "\n"
    "  --socket PATH        listen here; QEMU: -device "
    "'{\"driver\":\"vfio-user-pci\",\"socket\":{\"type\":\"unix\",\"path\":PATH}}'\n"
    "  --tcp PORT           listen on 127.0.0.1:PORT with the protocol of tinygrad's remote "
    "devices\n"
    "                       (REMOTE=127.0.0.1:PORT there); no interrupts, no password\n"
    "  --chip NAME          default ga102 (--list-chips)\n"
    "  --board PRESET       a real board's ids and sizes (--list-chips names them)\n"
    "  --name TEXT          board name that the GSP reports\n"
    "  --vram SIZE          e.g. 24G, 10240M; default: the board's\n"
    "  --vbios SHAPE        small (default: quick to read), real: as large and laid out as the "
    "chip's\n"
    "                       boards have it, or a shape's name (a wrong one lists them)\n"
    "  --rom FILE           a board's own VBIOS: what its PROM window shows, or its whole flash\n"
    "  --fwsec-fuse N       the version of FWSEC that is fused, 0 to 15; default: the board's\n"
    "  --map-prom           with --socket: QEMU maps the PROM window, whose reads then cost "
    "nothing; "
    "but\n"
    "                       each write waits for its answer, so only for drivers that write "
    "little\n"
    "  --vram-limit SIZE    what video memory may take of this machine (default 4G): beyond it a "
    "write\n"
    "                       is refused, counted and reported\n"
    "  --firmware DIR       holds nvidia/<chip>/gsp/*.bin: what the driver hands over is compared "
    "with it\n"
    "  --fw-version V       e.g. 570.144; default: recognised from what the driver hands over\n"
    "  --strict[=coverage]  exit 1 at a broken rule; coverage: exit 3 when something touched is "
    "not modelled\n"
    "  --explain RULE       what a rule means and where it comes from; RULE 'all' lists them\n"
    "  --explain board [NAME]\n"
    "                       every value of a board (of all): a reading and of what, derived, or a "
    "guess\n"
    "  --fault SPEC         make something go wrong (repeatable; --fault help)\n"
    "  --seed N             seed of everything random\n"
    "  --trace FILE         every access, decoded; '-' is standard output\n"
    "  --trace-bars         those to BAR1 and BAR2, too: data and page tables\n"
    "  --report FILE        the report at the end; default standard error; .json: for programs\n"
    "  --trace-limit SIZE   where the trace ends (default 4G)\n"
    "  --ready-fd N         a line is written here once the socket accepts\n"
    "  --once               end when the first client has gone\n"
    "  --stay-powered       with --socket: the next client finds the GPU as the last one left it, "
    "as\n"
    "                       after a warm reboot; else each finds one that was just powered on\n"
    "  --list-chips         chips and boards\n"
    "\n"
    "SIGUSR1 pulls the card out: the link is gone from the next access on. SIGTERM and SIGINT end "
    "it.\n"
    "With QEMU guest RAM must be shared: -object memory-backend-memfd,id=m,size=1G,share=on "
    "-machine "
    "q35,memory-backend=m\n"
    "Exit status: 0 clean, 1 a rule was broken, 2 cannot serve, 3 not modelled "
    "(--strict=coverage).\n";

static bool parse_size(const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 0);
    unsigned shift = 0;
    switch (*end) {
    case 'G':
    case 'g':
        shift = 30;
        end++;
        break;
    case 'M':
    case 'm':
        shift = 20;
        end++;
        break;
    default:
        break;
    }
    if (errno != 0 || end == text || *end != '\0' || v == 0 || v > (UINT64_MAX >> 16) >> shift) {
        return false;
    }
    *out = (uint64_t)v << shift;
    return true;
}

static bool take_size(const char *option, const char *text, uint64_t *out)
{
    if (!parse_size(text, out)) {
        fprintf(stderr, "gpu-model: %s %s: expected a size such as 24G or 10240M\n", option, text);
        return false;
    }
    return true;
}

static bool parse_port(const char *text, uint16_t *out)
{
    char *end;
    errno = 0;
    const unsigned long v = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || v == 0 || v > UINT16_MAX) {
        return false;
    }
    *out = (uint16_t)v;
    return true;
}

static bool parse_version(const char *text, unsigned *out)
{
    char *end;
    const unsigned long v = strtoul(text, &end, 10);
    if (end == text || *end != '\0' || v > 15) {
        return false;
    }
    *out = (unsigned)v;
    return true;
}

static int list_chips(void)
{
    for (size_t i = 0; model_chip_name(i) != NULL; i++) {
        printf("%s", model_chip_name(i));
        const char *chip, *board;
        for (size_t b = 0; (board = model_board_name(b, &chip)) != NULL; b++) {
            if (strcmp(chip, model_chip_name(i)) == 0) {
                printf(" %s", board);
            }
        }
        printf("\n");
    }
    return EXIT_CLEAN;
}

/* --explain board [NAME] */
static int explain_board(const char *name)
{
    if (!model_board_explain(name, stdout)) {
        fprintf(stderr, "gpu-model: there is no board '%s' (--list-chips names them)\n", name);
        return EXIT_CANNOT_SERVE;
    }
    return EXIT_CLEAN;
}

/* next: the argument behind, NULL: none. */
static int explain(const char *rule, const char *next)
{
    if (strcmp(rule, "board") == 0) {
        return explain_board(next != NULL && next[0] != '-' ? next : NULL);
    }
    if (strcmp(rule, "all") == 0) {
        for (size_t i = 0; model_rule_id(i) != NULL; i++) {
            printf("%-40s %s\n", model_rule_id(i), model_explain(model_rule_id(i), NULL));
        }
        return EXIT_CLEAN;
    }
    const char *source, *words = model_explain(rule, &source);
    if (words == NULL) {
        fprintf(stderr, "gpu-model: there is no rule '%s' (--explain all lists them)\n", rule);
        return EXIT_CANNOT_SERVE;
    }
    printf("%s\n  %s\n  source: %s\n", rule, words, source);
    return EXIT_CLEAN;
}

int options_parse(int argc, char **argv, struct options *o)
{
    enum {
        SOCKET = 1,
        TCP,
        CHIP,
        BOARD,
        NAME,
        VRAM,
        VBIOS,
        ROM,
        FWSEC_FUSE,
        MAP_PROM,
        VRAM_LIMIT,
        FIRMWARE,
        FW_VERSION,
        STRICT,
        EXPLAIN,
        FAULT,
        SEED,
        TRACE,
        TRACE_BARS,
        TRACE_LIMIT,
        REPORT,
        READY_FD,
        ONCE,
        STAY_POWERED,
        LIST,
        HELP
    };
    static const struct option longs[] = {
        {"socket", required_argument, NULL, SOCKET},
        {"tcp", required_argument, NULL, TCP},
        {"chip", required_argument, NULL, CHIP},
        {"board", required_argument, NULL, BOARD},
        {"name", required_argument, NULL, NAME},
        {"vram", required_argument, NULL, VRAM},
        {"vbios", required_argument, NULL, VBIOS},
        {"rom", required_argument, NULL, ROM},
        {"fwsec-fuse", required_argument, NULL, FWSEC_FUSE},
        {"map-prom", no_argument, NULL, MAP_PROM},
        {"vram-limit", required_argument, NULL, VRAM_LIMIT},
        {"firmware", required_argument, NULL, FIRMWARE},
        {"fw-version", required_argument, NULL, FW_VERSION},
        {"strict", optional_argument, NULL, STRICT},
        {"explain", required_argument, NULL, EXPLAIN},
        {"fault", required_argument, NULL, FAULT},
        {"seed", required_argument, NULL, SEED},
        {"trace", required_argument, NULL, TRACE},
        {"trace-bars", no_argument, NULL, TRACE_BARS},
        {"trace-limit", required_argument, NULL, TRACE_LIMIT},
        {"report", required_argument, NULL, REPORT},
        {"ready-fd", required_argument, NULL, READY_FD},
        {"once", no_argument, NULL, ONCE},
        {"stay-powered", no_argument, NULL, STAY_POWERED},
        {"list-chips", no_argument, NULL, LIST},
        {"help", no_argument, NULL, HELP},
        {NULL, 0, NULL, 0},
    };
    size_t faults = 0;
    int c;
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case SOCKET:
            o->socket = optarg;
            break;
        case TCP:
            if (!parse_port(optarg, &o->tcp_port)) {
                fprintf(stderr, "gpu-model: --tcp %s: expected a port, 1 to 65535\n", optarg);
                return EXIT_CANNOT_SERVE;
            }
            break;
        case CHIP:
            o->model.chip = optarg;
            break;
        case BOARD:
            o->model.board = optarg;
            break;
        case NAME:
            o->model.name = optarg;
            break;
        case VRAM:
            if (!take_size("--vram", optarg, &o->model.vram_bytes)) {
                return EXIT_CANNOT_SERVE;
            }
            break;
        case VRAM_LIMIT:
            if (!take_size("--vram-limit", optarg, &o->model.vram_limit)) {
                return EXIT_CANNOT_SERVE;
            }
            break;
        case TRACE_BARS:
            o->model.trace_bars = true;
            break;
        case TRACE_LIMIT:
            if (!take_size("--trace-limit", optarg, &o->model.trace_limit)) {
                return EXIT_CANNOT_SERVE;
            }
            break;
        case VBIOS:
            o->model.vbios = optarg;
            break;
        case ROM:
            o->model.rom = optarg;
            break;
        case MAP_PROM:
            o->map_prom = true;
            break;
        case FWSEC_FUSE:
            if (!parse_version(optarg, &o->fwsec_version)) {
                fprintf(stderr, "gpu-model: --fwsec-fuse %s: expected a version, 0 to 15\n",
                        optarg);
                return EXIT_CANNOT_SERVE;
            }
            o->model.fwsec_version = &o->fwsec_version;
            break;
        case FIRMWARE:
            o->model.firmware_dir = optarg;
            break;
        case FW_VERSION:
            o->model.fw_version = optarg;
            break;
        case STRICT:
            if (optarg != NULL && strcmp(optarg, "coverage") != 0) {
                fprintf(stderr, "gpu-model: --strict=%s: expected --strict or --strict=coverage\n",
                        optarg);
                return EXIT_CANNOT_SERVE;
            }
            o->model.strict = optarg != NULL ? MODEL_STRICT_COVERAGE : MODEL_STRICT;
            break;
        case EXPLAIN:
            exit(explain(optarg, argv[optind]));
        case FAULT:
            if (strcmp(optarg, "help") == 0) {
                fputs(model_fault_help(), stdout);
                exit(EXIT_CLEAN);
            }
            if (faults == MAX_FAULTS) {
                fprintf(stderr, "gpu-model: more than %d --fault\n", MAX_FAULTS);
                return EXIT_CANNOT_SERVE;
            }
            o->faults[faults++] = optarg;
            break;
        case SEED:
            o->model.seed = strtoull(optarg, NULL, 0);
            break;
        case TRACE:
            o->trace = optarg;
            break;
        case REPORT:
            o->report = optarg;
            break;
        case READY_FD:
            o->ready_fd = atoi(optarg);
            break;
        case ONCE:
            o->once = true;
            break;
        case STAY_POWERED:
            o->stay_powered = true;
            break;
        case LIST:
            exit(list_chips());
        case HELP:
            fputs(help_text, stdout);
            exit(EXIT_CLEAN);
        default:
            fprintf(stderr, "gpu-model: see --help\n");
            return EXIT_CANNOT_SERVE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "gpu-model: unexpected argument '%s'; see --help\n", argv[optind]);
        return EXIT_CANNOT_SERVE;
    }
    if ((o->socket == NULL) == (o->tcp_port == 0)) {
        fprintf(stderr, "gpu-model: %s; see --help\n",
                o->socket == NULL ? "one of --socket PATH and --tcp PORT is needed"
                                  : "--socket and --tcp exclude each other");
        return EXIT_CANNOT_SERVE;
    }
    o->model.faults = o->faults;
    return EXIT_CLEAN;
}
