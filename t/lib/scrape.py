#!/usr/bin/python3

# Copyright (C) The ngx_mon authors

"""Judges scrapes: scrape.py FORMAT FILE [FORMAT FILE ...]

What is wrong is printed, a line each; nothing for a scrape that is right.
FORMAT is prometheus, openmetrics or json.
"""

import json
import os
import re
import subprocess
import sys

from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics


# kept for dashboards made for the well-known exporter
UNSUFFIXED = {'nginx_connections_accepted', 'nginx_connections_handled'}

DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                    '../../docs/metrics.md')


def registry():
    with open(DOCS, encoding='utf-8') as docs:
        return set(re.findall(r'nginx_\w+', docs.read()))


def promtool(data):
    done = subprocess.run(['promtool', 'check', 'metrics'], input=data,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = done.stdout.decode().splitlines()
    expected = {f'{name} counter metrics should have "_total" suffix'
                for name in UNSUFFIXED}

    for line in lines:
        if line not in expected:
            yield f'promtool: {line}'

    # 1: can't be parsed, 3: lint

    if done.returncode not in (0, 3):
        yield f'promtool exits with {done.returncode}'


def families(text):
    """HELP and TYPE once, samples of a family together."""

    seen = set()
    current = None

    for line in text.splitlines():
        m = re.match(r'# (HELP|TYPE|UNIT) (\S+)', line)

        if m:
            if m.groups() in seen:
                yield f'twice: {line}'
            if m[2] != current and any(name == m[2] for _, name in seen):
                yield f'interleaved: {line}'
            seen.add(m.groups())
            current = m[2]

        elif line != '# EOF' and not line.startswith(current or ' '):
            yield f'outside of {current}: {line}'


def samples(parsed):
    found = {}

    for family in parsed:
        for s in family.samples:
            key = s.name, tuple(sorted(s.labels.items()))
            if key in found:
                yield f'series twice: {key}'
            found[key] = s.value

            for name, value in s.labels.items():
                if len(value.encode()) > 128 and name != 'le':
                    yield f'too long: {name}="{value}"'
                if re.search('[\x00-\x08\x0b-\x1f\x7f-\x9f]', value):
                    yield f'unprintable: {name}={value!r}'

    for (name, labels), value in found.items():
        if name.endswith('_count'):
            inf = tuple(sorted(labels + (('le', '+Inf'),)))
            bucket = found.get((name[:-len('count')] + 'bucket', inf))
            if bucket != value:
                yield f'{name}{labels}: {value}, bucket +Inf {bucket}'


def names(parsed):
    known = registry()

    for family in parsed:
        if not {family.name, family.name + '_total',
                family.name + '_info'} & known:
            yield f'not in the documentation: {family.name}'


def text_format(data):
    yield from promtool(data)
    yield from families(data.decode())

    parsed = list(parser.text_string_to_metric_families(data.decode()))

    yield from samples(parsed)
    yield from names(parsed)


def openmetrics_format(data):
    yield from families(data.decode())

    parsed = list(openmetrics.text_string_to_metric_families(data.decode()))

    yield from samples(parsed)
    yield from names(parsed)


def json_format(data):
    subprocess.run(['jq', '-e', '.families'], input=data, check=True,
                   stdout=subprocess.DEVNULL)

    seen = set()
    known = registry()

    for family in json.loads(data)['families']:
        if family['name'] in seen:
            yield f'twice: {family["name"]}'
        if family['name'] not in known:
            yield f'not in the documentation: {family["name"]}'

        seen.add(family['name'])
        series = set()

        for m in family['metrics']:
            key = tuple(sorted(m['labels'].items()))
            if key in series:
                yield f'series twice: {family["name"]}{key}'
            series.add(key)

            if family['type'] == 'histogram' \
                    and m['buckets'][-1]['count'] != m['count']:
                yield f'{family["name"]}{key}: count and +Inf differ'


FORMATS = {'prometheus': text_format, 'openmetrics': openmetrics_format,
           'json': json_format}


def main(args):
    for form, name in zip(args[::2], args[1::2]):
        with open(name, 'rb') as scrape:
            data = scrape.read()

        try:
            for wrong in FORMATS[form](data):
                print(f'{form}: {wrong}')
        except (ValueError, subprocess.CalledProcessError) as e:
            print(f'{form}: {type(e).__name__}: {str(e)[:300]}')


main(sys.argv[1:])
