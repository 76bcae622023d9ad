#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the seeds of fuzz_net into tests/fuzz/corpus/fuzz_net: one file per attack, each made of the
operations of tests/fuzz/fuzz_net.c, which says what their letters mean.

    python3 tests/fuzz/seeds_net.py
"""
import struct
from pathlib import Path

OUT = Path(__file__).resolve().parent / "corpus/fuzz_net"
OPS = ("frame", "arp", "link", "choke", "time", "icmp", "fragment", "udp", "dhcp", "segment", "open",
       "text", "bytes", "flood", "memory", "ip6", "mdns", "repeat")
ARP_FOR_ALL, SILENCE = 1, 2  # the first byte
DHCP_CARD = 0x80
OURSELVES, LOOPBACK, BROADCAST, SUBNET, MULTICAST, NOBODY, FAR, ROUTER = range(72, 80)  # as senders

# op_open: options, windows, c
MSS, SACK, TIMES, LIES = 1, 2, 6, 8
W_0, W_1, W_SMALL, W_FULL = 0, 1, 2, 5
COMPLETES, OBLIGING, SAME_PORT = 1, 2, 4
# op_segment: flags and b
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
SEQ_NEXT, SEQ_BEFORE, SEQ_AGAIN, SEQ_HOLE, SEQ_OVER, SEQ_EDGE, SEQ_FAR = 0, 1, 2, 3, 4, 5, 7
ACK_SAME, ACK_ALL, ACK_PART, ACK_BEYOND, ACK_OLD, ACK_BUT_ONE = (i << 3 for i in (0, 1, 2, 4, 5, 6))
KEEP_WINDOW = 0x40
# op_text
HEALTHZ, PAGE, STATUS, METRICS, LOG, INDEX_CLOSE = range(6)
POST_LONG, POST_CHUNKED, LAST_CHUNK, HALF_LINE, HEADER_LINE, FILLER, END = range(8, 15)
POST_NOWHERE, QUERY, LONG, EVENTS = 16, 17, 18, 19
# op_dhcp
OFFER, DHCPACK, NAK = 2, 5, 6


def op(kind, who=0, a=0, b=0, c=0, d=0, data=b""):
    return bytes((OPS.index(kind), who, a, b, c, d)) + struct.pack("<H", len(data)) + data


def wait(seconds):
    """Seconds of time, in steps of 256 ms and more."""
    steps = round(seconds * 1000 / 256)
    return b"".join(op("time", a=min(255, steps - i), b=4) for i in range(0, steps, 255))


def client(who=0, window=W_FULL, obliging=True, options=MSS):
    return op("open", who, options, window, COMPLETES | (OBLIGING if obliging else 0))


def ack(who=0, what=ACK_ALL, window=W_FULL):
    return op("segment", who, ACK, SEQ_NEXT | what, window)


# op_ip6: a, c, d
ICMP6, TCP6, UDP6, ROUTER_ALERT = range(4)
US, ALL_NODES, SOLICITED, GROUP6 = 0, 1, 2, 4
FROM_NOBODY, FROM_US, FROM_FAR = 1, 2, 4
# op_mdns: b
QUESTION, MORE, ANSWER = 0, 2, 0x84
OUR_IP6 = bytes((0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0x50, 0x54, 0, 0xff, 0xfe, 0x12, 0x34, 0x56))
OTHER_IP6 = OUR_IP6[:15] + b"\x99"
HOST = b"\x11firstlight-123456\x05local\0"
SERVICE = b"\x05_http\x04_tcp\x05local\0"
MAC_OPTION = bytes((1, 1, 0x52, 0x55, 10, 0, 2, 9))


def neighbour(kind, target, flags=0, options=MAC_OPTION):
    return bytes((kind, 0, 0, 0, flags, 0, 0, 0)) + target + options


def advertised(*options):
    return bytes((134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0)) + b"".join(options)


def prefix(last, life=3600):
    return struct.pack(">BBBBIII8s8x", 3, 4, 64, 0xc0, life, life, 0, bytes((0x20, 1, 0xd, 0xb8, 0, last, 0, 0)))


def counts(*four):
    return struct.pack(">4H", *four)


def question(name, kind, cls=1):
    return name + struct.pack(">HH", kind, cls)


def record(name, kind, data, ttl=120, cls=0x8001):
    return name + struct.pack(">HHIH", kind, cls, ttl, len(data)) + data


SEEDS = {
    "ip6_neighbours": (0, wait(4), op("ip6", data=b"\x80\0\0\0\0\1\0\2firstlight"),
                       op("ip6", c=SOLICITED, data=neighbour(135, OUR_IP6)),
                       op("ip6", 12, c=SOLICITED, data=neighbour(135, OUR_IP6, options=b"\x0e\x01nonce!" + MAC_OPTION)),
                       op("ip6", c=SOLICITED, d=FROM_NOBODY, data=neighbour(135, OUR_IP6, options=b"")),
                       op("ip6", 24, data=neighbour(136, OTHER_IP6, 0x60, b"\x02" + MAC_OPTION[1:])),
                       op("ip6", 24, c=ALL_NODES, data=neighbour(136, OUR_IP6, 0x20, b"\x02" + MAC_OPTION[1:])),
                       *(op("ip6", 12 * (i % 6), c=SOLICITED, data=neighbour(135, OUR_IP6)) for i in range(30)),
                       wait(20)),
    "ip6_routers": (0, wait(4), op("ip6", 12, c=ALL_NODES, data=advertised(prefix(1), MAC_OPTION)),
                    op("ip6", 24, c=ALL_NODES, data=advertised(prefix(2), prefix(3), prefix(4), prefix(5), prefix(6))),
                    op("ip6", 36, c=ALL_NODES, data=advertised(b"\x05\1\0\0\0\0\5\0", prefix(1, 0))), wait(5),
                    op("ip6", 48, c=ALL_NODES, data=advertised(b"\x19\3" + b"d" * 22, b"\x03\0")), wait(30),
                    op("ip6", 12, c=ALL_NODES, data=advertised()[:6] + b"\0" * 10), wait(10)),
    "ip6_tcp": (0, wait(4), *(op("ip6", 12 * i, a=TCP6, data=struct.pack(">HHIIBBHHH", 1000 + i, 80, 1, 0, 80, 2, 999, 0, 0))
                              for i in range(6)),
                op("ip6", a=TCP6, data=struct.pack(">HHIIBBHHH4B", 2000, 80, 1, 0, 96, 2, 999, 0, 0, 1, 1, 1, 2)),
                op("ip6", a=UDP6, data=struct.pack(">HHHH", 1, 9, 12, 0) + b"none"), wait(5)),
    "ip6_headers": (0, wait(4), *(op("ip6", a=a, data=bytes((58, 0, 5, 2, 0, 0, 1, 0)) + b"\x80\0\0\0\0\1\0\2")
                                  for a in (43, 44, 50, 51, 59, 60, 135, 255)),
                    op("ip6", a=ROUTER_ALERT, b=1, c=ALL_NODES,
                       data=bytes((58, 0, 5, 2, 0, 0, 1, 0, 130, 0, 0, 0, 0, 100)) + b"\0" * 18),
                    op("ip6", a=ROUTER_ALERT, b=1, c=ALL_NODES, data=bytes((58, 1, 5, 2, 0, 0, 0xc2, 4))),
                    *(op("ip6", d=d, data=b"\x80\0\0\0\0\1\0\2") for d in (1, 2, 4)),
                    *(op("ip6", data=bytes((t,)) + b"\0" * 47) for t in (1, 2, 3, 4, 131, 137, 143)), wait(5)),
    "mdns": (0, wait(5), op("mdns", data=counts(1, 0, 0, 0) + question(SERVICE, 12)), wait(1),
             op("mdns", a=1, data=counts(1, 0, 0, 0) + question(HOST, 255)), wait(1),
             op("mdns", b=MORE, data=counts(1, 1, 0, 0) + question(SERVICE, 12) +
                record(b"\xc0\x0c", 12, b"\x11firstlight-123456\xc0\x0c", cls=1)),
             op("mdns", data=counts(0, 1, 0, 0) + record(SERVICE, 12, b"\x01x\xc0\x0c", cls=1)), wait(1),
             op("mdns", b=ANSWER, data=counts(0, 1, 0, 0) + record(HOST, 1, bytes((10, 0, 2, 99)))),
             *(wait(0.3) + op("mdns", b=ANSWER, data=counts(0, 1, 0, 0) + record(HOST, 1, bytes((10, 0, 2, 99))))
               for _ in range(4)), wait(3),
             op("ip6", a=UDP6, c=GROUP6, data=struct.pack(">HHHH", 5353, 5353, 8 + 12 + len(SERVICE) + 4, 0) +
                b"\0\0\0\0" + counts(1, 0, 0, 0) + question(SERVICE, 12)), wait(2)),
    "mdns_lies": (0, wait(5), op("mdns", b=ANSWER, data=counts(0, 65535, 0, 0) + b"\0\0\1\0\1\0\0\0\x78\xff\xf5"),
                  op("mdns", b=ANSWER, data=counts(0, 1, 0, 0) + b"\0\0\1\0\1\0\0\0\x78\xff\xf5"),
                  op("mdns", data=counts(1, 0, 0, 0) + b"\xc0\x0c\0\xff\0\1"),
                  op("mdns", data=counts(1, 0, 0, 0) + b"\x3f" * 200), op("mdns", data=b"\0" * 7),
                  op("mdns", data=counts(2, 0, 2, 0) + question(HOST, 255) + question(b"\xc0\x0c", 255) +
                     record(b"\xc0\x0c", 1, bytes((10, 0, 2, 99)), cls=1) + record(b"\xc0\x0c", 28, OTHER_IP6, cls=1)),
                  *(op("mdns", i % 12, data=counts(1, 0, 0, 0) + question(HOST, 255)) for i in range(50)), wait(3)),

    "get": (0, client(), op("text", a=HEALTHZ), op("text", a=PAGE), op("text", a=STATUS),
            op("text", a=METRICS), op("text", a=LOG), op("text", a=INDEX_CLOSE)),
    "pipelined_window_0": (SILENCE, client(window=W_0, obliging=False), op("text", a=PAGE, b=29),
                           op("bytes", a=76, b=4, d=ord("G")), wait(3)),
    "drip": (SILENCE, op("repeat", a=64), client(), op("repeat", a=64), op("text", a=HALF_LINE),
             *(op("repeat", a=64) + op("bytes", a=1, d=ord("a")) + wait(6) for _ in range(4))),
    "drip_header": (0, client(), op("text", a=HEADER_LINE, c=1, d=5), op("text", a=FILLER, b=1, c=1, d=5),
                    op("text", a=END, c=1)),
    "syn_flood": (0, op("flood", a=160, b=20), op("flood", 1, a=160, b=90, c=200),
                  op("flood", 2, a=100, d=1)),
    "syn_flood_arp": (ARP_FOR_ALL, op("flood", a=160, b=20, c=20), op("flood", 1, a=160, b=90)),
    "dhcp": (0, wait(1), op("dhcp", a=OFFER, b=1, c=77, d=60), op("dhcp", a=DHCPACK, b=1, c=77, d=60),
             wait(150), op("dhcp", a=DHCPACK, b=1, c=77, d=60), wait(50), op("dhcp", a=NAK, b=1),
             op("link", DHCP_CARD), op("link", DHCP_CARD, a=1),
             op("dhcp", a=OFFER, b=0, c=15, data=bytes((54, 4, 10, 0, 3, 2, 52, 1, 3, 51, 200, 1))),
             op("dhcp", a=OFFER, b=4, data=bytes((12, 255)) + b"x" * 20)),
    # A request, the window shut before its answer is acknowledged, a retransmission later everything
    # acknowledged with the window still shut: lwIP 2.2.1's persist timer runs with nothing to send.
    "zero_window_then_full_ack": (0, client(obliging=False), op("text", a=HEALTHZ),
                                  ack(what=ACK_SAME, window=W_0), wait(8), ack(window=W_0), wait(8)),
    # The answer is cut while the window is as good as shut; then it opens by less than a segment.
    "window_opens_small": (0, client(window=W_1), op("text", a=STATUS),
                           op("segment", 0, ACK, SEQ_NEXT | ACK_PART, W_SMALL, 199, b"no request\r\n" * 9), ack()),
    "partial_acks": (0, client(obliging=False), op("text", a=PAGE),
                     *(op("segment", 0, ACK, SEQ_NEXT | ACK_PART, 2 + i % 4, 100) + wait(0.5)
                       for i in range(6)), ack(window=W_1), wait(4), ack()),
    "fragments": (0, op("fragment", a=0, b=1, d=1, data=b"\x08\x00" + b"p" * 62),
                  op("fragment", a=0, b=1, c=8, d=0, data=b"q" * 40),
                  op("fragment", a=1, b=2, d=1, data=b"\x4e\x20\x00\x50" + b"t" * 20),
                  *(op("fragment", 12 * (i % 4), a=0, b=i, c=2 * i, d=1, data=b"f" * 24)
                    for i in range(40)), wait(2)),
    "arp_short": (0, *(op("arp", a=i % 8, b=n) for i, n in enumerate((1, 3, 9, 15, 19, 25, 28))),
                  op("arp", a=9, c=7), op("arp", a=3), op("frame", a=2, data=b"x" * 12 + b"\x08\x06\0\1")),
    "half_close": (SILENCE, client(obliging=False), op("text", a=PAGE),
                   op("segment", 0, FIN | ACK, SEQ_NEXT | ACK_SAME, W_FULL), wait(1), ack(), wait(1),
                   client(1), op("segment", 1, FIN | ACK, SEQ_NEXT, W_FULL), op("text", 1, a=HEALTHZ)),
    "events": (0, client(), op("text", a=EVENTS), client(1), op("text", 1, a=EVENTS), wait(50),
               op("segment", 0, FIN | ACK, SEQ_NEXT | ACK_ALL, W_FULL), op("text", 2, a=HEALTHZ), wait(20)),
    "events_unread": (SILENCE, client(window=W_0, obliging=False), op("text", a=EVENTS), client(1),
                      op("text", 1, a=EVENTS, b=3), wait(40)),
    "holes": (0, client(), op("segment", 0, ACK, SEQ_HOLE, W_FULL, 4, b" / HTTP/1.1\r\n"),
              op("segment", 0, ACK, SEQ_HOLE, W_FULL, 10, b"P/1.1\r\nHost: x\r\n"),
              op("segment", 0, ACK | FIN, SEQ_HOLE, W_FULL, 40, b"\r\n"),
              op("segment", 0, ACK, SEQ_NEXT, W_FULL, 0, b"GET / HT"),
              op("segment", 0, ACK | PSH, SEQ_OVER, W_FULL, 4, b"/ HTTP/1.1\r\nHost: x\r\n\r\n"),
              op("segment", 0, ACK, SEQ_EDGE, W_FULL, 1, b"edge")),
    "resets": (0, client(obliging=False), op("text", a=PAGE), op("segment", 0, RST, SEQ_HOLE, W_FULL, 9),
               op("segment", 0, SYN | ACK, SEQ_NEXT), op("segment", 0, RST, SEQ_NEXT),
               op("open", 0, SACK, W_FULL, COMPLETES | SAME_PORT), op("text", a=HEALTHZ),
               op("open", 0, TIMES, W_FULL, COMPLETES | SAME_PORT), op("open", 1, LIES, W_FULL, 0),
               op("segment", 1, ACK, ACK_BEYOND | SEQ_NEXT, W_FULL, 3)),
    "readers": (SILENCE, op("repeat", a=64), client(window=W_0, obliging=False), op("repeat", a=64),
                op("text", a=PAGE), op("repeat", a=64), op("text", a=LOG), wait(5)),
    # Reads fast and never quite everything, then nothing: what was read must not buy hours of waiting.
    "fast_then_silent": (SILENCE, client(obliging=False), op("text", a=LOG, b=255), op("text", a=PAGE, b=99),
                         *(ack(what=ACK_BUT_ONE) for _ in range(80)), ack(what=ACK_BUT_ONE, window=W_0)),
    "ring_full": (0, client(), op("choke", a=20), op("text", a=PAGE), op("text", a=LOG), wait(2),
                  op("link", a=0), wait(3), op("link", a=1), wait(3)),
    "post": (0, client(), op("text", a=POST_LONG), op("text", a=LONG, b=50), client(1),
             op("text", 1, a=POST_CHUNKED), op("text", 1, a=LAST_CHUNK), client(2),
             op("text", 2, a=POST_NOWHERE), op("text", 2, a=QUERY)),
    "too_long": (0, client(), op("text", a=HALF_LINE), op("text", a=LONG, b=10), client(1),
                 op("text", 1, a=HEADER_LINE), op("text", 1, a=LONG, b=10), op("text", 1, a=END)),
    # The last acknowledgement brings data along: the server closes while that waits for its turn.
    "data_with_last_ack": (0, client(obliging=False), op("text", a=INDEX_CLOSE),
                           op("segment", 0, ACK, SEQ_NEXT | ACK_ALL, W_FULL, 0, b"more")),
    "both_close": (0, client(obliging=False), op("text", a=INDEX_CLOSE),
                   op("segment", 0, FIN | ACK, SEQ_NEXT | ACK_SAME, W_FULL), ack(),
                   *(client(i, obliging=False) + op("text", i, a=INDEX_CLOSE) + ack(i, ACK_BUT_ONE)
                     for i in range(1, 70)), wait(15)),
    "early_data": (0, op("repeat", a=20), client(),
                   *(op("repeat", a=20) + op("segment", 0, ACK, SEQ_HOLE, W_FULL, 4 * i + 4, b"late")
                     for i in range(45)), op("repeat", a=20), op("text", a=HEALTHZ)),
    "no_memory": (0, *(client(i) + op("memory", a=n) + op("text", i, a=what) + wait(1)
                       for i, (n, what) in enumerate([(1, PAGE), (2, PAGE), (3, STATUS), (5, LOG),
                                                      (1, HEALTHZ), (9, LOG)]))),
    "strays": (0, op("icmp", a=8, data=b"\0\1\0\1ping"), op("icmp", a=3, b=4, data=bytes(32)),
               op("udp", a=53, b=0, c=68, data=b"u" * 60), op("udp", a=9, b=200, c=1, data=b"u"),
               op("frame", a=1, data=b"x" * 12 + b"\x81\x00\0\1\x08\x00" + b"v" * 40),
               op("frame", a=2, data=b"x" * 12 + b"\x08\x00E" + b"\0" * 30),
               op("frame", a=1, data=b"x" * 12 + b"\x08\x00E\0"), op("frame", a=1, data=b"x" * 14),
               *(op("icmp", who, a=8, data=b"\0\1\0\1ping") for who in range(OURSELVES, ROUTER + 1)),
               *(op("arp", who, a=2) for who in range(OURSELVES, ROUTER + 1)),
               *(op("udp", who | DHCP_CARD, a=67, b=0, c=68, data=b"u" * 300)
                 for who in (OURSELVES, LOOPBACK))),
}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name, (flags, *ops) in SEEDS.items():
        (OUT / name).write_bytes(bytes((flags,)) + b"".join(ops))
    print(f"{len(SEEDS)} seeds in {OUT}")


if __name__ == "__main__":
    main()
