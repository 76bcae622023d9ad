/* SPDX-License-Identifier: MIT */
/*
 * The boot stub's last calls to a firmware made of recorders: what is called once ExitBootServices
 * has failed, what a person gets to see, and the random bytes it asks for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "boot/stub/stub.h"

enum { EXIT_TRIES = 8, DESCRIPTOR_BYTES = 48, MAP_BYTES = 4 * DESCRIPTOR_BYTES };

/* Letters of the calls, in order: M GetMemoryMap, X ExitBootServices, O OutputString, E an event
 * service, L LocateProtocol, R GetRNG. */
static struct {
    char calls[64];
    size_t count;
    char serial[512], screen[512];
    unsigned exits_fail; /* how many of the first calls fail */
    unsigned maps_work;  /* how many of the first calls work */
    unsigned maps, exits;
    UINTN key; /* of the newest map */
    bool has_rng, rng_fails;
    UINTN rng_bytes;
    jmp_buf halt;
} fw;

static struct stub s;
static EFI_SYSTEM_TABLE st;
static EFI_BOOT_SERVICES bs;
static SIMPLE_TEXT_OUTPUT_INTERFACE con_out;
static SIMPLE_INPUT_INTERFACE con_in;
static EFI_RNG_PROTOCOL rng;
static int image;

static void call(char what)
{
    assert_true(fw.count + 1 < sizeof(fw.calls));
    fw.calls[fw.count++] = what;
}

static EFI_STATUS EFIAPI fw_map(UINTN *bytes, EFI_MEMORY_DESCRIPTOR *map, UINTN *key, UINTN *stride,
                                UINT32 *version)
{
    call('M');
    (void)map;
    if (++fw.maps > fw.maps_work) {
        return EFI_INVALID_PARAMETER;
    }
    assert_true(*bytes >= MAP_BYTES);
    *bytes = MAP_BYTES;
    *key = ++fw.key;
    *stride = DESCRIPTOR_BYTES;
    *version = 1;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI fw_exit(EFI_HANDLE handle, UINTN key)
{
    call('X');
    assert_ptr_equal(handle, &image);
    assert_int_equal(key, fw.key); /* an older map's key is refused */
    return ++fw.exits <= fw.exits_fail ? EFI_INVALID_PARAMETER : EFI_SUCCESS;
}

static EFI_STATUS EFIAPI fw_output(SIMPLE_TEXT_OUTPUT_INTERFACE *self, CHAR16 *text)
{
    call('O');
    assert_ptr_equal(self, &con_out);
    size_t n = strlen(fw.screen);
    for (; *text != 0 && n + 1 < sizeof(fw.screen); text++) {
        fw.screen[n++] = (char)*text;
    }
    fw.screen[n] = '\0';
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI fw_create_event(UINT32 type, EFI_TPL tpl, EFI_EVENT_NOTIFY fn, void *ctx,
                                         EFI_EVENT *event)
{
    (void)type, (void)tpl, (void)fn, (void)ctx;
    call('E');
    *event = &image;
    return EFI_SUCCESS;
}
static EFI_STATUS EFIAPI fw_set_timer(EFI_EVENT event, EFI_TIMER_DELAY kind, UINT64 time)
{
    (void)event, (void)kind, (void)time;
    call('E');
    return EFI_SUCCESS;
}
static EFI_STATUS EFIAPI fw_wait(UINTN n, EFI_EVENT *events, UINTN *which)
{
    (void)n, (void)events;
    call('E');
    *which = 1;
    return EFI_SUCCESS;
}
static EFI_STATUS EFIAPI fw_close(EFI_EVENT event)
{
    (void)event;
    call('E');
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI fw_rng(EFI_RNG_PROTOCOL *self, EFI_RNG_ALGORITHM *algorithm, UINTN n,
                                UINT8 *out)
{
    call('R');
    assert_ptr_equal(self, &rng);
    assert_null(algorithm);
    fw.rng_bytes = n;
    for (UINTN i = 0; i < n; i++) {
        out[i] = (UINT8)(i + 1);
    }
    return fw.rng_fails ? EFI_DEVICE_ERROR : EFI_SUCCESS;
}

static EFI_STATUS EFIAPI fw_locate(EFI_GUID *guid, void *registration, void **out)
{
    /* UEFI 2.10, section 37.5.1 */
    static const EFI_GUID rng_guid = {
        0x3152bca5, 0xeade, 0x433d, {0x86, 0x2e, 0xc0, 0x1c, 0xdc, 0x29, 0x1f, 0x44}};
    call('L');
    assert_null(registration);
    assert_memory_equal(guid, &rng_guid, sizeof(rng_guid));
    *out = fw.has_rng ? &rng : NULL;
    return fw.has_rng ? EFI_SUCCESS : EFI_NOT_FOUND;
}

/* --- what the stub has of the machine --- */

void serial_str(const char *text)
{
    size_t n = strlen(fw.serial);
    snprintf(fw.serial + n, sizeof(fw.serial) - n, "%s", text);
}

void stub_halt(void) { longjmp(fw.halt, 1); }

/* Whatever is not set here is a call through NULL, and the test dies of it. */
static int setup(void **state)
{
    (void)state;
    memset(&fw, 0, sizeof(fw));
    memset(&s, 0, sizeof(s));
    fw.maps_work = UINT32_MAX;
    con_out.OutputString = fw_output;
    con_in.WaitForKey = &image;
    bs.GetMemoryMap = fw_map;
    bs.ExitBootServices = fw_exit;
    bs.CreateEvent = fw_create_event;
    bs.SetTimer = fw_set_timer;
    bs.WaitForEvent = fw_wait;
    bs.CloseEvent = fw_close;
    bs.LocateProtocol = fw_locate;
    rng.GetRNG = fw_rng;
    st.ConOut = &con_out;
    st.ConIn = &con_in;
    st.BootServices = &bs;
    s.image = &image;
    s.st = &st;
    s.bs = &bs;
    s.map_bytes = MAP_BYTES;
    return 0;
}

/* As leave_firmware() and efi_main() have it. True: the machine was halted. */
static bool leave(EFI_STATUS *status)
{
    UINTN bytes, stride;
    *status = boot_services_exit(&s, &bytes, &stride);
    if (!EFI_ERROR(*status)) {
        assert_int_equal(bytes, MAP_BYTES);
        assert_int_equal(stride, DESCRIPTOR_BYTES);
        return false;
    }
    if (setjmp(fw.halt) != 0) {
        return true;
    }
    *status = fatal(&st, &s, *status, "the firmware does not let go of the machine");
    return false;
}

static void test_leaves(void **state)
{
    EFI_STATUS status;
    (void)state;
    assert_false(leave(&status));
    assert_int_equal(status, EFI_SUCCESS);
    assert_string_equal(fw.calls, "OMX");
    assert_string_equal(fw.serial, "");
}

static void test_second_try(void **state)
{
    EFI_STATUS status;
    (void)state;
    fw.exits_fail = 1;
    assert_false(leave(&status));
    assert_int_equal(status, EFI_SUCCESS);
    assert_string_equal(fw.calls, "OMXMX");
}

/* Nothing but the two between the first failure and the end; the words go by port. */
static void test_never_lets_go(void **state)
{
    EFI_STATUS status;
    (void)state;
    fw.exits_fail = UINT32_MAX;
    assert_true(leave(&status));
    assert_string_equal(fw.calls, "OMXMXMXMXMXMXMXMX");
    assert_int_equal(fw.exits, EXIT_TRIES);
    assert_non_null(strstr(fw.serial, "cannot start: the firmware does not let go"));
    assert_non_null(strstr(fw.serial, "machine halted"));
    assert_string_equal(fw.screen, "leaving the firmware\r\n");
}

/* The map is refused after one failed exit: the firmware is as half gone as before. */
static void test_no_map_after_exit(void **state)
{
    EFI_STATUS status;
    (void)state;
    fw.exits_fail = UINT32_MAX;
    fw.maps_work = 1;
    assert_true(leave(&status));
    assert_string_equal(fw.calls, "OMXMMMMMMM");
    assert_non_null(strstr(fw.serial, "machine halted"));
}

/* No map at all: ExitBootServices was never called, so the screen and the keyboard still work. */
static void test_no_map(void **state)
{
    EFI_STATUS status;
    (void)state;
    fw.maps_work = 0;
    assert_false(leave(&status));
    assert_int_equal(status, EFI_INVALID_PARAMETER);
    assert_string_equal(fw.calls, "OMMMMMMMMOEEEE");
    assert_non_null(strstr(fw.screen, "Firstlight cannot start: the firmware does not let go"));
    assert_non_null(strstr(fw.serial, "Firstlight cannot start"));
}

/* The very first failure, before the stub has memory. No keyboard: nothing is waited for. */
static void test_fatal_without_state(void **state)
{
    (void)state;
    st.ConIn = NULL;
    assert_int_equal(fatal(&st, NULL, EFI_OUT_OF_RESOURCES, "no memory"), EFI_OUT_OF_RESOURCES);
    assert_string_equal(fw.calls, "O");
    assert_non_null(strstr(fw.screen, "no memory (status 0x8000000000000009)"));
}

/* --- random bytes --- */

static void test_seed(void **state)
{
    (void)state;
    fw.has_rng = true;
    seed_read(&s);
    assert_string_equal(fw.calls, "LR");
    assert_int_equal(fw.rng_bytes, sizeof(s.handoff.seed));
    assert_int_equal(s.handoff.seed_bytes, sizeof(s.handoff.seed));
    assert_int_equal(s.handoff.seed[0], 1);
    assert_int_equal(s.handoff.seed[63], 64);
    assert_int_equal(s.handoff.message_count, 0);
}

static void test_no_seed(void **state)
{
    static const uint8_t zeros[sizeof(s.handoff.seed)];
    (void)state;
    seed_read(&s); /* no protocol: nothing to say */
    assert_string_equal(fw.calls, "L");
    assert_int_equal(s.handoff.seed_bytes, 0);
    assert_int_equal(s.handoff.message_count, 0);

    fw.has_rng = fw.rng_fails = true; /* it fails half-way */
    seed_read(&s);
    assert_int_equal(s.handoff.seed_bytes, 0);
    assert_memory_equal(s.handoff.seed, zeros, sizeof(zeros));
    assert_int_equal(s.handoff.message_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_leaves, setup),
        cmocka_unit_test_setup(test_second_try, setup),
        cmocka_unit_test_setup(test_never_lets_go, setup),
        cmocka_unit_test_setup(test_no_map_after_exit, setup),
        cmocka_unit_test_setup(test_no_map, setup),
        cmocka_unit_test_setup(test_fatal_without_state, setup),
        cmocka_unit_test_setup(test_seed, setup),
        cmocka_unit_test_setup(test_no_seed, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
