/* SPDX-License-Identifier: MIT */
/*
 * Lines for people: the firmware's characters and its console, and the messages that the kernel
 * repeats in its log and API.
 */
#include "boot/stub/stub.h"

bool text_from_ucs2(char *buf, size_t size, const CHAR16 *s)
{
    for (size_t i = 0; i < size; i++) {
        if (s[i] == 0) {
            buf[i] = '\0';
            return i > 0;
        }
        if (s[i] < ' ' || s[i] > '~') {
            return false;
        }
        buf[i] = (char)s[i];
    }
    return false;
}

bool text_to_path(CHAR16 *buf, size_t size, const char *s)
{
    for (size_t i = 0; i < size; i++) {
        buf[i] = s[i] == '/' ? L'\\' : (CHAR16)(unsigned char)s[i];
        if (s[i] == '\0') {
            return true;
        }
    }
    return false;
}

void console_str(struct stub *s, const char *text)
{
    CHAR16 wide[256];
    size_t n = 0;
    for (; *text != '\0' && n + 1 < ARRAY_SIZE(wide); text++) {
        wide[n++] = (CHAR16)(unsigned char)*text;
    }
    wide[n] = 0;
    s->st->ConOut->OutputString(s->st->ConOut, wide);
}

void console_progress(struct stub *s, const char *name, uint64_t done, uint64_t total)
{
    enum { CELLS = 20, NAME_WIDTH = 32 };
    char line[128];
    struct text t = text_on(line, sizeof(line));
    text_str(&t, "\r  ");
    text_str(&t, name);
    while (t.used < NAME_WIDTH) {
        text_str(&t, " ");
    }
    text_str(&t, "[");
    for (uint64_t i = 0; i < CELLS; i++) {
        text_str(&t, i * total < done * CELLS ? "#" : ".");
    }
    text_str(&t, "] ");
    text_size(&t, done);
    text_str(&t, " of ");
    text_size(&t, total);
    text_str(&t, "  ");
    console_str(s, line);
}

void message(struct stub *s, const char *text)
{
    struct fl_handoff *h = &s->handoff;
    console_str(s, "\r\n  ");
    console_str(s, text);
    console_str(s, "\r\n");
    if (h->message_count < ARRAY_SIZE(h->messages)) {
        struct fl_message *m = &h->messages[h->message_count++];
        struct text t = text_on(m->text, sizeof(m->text));
        text_str(&t, text);
        return;
    }
    /* The last place tells how many found none. */
    struct fl_message *last = &h->messages[ARRAY_SIZE(h->messages) - 1];
    s->messages_lost += s->messages_lost == 0 ? 2 : 1;
    struct text t = text_on(last->text, sizeof(last->text));
    text_dec(&t, s->messages_lost);
    text_str(&t, " more messages of the boot stub were shown on the screen only");
}
