#!/usr/bin/python3

# Copyright (C) The ngx_mon authors

"""A scrape of every metric, read by the field's own tools.

Called with a program that prints the scrape in the format it is told; speaks
TAP.  The three formats must be accepted, and say the same.
"""

import json
import re
import subprocess
import sys

from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics


TESTS = []

# kept for dashboards made for the well-known exporter
UNSUFFIXED = {'nginx_connections_accepted', 'nginx_connections_handled'}


def test(function):
    TESTS.append(function)
    return function


def scrape(form):
    return subprocess.run([sys.argv[1], form], check=True,
                          stdout=subprocess.PIPE).stdout


def samples(families):
    """{(name, labels): value}; "le" as a number, its spelling differs."""

    found = {}

    for family in families:
        for s in family.samples:
            labels = {k: float(v) if k == 'le' else v
                      for k, v in s.labels.items()}
            key = s.name, tuple(sorted(labels.items()))
            assert key not in found, f'twice: {key}'
            found[key] = float(s.value)

    return found


def json_samples(families):
    found = {}

    def add(name, labels, value):
        key = name, tuple(sorted(labels.items()))
        assert key not in found, f'twice: {key}'
        found[key] = float(value)

    for family in families:
        name = family['name']

        for m in family['metrics']:
            if family['type'] != 'histogram':
                add(name, m['labels'], m['value'])
                continue

            add(name + '_count', m['labels'], m['count'])
            add(name + '_sum', m['labels'], m['sum'])

            for b in m['buckets']:
                add(name + '_bucket', {**m['labels'], 'le': float(b['le'])},
                    b['count'])

    return found


TEXT = scrape('prometheus')
OPEN = scrape('openmetrics')
JSON = scrape('json')


def parse_text():
    families = list(parser.text_string_to_metric_families(TEXT.decode()))

    # this parser gives every counter the suffix

    for family in families:
        if family.name in UNSUFFIXED:
            family.samples = [s._replace(name=family.name)
                              for s in family.samples]

    return families


def parse_open():
    return list(openmetrics.text_string_to_metric_families(OPEN.decode()))


def parse_json():
    return json.loads(JSON)['families']


def equal(got, expected):
    different = [k for k in {**got, **expected}
                 if got.get(k) != expected.get(k)]
    assert not different, \
        [(k, got.get(k), expected.get(k)) for k in different[:5]]


@test
def promtool_accepts_it():
    done = subprocess.run(['promtool', 'check', 'metrics'], input=TEXT,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = set(done.stdout.decode().splitlines())
    expected = {f'{name} counter metrics should have "_total" suffix'
                for name in UNSUFFIXED}
    assert lines == expected, lines ^ expected
    assert done.returncode == 3, done.returncode


@test
def jq_accepts_it():
    done = subprocess.run(['jq', '-e', '.families | length'], input=JSON,
                          stdout=subprocess.PIPE, check=True)
    assert int(done.stdout) == len(parse_text())


@test
def openmetrics_says_what_the_text_says():
    equal(samples(parse_open()), samples(parse_text()))


@test
def json_says_what_the_text_says():
    equal(json_samples(parse_json()), samples(parse_text()))


@test
def types_are_right():
    text = {f['name']: f['type'] for f in parse_json()}
    for m in parse_open():
        name = m.name
        if m.type in ('counter', 'info'):
            name += {'counter': '_total', 'info': '_info'}[m.type]

        expected = text[name]
        if name in UNSUFFIXED:
            expected = 'unknown'
        elif name == 'nginx_mon_info':
            expected = 'info'

        assert m.type == expected, (name, m.type, expected)
        assert not m.unit or m.name.endswith('_' + m.unit), m.name
        assert m.documentation, name


@test
def units_are_told():
    units = {m.name: m.unit for m in parse_open()}
    for f in parse_json():
        name = re.sub('_total$', '', f['name'])
        suffix = name.rsplit('_', 1)[-1]
        if suffix in ('seconds', 'bytes', 'ratio'):
            assert units[name] == suffix, name
            assert f['unit'] == suffix, name


@test
def heads_stand_once_before_their_samples():
    for text in TEXT, OPEN:
        seen = []
        for line in text.decode().split('\n'):
            head = re.match('# (HELP|TYPE|UNIT) (\\S+) ', line)
            if head:
                assert head.groups() not in seen, line
                seen.append(head.groups())
            elif line and line[0] != '#':
                name = re.match('[a-z0-9_]+', line)[0]
                assert name.startswith(seen[-1][1]), line


@test
def buckets_add_up():
    counts = samples(parse_text())
    histograms = 0

    for f in parse_json():
        for m in f['metrics'] if f['type'] == 'histogram' else []:
            histograms += 1
            seen = [b['count'] for b in m['buckets']]
            assert seen == sorted(seen), f['name']
            assert seen[-1] == m['count'] == 1000, f['name']
            q = m['quantiles']
            assert 0 < q['p50'] <= q['p90'] <= q['p99'] <= q['p999']
            key = f['name'] + '_count', tuple(sorted(m['labels'].items()))
            assert counts[key] == m['count']

    assert histograms > 20


@test
def labels_are_clean():
    bad = re.compile('[\0-\x08\x0b-\x1f\x7f-\x9f]')
    values = {v for f in parse_json() for m in f['metrics']
              for v in m['labels'].values()}

    assert len(values) > 9
    assert '"}\nnginx_http_requests_total 666\n# EOF\n' in values

    for v in values:
        assert not bad.search(v), v
        assert len(v.encode()) <= 128, v


@test
def openmetrics_ends():
    assert OPEN.endswith(b'\n# EOF\n')
    assert OPEN.decode().splitlines().count('# EOF') == 1


def main():
    print(f'1..{len(TESTS)}')
    failed = 0

    for n, function in enumerate(TESTS, 1):
        name = function.__name__.replace('_', ' ')
        try:
            function()
            print(f'ok {n} - {name}')
        except Exception as e:
            failed += 1
            print(f'not ok {n} - {name}')
            print(f'# {type(e).__name__}: {e}'.replace('\n', '\n# '))

    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
