/** Free ports, and whether somebody listens on one. Main thread. */

import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';

export const loopback = '127.0.0.1';
const pollMs = 5;

/** Ports of the loopback that were free a moment ago, for servers that cannot choose one themselves. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    server.listen(0, loopback);
    await once(server, 'listening');
    ports.push((server.address() as AddressInfo).port);
  }
  for (const server of servers) server.close();
  return ports;
}

/** Resolves once `port` takes connections; false after `limitMs`. */
export async function untilListening(port: number, limitMs: number): Promise<boolean> {
  const endMs = performance.now() + limitMs;
  while (performance.now() < endMs) {
    if (await takesConnections(port)) return true;
    await new Promise((resolve) => {
      setTimeout(resolve, pollMs);
    });
  }
  return false;
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, loopback);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
