# Copyright (C) The ngx_mon authors

"""Reads a profile of callgrind."""

import collections
import re

NAME = re.compile(r'\((\d+)\)(?: (.*))?')


class Profile:
    """
    cost[object, function]: instructions in the function itself;
    calls[caller, callee] = [calls, instructions in them, inclusive].
    """

    def __init__(self, path):
        self.cost = collections.Counter()
        self.calls = collections.defaultdict(lambda: [0, 0])
        self.names = {}
        self.total = 0

        with open(path, errors='replace') as f:
            self.read(f)

    def name(self, kind, text):
        m = NAME.fullmatch(text)
        if not m:
            return text
        key = (kind, m.group(1))
        if m.group(2) is not None:
            self.names[key] = m.group(2)
        return self.names[key]

    def read(self, lines):
        ob = fn = cob = cfn = None
        calls = 0

        for line in lines:
            line = line.rstrip('\n')
            key, sep, value = line.partition('=')

            if sep and key in ('ob', 'fn', 'cob', 'cfn', 'calls'):
                if key == 'ob':
                    ob = self.name('ob', value)
                elif key == 'fn':
                    fn = (ob, self.name('fn', value))
                elif key == 'cob':
                    cob = self.name('ob', value)
                elif key == 'cfn':
                    cfn = (cob or ob, self.name('fn', value))
                    cob = None
                else:
                    calls = int(value.split()[0])

            elif sep and key in ('fl', 'fi', 'fe', 'cfi', 'cfl'):
                self.name('fl', value)

            elif line[:1] in '0123456789+-*' and line:
                cost = int(line.split()[1])
                if calls:
                    edge = self.calls[fn, cfn]
                    edge[0] += calls
                    edge[1] += cost
                    calls = 0
                else:
                    self.cost[fn] += cost
                    self.total += cost

    def between(self, caller, callee):
        """Calls and inclusive instructions where both predicates hold."""
        calls = cost = 0
        for (a, b), (n, c) in self.calls.items():
            if caller(a) and callee(b):
                calls += n
                cost += c
        return calls, cost
