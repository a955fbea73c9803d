/** The TCP door with real sockets, for its tests: doors and clients that end with the test, and frames. */

import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { silentLogger } from '../../src/base/logger.ts';
import { AssemblyBudget } from '../../src/server/assembly-budget.ts';
import { ConnectionQuota } from '../../src/server/connection-quota.ts';
import type { RequestService } from '../../src/server/request-pipeline.ts';
import { TcpDoor } from '../../src/server/tcp-door.ts';
import type { TcpDoorOptions } from '../../src/server/tcp-door.ts';

const doors: TcpDoor[] = [];
const sockets: Socket[] = [];

/** Ends the test's sockets, then its doors. */
export async function closeAll(): Promise<void> {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const door of doors.splice(0)) await door.close();
}

export function budgetOf(limitBytes: number): AssemblyBudget {
  return new AssemblyBudget({ limitBytes, largestFrameBytes: 1 << 20 });
}

export function quotaOf(largestCount: number, largestCountPerAddress = largestCount): ConnectionQuota {
  return new ConnectionQuota({
    largestCount: () => largestCount,
    largestCountPerAddress: () => largestCountPerAddress,
  });
}

export async function openDoor(service: RequestService, changes: Partial<TcpDoorOptions> = {}): Promise<TcpDoor> {
  const door = await TcpDoor.open({
    host: '127.0.0.1',
    port: 0,
    service,
    budget: budgetOf(8 << 20),
    limits: { largestFrameBytes: 1 << 20, requestsInFlight: 16 },
    logger: silentLogger,
    quota: quotaOf(5000),
    idleMs: 600_000,
    ...changes,
  });
  doors.push(door);
  return door;
}

/** A connection from that address of this machine. */
export async function dial(door: TcpDoor, localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port: door.address.port, localAddress, noDelay: true });
  socket.on('error', () => {});
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

export function prefixed(payload: Uint8Array | string): Buffer {
  const bytes = Buffer.from(payload as string);
  const size = Buffer.alloc(4);
  size.writeInt32BE(bytes.length);
  return Buffer.concat([size, bytes]);
}

/** Collects what comes until `byteCount` bytes are there or the connection ends. */
export async function read(socket: Socket, byteCount: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let total = 0;
  while (total < byteCount) {
    const part = socket.read() as Buffer | null;
    if (part !== null) {
      parts.push(part);
      total += part.length;
    } else if (socket.readableEnded || socket.destroyed) break;
    else {
      await new Promise<void>((resolve) => {
        const go = (): void => {
          for (const name of ['readable', 'end', 'close']) socket.off(name, go);
          resolve();
        };
        for (const name of ['readable', 'end', 'close']) socket.on(name, go);
      });
    }
  }
  return Buffer.concat(parts);
}

export function fail(error: Error): never {
  throw error;
}

export const echo: RequestService = { serve: (frame) => [prefixed(frame)] };

/** Resolves once `condition` holds, by looking after every turn of the loop. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

export function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: Error) => void } {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
