# Copyright (C) The ngx_mon authors

"""Panels of lines over one axis of time, as SVG."""

import math

WIDTH, LEFT, RIGHT, TOP = 860, 66, 24, 46
HEIGHT, GAP, BOTTOM = 170, 34, 66

STYLE = '''
text { font: 13px sans-serif; fill: #333 }
.title { font-weight: bold }
.axis { stroke: #888; fill: none }
.grid { stroke: #e4e4e4; fill: none }
.part { stroke: #aaa; stroke-dasharray: 2 3; fill: none }
'''


class Panel:
    """Lines are (name, colour, dashes or '', [[x, y]])."""

    def __init__(self, title, lines, bottom, top, log=False):
        self.title = title
        self.lines = lines
        self.bottom = bottom
        self.top = top
        self.log = log

    def place(self, y):
        """From 0, the bottom, to 1."""
        y = min(max(y, self.bottom), self.top)
        if self.log:
            return math.log(y / self.bottom) / math.log(self.top / self.bottom)
        return (y - self.bottom) / (self.top - self.bottom)

    def ticks(self):
        if self.log:
            found = [d * 10 ** e for e in range(-1, 7) for d in (1, 2, 5)]
            return [t for t in found if self.bottom <= t <= self.top]
        step = 10 ** math.floor(math.log10(self.top - self.bottom))
        while (self.top - self.bottom) / step < 4:
            step /= 2
        n = int((self.top - self.bottom) / step + 1e-9)
        return [self.bottom + step * i for i in range(n + 1)]


def number(v):
    return f'{v:g}'


def svg(panels, seconds, parts, legend):
    """parts: (begin, end, name); legend: (name, colour, dashes)."""

    inner = WIDTH - LEFT - RIGHT
    height = TOP + len(panels) * (HEIGHT + GAP) - GAP + BOTTOM
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
           f'height="{height}" viewBox="0 0 {WIDTH} {height}">',
           f'<style>{STYLE}</style>',
           f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>']

    def across(t):
        return LEFT + inner * t / seconds

    def text(x, y, s, anchor='start', kind=''):
        kind = f' class="{kind}"' if kind else ''
        out.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
                   f'{kind}>{s}</text>')

    def path(points, attributes):
        d = 'M' + 'L'.join(f'{x:.1f} {y:.1f}' for x, y in points)
        out.append(f'<path d="{d}" {attributes}/>')

    for begin, end, name in parts:
        text(across((begin + end) / 2), 18, name, 'middle', 'title')

    for n, p in enumerate(panels):
        top = TOP + n * (HEIGHT + GAP)
        bottom = top + HEIGHT
        text(LEFT, top - 7, p.title)

        for v in p.ticks():
            y = bottom - HEIGHT * p.place(v)
            path([(LEFT, y), (LEFT + inner, y)], 'class="grid"')
            text(LEFT - 8, y + 4, number(v), 'end')

        for begin, _, _ in parts[1:]:
            path([(across(begin), top), (across(begin), bottom)],
                 'class="part"')

        for _, colour, dashes, points in p.lines:
            if points:
                path([(across(x), bottom - HEIGHT * p.place(y))
                      for x, y in points],
                     f'fill="none" stroke="{colour}" stroke-width="1.8" '
                     f'stroke-dasharray="{dashes}" stroke-linejoin="round"')

        path([(LEFT, top), (LEFT, bottom), (LEFT + inner, bottom)],
             'class="axis"')

    for t in range(0, int(seconds) + 1, 5):
        text(across(t), height - BOTTOM + 18, str(t), 'middle')
    text(LEFT + inner / 2, height - BOTTOM + 36, 'seconds', 'middle')

    x = LEFT
    for name, colour, dashes in legend:
        y = height - 14
        path([(x, y - 4), (x + 28, y - 4)],
             f'stroke="{colour}" stroke-width="2" '
             f'stroke-dasharray="{dashes}"')
        text(x + 34, y, name)
        x += 62 + 7 * len(name)

    return '\n'.join(out + ['</svg>']) + '\n'
