// npm's ws, for the interop tests: see ../harness/foreign.py for what it is told and does.
//
// SPDX-License-Identifier: MIT
'use strict';

const fs = require('fs');
const http = require('http');
const https = require('https');
const { WebSocketServer } = require('ws');

const PROTOCOLS = ['echo.v2', 'echo.v1'];
const PING_MS = 1000;
const MAX_UNANSWERED = 5;

let last = '';

function obey(connection, order) {
  const [what, ...rest] = order.split(' ');
  if (what === 'close') connection.close(Number(rest[0]) || undefined, rest.slice(1).join(' '));
  else if (what === 'ping') connection.ping(rest.join(' '));
  else if (what === 'last') connection.send(last);
  else if (what === 'drop') connection.terminate();
}

function serve(connection, request) {
  const obeys = request.url.startsWith('/obey');
  let nUnanswered = 0;
  // As ws's own documentation does it.
  const ping = () => {
    if (++nUnanswered > MAX_UNANSWERED) connection.terminate();
    else connection.ping();
  };
  const timer = /^\/(quiet|silent)/.test(request.url) ? null : setInterval(ping, PING_MS);
  connection.on('message', (data, isBinary) => {
    if (obeys) obey(connection, data.toString());
    else connection.send(data, { binary: isBinary });
  });
  connection.on('pong', (data) => {
    nUnanswered = 0;
    if (data.length > 0) connection.send(`pong ${data}`);
  });
  connection.on('close', (code, reason) => {
    clearInterval(timer);
    last = `${code} ${reason}`.trim();
  });
  connection.on('error', () => {});
}

const [wsPort, wssPort, chain, key] = process.argv.slice(2);
const handleProtocols = (asked) => PROTOCOLS.find((protocol) => asked.has(protocol)) || false;
const tls = { cert: fs.readFileSync(chain), key: fs.readFileSync(key) };
for (const [port, server] of [[wsPort, http.createServer()], [wssPort, https.createServer(tls)]]) {
  const options = { server, handleProtocols, perMessageDeflate: true };
  new WebSocketServer(options).on('connection', serve);
  server.listen(Number(port), '127.0.0.1');
}
process.on('SIGTERM', () => process.exit(0));
