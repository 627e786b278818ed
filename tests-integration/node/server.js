// Node's http server for our client; prints its port, or the path it was given.
//
//   /hello     which connection, and its how manieth request
//   /echo      the body, streamed back; /count its size
//   /trailers  the request's trailers as JSON, with trailers
//   /hints     102, 103, then a page
//   /raw       request headers as they came
//   /status/N  an empty answer with that status
//   /big/N     N MiB
//   /half      breaks off in the middle of a body; /drop before it
//   /retry     breaks off when the connection has carried a request before
//   /stale     a page, after which the server closes without saying so
//   /chaos     one time in ten breaks off, at a random place
//   /never     no answer; /gone tells how many such clients have gone
'use strict';
const http = require('http');
const net = require('net');

let connections = 0;
let gone = 0;
const PIECE = Buffer.alloc(65536, 'x');

function chaos(req, res) {
  const dice = Math.random();
  if (dice < 0.04) { req.socket.destroy(); return; }
  if (dice < 0.07) { res.write('half'); setImmediate(() => req.socket.destroy()); return; }
  if (dice < 0.1) { res.end('whole'); setImmediate(() => req.socket.destroy()); return; }
  res.end('whole');
}

function big(res, mib) {
  let left = mib * 16;
  res.setHeader('Content-Length', left * PIECE.length);
  (function more() {
    while (left) {
      left -= 1;
      if (!res.write(PIECE)) { res.once('drain', more); return; }
    }
    res.end();
  })();
}

const routes = {
  hello: (req, res) => res.end(`${req.socket.number} ${req.socket.requests}`),
  echo: (req, res) => req.pipe(res),
  count(req, res) {
    let size = 0;
    req.on('data', (chunk) => { size += chunk.length; });
    req.on('end', () => res.end(String(size)));
  },
  trailers(req, res) {
    req.resume();
    req.on('end', () => {
      res.setHeader('Trailer', 'X-Sum');
      res.write(JSON.stringify(req.trailers));
      res.addTrailers([['X-Sum', '1'], ['X-Sum', '2']]);
      res.end();
    });
  },
  hints(req, res) {
    res.writeProcessing();
    res.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
    res.end('page');
  },
  raw: (req, res) => res.end(JSON.stringify([req.method, req.url, ...req.rawHeaders])),
  status(req, res, value) { res.statusCode = Number(value); res.end(); },
  big: (req, res, value) => big(res, Number(value)),
  half(req, res) {
    res.setHeader('Content-Length', 100);
    res.write('half', () => req.socket.destroy());
  },
  drop: (req) => req.socket.destroy(),
  retry(req, res) {
    if (req.socket.requests > 1) req.socket.destroy();
    else routes.hello(req, res);
  },
  stale(req, res) { res.end('page'); res.on('finish', () => req.socket.end()); },
  chaos,
  never: (req) => req.socket.on('close', () => { gone += 1; }),
  gone: (req, res) => res.end(String(gone)),
};

const server = http.createServer((req, res) => {
  req.socket.requests += 1;
  const [, name, value] = req.url.split(/[/?]/);
  routes[name](req, res, value);
});
server.on('connection', (socket) => {
  socket.number = ++connections;
  socket.requests = 0;
});
server.on('checkContinue', (req, res) => {
  if (req.url === '/refuse') {
    res.writeHead(413);
    res.end('too large');
  } else {
    res.writeContinue();
    server.emit('request', req, res);
  }
});
server.on('upgrade', (req, socket, head) => {
  // The first bytes of the new protocol leave with the head.
  socket.write('HTTP/1.1 101 Switching Protocols\r\n' +
    'Connection: Upgrade\r\nUpgrade: echo\r\n\r\nhello ');
  socket.unshift(head);
  socket.pipe(socket);
});
server.on('connect', (req, client, head) => {
  const [host, port] = req.url.split(':');
  const upstream = net.connect(Number(port), host, () => {
    client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    upstream.write(head);
    client.pipe(upstream).pipe(client);
  });
  for (const socket of [client, upstream]) socket.on('error', () => {});
});
server.listen(process.argv[2] || 0, process.argv[2] ? undefined : '127.0.0.1', () => {
  console.log(process.argv[2] || server.address().port);
});
process.on('SIGTERM', () => process.exit(0));
