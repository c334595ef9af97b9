# Copyright (C) The ngx_mon authors

"""mon_limit beside limit_req: instructions, memory, latency of a hot key."""

import os
import re
import statistics
import subprocess

from common import CPUS, Error, Server, Table, on_cpus
from instructions import CONNS, N, describe, per_request

KEYS = int(os.environ.get('BENCH_KEYS', 1000000))
# looked up among so many in instructions: each takes a while under valgrind
FEW = int(os.environ.get('BENCH_FEW_KEYS', 20000))
ROUNDS = int(os.environ.get('BENCH_ROUNDS', 20))

ZONE = 'mon_zone mon 8m;'
HIGH = 'rate=100000r/s'
# a key stays until its rate has given back what it used
LOW = 'rate=1r/m'

SERVER = '''
server {
    listen 127.0.0.1:%PORT%;
    location / { %LIMIT% empty_gif; }
    location = /metrics { mon_metrics prometheus; }
}'''

BARE = re.sub(r'.*mon_metrics.*\n', '', SERVER)


def plain(key=None, size='16m', server=BARE):
    """limit_req, or nothing, without the module."""
    if key is None:
        return BARE.replace('%LIMIT%', '')
    return f'limit_req_zone {key} zone=one:{size} {HIGH};' \
        + server.replace('%LIMIT%',
                         'limit_req zone=one burst=100000 nodelay;')


def ours(key=None, words='', size='16m', server=BARE):
    """mon_limit, or nothing, with the module."""
    if key is None:
        return ZONE + BARE.replace('%LIMIT%', '')
    return ZONE + f'mon_limit_zone {key} zone=one:{size} {HIGH}' \
        ' burst=100000;' \
        + server.replace('%LIMIT%', f'mon_limit zone=one {words};')


def conn(key):
    """limit_conn, without the module."""
    return f'limit_conn_zone {key} zone=one:16m;' \
        + BARE.replace('%LIMIT%', 'limit_conn one 1000;')


def concurrency(words):
    return ZONE + BARE.replace('%LIMIT%', f'mon_concurrency {words};')


def instructions(options):
    t = Table('Instructions of a limit, one worker, '
              f'{CONNS} keep-alive clients, empty_gif',
              f'valgrind --tool=callgrind nginx; client count PORT URI {N} '
              f'{CONNS}, then {2 * N}; the difference by {N}',
              ['', 'key', 'added', 'budget', '', 'malloc, free'])
    addr, arg = '$binary_remote_addr', '$arg_k'
    known, new = f'/?k=%07d&of={FEW}', '/?k=%07d'
    detail = []
    bases = {}

    # what, key, http{}, with the module, URI, keys before, budget
    cases = [
        ('limit_req', 'address', plain(addr), False, '/', 0, None),
        ('mon_limit headers=off', 'address', ours(addr, 'headers=off'), True,
         '/', 0, 450),
        ('mon_limit', 'address', ours(addr), True, '/', 0, None),
        ('limit_req', f'one of {FEW}', plain(arg), False, known, FEW, None),
        ('mon_limit headers=off', f'one of {FEW}', ours(arg, 'headers=off'),
         True, known, FEW, None),
        ('limit_req', 'a new one each', plain(arg), False, new, 0, None),
        ('mon_limit headers=off', 'a new one each', ours(arg, 'headers=off'),
         True, new, 0, None),
        ('limit_conn', 'address', conn(addr), False, '/', 0, None),
        ('mon_concurrency', 'address',
         concurrency(f'max=1000 key={addr} size=16m'), True, '/', 0, None),
        ('mon_concurrency', 'none', concurrency('max=1000 queue=1000'), True,
         '/', 0, 450),
    ]

    for what, key, http, module, uri, before, budget in cases:
        name = f'{what}, {key}'

        if options.only and options.only not in name:
            continue

        base = (module, uri)
        if base not in bases:
            bases[base] = per_request(f'base of {name}',
                                      ours() if module else plain(), module,
                                      uri)

        r = per_request(name, http.replace(HIGH, LOW), module, uri, before)
        added = r['total'] - bases[base]['total']
        t.row(what, key, f'{added:+.0f}', budget or '',
              t.judge(name, added, budget),
              f"{r['mallocs'] - bases[base]['mallocs']:+.1f}")

        if module and options.functions:
            detail.append((name, r))

    t.note('All of what the limit costs a request: the key\'s variable, '
           'hashing, the check, and the outcome in the metrics. '
           'headers=off does what limit_req does, which tells clients '
           'nothing. A look-up of limit_req in a tree takes more the more '
           'keys there are, and its lock is not counted while nobody else '
           'has it.')
    t.print()

    for name, r in detail:
        describe(name, r, 'bench/run f --functions')


def used(s):
    """Bytes of the zone that are in use, and that are memory by now."""
    return s.metric('nginx_shared_zone_used_bytes.*zone="one"'), resident(s)


def resident(s):
    """Of all zones, of the one process that has touched them."""
    with open(f'/proc/{s.worker_pids()[0]}/status') as f:
        return int(re.search(r'RssShmem:\s*(\d+)', f.read()).group(1)) * 1024


def memory(options):
    t = Table(f'Memory of {KEYS} keys, $arg_k of 7 bytes, one worker',
              f'client many PORT URI {KEYS} 64; '
              'nginx_shared_zone_used_bytes, RssShmem',
              ['', 'zone', 'bytes a key', 'resident', 'keys kept', 'budget',
               ''])
    node = None

    for what, size, http in (
            ('limit_req', 136, ZONE + plain('$arg_k', '136m', SERVER)),
            ('limit_req', 72, ZONE + plain('$arg_k', '72m', SERVER)),
            ('mon_limit', 72, ours('$arg_k', 'headers=off', '72m', SERVER))):

        with Server(http.replace(HIGH, LOW)) as s:
            before, touched = used(s)
            s.client('many', '/?k=%07d', KEYS, 64)
            after, rss = used(s)

            if what == 'mon_limit':
                # all of the zone is divided into cells from the start
                each = after / s.metric('nginx_http_limit_keys_capacity')
                kept = s.metric('nginx_http_limit_keys[^_]')
            else:
                # it makes room in a zone that is full by forgetting others
                node = node or (after - before) / KEYS
                each = node
                kept = (after - before) / node

            t.row(what, f'{size}m', f'{each:.0f}',
                  f'{(rss - touched) / kept:.0f}', f'{kept:.0f}',
                  f'{node:.0f}' if what == 'mon_limit' else '',
                  t.judge('memory of a key', each, node)
                  if what == 'mon_limit' else '')

    t.note('limit_req makes room in a zone that is full by forgetting the '
           'keys that were used least recently, whatever they have used up.')
    t.print()


def latency(options):
    seconds, connections = 1, 32
    t = Table('One hot key, 4 workers, empty_gif',
              f'wrk -t1 -c{connections} -d{seconds}s --latency, {ROUNDS} '
              'rounds in turn',
              ['', 'requests/s', 'p50 µs', 'p99 µs', 'of the first, paired',
               'budget', ''])
    addr = '$binary_remote_addr'
    cases = [('limit_req + mon_zone', ZONE + plain(addr), True),
             ('mon_limit headers=off', ours(addr, 'headers=off'), True),
             ('mon_limit', ours(addr), True),
             ('limit_req, no module', plain(addr), False)]
    servers = [Server(http, module=module, workers=4, first=True)
               for _, http, module in cases]
    rounds = [[] for _ in cases]

    try:
        for n in range(ROUNDS + 1):
            # who comes first changes, too
            for i in sorted(range(len(cases)),
                            key=lambda i: (i + n) % len(cases)):
                r = wrk(servers[i], seconds, connections)
                if n:
                    rounds[i].append(r)
    finally:
        for s in servers:
            s.stop()

    for (name, _, _), r in zip(cases, rounds):
        ratio = statistics.median(a[2] / b[2]
                                  for a, b in zip(r, rounds[0])) * 100
        budget = 110 if name == 'mon_limit headers=off' else None
        t.row(name, *(f'{statistics.median(v):.0f}' for v in zip(*r)),
              f'{ratio:.0f} %', f'{budget} %' if budget else '',
              t.judge(f'p99 of {name}, percent of limit_req', ratio, budget))

    t.note(f'{len(CPUS)} cores for 4 workers and the client.')
    t.print()


def wrk(server, seconds, connections):
    """Requests a second, p50 and p99 in microseconds."""
    out = subprocess.run(
        ['wrk', '-t1', f'-c{connections}', f'-d{seconds}s', '--latency',
         f'http://127.0.0.1:{server.port}/'],
        preexec_fn=on_cpus(CPUS, True), start_new_session=True, check=True,
        capture_output=True, text=True).stdout
    if 'Non-2xx' in out or 'Socket errors' in out:
        raise Error('wrk: ' + out)

    unit = {'us': 1, 'ms': 1e3, 's': 1e6}
    found = {q: float(v) * unit[u] for q, v, u in
             re.findall(r'(50|99)%\s+([\d.]+)(us|ms|s)', out)}
    rate = float(re.search(r'Requests/sec:\s*([\d.]+)', out).group(1))

    return rate, found['50'], found['99']


def run(options):
    instructions(options)

    if not options.only:
        memory(options)
        latency(options)
