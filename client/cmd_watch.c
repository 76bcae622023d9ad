/* SPDX-License-Identifier: MIT */
/* firstlight watch: the status as it changes, until Ctrl-C. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "client/client.h"
#include "client/output.h"
#include "client/status.h"
#include "client/stop.h"
#include "client/stream.h"

#define INTERVAL_S 2.0
#define LOOK_MS    100  /* between two looks at least, however much happens */
#define AGAIN_MS   1000 /* between two tries to reach one that is away */
#define ROWS       24   /* of a terminal that does not say */

/* ECMA-48, and xterm's second screen. */
#define TERMINAL_ENTER "\033[?1049h\033[?25l"
#define TERMINAL_LEAVE "\033[?25h\033[?1049l"
#define CURSOR_HOME    "\033[H"
#define CLEAR_LINE     "\033[K"
#define CLEAR_BELOW    "\033[J"

struct watch {
    struct client *c;
    struct stream *stream; /* NULL: it is looked at from time to time only */
    json_t *status;        /* as it was last seen */
    char **said;           /* without a terminal: each GPU's last line */
    size_t said_count;
    bool terminal, away;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- what is shown
 * ------------------------------------------------------------------------------ */

/* As many lines as there is room for, each over the one that stood there. */
static void draw(const struct watch *w, const char *note)
{
    struct winsize size = {0};
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    if (f == NULL) {
        out_no_memory();
    }
    status_table(f, w->status, w->c->o->url);
    if (note != NULL) {
        out_printf(f, "\n%s\n", note);
    }
    fclose(f);
    const bool told = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1;
    unsigned rows = told ? size.ws_row : ROWS;
    fputs(CURSOR_HOME, stdout);
    for (const char *at = text; *at != '\0' && rows > 1; rows--) {
        const size_t n = strcspn(at, "\n");
        printf("%.*s" CLEAR_LINE "\n", (int)n, at);
        at += n + (at[n] != '\0');
    }
    fputs(CLEAR_BELOW, stdout);
    fflush(stdout);
    free(text);
}

/* The GPUs whose line is another than before. */
static void say(struct watch *w)
{
    const json_t *gpus = json_object_get(w->status, "gpus"), *gpu;
    size_t i;
    json_array_foreach(gpus, i, gpu)
    {
        char *text = NULL;
        size_t len = 0;
        FILE *f = open_memstream(&text, &len);
        if (f == NULL) {
            out_no_memory();
        }
        status_line(f, gpu);
        fclose(f);
        if (i == w->said_count) {
            w->said = out_alloc(w->said, (i + 1) * sizeof(*w->said));
            w->said[w->said_count++] = NULL;
        }
        if (w->said[i] == NULL || strcmp(w->said[i], text) != 0) {
            fputs(text, stdout);
        }
        free(w->said[i]);
        w->said[i] = text;
    }
    fflush(stdout);
}

static void show(struct watch *w)
{
    if (w->c->o->json) {
        out_json(w->status, false);
        fflush(stdout);
    } else if (w->terminal) {
        draw(w, NULL);
    } else {
        say(w);
    }
}

static void note(struct watch *w, const char *text)
{
    if (w->terminal) {
        draw(w, text);
    } else {
        out_printf(stderr, "firstlight: %s\n", text);
    }
}

/* --- what is seen
 * ------------------------------------------------------------------------------- */

static double uptime_ms(const json_t *status)
{
    return json_number_value(json_object_get(json_object_get(status, "appliance"), "uptime_ms"));
}

/* Fetches and shows. False: it is away, or c has failed for good. */
static bool look(struct watch *w)
{
    json_t *status = status_get(w->c);
    if (status == NULL) {
        return false;
    }
    const bool anew = uptime_ms(status) < uptime_ms(w->status);
    if (!w->terminal && (w->away || anew)) {
        char up[32];
        fprintf(stderr, "firstlight: the appliance %s, up %s\n",
                anew ? "was started again" : "is back", status_uptime(status, up));
    }
    w->away = false;
    json_decref(w->status);
    w->status = status;
    show(w);
    return true;
}

/* It cannot be asked now: waits, and says so once. False: Ctrl-C, or waiting will not help. */
static bool away(struct watch *w)
{
    const json_t *message = json_object_get(w->c->error, "message");
    if (w->c->status == EXIT_TOKEN || stop_wanted()) {
        return false;
    }
    char *words = out_value(message);
    char *text = out_format("%s; trying again", words);
    if (!w->away) {
        note(w, text);
    }
    w->away = true;
    free(text);
    free(words);
    client_forgive(w->c);
    stream_close(w->stream);
    w->stream = NULL;
    return stop_sleep(AGAIN_MS);
}

/* Waits until something has changed, or for the interval. False: Ctrl-C. */
static bool wait(struct watch *w, int64_t last_ms)
{
    const double seconds = w->c->o->interval_s > 0 ? w->c->o->interval_s : INTERVAL_S;
    const int64_t due_ms = last_ms + (int64_t)(seconds * 1000);
    bool changed = false;
    int64_t left;
    while (!stop_wanted() && (left = (changed ? last_ms + LOOK_MS : due_ms) - now_ms()) > 0) {
        json_t *event = NULL;
        if (w->stream == NULL) {
            stop_sleep((int)left);
            continue;
        }
        const enum stream_step step = stream_next(w->stream, (int)left, &event);
        changed = changed || step == STREAM_EVENT;
        json_decref(event);
        if (step == STREAM_ENDED || step == STREAM_REFUSED) {
            client_forgive(w->c); /* it is asked at the interval, and listened to again then */
            stream_close(w->stream);
            w->stream = NULL;
        }
    }
    return !stop_wanted();
}

int cmd_watch(struct client *c, int argc, char **argv)
{
    struct watch w = {.c = c};
    (void)argc;
    (void)argv;
    stop_catch();
    w.status = status_get(c);
    bool goes_on = w.status != NULL; /* an address that is wrong is told at once */
    w.terminal = goes_on && isatty(STDOUT_FILENO) && !c->o->json;
    if (w.terminal) {
        fputs(TERMINAL_ENTER, stdout);
    }
    if (goes_on) {
        show(&w);
    }
    while (goes_on && !ferror(stdout)) {
        if (w.stream == NULL && !w.away) {
            w.stream = stream_open(c, "/api/v1/events");
        }
        goes_on = wait(&w, now_ms());
        while (goes_on && !look(&w)) {
            goes_on = away(&w);
        }
    }
    if (w.terminal) {
        fputs(TERMINAL_LEAVE, stdout);
        status_table(stdout, w.status, c->o->url);
    }
    if (stop_wanted()) {
        client_forgive(c);
    }
    for (size_t i = 0; i < w.said_count; i++) {
        free(w.said[i]);
    }
    free(w.said);
    stream_close(w.stream);
    json_decref(w.status);
    return c->status;
}
