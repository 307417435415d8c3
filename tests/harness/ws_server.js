// A WebSocket server that wsplex did not write: npm's ws.
//
// Run by servers.py, which says what the orders on stdin and the events on stdout are.
//
// SPDX-License-Identifier: MIT
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const https = require('https');
const readline = require('readline');
const { WebSocketServer } = require('ws');

const PROTOCOLS = ['chat.v2', 'chat.v1'];
const SHOWN_LEN = 1024;

const connections = new Map();

function tell(event, members) {
  fs.writeSync(1, JSON.stringify({ event, ...members }) + '\n');
}

function pairs(list) {
  const result = [];
  for (let i = 0; i < list.length; i += 2) result.push([list[i].toLowerCase(), list[i + 1]]);
  return result;
}

function serve(connection, request) {
  const id = connections.size + 1;
  connections.set(id, connection);
  const headers = pairs(request.rawHeaders);
  tell('open', { id, path: request.url, headers, protocol: connection.protocol || null });
  connection.on('message', (data, isBinary) => {
    if (request.url.startsWith('/echo')) {
      connection.send(data, { binary: isBinary });
      return;
    }
    if (request.url.startsWith('/pieces')) {
      const third = Math.floor(data.length / 3) + 1;
      for (let at = 0; at === 0 || at < data.length; at += third) {
        connection.send(data.subarray(at, at + third), { binary: isBinary, fin: at + third >= data.length });
      }
      return;
    }
    const sha256 = crypto.createHash('sha256').update(data).digest('hex');
    const event = { id, sha256, binary: isBinary, length: data.length };
    if (data.length <= SHOWN_LEN) event.text = data.toString();
    tell('message', event);
  });
  connection.on('pong', (data) => tell('pong', { id, data: data.toString() }));
  connection.on('close', (code, reason) => tell('close', { id, code, reason: reason.toString() }));
  connection.on('error', () => {}); // 'close' follows and tells the code
}

const orders = {
  text: (connection, order) => connection.send(order.text),
  file: (connection, order) => connection.send(fs.readFileSync(order.path), { binary: order.binary }),
  burst: (connection, order) => {
    for (let i = 0; i < order.count; i++) connection.send(`${i} ${order.fill}`);
  },
  ping: (connection, order) => connection.ping(order.data),
  close: (connection, order) => connection.close(order.code || undefined, order.reason),
  terminate: (connection) => connection.terminate(),
};

// The names that ws has for the parameters; every message is compressed, however short.
function compression(deflate) {
  if (!deflate) return false;
  const options = { threshold: 0 };
  for (const [name, value] of Object.entries(deflate)) {
    options[name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase())] = value;
  }
  return options;
}

async function main(chain, key, deflate, ports = '{}') {
  const perMessageDeflate = compression(JSON.parse(deflate));
  const tls = { cert: fs.readFileSync(chain), key: fs.readFileSync(key) };
  const handleProtocols = (asked) => PROTOCOLS.find((protocol) => asked.has(protocol)) || false;
  const urls = {};
  for (const scheme of ['ws', 'wss']) {
    for (const [host, written] of [['127.0.0.1', '127.0.0.1'], ['::1', '[::1]']]) {
      const server = scheme === 'wss' ? https.createServer(tls) : http.createServer();
      const all = new WebSocketServer({ server, handleProtocols, perMessageDeflate, maxPayload: 0 });
      all.on('connection', serve);
      const error = await new Promise((resolve) => {
        all.once('error', resolve);
        server.listen(JSON.parse(ports)[`${scheme} ${host}`] || 0, host, resolve);
      });
      if (!error) {
        urls[`${scheme} ${host}`] = `${scheme}://${written}:${server.address().port}`;
      } else if (host !== '::1') { // there are machines without IPv6
        throw error;
      }
    }
  }
  tell('listening', { urls });
  readline.createInterface({ input: process.stdin }).on('line', (line) => {
    const order = JSON.parse(line);
    orders[order.do](connections.get(order.id), order);
  }).on('close', () => process.exit(0));
}

main(...process.argv.slice(2));
