// Node's http.Agent.
const http = require('http');
const readline = require('readline');

const PIECE = Buffer.alloc(64 * 1024);

function small(command, agent, done) {
  let left = command.count;
  function start() {
    http.get({ host: '127.0.0.1', port: command.port, path: '/hello', agent }, (response) => {
      response.on('data', () => {});
      response.on('end', () => {
        left -= 1;
        if (left >= command.concurrency) start();
        else if (left === 0) done();
      });
    });
  }
  for (let i = 0; i < command.concurrency; i++) start();
}

function down(command, agent, done) {
  const path = `/down/${command.count}`;
  http.get({ host: '127.0.0.1', port: command.port, path, agent }, (response) => {
    response.on('data', () => {});
    response.on('end', done);
  });
}

function up(command, agent, done) {
  const request = http.request({
    host: '127.0.0.1', port: command.port, path: '/hello', method: 'POST', agent,
    headers: { 'Content-Length': command.count },
  }, (response) => {
    response.on('data', () => {});
    response.on('end', done);
  });
  let left = command.count / PIECE.length;
  function more() {
    while (left > 0) {
      left -= 1;
      if (!request.write(PIECE)) {
        request.once('drain', more);
        return;
      }
    }
    request.end();
  }
  more();
}

const work = { hello: small, connect: small, down, up };
const lines = readline.createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const [name, concurrency, count, port] = line.split(' ');
  const command = { concurrency: +concurrency, count: +count, port: +port };
  const agent = new http.Agent({ keepAlive: name !== 'connect' });
  const before = process.cpuUsage();
  work[name](command, agent, () => {
    const { user, system } = process.cpuUsage(before);
    agent.destroy();
    const peak = process.resourceUsage().maxRSS * 1024;
    console.log(JSON.stringify({ cpu: (user + system) / 1e6, peak }));
  });
});
