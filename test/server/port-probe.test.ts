/** Looking at a port with real sockets. */

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { EnvironmentErrorCode } from '../../src/base/environment-error.ts';
import { probePort } from '../../src/server/port-probe.ts';

const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

async function listen(host: string, port = 0): Promise<number> {
  const server = createServer((socket) => socket.destroy());
  servers.push(server);
  server.listen(port, host);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const port = await listen('127.0.0.1');
  await new Promise((resolve) => servers.pop()!.close(resolve));
  return port;
}

describe('probePort', () => {
  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['127.0.0.1', '0.0.0.0'],
    ['0.0.0.0', '127.0.0.1'],
    ['0.0.0.0', '0.0.0.0'],
    ['127.0.0.1', 'localhost'],
  ])('sees that a port listened on at %s is in use at %s', async (listening, asked) => {
    const port = await listen(listening);
    const error = await probePort(asked, port);
    expect(error?.code).toBe(EnvironmentErrorCode.ADDRESS_IN_USE);
    expect(error?.message).toContain(`${asked}:${port} is in use`);
  });

  it('finds a free port free, as often as it looks, and does not keep it', async () => {
    const port = await freePort();
    for (let i = 0; i < 3; i++) {
      for (const host of ['127.0.0.1', '0.0.0.0', 'localhost']) expect(await probePort(host, port)).toBeNull();
    }
    expect(await listen('127.0.0.1', port)).toBe(port);
  });

  it('never accepts anybody', async () => {
    const port = await freePort();
    let looking = true;
    const looks = (async () => {
      for (let i = 0; i < 50; i++) expect(await probePort('127.0.0.1', port)).toBeNull();
      looking = false;
    })();
    let refused = 0;
    while (looking) {
      const socket = connect(port, '127.0.0.1');
      const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
      expect(error.code).toBe('ECONNREFUSED');
      refused++;
    }
    await looks;
    expect(refused).toBeGreaterThan(10);
  });

  it('takes port 0 for free', async () => {
    expect(await probePort('127.0.0.1', 0)).toBeNull();
  });

  it('says that an address is not of this machine, or no address', async () => {
    const away = await probePort('192.0.2.1', 0);
    expect(away?.code).toBe(EnvironmentErrorCode.ADDRESS_UNAVAILABLE);
    expect(away?.message).toContain('192.0.2.1:0 cannot be listened on (EADDRNOTAVAIL)');
    expect((await probePort('no.such.host.invalid', 0))?.code).toBe(EnvironmentErrorCode.ADDRESS_UNAVAILABLE);
  });
});
