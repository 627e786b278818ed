// Node's side of bench_idle_readable.py: prints CPU nanoseconds and bytes for each.
'use strict';

const { Readable } = require('node:stream');

const count = Number(process.argv[2]);

function make(into) {
  for (let index = 0; index < count; index += 1) into[index] = new Readable();
}

const kept = new Array(count);
make(kept); // for the compiler
kept.fill(null);
globalThis.gc();
const memory = process.memoryUsage().heapUsed;
const before = process.cpuUsage();
make(kept);
const { user, system } = process.cpuUsage(before);
globalThis.gc();
const bytes = process.memoryUsage().heapUsed - memory;
console.log(((user + system) / count) * 1000, bytes / count);
