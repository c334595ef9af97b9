# Copyright (C) The ngx_mon authors

"""A server in front of peers that fail on command, and what became of it."""

import os
import random
import socket
import subprocess
import threading
import time

from common import CPUS, Error, Server, on_cpus, program

UPSTREAM = '''
upstream backend {
    zone backend 256k;
%(servers)s
    keepalive 64;
    %(upstream)s
}
log_format attempts '$msec $upstream_addr';
server {
    listen 127.0.0.1:%%PORT%%;
    access_log %%DIR%%/attempts.log attempts;
    location / {
        proxy_pass http://backend;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_connect_timeout 1s;
        proxy_read_timeout 1s;
        %(location)s
    }
    %(metrics)s
}'''


class Side:
    """
    A configuration: what stands at each server, in the upstream and in the
    location; with the module, or without it.
    """

    def __init__(self, server='', upstream='', location='', module=False):
        self.server = server
        self.upstream = upstream
        self.location = location
        self.module = module

    def http(self, ports):
        servers = '\n'.join(f'    server 127.0.0.1:{p} {self.server};'
                            for p in ports)
        text = UPSTREAM % {
            'servers': servers, 'upstream': self.upstream,
            'location': self.location,
            'metrics': 'location = /metrics { mon_metrics prometheus; }'
                       if self.module else ''}
        return 'mon_zone mon 8m;' + text if self.module else text


def peer_port():
    """
    A port that is not among the ephemeral ones: a connection to one of those
    that nobody listens on may meet itself.
    """

    for _ in range(1000):
        port = random.randrange(10000, 32000)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(('127.0.0.1', port))
                return port
            except OSError:
                pass

    raise Error('no free port')


class Peers:
    """bench/backend.c"""

    def __init__(self, n):
        self.ports = []
        while len(self.ports) < n:
            port = peer_port()
            if port not in self.ports:
                self.ports.append(port)
        self.proc = subprocess.Popen(
            [program('backend')] + [str(p) for p in self.ports],
            preexec_fn=on_cpus(CPUS, True), start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, *lines):
        for line in lines:
            self.proc.stdin.write(line + '\n')
            self.proc.stdin.flush()
            if self.proc.stdout.readline() != 'ok\n':
                raise Error(f'backend: "{line}" failed')

    def all(self, what, *args):
        """The same to each peer."""
        self.tell(*(' '.join([what, str(n)] + [str(a) for a in args])
                    for n in range(len(self.ports))))

    def stop(self):
        self.proc.stdin.close()
        self.proc.wait(10)


class Result:
    """
    What clients and peers saw.  Times are seconds since the traffic began.
    requests: [begin, latency, status, retry]; seen: [time, peer], what came
    to the peers; attempts: [time, peer], what nginx tried, by the access log,
    the time being the request's end; marks: when what was told.
    """

    def __init__(self):
        self.requests = []
        self.seen = []
        self.attempts = []
        self.marks = []
        self.metrics = {}

    def of(self, begin=0, end=float('inf')):
        return [r for r in self.requests if begin <= r[0] < end]

    def errors(self, begin=0, end=float('inf')):
        """Percent of the requests that were not answered by 200."""
        return percent(sum(r[2] != 200 for r in self.of(begin, end)),
                       len(self.of(begin, end)))

    def p99(self, begin=0, end=float('inf'), status=None):
        """Milliseconds."""
        v = [r[1] for r in self.of(begin, end)
             if status is None or r[2] in status]
        return quantile(v, 99) * 1e3

    def metric(self, name):
        return sum(v for k, v in self.metrics.items() if k.startswith(name))


def percent(n, total):
    if total == 0:
        raise Error('no requests')
    return 100 * n / total


def quantile(v, q):
    if not v:
        raise Error('no answers of that kind')
    v = sorted(v)
    return v[len(v) * q // 100]


def most_within(times, seconds):
    """The most of these times that fall into any such span."""
    times = sorted(times)
    most = first = 0

    for last, t in enumerate(times):
        while t - times[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)

    return most


def run(side, script, seconds, clients=60, rate=600, retries=0, npeers=3):
    """
    Traffic for so many seconds, and meanwhile script: [second, what the peers
    are told], where what is a function of Peers.
    """

    peers = Peers(npeers)
    server = None

    try:
        for when, what in script:
            if when == 0:
                what(peers)
        server = Server(side.http(peers.ports), module=side.module,
                        workers=4, first=True)
        return traffic(server, peers, [s for s in script if s[0]], seconds,
                       [clients, rate, seconds, retries])
    finally:
        if server:
            server.stop()
        peers.stop()


def traffic(server, peers, script, seconds, args):
    out = server.path('requests')
    result = Result()
    proc = subprocess.Popen(
        [program('traffic'), str(server.port)] + [str(a) for a in args]
        + [out], preexec_fn=on_cpus(CPUS, True), start_new_session=True,
        stderr=subprocess.PIPE, text=True)
    zero = time.monotonic()
    real = time.time() - zero

    for when, what in script:
        time.sleep(max(0, zero + when - time.monotonic()))
        what(peers)
        result.marks.append(time.monotonic() - zero)

    _, err = proc.communicate(timeout=seconds + 60)
    if proc.returncode:
        raise Error('traffic: ' + err)

    peers.tell('dump ' + server.path('seen'))

    with open(out) as f:
        result.requests = [[float(b) - zero, int(us) / 1e6, int(status),
                            int(retry)] for b, us, status, retry in
                           (line.split() for line in f)]
    with open(server.path('seen')) as f:
        result.seen = [[float(t) - zero, int(n)] for t, n in
                       (line.split() for line in f)]

    if 'mon_zone' in server.http:
        result.metrics = {
            line.rsplit(' ', 1)[0]: float(line.rsplit(' ', 1)[1])
            for line in server.get('/metrics').splitlines()
            if line[:1] != '#'}

    result.attempts = attempts(server.path('attempts.log'), peers.ports,
                               real + zero)
    return result


def attempts(log, ports, zero):
    peer = {f'127.0.0.1:{p}': n for n, p in enumerate(ports)}
    found = []

    with open(log) as f:
        for line in f:
            when, *addrs = line.replace(',', ' ').split()
            found += [[float(when) - zero, peer[a]] for a in addrs
                      if a in peer]

    return found


def both(quick, *runs):
    """The runs' results: one after the other, or at once where it is quick."""
    if not quick:
        return [r() for r in runs]

    results = [None] * len(runs)
    errors = []

    def one(i):
        try:
            results[i] = runs[i]()
        except Exception as e:
            errors.append(e)

    threads = [threading.Thread(target=one, args=(i,))
               for i in range(len(runs))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]

    return results
