// Node's side of bench_pipeline.py: prints CPU microseconds for each chunk.
'use strict';

const { Readable, Transform, Writable, pipeline } = require('node:stream');

const size = Number(process.argv[2]);
const chunks = Number(process.argv[3]);
const chunk = Buffer.alloc(size, 'x');

function run(count, done) {
  let left = count;
  let received = 0;
  const source = new Readable({
    read() {
      this.push(left-- > 0 ? chunk : null);
    },
  });
  const unchanged = new Transform({
    transform(data, encoding, callback) {
      callback(null, data);
    },
  });
  const sink = new Writable({
    write(data, encoding, callback) {
      received += data.length;
      callback();
    },
  });
  pipeline(source, unchanged, sink, (error) => {
    if (error || received !== count * size) throw error ?? new Error('lost data');
    done();
  });
}

// The first runs are for the compiler.
const WARM_UP = 5;
let before;
let runs = 0;
(function again() {
  if (runs === WARM_UP) before = process.cpuUsage();
  if (runs === 2 * WARM_UP) {
    const { user, system } = process.cpuUsage(before);
    console.log(((user + system) / chunks / WARM_UP).toFixed(4));
    return;
  }
  runs += 1;
  run(chunks, again);
})();
