// Node's https server: answers with the request's URL, many times. Prints its port.
//
//   node secure.js CERTIFICATE KEY
'use strict';
const fs = require('fs');
const https = require('https');

const [cert, key] = process.argv.slice(2).map((path) => fs.readFileSync(path));
https.createServer({ cert, key }, (req, res) => res.end(req.url.repeat(100)))
  .listen(0, '127.0.0.1', function () { console.log(this.address().port); });
process.on('SIGTERM', () => process.exit(0));
