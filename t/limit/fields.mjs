// Copyright (C) The ngx_mon authors

// Parses structured fields: a list of field values in a file, as JSON, and on
// standard output what each of them is: a list of [item, type, parameters],
// or the parser's complaint.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(process.argv[2] + '/');
const { parseList } = require('structured-headers');

function parse(field) {
    try {
        return parseList(field).map(([item, parameters]) =>
            [item, typeof item, Object.fromEntries(parameters)]);
    } catch (e) {
        return String(e);
    }
}

const fields = JSON.parse(readFileSync(process.argv[3], 'utf8'));

console.log(JSON.stringify(fields.map(parse)));
