// Node's http client against our server: `client.js SCENARIO PORT [ARGUMENT]`.
// Each scenario prints what it found as one line of JSON.
'use strict';
const crypto = require('crypto');
const http = require('http');
const net = require('net');

const [scenario, port, argument] = process.argv.slice(2);
const place = { host: '127.0.0.1', port: Number(port) };

function report(found) { console.log(JSON.stringify(found)); }

function collect(stream, done) {
  const parts = [];
  stream.on('data', (chunk) => parts.push(chunk));
  stream.on('end', () => done(Buffer.concat(parts)));
}

function ask(options, body, done) {
  const request = http.request({ ...place, ...options }, (response) => {
    collect(response, (data) => done(response, data.toString('latin1')));
  });
  request.end(body);
  return request;
}

const scenarios = {
  // Some requests one after the other over one connection.
  sequence() {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const paths = argument.split(',');
    const seen = [];
    const reused = [];
    (function next() {
      if (!paths.length) {
        report({ seen, reused });
        agent.destroy();
        return;
      }
      const [method, path] = paths.shift().split(' ');
      const request = ask({ agent, method, path }, undefined, (response, text) => {
        seen.push([response.statusCode, text]);
        reused.push(request.reusedSocket);
        setImmediate(next); // when the socket is back in the pool
      });
    })();
  },

  // A body in pieces, without a length.
  chunked() {
    const request = http.request({ ...place, method: 'POST', path: '/' }, (response) => {
      collect(response, (data) => report({
        coding: response.headers['transfer-encoding'],
        text: data.toString(),
      }));
    });
    request.write('one,');
    setImmediate(() => {
      request.write('two,');
      setImmediate(() => request.end('three'));
    });
  },

  trailers() {
    const request = http.request({
      ...place, method: 'POST', headers: { Trailer: 'X-Sent' },
    }, (response) => {
      collect(response, (data) => report({
        text: data.toString(),
        trailers: response.trailers,
        raw: response.rawTrailers,
      }));
    });
    request.write('body');
    request.addTrailers({ 'X-Sent': 'by node' });
    request.end();
  },

  // The body waits for the 100; every informational status is noted.
  information() {
    const events = [];
    const request = http.request({
      ...place, method: 'POST', headers: { Expect: '100-continue', 'Content-Length': 4 },
    }, (response) => {
      events.push(response.statusCode);
      collect(response, (data) => report({ events, text: data.toString() }));
    });
    request.on('information', (info) => events.push([info.statusCode, info.headers]));
    request.on('continue', () => { events.push('continue'); request.end('body'); });
  },

  // The server refuses the body that was announced.
  refused() {
    const request = http.request({
      ...place, method: 'POST', headers: { Expect: '100-continue', 'Content-Length': 4 },
    }, (response) => {
      response.resume();
      response.on('end', () => report([response.statusCode, response.headers.connection]));
    });
    request.on('continue', () => report('the server asked for the body'));
    request.flushHeaders();
  },

  upgrade() {
    const request = http.request({
      ...place, headers: { Connection: 'Upgrade', Upgrade: 'echo' },
    });
    request.on('upgrade', (response, socket, head) => {
      socket.end('ping');
      socket.unshift(head);
      collect(socket, (data) => report({
        status: response.statusCode,
        upgrade: response.headers.upgrade,
        text: data.toString(),
      }));
    });
    request.end();
  },

  // A GET through a tunnel.
  connect() {
    const authority = `127.0.0.1:${port}`;
    const request = http.request({ ...place, method: 'CONNECT', path: authority });
    request.on('connect', (response, socket) => {
      ask({ createConnection: () => socket }, undefined, (inner, text) => {
        report({ tunnel: response.statusCode, status: inner.statusCode, text });
      });
    });
    request.end();
  },

  // What the argument says goes out at once; what comes until the end is reported.
  raw() {
    const socket = net.connect(place);
    collect(socket, (data) => report(data.toString('latin1')));
    socket.write(argument);
  },

  // A FIN follows the request at once; the length of what still comes is reported.
  half_close() {
    const socket = net.connect({ ...place, allowHalfOpen: true });
    let size = 0;
    socket.on('data', (chunk) => { size += chunk.length; });
    socket.on('end', () => report(size));
    socket.end('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  },

  // Break off in the middle of a body.
  abort() {
    ask({}, undefined, () => {}).on('response', (response) => {
      response.once('data', () => response.destroy());
      response.on('error', () => {});
      response.on('close', () => report({ complete: response.complete }));
    });
  },

  // So many MiB there and back, compared by hash.
  echo() {
    const piece = crypto.randomBytes(1 << 20);
    const sent = crypto.createHash('sha256');
    const received = crypto.createHash('sha256');
    let left = Number(argument);
    const request = http.request({ ...place, method: 'POST' }, (response) => {
      let size = 0;
      response.on('data', (chunk) => { received.update(chunk); size += chunk.length; });
      response.on('end', () => report({
        size, equal: sent.digest('hex') === received.digest('hex'),
      }));
    });
    (function more() {
      while (left) {
        left -= 1;
        sent.update(piece);
        if (!request.write(piece)) { request.once('drain', more); return; }
      }
      request.end();
    })();
  },
};

scenarios[scenario]();
