// Node's https server for our client: `https_server.js CERT KEY CA`; prints its port.
//
//   /facts  what it knows of the connection, as JSON
//   /echo   the body, streamed back
//   /until  a body that ends with the connection; /cut the same without TLS's own end
'use strict';
const fs = require('fs');
const https = require('https');

const [cert, key, ca] = process.argv.slice(2).map((path) => fs.readFileSync(path));

const routes = {
  facts(req, res) {
    const { socket } = req;
    res.end(JSON.stringify({
      alpn: socket.alpnProtocol,
      authorized: socket.authorized,
      client: socket.getPeerCertificate().subjectaltname || null,
      number: socket.number,
      reused: socket.isSessionReused(),
      servername: socket.servername,
    }));
  },
  echo: (req, res) => req.pipe(res),
  until(req, res) { res.removeHeader('Transfer-Encoding'); res.write('until '); res.end('the end'); },
  cut(req, res) {
    res.removeHeader('Transfer-Encoding');
    res.write('half', () => req.socket.destroy());
  },
};

let connections = 0;
const options = { cert, key, ca, requestCert: true, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] };
const server = https.createServer(options, (req, res) => routes[req.url.slice(1)](req, res));
server.on('secureConnection', (socket) => { connections += 1; socket.number = connections; });
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.on('SIGTERM', () => process.exit(0));
