# Copyright (C) The ngx_mon authors

"""Scrapes, memory, throughput and the full zone, by the clock."""

import os
import statistics
import time

from common import CLIENT_CPUS, SERVER_CPU, Error, Server, Table

LOCATIONS = int(os.environ.get('BENCH_LOCATIONS', 10000))
RATE = 250


def locations(n, more=''):
    return '''
server {
    listen 127.0.0.1:%PORT% reuseport;
    location = /bystander { mon off; return 200 "ok\\n"; }
    location = /pid { mon off; return 200 $pid; }
    location = /metrics { mon_metrics prometheus; }
''' + more + ''.join(f'location = /l{i:05d} {{ return 200 "ok\\n"; }}\n'
                     for i in range(n)) + '}'


def stall(options):
    """What a scrape does to another client of the same worker."""

    t = Table(f'Bystander under looped scrapes of {LOCATIONS} locations, '
              'one worker',
              f'client latency /bystander {RATE}/s beside client scrape '
              '/metrics; medians of 3 rounds',
              ['client', 'p50 µs', 'p99 µs', 'budget p99', '', 'max µs',
               'scrapes', 'MB each', 'slowest s'])

    def cells(f):
        return [f"{f['p50']:.0f}", f"{f['p99']:.0f}"]

    with Server('mon_zone mon 256m;' + locations(LOCATIONS),
                cpu=SERVER_CPU) as s:
        s.client('fill', '/l%05d', 0, LOCATIONS, 1)
        # the first scrape touches memory for the first time
        s.client('scrape', '/metrics', 0)

        idle = []
        loaded = {1: [], 2: []}

        for _ in range(3):
            idle.append(s.client('latency', '/bystander', RATE, 2))
            for n in loaded:
                loaded[n].append(under_scrapes(s, n))

    f = median(idle)
    budget = min(2000, 3 * f['p50'] + 1000)
    t.row('idle', *cells(f), '', '', f"{f['max']:.0f}", '', '', '')

    for n, rounds in loaded.items():
        f = median(rounds)
        what = f'{n} scraper' + 's' * (n > 1)
        t.row(what, *cells(f), f'{budget:.0f}',
              t.judge(f'p99 under {what}', f['p99'], budget),
              f"{f['max']:.0f}", f"{f['scrapes']:.0f}",
              f"{f['bytes'] / 1e6:.1f}", f"{f['slowest'] / 1e6:.2f}")

    t.note('The budget is the smaller of 2 ms and 3 × idle p50 + 1 ms. '
           + ('The worker has a core of its own.'
              if SERVER_CPU not in CLIENT_CPUS else
              'Clients share the one core with the worker.'))
    t.print()


def under_scrapes(s, n):
    procs = [s.client('scrape', '/metrics', 4, wait=False)
             for _ in range(n)]
    f = s.client('latency', '/bystander', RATE, 4)

    outs = []
    for p in procs:
        out, err = p.communicate()
        if p.returncode:
            raise Error('client: ' + err)
        outs.append(dict(line.split() for line in out.splitlines()))

    f['scrapes'] = sum(float(o['scrapes']) for o in outs)
    f['bytes'] = float(outs[0]['bytes'])
    f['slowest'] = max(float(o['slowest']) for o in outs)

    return f


def median(rounds):
    return {k: statistics.median(r[k] for r in rounds) for k in rounds[0]}


def used(n):
    """Bytes of the zone with n locations before and after their use."""

    http = 'mon_zone mon 64m;' + locations(n)

    with Server(http, workers=2) as s:
        idle = s.metric('nginx_mon_zone_bytes.*state="used"')
        s.client('fill', '/l%05d', 0, n, 2)
        return idle, s.metric('nginx_mon_zone_bytes.*state="used"')


def memory(options):
    t = Table('Memory',
              'nginx_mon_zone_bytes{state="used"} with 1000 and with 3000 '
              'locations; RssAnon of a worker around scrapes',
              ['what', 'bytes', 'budget', ''])

    few, many = used(1000), used(3000)
    idle = (many[0] - few[0]) / 2000
    each = (many[1] - few[1]) / 2000

    t.row('a location nobody asked for', f'{idle:.0f}', '', '')
    t.row('a location recorded by two workers', f'{each:.0f}', 6144,
          t.judge('memory of a location', each, 6144))

    with Server('mon_zone mon 256m;' + locations(LOCATIONS)) as s:
        s.client('fill', '/l%05d', 0, LOCATIONS, 1)
        pid = s.worker_pids()[0]

        for what, client in (
                (f'a scrape of {LOCATIONS} locations', ('scrape', 0)),
                ('the same by a client slow to read', ('stall', 2000))):
            grown = growth(s, pid, client)
            t.row(what, grown, 1048576, t.judge(what, grown, 1048576))

    t.print()


def growth(s, pid, client):
    mode, arg = client
    before = anonymous(pid)
    most = before
    proc = s.client(mode, '/metrics', arg, wait=False)

    while proc.poll() is None:
        most = max(most, anonymous(pid))
        time.sleep(0.001)

    if proc.returncode:
        raise Error('client: ' + proc.stderr.read())

    return max(most, anonymous(pid)) - before


def anonymous(pid):
    """Private memory of a process, the shared zone not among it."""
    with open(f'/proc/{pid}/status') as f:
        for line in f:
            if line.startswith('RssAnon:'):
                return int(line.split()[1]) * 1024
    raise Error('no RssAnon')


def throughput(options):
    rounds, seconds = 5, 1
    answer = 'server { listen 127.0.0.1:%PORT%;' \
             ' location / { return 200 "ok\\n"; } }'
    cases = [
        ('return 200', answer, False),
        ('+ access_log', 'access_log %DIR%/access.log combined;' + answer,
         False),
        ('+ mon_zone', 'mon_zone mon 16m;' + answer, True),
    ]
    t = Table('Requests per second, one worker',
              f'wrk -t1 -c16 -d{seconds}s, {rounds} rounds in turn; for '
              'information',
              ['configuration', 'median', 'least', 'most',
               'of bare, paired median'])

    servers = [Server(http, module=module, cpu=SERVER_CPU)
               for _, http, module in cases]
    try:
        rates = [[] for _ in cases]
        for n in range(rounds + 1):
            for i, s in enumerate(servers):
                rate = s.wrk(seconds)
                if n:           # the first round warms up
                    rates[i].append(rate)
    finally:
        for s in servers:
            s.stop()

    for (name, _, _), r in zip(cases, rates):
        paired = statistics.median(a / b for a, b in zip(r, rates[0]))
        t.row(name, f'{statistics.median(r):.0f}', f'{min(r):.0f}',
              f'{max(r):.0f}', f'{100 * paired:.1f} %')
    t.print()


FULL = '''
mon_zone mon 1m;
server {
    listen 127.0.0.1:%PORT% reuseport;
    location = /metrics { mon off; mon_metrics prometheus; }
    location = /pid { mon off; return 200 $pid; }
    location = /known { return 200 "ok\\n"; }
    location / {
        mon_label key $arg_key max=100000;
        return 200 "ok\\n";
    }
}'''

# keys nobody sent before, without end
KEYS = '''
local n = 0
request = function()
    n = n + 1
    return wrk.format("GET", "/new?key=%s" .. n)
end
'''


def full(options):
    rounds, seconds, noise = 5, 1, 10
    t = Table('A full zone, one worker',
              f'wrk -t1 -c16 -d{seconds}s, medians of {rounds} rounds',
              ['requests', 'zone with room', 'zone full', 'change %',
               'budget', ''])

    with Server(FULL, cpu=SERVER_CPU) as s, \
            Server(FULL, cpu=SERVER_CPU) as filled:

        script = filled.path('keys.lua')
        with open(script, 'w') as f:
            f.write(KEYS % 'b')

        filled.client('fill', '/new?key=a%d', 0, 20000, 1)
        overflow = filled.metric('nginx_mon_series_overflow_total')
        if overflow == 0:
            raise Error('the zone did not fill')

        t.note(f'A 1m zone filled by 20,000 values of a label: {overflow:.0f}'
               f' observations went to `other`, log lines: '
               f'{len(filled.log().splitlines())}.')

        room = {'known': [], 'of one known key': []}
        shut = {'known': [], 'of one known key': [], 'of new keys': []}

        for _ in range(rounds):
            for name, uri in (('known', '/known'),
                              ('of one known key', '/new?key=a1')):
                room[name].append(s.wrk(seconds, uri=uri))
                shut[name].append(filled.wrk(seconds, uri=uri))
            shut['of new keys'].append(filled.wrk(seconds, script=script))

    for name, label in (('known', 'a location without the label'),
                        ('of one known key', 'a label value seen before')):
        a, b = statistics.median(room[name]), statistics.median(shut[name])
        change = statistics.median(
            100 * (x - y) / x for x, y in zip(room[name], shut[name]))
        t.row(label, f'{a:.0f}', f'{b:.0f}', f'{-change:+.1f}', f'-{noise}',
              t.judge(f'full zone, {label}', change, noise))

    t.row('a new label value each', '',
          f"{statistics.median(shut['of new keys']):.0f}", '', '', '')
    t.note('wrk makes the new values in Lua and is itself slower for it; '
           f'CPU of the bench: {len(os.sched_getaffinity(0))} cores.')
    t.print()
