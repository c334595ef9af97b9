# Copyright (C) The ngx_mon authors

"""nginx under test, its clients, and the tables of results."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.environ.get('NGX_MON_BUILD', os.path.join(ROOT, 'build'))
NGINX = os.environ.get('TEST_NGINX_BINARY') or shutil.which('nginx') \
    or '/usr/sbin/nginx'
MODULE = os.environ.get('NGX_MON_MODULE',
                        os.path.join(BUILD, 'ngx_mon_module.so'))
CLIENT = os.path.join(BUILD, 'bench', 'client')
RESULTS = os.path.join(BUILD, 'bench', 'results.md')

# the worker has a core of its own, where there are two
CPUS = sorted(os.sched_getaffinity(0))
SERVER_CPU = CPUS[-1]
CLIENT_CPUS = CPUS[:-1] or CPUS

failed = []


class Error(Exception):
    pass


def program(name):
    """Builds bench/name.c unless it is built; its path."""
    source = os.path.join(ROOT, 'bench', name + '.c')
    path = os.path.join(BUILD, 'bench', name)
    os.makedirs(os.path.dirname(path), exist_ok=True)

    if not os.path.exists(path) \
            or os.path.getmtime(path) < os.path.getmtime(source):
        subprocess.run([os.environ.get('CC', 'cc'), '-O2', '-Wall', '-Wextra',
                        '-Werror', '-o', path, source], check=True)

    return path


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def on_cpus(cpus, first=False):
    """What a child does: its cores, and precedence over other processes."""

    def child():
        os.sched_setaffinity(0, cpus)
        if first and os.geteuid() == 0:
            os.setpriority(os.PRIO_PROCESS, 0, -20)
            # where sessions are scheduled as groups, the group's counts
            if os.path.exists('/proc/self/autogroup'):
                with open('/proc/self/autogroup', 'w') as f:
                    f.write('-20')

    return child


class Server:
    """nginx with a configuration of its own, in a folder of its own."""

    def __init__(self, http, main='', module=True, workers=1, wrapper=(),
                 single=False, cpu=None, first=False):
        self.dir = tempfile.mkdtemp(prefix='ngx_mon_bench.')
        os.chmod(self.dir, 0o755)
        self.port = free_port()
        self.wrapper = list(wrapper)
        self.http = http

        temp = ''.join(f'{t}_temp_path {self.dir}/{t};\n' for t in
                       ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
        load = f'load_module {MODULE};\n' if module and MODULE else ''
        user = 'user root;\n' if os.geteuid() == 0 else ''
        process = 'master_process off;\n' if single \
            else f'worker_processes {workers};\n'

        with open(self.path('nginx.conf'), 'w') as f:
            f.write(f'''{load}{user}{process}{main}
daemon off;
pid {self.dir}/nginx.pid;
error_log {self.dir}/error.log;
worker_rlimit_nofile 8192;
events {{ worker_connections 1024; }}
http {{
{'' if 'access_log' in http else 'access_log off;'}
keepalive_requests 100000000;
keepalive_timeout 1h;
{temp}{http.replace('%PORT%', str(self.port)).replace('%DIR%', self.dir)}
}}
''')

        args = [NGINX, '-p', self.dir, '-e', self.path('error.log'),
                '-c', self.path('nginx.conf')]
        cpus = on_cpus(CPUS, first)
        if cpu is not None:
            cpus = on_cpus([cpu], True)

        # a group of its own, so that Ctrl-C is ours
        self.proc = subprocess.Popen(self.wrapper + args, preexec_fn=cpus,
                                     start_new_session=True,
                                     stderr=subprocess.DEVNULL)
        self.wait_ready()

    def path(self, name):
        return os.path.join(self.dir, name)

    def log(self):
        with open(self.path('error.log'), errors='replace') as f:
            return f.read()

    def wait_ready(self):
        end = time.monotonic() + 60

        while time.monotonic() < end:
            if self.proc.poll() is not None:
                raise Error('nginx did not start:\n' + self.log()[-2000:])
            try:
                socket.create_connection(('127.0.0.1', self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)

        raise Error('nginx does not listen')

    def worker_pids(self):
        out = subprocess.run(['pgrep', '-P', str(self.proc.pid)],
                             capture_output=True, text=True).stdout
        return [int(p) for p in out.split()] or [self.proc.pid]

    def client(self, mode, *args, wait=True, cpus=CLIENT_CPUS):
        """Runs the client; its figures as a dict, or the process."""
        proc = subprocess.Popen([CLIENT, mode, str(self.port)]
                                + [str(a) for a in args],
                                preexec_fn=on_cpus(cpus, True),
                                start_new_session=True,
                                stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)
        return figures(proc) if wait else proc

    def get(self, uri):
        s = socket.create_connection(('127.0.0.1', self.port), 30)
        s.sendall(f'GET {uri} HTTP/1.0\r\nHost: bench\r\n\r\n'.encode())
        data = b''.join(iter(lambda: s.recv(65536), b''))
        s.close()
        head, _, body = data.decode().partition('\r\n\r\n')
        if ' 200 ' not in head.split('\r\n')[0]:
            raise Error(f'{uri}: {head[:60]}')
        return body

    def metric(self, name, uri='/metrics'):
        """Sum of the samples whose line matches name, a pattern."""
        return sum(float(line.rsplit(' ', 1)[1])
                   for line in self.get(uri).splitlines()
                   if re.match(name, line))

    def wrk(self, seconds, connections=16, uri='/', script=None):
        args = ['wrk', '-t1', f'-c{connections}', f'-d{seconds}s']
        if script:
            args += ['-s', script]
        out = subprocess.run(args + [f'http://127.0.0.1:{self.port}{uri}'],
                             preexec_fn=on_cpus(CLIENT_CPUS, True),
                             start_new_session=True, check=True,
                             capture_output=True, text=True).stdout
        if 'Non-2xx' in out or 'Socket errors' in out:
            raise Error('wrk: ' + out)
        return float(re.search(r'Requests/sec:\s*([\d.]+)', out).group(1))

    def stop(self, keep=False):
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGQUIT)
            try:
                self.proc.wait(20)
            except subprocess.TimeoutExpired:
                self.proc.send_signal(signal.SIGTERM)
                self.proc.wait(20)

        alerts = [line for line in self.log().splitlines()
                  if re.search(r'\[(alert|crit|emerg)\]', line)]
        if alerts:
            failed.append('alerts in the log of nginx')
            print('\n'.join(alerts[:5]), file=sys.stderr)

        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()


def figures(proc):
    out, err = proc.communicate()
    if proc.returncode:
        raise Error('client: ' + err)
    return {k: float(v) for k, v in
            (line.split() for line in out.splitlines())}


class Table:
    """A markdown table with budgets."""

    def __init__(self, title, command, columns):
        self.title = title
        self.command = command
        self.columns = columns
        self.rows = []
        self.notes = []

    def row(self, *cells):
        self.rows.append([str(c) for c in cells])

    def judge(self, what, value, budget):
        """'budget' is the most allowed; returns the verdict's cell."""
        if budget is None:
            return ''
        if value <= budget:
            return 'ok'
        failed.append(f'{what}: {value:.0f}, budget {budget:.0f}')
        return '**over**'

    def note(self, text):
        self.notes.append(text)

    def text(self):
        rows = [self.columns] + self.rows
        widths = [max(len(r[i]) for r in rows)
                  for i in range(len(self.columns))]
        lines = []

        for n, r in enumerate(rows):
            lines.append('| ' + ' | '.join(
                c.ljust(w) if i == 0 else c.rjust(w)
                for i, (c, w) in enumerate(zip(r, widths))) + ' |')
            if n == 0:
                lines.append('|' + '|'.join(
                    '-' * (w + 2) if i == 0 else '-' * (w + 1) + ':'
                    for i, w in enumerate(widths)) + '|')

        text = f'\n### {self.title}\n\n`{self.command}`\n\n' \
            + '\n'.join(lines) + '\n'
        for n in self.notes:
            text += f'\n{n}\n'

        return text

    def print(self):
        text = self.text()
        print(text, flush=True)

        with open(RESULTS, 'a') as f:
            f.write(text)
