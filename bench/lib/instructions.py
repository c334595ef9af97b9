# Copyright (C) The ngx_mon authors

"""Instructions that the module adds to a request, counted by callgrind."""

import collections
import os
import re
import socket
import tempfile

from callgrind import Profile
from common import SERVER_CPU, Error, Server, Table

CONNS = int(os.environ.get('BENCH_CONNECTIONS', 32))
N = int(os.environ.get('BENCH_REQUESTS', 2000))

ANSWER = 'location / { return 200 "ok\\n"; }'
RETURN = 'server { listen 127.0.0.1:%PORT%; ' + ANSWER + ' }'
GIF = 'server { listen 127.0.0.1:%PORT%; location / { empty_gif; } }'
LOG = 'access_log %DIR%/access.log combined;'
LIMIT = 'limit_req_zone $binary_remote_addr zone=one:1m rate=100000r/s;' \
        'limit_req zone=one burst=100000 nodelay;'
ZONE = 'mon_zone mon 16m;'

PROXY = '''
upstream backend { server 127.0.0.1:%BACKEND%; keepalive 32; %GUARD% }
server {
    listen 127.0.0.1:%PORT%;
    location / {
        proxy_pass http://backend;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
    }
}'''

GUARDED = PROXY.replace('%GUARD%', 'mon_breaker; mon_outlier;')
ALL = PROXY.replace('%GUARD%', 'mon_breaker; mon_outlier; mon_retry;')
LIMITED = PROXY.replace('%GUARD%', 'mon_limit rate=1000000r/s burst=1000000;')
PEERS = LIMITED.replace('burst=1000000', 'burst=1000000 per=peer')
PROXY = PROXY.replace('%GUARD%', '')

ALLOCATOR = re.compile(r'malloc|free|memalign|unlink_chunk|perturb')

# name, http{}, with the module loaded, compared with, budget
CASES = [
    ('return 200', RETURN, False, None, None),
    ('+ access_log',
     LOG + RETURN, False, 'return 200', None),
    ('+ module loaded, no mon_zone', RETURN, True, 'return 200', 0),
    ('+ mon_zone', ZONE + RETURN, True, 'return 200', 450),
    ('+ mon_zone, mon off',
     ZONE + 'mon off;' + RETURN, True, 'return 200', None),
    ('+ mon_zone, one mon_label',
     ZONE + 'mon_label kind $request_method;' + RETURN, True, 'return 200',
     None),
    ('empty_gif', GIF, False, None, None),
    ('empty_gif + limit_req', LIMIT + GIF, False, 'empty_gif', None),
    ('empty_gif + mon_zone', ZONE + GIF, True, 'empty_gif', 450),
    ('proxy_pass, keepalive', PROXY, False, None, None),
    ('proxy_pass + access_log', LOG + PROXY, False, 'proxy_pass, keepalive',
     None),
    ('proxy_pass + mon_zone', ZONE + PROXY, True, 'proxy_pass, keepalive',
     1100),
    ('proxy_pass + mon_zone, closed breaker + outlier',
     ZONE + GUARDED, True, 'proxy_pass + mon_zone', 150),
    ('proxy_pass + mon_zone, breaker + outlier + retry + deadline',
     ZONE + 'mon_deadline 10s;' + ALL, True, 'proxy_pass + mon_zone', None),
    ('proxy_pass + mon_zone, mon_limit of the upstream',
     ZONE + LIMITED, True, 'proxy_pass + mon_zone', 450),
    ('proxy_pass + mon_zone, mon_limit of its peers',
     ZONE + PEERS, True, 'proxy_pass + mon_zone', None),
]


def ours(fn):
    return 'ngx_mon_module.so' in (fn[0] or '') \
        or fn[1].startswith(('ngx_mon_', 'ngx_http_mon_'))


def outside(fn):
    return not ours(fn)


def allocator(fn):
    return 'libc.so' in (fn[0] or '') and ALLOCATOR.search(fn[1])


def timers(fn):
    return fn[1] == 'ngx_event_expire_timers'


def clock(fn):
    return 'clock_gettime' in fn[1]


def part_of_nginx(fn):
    """What we only stand in front of: filters, the event loop."""
    return fn[1].startswith('0x') or '_filter' in fn[1] \
        or 'process_' in fn[1] or '_writer' in fn[1]


def profile(name, http, module, n, uri, before):
    with tempfile.NamedTemporaryFile() as out:
        # the requests of a round come at once where both have one core

        with Server(http, module=module, single=True, cpu=SERVER_CPU,
                    wrapper=['valgrind', '-q', '--tool=callgrind',
                             f'--callgrind-out-file={out.name}']) as s:
            # another client: nginx's tree of timers is never empty
            with socket.create_connection(('127.0.0.1', s.port)):
                if before:
                    s.client('count', uri, before, CONNS,
                             cpus=[SERVER_CPU])
                s.client('count', uri, n, CONNS, cpus=[SERVER_CPU])

        p = Profile(out.name)

    if p.total == 0:
        raise Error(f'{name}: callgrind wrote nothing')

    return p


def per_request(name, http, module, uri='/', before=0):
    """
    uri may hold one %d, the number of the request; before that many of them
    are sent that don't count.  The difference of a run of 2N requests and one of N, so that start and
    stop cancel out.  Handlers of our timers, which run by the clock and not by
    the request, are left out: valgrind makes a second 50 times shorter.  So is
    the inside of malloc() and free(), the calls of which are counted: where
    nginx's pools happen to lie beside each other it costs up to 400 more or
    less, as any line added to the configuration shows.
    """

    one = profile(name, http, module, N, uri, before)
    two = profile(name, http, module, 2 * N, uri, before)
    edges = [p.between(timers, ours) for p in (one, two)]
    total = (two.total - edges[1][1]) - (one.total - edges[0][1])
    inside = [sum(c for fn, c in p.cost.items() if allocator(fn))
              for p in (one, two)]
    mallocs = [p.between(lambda fn: not allocator(fn), allocator)[0]
               for p in (one, two)]
    reads = [p.between(lambda fn: not clock(fn), clock)[0]
             for p in (one, two)]
    ticks, cost = edges[1]

    return {
        'total': (total - inside[1] + inside[0]) / N,
        'raw': total / N,
        'mallocs': (mallocs[1] - mallocs[0]) / N,
        'own': sum(c for _, c in functions(one, two)),
        'clock': (reads[1] - reads[0]) / N,
        'functions': functions(one, two),
        'tick': cost / ticks if ticks else 0,
    }


def functions(one, two):
    cost = collections.Counter()
    for sign, p in ((1, two), (-1, one)):
        for fn, c in p.cost.items():
            if ours(fn):
                cost[fn[1]] += sign * c
        for (a, b), (_, c) in p.calls.items():
            if ours(a) and outside(b) and not part_of_nginx(b):
                cost['  -> ' + b[1]] += sign * c
    return [(name, c / N) for name, c in cost.most_common()
            if abs(c) / N >= 0.5]


def wanted(only):
    """The cases so named, and all that they are compared with."""
    base = {c[0]: c[3] for c in CASES}
    names = {n for n in base if not only or only in n}
    for name in list(names):
        while base[name]:
            name = base[name]
            names.add(name)
    return names


def run(options):
    t = Table('Instructions per request, one worker, '
              f'{CONNS} keep-alive clients',
              f'valgrind --tool=callgrind nginx; client count PORT / {N} '
              f'{CONNS}, then {2 * N}; the difference by {N}',
              ['configuration', 'instructions', 'added', 'budget', '',
               'clock reads', 'malloc, free', 'added with their inside'])
    results = {}
    names = wanted(options.only)
    detail = []

    with Server(RETURN, module=False) as backend:
        for name, http, module, base, budget in CASES:
            if name not in names:
                continue

            http = http.replace('%BACKEND%', str(backend.port))
            r = per_request(name, http, module)
            results[name] = r

            base = results.get(base)
            added = r['total'] - base['total'] if base else None
            raw = r['raw'] - base['raw'] if base else None
            verdict = '' if budget is None else \
                t.judge(name, added if budget else r['own'], budget)
            t.row(name, f"{r['total']:.0f}",
                  '' if added is None else f'{added:+.0f}',
                  '' if budget is None else budget, verdict,
                  f"{r['clock']:.1f}", f"{r['mallocs']:.1f}",
                  '' if raw is None else f'{raw:+.0f}')

            if module and options.functions:
                detail.append((name, r))

    t.note('The kernel is not counted. valgrind hides the vDSO, so a clock '
           'read counts as libc\'s system call stub; natively it is some '
           '60 instructions, 26 ns, in the vDSO. Requests that come together '
           'share an iteration of the event loop, which costs about 120 '
           'instructions to time: BENCH_CONNECTIONS=1 shows a client that '
           'has it for itself.')

    t.note('The inside of malloc() and free() is left out of "instructions" '
           'and "added": it varies by 400 with how nginx\'s pools happen to '
           'lie in the heap. Their calls are counted.')
    t.note('Without mon_zone no code of the module runs; what is added is '
           'nginx\'s own, as with any module: a longer array of request '
           'contexts.')

    tick = max((r['tick'] for r in results.values()), default=0)
    if tick:
        t.note(f'Left out: the module\'s own timers, on average {tick:.0f} '
               'instructions each time, about once a second.')
    t.print()

    for name, r in detail:
        describe(name, r, 'bench/run a --functions')


def describe(name, r, command):
    """Prints what the module's functions cost in a case."""
    d = Table(f'{name}: where they go', command,
              ['function', 'instructions per request'])
    for fn, cost in r['functions']:
        d.row(f'`{fn}`', f'{cost:.0f}')
    d.print()
