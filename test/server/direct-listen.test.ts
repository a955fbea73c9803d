/** Servers that listen without what Node loads for it. */

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listenOnPath, listenOnPort } from '../../src/server/direct-listen.ts';

const backlog = 16;
const servers: Server[] = [];
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-listen-'));
});

afterEach(async () => {
  for (const server of servers.splice(0)) {
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  }
  rmSync(directory, { recursive: true });
});

function newServer(): Server {
  const server = createServer((socket) => socket.end('here'));
  servers.push(server);
  return server;
}

/** What `place` says to who connects. */
async function saidBy(place: { port: number; host: string } | string): Promise<string> {
  const socket = typeof place === 'string' ? connect(place) : connect(place);
  let said = '';
  socket.setEncoding('latin1').on('data', (text: string) => (said += text));
  await once(socket, 'close');
  return said;
}

describe('listening', () => {
  it.each(['127.0.0.1', 'localhost'])('takes connections at a free port of %s', async (host) => {
    const server = newServer();
    listenOnPort(server, host, 0, backlog);
    await once(server, 'listening');
    const { port, address } = server.address() as AddressInfo;
    expect(port).toBeGreaterThan(0);
    expect(await saidBy({ host: address, port })).toBe('here');
  });

  it('takes connections at a path, and leaves nothing there', async () => {
    const server = newServer();
    const path = join(directory, 'socket');
    listenOnPath(server, path, backlog);
    await once(server, 'listening');
    expect(await saidBy(path)).toBe('here');
    await new Promise((resolve) => server.close(resolve));
    await expect(saidBy(path)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('tells why it cannot be', async () => {
    const first = newServer();
    listenOnPort(first, '127.0.0.1', 0, backlog);
    await once(first, 'listening');
    const second = newServer();
    listenOnPort(second, '127.0.0.1', (first.address() as AddressInfo).port, backlog);
    expect((await once(second, 'error'))[0]).toMatchObject({ code: 'EADDRINUSE', syscall: 'listen' });
    // Of a network for examples (RFC 5737), which no machine has.
    const third = newServer();
    listenOnPort(third, '192.0.2.1', 0, backlog);
    expect((await once(third, 'error'))[0]).toMatchObject({ code: 'EADDRNOTAVAIL', syscall: 'listen' });
    const fourth = newServer();
    listenOnPath(fourth, join(directory, 'missing', 'socket'), backlog);
    expect((await once(fourth, 'error'))[0]).toMatchObject({ syscall: 'listen' });
  });
});
