// Copyright (C) The ngx_mon authors

// Sessions of HTTP/2 with many streams at a time, of which some are reset
// before they are answered, and whose connections end in all ways.
//
//     streams.mjs NODE_PATH ORIGIN SECONDS STREAMS PATH...
//
// It tells, as JSON, how often each status came, how many streams it reset,
// and how many were lost with a connection.

import http2 from 'node:http2';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const [origin, seconds, streams, ...paths] = process.argv.slice(3);
const end = Date.now() + seconds * 1000;
const told = { status: {}, reset: 0, lost: 0, sessions: 0 };

const any = (n) => Math.floor(Math.random() * n);

function stream(session, path) {
    return new Promise((done) => {
        const r = session.request({ ':path': path });
        let status = 0, cancelled = false;

        r.on('response', (h) => { status = h[':status']; });
        r.on('data', () => {});
        r.on('error', () => {});
        r.on('close', () => {
            if (status) {
                told.status[status] = (told.status[status] ?? 0) + 1;
            } else if (cancelled) {
                told.reset++;
            } else {
                told.lost++;
            }

            done();
        });

        if (any(2)) {
            setTimeout(() => {
                cancelled = true;
                r.close(http2.constants.NGHTTP2_CANCEL);
            }, any(300)).unref();
        }
    });
}

while (Date.now() < end) {
    const { hostname, port } = new URL(origin);
    const socket = net.connect(port, hostname);
    const session = http2.connect(origin, { createConnection: () => socket });

    socket.on('error', () => {});

    session.on('error', () => {});
    session.on('goaway', () => {});
    told.sessions++;

    const all = Array.from({ length: Number(streams) },
        () => stream(session, paths[any(paths.length)]));

    switch (any(3)) {
    case 0:
        await Promise.all(all);
        session.close();
        break;

    case 1:
        await sleep(any(300));
        session.destroy();
        await Promise.all(all);
        break;

    default:
        await sleep(any(300));
        socket.resetAndDestroy();
        await Promise.all(all);
    }
}

console.log(JSON.stringify(told));
