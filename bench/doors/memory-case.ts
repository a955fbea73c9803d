/** What ten thousand WebSockets that are only held take. Main thread. */

import { tmpdir } from 'node:os';
import { millrace } from '../load/millrace-server.ts';
import { ServerUnderTest } from '../load/server-under-test.ts';
import { addressOf } from './door-case.ts';
import { holdConnections } from './native-load.ts';

export interface HeldResult {
  readonly connections: number;
  readonly path: string;
  readonly moreBytes: number;
  readonly mostBytes: number;
  /** The machine, its software and the commit. */
  readonly machine: string;
}

const mostBytes = 200 * 2 ** 20;

export async function measureHeld(connections: number, path: string, machine: string): Promise<HeldResult> {
  await using server = await ServerUnderTest.start(millrace(), tmpdir());
  // What the first connections need once is no connection's.
  await (
    await holdConnections({ ...addressOf(server), connections: 10, path, ...offer(path) })
  )();
  const before = server.memory.rssBytes;
  const release = await holdConnections({ ...addressOf(server), connections, path, ...offer(path) });
  const moreBytes = server.memory.rssBytes - before;
  await release();
  return { connections, path, moreBytes, mostBytes, machine };
}

function offer(path: string): Readonly<Record<string, string>> {
  return path === '/ws' ? { protocol: 'millrace.v1' } : {};
}
