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
ROUNDS = int(os.environ.get('BENCH_ROUNDS', 15))

ZONE = 'mon_zone mon 8m;'
HIGH = 'rate=100000r/s'

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
         True, known, FEW, 450),
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

        r = per_request(name, http, module, uri, before)
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


def run(options):
    instructions(options)
