# SPDX-License-Identifier: MIT
"""The other end of a machine's network cable, frame by frame: hosts that answer ARP, pings, TCP clients
that can be as odd as they like, and attackers that send at a rate.

    with Wire() as wire:
        with test.machine(disk, netdev=wire.netdev) as m:
            wire.find(OUR_IP, deadline_s)
            seconds = wire.measure(tries=20, gap_s=0.02, limit_s=1.0)

QEMU's "dgram" back-end sends each frame as one datagram between two Unix sockets. Nothing gets lost
there: a full queue is seen (EAGAIN), an attacker's frame is then left out and an honest one waits.
Sources: RFC 791, 792, 826, 9293; QEMU's manual, -netdev dgram.
"""
import os
import random
import select
import shutil
import socket
import struct
import tempfile
import time
from collections import deque

ETH_IP, ETH_ARP = 0x0800, 0x0806
ICMP, TCP = 1, 6
ARP_REQUEST, ARP_REPLY = 1, 2
ECHO_REPLY, ECHO = 0, 8
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MORE_FRAGMENTS = 0x2000
HTTP_PORT = 80
MSS = 1460
MSS_OPTION = struct.pack(">BBH", 2, 4, MSS)
BROADCAST = b"\xff" * 6
FRAME_MIN = 60
# What may be under way to the machine at most: a few dozen small frames, as in a switch (Linux allows
# 10 or 512 datagrams, net.unix.max_dgram_qlen). A longer queue would make the machine look slow.
SEND_BUFFER = 48 << 10
SYN_AGAIN_S = 1.0  # RFC 6298
# Sequence numbers wrap within the first bytes.
ISS = 0xFFFFFFF0
FIRST_PORT, LAST_PORT = 20000, 60000
NEWCOMERS = range(200, 250)  # last bytes of their addresses, in turn


def ip(text):
    return socket.inet_aton(text)


def mac(address):
    return b"\x52\x55" + address


def checksum(data):
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ahead(a, b):
    """How far sequence number a lies behind b: negative when it lies before."""
    return ((a - b + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)


class Wire:
    """The cable. run() is where time passes: frames in, attackers' frames out, clients' timers."""

    def __init__(self, seed=1):
        self.folder = tempfile.mkdtemp(prefix="firstlight-wire-")
        self.mine, self.card = os.path.join(self.folder, "wire"), os.path.join(self.folder, "card")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self.socket.setblocking(False)
        self.socket.bind(self.mine)
        self.connected = False
        self.random = random.Random(seed)
        self.waiting = deque()  # honest frames that found the queue full
        self.clients = {}       # (address, port): Client
        self.attackers = []
        self.hosts = set()      # addresses that answer ARP
        self.our_ip, self.our_mac = None, BROADCAST
        self.pongs = 0
        self.next_port, self.next_host = FIRST_PORT, 0

    @property
    def netdev(self):
        return (f"dgram,local.type=unix,local.path={self.card},"
                f"remote.type=unix,remote.path={self.mine}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- frames out ----------------------------------------------------------------------------

    def put(self, frame):
        """One frame into the queue; False when that is full."""
        try:
            if not self.connected:
                self.socket.connect(self.card)  # without it select() knows nothing of the queue
                self.connected = True
            self.socket.send(frame.ljust(FRAME_MIN, b"\0"))
        except BlockingIOError:
            return False
        except (FileNotFoundError, ConnectionRefusedError):
            pass  # the machine is not there (yet): as into a cable with nothing at its end
        return True

    def send(self, frame, honest=True):
        """False when there was no room: an honest frame then waits for it, another is left out."""
        if self.waiting and honest or not self.put(frame):
            if honest:
                self.waiting.append(frame)
            return False
        return True

    def send_waiting(self):
        while self.waiting and self.put(self.waiting[0]):
            self.waiting.popleft()

    def arp_frame(self, op, source, target, to=BROADCAST):
        return (to + mac(source) + struct.pack(">HHHBBH", ETH_ARP, 1, ETH_IP, 6, 4, op) +
                mac(source) + source + (to if op == ARP_REPLY else bytes(6)) + target)

    def ip_frame(self, protocol, source, payload, ident=0, fragment=0):
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), ident, fragment, 64, protocol, 0)
        head += source + self.our_ip
        return (self.our_mac + mac(source) + struct.pack(">H", ETH_IP) + head[:10] +
                struct.pack(">H", checksum(head)) + head[12:] + payload)

    def tcp_frame(self, source, port, seq, ack, flags, window=65535, data=b"", options=b""):
        head = struct.pack(">HHIIBBHHH", port, HTTP_PORT, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF,
                           (20 + len(options)) // 4 << 4, flags, window, 0, 0) + options
        pseudo = source + self.our_ip + struct.pack(">HH", TCP, len(head) + len(data))
        total = checksum(pseudo + head + data)
        return self.ip_frame(TCP, source, head[:16] + struct.pack(">H", total) + head[18:] + data)

    def ping(self, source):
        self.hosts.add(source)
        echo = struct.pack(">BBHHH", ECHO, 0, 0, 1, 1) + bytes(32)
        self.send(self.ip_frame(ICMP, source, echo[:2] + struct.pack(">H", checksum(echo)) + echo[4:]))

    # --- frames in -----------------------------------------------------------------------------

    def received(self, frame):
        kind, body = struct.unpack(">H", frame[12:14])[0], frame[14:]
        if kind == ETH_ARP:
            op, source, target = struct.unpack(">H", body[6:8])[0], body[14:18], body[24:28]
            if op == ARP_REQUEST and target in self.hosts:
                self.send(self.arp_frame(ARP_REPLY, target, source, to=frame[6:12]))
            elif op == ARP_REPLY and source == self.our_ip:
                self.our_mac = body[8:14]
        elif kind == ETH_IP:
            self.received_ip(body[:struct.unpack(">H", body[2:4])[0]])

    def received_ip(self, packet):
        if packet[9] == ICMP:
            self.pongs += packet[20] == ECHO_REPLY
        elif packet[9] == TCP:
            port, seq, ack, offset, flags, window = struct.unpack(">2xHIIBBH", packet[20:36])
            client = self.clients.get((packet[16:20], port))
            if client:
                client.received(seq, ack, flags, window, packet[20 + (offset >> 4) * 4:])

    # --- time ----------------------------------------------------------------------------------

    def run(self, seconds, until=None):
        """Time passes, until something holds. Returns whether it does."""
        end = time.monotonic() + seconds
        while not (until and until()):
            now = time.monotonic()
            pause = min([end - now] + [a.due - now for a in self.attackers] +
                        [c.again - now for c in self.clients.values() if c.again])
            readable, _, _ = select.select([self.socket], [self.socket] if self.waiting else [], [],
                                           max(0, pause))
            while readable:  # everything that is there, before anything else is sent
                try:
                    self.received(self.socket.recv(2048))
                except BlockingIOError:
                    break
            self.send_waiting()
            now = time.monotonic()
            for client in [c for c in self.clients.values() if c.again and c.again <= now]:
                client.repeat(now)
            for attacker in self.attackers:
                attacker.work(now)
            if now >= end:
                return bool(until and until())
        return True

    def find(self, address, deadline_s):
        """Asks for the machine's MAC address until it answers; False when it does not."""
        self.our_ip, asker = address, address[:3] + b"\x02"
        self.hosts.add(asker)
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            self.send(self.arp_frame(ARP_REQUEST, asker, address))
            if self.run(0.25, lambda: self.our_mac != BROADCAST):
                return True
        return False

    def answers_ping(self, seconds=2.0):
        before = self.pongs
        self.ping(self.our_ip[:3] + bytes([NEWCOMERS[0]]))
        return self.run(seconds, lambda: self.pongs > before)

    # --- clients -------------------------------------------------------------------------------

    def client(self, last_byte, **options):
        """A new connection from host last_byte of the machine's network."""
        self.next_port = FIRST_PORT if self.next_port == LAST_PORT else self.next_port + 1
        source = self.our_ip[:3] + bytes([last_byte])
        self.hosts.add(source)
        client = Client(self, source, self.next_port, **options)
        self.clients[(source, self.next_port)] = client
        return client

    def newcomer(self):
        """A client as they should be, of a host that has not asked for long: gets /healthz."""
        self.next_host = (self.next_host + 1) % len(NEWCOMERS)
        return self.client(NEWCOMERS[self.next_host], obliging=True,
                           request=b"GET /healthz HTTP/1.1\r\nHost: 10.0.2.15\r\nConnection: close\r\n\r\n")

    def measure(self, tries, gap_s, limit_s):
        """Newcomers, one every gap_s. How long each took, in seconds; None: longer than limit_s."""
        started = []
        first = time.monotonic()
        for i in range(tries):
            self.run(first + i * gap_s - time.monotonic())
            started.append(self.newcomer())
        self.run(limit_s, lambda: all(c.took is not None or c.state == "reset" for c in started))
        for client in started:
            self.forget(client)
        return [c.took if c.took is not None and c.took <= limit_s else None for c in started]

    def forget(self, client):
        self.clients.pop((client.source, client.port), None)


class Client:
    """One TCP connection, in the client's words: snd and rcv are its next numbers (RFC 9293)."""

    def __init__(self, wire, source, port, *, window=65535, obliging=False, request=b""):
        self.wire, self.source, self.port = wire, source, port
        self.window, self.obliging, self.request = window, obliging, request
        self.state, self.data, self.segments = "syn", b"", 0
        self.snd, self.rcv, self.seen = ISS, 0, 0  # seen: behind the last byte that was sent to us
        self.una = ISS
        self.begin, self.took = time.monotonic(), None  # took: until a whole answer was here
        self.again = None
        self.start()

    def start(self):
        self.put(SYN, options=MSS_OPTION)
        self.again = time.monotonic() + SYN_AGAIN_S if self.obliging else None

    def repeat(self, now):
        """Nothing has come for a second: again what was said last."""
        self.again = now + SYN_AGAIN_S
        if self.state == "syn":
            self.put(SYN, options=MSS_OPTION)
        elif self.state == "up" and self.una != self.snd:
            self.put(ACK | PSH, self.request, seq=self.snd - len(self.request))

    def put(self, flags, data=b"", seq=None, ack=None, options=b"", honest=True):
        frame = self.wire.tcp_frame(self.source, self.port, self.snd if seq is None else seq,
                                    (self.rcv if ack is None else ack) if flags & ACK else 0, flags,
                                    self.window, data, options)
        return self.wire.send(frame, honest)

    def say(self, data, piece=MSS, honest=True):
        """Data in order. Less of it when the queue is full and this client is not honest."""
        for at in range(0, len(data), piece):
            part = data[at:at + piece]
            if not self.put(ACK | PSH, part, honest=honest) and not honest:
                return at
            self.snd = (self.snd + len(part)) & 0xFFFFFFFF
        return len(data)

    def received(self, seq, ack, flags, window, data):
        if flags & RST:
            self.state, self.again = "reset", None
            return
        end = (seq + len(data) + (1 if flags & (SYN | FIN) else 0)) & 0xFFFFFFFF
        if flags & SYN:
            if self.state == "syn":
                self.state, self.rcv, self.seen = "up", end, end
                self.snd = self.una = (ISS + 1) & 0xFFFFFFFF
                self.put(ACK)
                if self.request:
                    self.say(self.request)
            else:
                self.put(ACK)  # our acknowledgement was lost
            return
        if self.state != "up":
            return
        self.una = ack
        self.segments += len(data) > 0
        if ahead(end, self.seen) > 0:
            self.seen = end
        if not self.obliging or not (data or flags & FIN):
            return
        if seq == self.rcv:
            self.data += data
            self.rcv = end
            if flags & FIN:
                self.state, self.again = "closed", None
                if self.data.startswith(b"HTTP/1.1 200 ") and b"\r\n\r\n" in self.data:
                    self.took = time.monotonic() - self.begin
        self.put(ACK | FIN if self.state == "closed" else ACK)


class Attacker:
    """Frames at a rate. make(i): the i-th frame; left_out counts those that found no room."""

    BURST = 8  # at a time, so that answers to others are read in between

    def __init__(self, wire, per_s, make):
        self.wire, self.gap_s, self.make = wire, 1.0 / per_s, make
        self.begin = self.due = time.monotonic()
        self.sent = self.left_out = 0

    def __enter__(self):
        self.wire.attackers.append(self)
        return self

    def __exit__(self, *_):
        self.wire.attackers.remove(self)

    def work(self, now):
        for _ in range(self.BURST):
            if self.due > now:
                return
            frame = self.make(self.sent + self.left_out)
            if self.wire.send(frame, honest=False):
                self.sent += 1
            else:
                self.left_out += 1
            self.due += self.gap_s
        # Late by more than a burst: what could not be sent in time is not made up for.
        self.due = max(self.due, now)

    def rate(self):
        return self.sent / max(time.monotonic() - self.begin, 1e-3)
