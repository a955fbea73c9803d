/**
 * Many connections that do nothing, or next to nothing, beside a client that works: it is served, what it was promised is
 * there, and memory stays bounded. MILLRACE_CROWD=10000 makes the idle crowd as large as that (npm run test:faults).
 */

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { present } from '../../src/base/assert.ts';
import { apiVersionsApi, defaultApiVersionsRequest, metadataApi } from '../../src/protocol/generated/index.ts';
import { Bystander } from '../fuzz/bystander.ts';
import { defectsIn, residentBytesOf } from '../fuzz/fuzz-run.ts';
import { RawConnection } from '../fuzz/raw-connection.ts';
import { ProgramProcess } from '../program/program-process.ts';
import { WireClient } from '../program/wire-client.ts';
import { requestFrame } from './wire-frames.ts';

const crowdSize = Number(process.env['MILLRACE_CROWD'] ?? '1000');
const atOnce = 200;
/** What an idle connection may cost, in bytes. */
const connectionBoundBytes = 24 * 1024;

let data: string;
let program: ProgramProcess;
let bystander: Bystander;
let crowd: Socket[];

beforeEach(async () => {
  data = mkdtempSync(join(tmpdir(), 'millrace-crowds-'));
  program = await ProgramProcess.serving(join(data, 'data'));
  // Its requests come in several pieces, so that they need the memory that the crowd wants.
  bystander = await Bystander.start(program.kafkaPort, 400_000);
  crowd = [];
});

afterEach(async () => {
  for (const socket of crowd) socket.destroy();
  await program.stop('SIGKILL');
  rmSync(data, { recursive: true, force: true });
});

const pid = (): number => present(program.child.pid, 'the broker runs');

async function gather(count: number, first: Buffer | null): Promise<void> {
  for (let i = 0; i < count; i += atOnce) {
    const sockets = Array.from({ length: Math.min(atOnce, count - i) }, () => {
      const socket = connect(program.kafkaPort, '127.0.0.1');
      socket.on('error', () => {});
      if (first !== null) socket.write(first);
      return socket;
    });
    crowd.push(...sockets);
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  }
}

async function served(count: number): Promise<void> {
  const before = bystander.promisedCount;
  while (bystander.promisedCount < before + count && bystander.problems.length === 0) await setTimeout(5);
  expect(bystander.problems).toEqual([]);
}

async function judge(): Promise<void> {
  await bystander.finish();
  expect(bystander.problems).toEqual([]);
  expect(defectsIn(program.log)).toEqual([]);
  expect(program.alive).toBe(true);
}

describe('a crowd', () => {
  it(`of ${crowdSize} idle connections costs little and harms nobody`, { timeout: 180_000 }, async () => {
    await served(20);
    const before = residentBytesOf(pid());
    await gather(crowdSize, null);
    await served(20);
    // Besides what each costs there is garbage that was not collected yet.
    const bound = before + crowdSize * connectionBoundBytes + 100 * 1024 * 1024;
    expect(residentBytesOf(pid())).toBeLessThan(bound);
    expect(crowd.filter((socket) => !socket.destroyed)).toHaveLength(crowdSize);
    for (const socket of crowd) socket.destroy();
    await served(5);
    await judge();
  });

  it('that sends part of a request and then a byte now and then does not keep others from theirs', async () => {
    const part = Buffer.alloc(60_000);
    part.writeInt32BE(1_000_000);
    await gather(1500, part);
    let sending = true;
    const trickle = (async () => {
      while (sending) {
        for (const socket of crowd) if (socket.writable) socket.write('x');
        await setTimeout(100);
      }
    })();
    await served(3);
    sending = false;
    await trickle;
    expect(residentBytesOf(pid())).toBeLessThan(500 * 1024 * 1024);
    await judge();
  });

  it('that asks for much and does not read it is bounded', async () => {
    const client = await WireClient.connect(program.kafkaPort);
    for (let i = 0; i < 8; i++) await client.createTopics([{ name: `wide-${i}`, numPartitions: 10_000 }]);
    client.socket.destroy();
    const all = {
      topics: null,
      allowAutoTopicCreation: false,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    };
    await gather(20, Buffer.concat(Array.from({ length: 60 }, () => requestFrame(metadataApi, 1, all))));
    for (const socket of crowd) socket.pause();
    await served(20);
    expect(residentBytesOf(pid())).toBeLessThan(800 * 1024 * 1024);
    await judge();
  });
});

describe('one connection', () => {
  it('that sends a byte at a time, or only its half of the goodbye, is answered', async () => {
    const frame = requestFrame(apiVersionsApi, 3, defaultApiVersionsRequest());
    const connection = await RawConnection.open('tcp', program);
    for (const byte of frame) {
      connection.write(Uint8Array.of(byte));
      await setTimeout(1);
    }
    expect(await connection.frame()).not.toBeNull();
    connection.end();
    await connection.closed();
    await judge();
  });
});
