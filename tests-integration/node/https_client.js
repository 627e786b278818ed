// Node's https client against our server: `https_client.js SCENARIO PORT CA [CERT KEY]`.
// Each scenario prints what it found as one line of JSON.
'use strict';
const fs = require('fs');
const https = require('https');

const [scenario, port, ...files] = process.argv.slice(2);
const [ca, cert, key] = files.map((path) => fs.readFileSync(path));
const place = { host: '127.0.0.1', servername: 'localhost', port: Number(port), ca, cert, key };

function report(found) { console.log(JSON.stringify(found)); }

function ask(options, body, done) {
  const request = https.request({ ...place, ...options }, (response) => {
    const parts = [];
    response.on('data', (chunk) => parts.push(chunk));
    response.on('end', () => done(null, Buffer.concat(parts).toString(), response));
    response.on('error', (error) => done(error.code));
  });
  request.on('error', (error) => done(error.code));
  request.end(body);
  return request;
}

const scenarios = {
  // The answer, or the code of the error.
  get() { ask({ agent: false, path: '/' }, undefined, (code, text) => report({ code: code || null, text: text || null })); },

  // The same connection twice, then another one that resumes its session.
  sequence() {
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    const seen = [];
    const reused = [];
    const next = (left) => {
      if (!left) { report({ seen, reused }); agent.destroy(); return; }
      const headers = left === 2 ? { Connection: 'close' } : {};
      const request = ask({ agent, path: '/', headers }, undefined, (code, text) => {
        seen.push(text);
        reused.push(request.reusedSocket);
        setTimeout(next, 20, left - 1);
      });
    };
    next(3);
  },

  // A large body there and back.
  echo() {
    const data = Buffer.alloc(1 << 21, 'node');
    ask({ agent: false, path: '/echo', method: 'POST' }, data, (code, text) => {
      report({ code: code || null, same: text === data.toString() });
    });
  },
};

scenarios[scenario]();
