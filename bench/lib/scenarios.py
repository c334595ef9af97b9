# Copyright (C) The ngx_mon authors

"""
The scenarios of bench/resilience.  Each runs stock nginx at its best and
nginx with the module under the same traffic, and returns rows: what is
measured, stock, ours, and a bound on ours or None; all formatted by a format.
"""

from functools import partial

from peers import Side, both, most_within, quantile, run

# what peers are told
def good(p):
    p.all('mode', 20000, 200, 0)


def bad(p):
    """The first peer answers 500 to all."""
    p.tell('mode 0 20000 500 100')


def hung(p):
    """The first peer takes requests, and answers none."""
    p.tell('hang 0')


def dead(p):
    p.all('down')


def mute(p):
    p.all('hang')


def half(p):
    p.all('mode', 15000, 503, 50)


def broken(p):
    p.all('mode', 15000, 503, 100)


OFF = 'proxy_next_upstream off;'
ON_500 = 'error,timeout,http_500,http_502,http_503,http_504'
NEXT_500 = 'proxy_next_upstream error timeout http_500 http_502 http_503' \
           ' http_504;'
NEXT_503 = 'proxy_next_upstream error timeout http_503;'


def peer_fails(quick):
    """One of three peers answers 500 to all."""

    seconds = 4 if quick else 12
    outlier = f'mon_outlier eject=2s on={ON_500};'
    retry = f'mon_retry on={ON_500};'
    script = [(0, good), (0, bad)]
    sides = [
        Side(location=OFF),
        Side('max_fails=0', outlier, OFF, True),
        Side('max_fails=5 fail_timeout=2s', '', NEXT_500),
        Side('max_fails=0', outlier + retry, '', True)]

    stock, ours, stock_next, ours_retry = both(quick, *(
        partial(run, s, script, seconds) for s in sides))

    def to_it(r):
        return sum(n == 0 and t > 1 for t, n in r.seen) / (seconds - 1)

    return [
        ('client errors after 1 s, no retries', '{:.2f} %',
         stock.errors(1), ours.errors(1), 1),
        ('client errors after 1 s, retries', '{:.2f} %',
         stock_next.errors(1), ours_retry.errors(1), 0.1),
        ('requests to the bad peer a second, retries', '{:.1f}',
         to_it(stock_next), to_it(ours_retry), None)]


def peer_hangs(quick):
    """One of three peers accepts and never answers."""

    seconds, fault, eject = (9, 2, 1) if quick else (18, 4, 2)
    # from here on all that had to time out has
    begin = fault + 2.5
    script = [(0, good), (fault, hung)]

    stock, ours = both(quick, *(
        partial(run, s, script, seconds, 200, 300) for s in (
            Side(f'max_fails=3 fail_timeout={eject}s'),
            Side('max_fails=0', f'mon_outlier eject={eject}s;', '', True))))

    def to_it(r):
        return sum(n == 0 and t > begin for t, n in r.seen)

    return [
        ('p99 when all is well', '{:.0f} ms',
         stock.p99(0.5, fault), ours.p99(0.5, fault), None),
        ('p99 after the ejection', '{:.0f} ms',
         stock.p99(begin), ours.p99(begin), 2 * ours.p99(0.5, fault)),
        ('slowest after the ejection', '{:.0f} ms',
         *(1e3 * max(q[1] for q in r.of(begin)) for r in (stock, ours)),
         None),
        ('requests to it after the ejection', '{:.0f}',
         to_it(stock), to_it(ours), lapses(seconds - fault, eject)),
        ('client errors', '{:.2f} %',
         stock.errors(fault), ours.errors(fault), None)]


def lapses(seconds, eject):
    """How often an ejection ends that grows by eject each time."""
    n, end = 0, eject
    while end <= seconds:
        n += 1
        end += eject * (n + 1)
    return n


def all_down(quick):
    """All peers are down: they refuse, then they accept and never answer."""

    probes, period = 5, 2
    breaker = f'mon_breaker consecutive=20 open={period}s' \
              f' max_open={period}s probes={probes};'
    sides = (Side(f'max_fails=1 fail_timeout={period}s'),
             Side('max_fails=0', breaker, '', True))
    # how, and until the first failures have become known
    ways = [('refuse', dead, 1)]
    rows = []

    if not quick:
        ways.append(('never answer', mute, 4))

    for name, how, known in ways:
        down = 2
        begin = down + known
        up = begin + 3 * period
        script = [(0, good), (down, how), (up, good)]

        stock, ours = both(quick, *(
            partial(run, s, script, up + 5, 200, 300) for s in sides))

        def attempts(r, end=None):
            times = r.attempts if how is dead else r.seen
            return most_within([t for t, _ in times if begin < t < up],
                               0.9 * period)

        def back(r):
            late = [q[0] for q in r.of(r.marks[1]) if q[2] != 200]
            return max(late, default=r.marks[1]) - r.marks[1]

        rows += [
            (f'all {name}: p99 of errors', '{:.1f} ms',
             stock.p99(begin, up, (502, 503, 504, 0)),
             ours.p99(begin, up, (503,)), 5),
            (f'all {name}: attempts in an open period', '{:.0f}',
             attempts(stock), attempts(ours), probes),
            (f'all {name}: back after recovery', '{:.2f} s',
             back(stock), back(ours), period + 1)]

    return rows


def half_fails(quick):
    """Half of the answers of each peer are 503; clients try up to 3 times."""

    rows = []
    cases = [('half', half, 6 if quick else 30)]

    if not quick:
        cases.append(('all', broken, 10))

    for name, how, seconds in cases:
        stock, ours = both(quick, *(
            partial(run, s, [(0, how)], seconds, 50, 0, 2) for s in (
                Side('max_fails=0', '', NEXT_503),
                Side('max_fails=0',
                     'mon_retry attempts=3 on=error,timeout,http_503;',
                     '', True))))

        def load(r):
            return len(r.seen) / len(r.requests)

        floor = 3
        rows += [
            (f'{name} fail: attempts by requests', '{:.2f}',
             load(stock), load(ours), 1.2 + floor / len(ours.requests)),
            (f'{name} fail: client errors', '{:.0f} %',
             stock.errors(), ours.errors(), None)]

    return rows


def flaps(quick):
    """One of three peers answers 500 for 5 s, then well for 5 s, and so on."""

    span, eject, rounds = (1, 0.8, 7) if quick else (5, 4, 6)
    seconds = 2 * span * rounds
    script = [(0, good)]

    for n in range(rounds):
        script += [(2 * span * n + 0.01, bad), (2 * span * n + span, good)]

    # the time is the same for both, and no latency is judged
    stock, ours = both(True, *(
        partial(run, s, script, seconds) for s in (
            Side(location=OFF),
            Side('max_fails=0',
                 f'mon_outlier eject={eject * 1000:.0f}ms on={ON_500};',
                 OFF, True))))

    third = seconds / 3
    rows = [
        ('ejections', '{:.0f}', None,
         ours.metric('nginx_upstream_ejections_total'),
         lapses(seconds, eject) + 1)]

    for n, what in enumerate(('first', 'second', 'last')):
        span = (n * third, (n + 1) * third)
        rows.append((f'client errors, {what} third', '{:.2f} %',
                     stock.errors(*span), ours.errors(*span),
                     None if n == 0 else ours.errors(0, third)))

    return rows


SCENARIOS = [peer_fails, peer_hangs, all_down, half_fails, flaps]
