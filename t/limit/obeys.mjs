// Copyright (C) The ngx_mon authors

// A client that obeys RateLimit and Retry-After, and else is as quick as it
// can be: as many requests as are left, all at once ("greedy") or one after
// another ("wary"); and where none is left, another one after the time it was
// told.
//
//     obeys.mjs NODE_PATH URL SECONDS greedy|wary [http2]
//
// It tells, as JSON, how often each status came, how often it waited, and what
// it did not understand.

import http from 'node:http';
import http2 from 'node:http2';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';

const [path, target, seconds, manner, protocol] = process.argv.slice(2);
const { parseList } = createRequire(path + '/')('structured-headers');

const url = new URL(target);
const end = Date.now() + seconds * 1000;
const told = { status: {}, waited: 0, most: 0, wrong: [] };

const agent = new http.Agent({ keepAlive: true, maxSockets: 50 });
const session = protocol === 'http2' ? http2.connect(url.origin) : null;

function over1() {
    return new Promise((done, failed) => {
        const r = http.get(url, { agent }, (answer) => {
            answer.resume();
            answer.on('end', () => done([answer.statusCode,
                                         answer.headers]));
        });

        r.on('error', failed);
    });
}

function over2() {
    return new Promise((done, failed) => {
        const r = session.request({ ':path': url.pathname + url.search });
        let headers;

        r.on('response', (h) => { headers = h; });
        r.on('data', () => {});
        r.on('end', () => done([headers[':status'], headers]));
        r.on('error', failed);
    });
}

// what an answer says: how many more, or else how long to wait

function read([status, headers]) {
    told.status[status] = (told.status[status] ?? 0) + 1;

    const limits = parseList(headers['ratelimit']);
    const policies = parseList(headers['ratelimit-policy']);

    const [name, limit] = limits[0];
    const policy = policies.find(([other]) => other === name);

    if (limits.length !== 1 || policy === undefined
        || limit.get('r') > policy[1].get('q')
        || limit.get('t') > policy[1].get('w'))
    {
        told.wrong.push([headers['ratelimit'], headers['ratelimit-policy']]);
    }

    return {
        left: limit.get('r'),
        wait: Math.max(limit.get('t'), Number(headers['retry-after'] ?? 0)),
    };
}

let left = 1;

while (Date.now() < end) {
    const answers = await Promise.all(
        Array.from({ length: manner === 'greedy' ? Math.min(left, 50) : 1 },
                   session ? over2 : over1));

    // of answers to requests sent together any may have been the last one

    const says = answers.map(read)
        .reduce((a, b) => (b.left - a.left || a.wait - b.wait) < 0 ? b : a);

    told.most = Math.max(told.most, answers.length);
    left = says.left;

    if (left === 0) {
        told.waited++;

        // timers may be a millisecond early

        await sleep(says.wait * 1000 + 2);
        left = 1;
    }
}

agent.destroy();
session?.close();

console.log(JSON.stringify(told));
