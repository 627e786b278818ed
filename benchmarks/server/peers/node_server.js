// The routes of the comparison on Node's http module; `CERT KEY`: on its https module.
const fs = require('fs');
const http = require('http');
const https = require('https');
const CHUNK = Buffer.alloc(65536, 'x');

function json(req, res) {
  const read = Object.keys(req.headers).length;
  res.setHeader('Content-Type', 'application/json');
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader('X-Request-Id', req.headers['x-request-id'] || '');
  res.setHeader('Vary', 'Accept');
  res.end(JSON.stringify({ message: 'hello', headers: read }));
}

function echo(req, res) {
  const chunks = [];
  req.on('data', (chunk) => chunks.push(chunk));
  req.on('end', () => res.end(Buffer.concat(chunks)));
}

function upload(req, res) {
  let size = 0;
  req.on('data', (chunk) => { size += chunk.length; });
  req.on('end', () => res.end(String(size)));
}

function download(req, res) {
  let left = Number(req.url.split('/').pop()) * 16;
  res.setHeader('Content-Length', left * CHUNK.length);
  (function more() {
    while (left) {
      left -= 1;
      if (!res.write(CHUNK)) { res.once('drain', more); return; }
    }
    res.end();
  })();
}

const [cert, key] = process.argv.slice(2).map((path) => fs.readFileSync(path));
const server = (cert ? https : http).createServer({ cert, key }, (req, res) => {
  switch (req.url) {
    case '/':
      res.writeHead(200, { 'Content-Type': 'text/plain' });
      res.end('Hello World\n');
      break;
    case '/json': json(req, res); break;
    case '/echo': echo(req, res); break;
    case '/chunked':
      for (let i = 0; i < 8; i++) res.write('a chunk of text\n');
      res.end();
      break;
    case '/upload': upload(req, res); break;
    default: download(req, res);
  }
});
// As long as the others keep idle connections.
server.keepAliveTimeout = 65000;
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.on('SIGTERM', () => process.exit(0));
