/** Stopping, being killed, and starting again on the same directory. */

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { ErrorCode } from '../../src/base/error-code.ts';
import {
  defaultJoinGroupRequest,
  fetchApi,
  incrementalAlterConfigsApi,
  joinGroupApi,
} from '../../src/protocol/generated/index.ts';
import { TestShareConsumer } from '../broker/share/test-share-consumer.ts';
import { requesterOver } from '../broker/share/wire-requester.ts';
import { moduleUrl, ProgramProcess, type ProgramOptions } from './program-process.ts';
import { WireClient } from './wire-client.ts';

let directory: string;
let data: string;
const programs: ProgramProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-stop-'));
  data = join(directory, 'data');
});

afterEach(async () => {
  for (const program of programs.splice(0)) await program.stop('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

async function serving(options?: ProgramOptions): Promise<ProgramProcess> {
  const program = await ProgramProcess.serving(data, [], options);
  programs.push(program);
  return program;
}

const locks = (): string[] => readdirSync(data).filter((name) => name.startsWith('millrace.lock.'));

describe('a stop', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('by %s is clean: everything closed, exit code 0', async (signal) => {
    const program = await serving();
    const client = await WireClient.connect(program.kafkaPort);
    await client.createTopic('t');
    expect(await client.produce('t', 'one')).toBe(0);
    const idle = new WebSocket(`ws://127.0.0.1:${program.httpPort}/kafka`, 'kafka');
    await new Promise((resolve) => idle.once('open', resolve));
    const closed = [
      new Promise((resolve) => client.socket.once('close', resolve)),
      new Promise((resolve) => idle.once('close', resolve)),
    ];
    expect(await program.stop(signal)).toEqual({ code: 0, signal: null });
    await Promise.all(closed);
    expect(program.log.slice(-2)).toMatchObject([
      { msg: 'The broker stops.', signal },
      { msg: 'The broker has stopped.' },
    ]);
    expect(program.log.filter(({ level }) => level !== 'info')).toEqual([]);
    expect(locks()).toEqual([]);
  });

  it('with members of share groups at work writes what they said, and nothing else', async () => {
    const program = await serving();
    const client = await WireClient.connect(program.kafkaPort);
    await client.createTopic('topic');
    const configs = [{ name: 'share.auto.offset.reset', configOperation: 0, value: 'earliest' }];
    const resources = [{ resourceType: 32, resourceName: 'group', configs }];
    await client.request(incrementalAlterConfigsApi, 1, { resources, validateOnly: false });
    for (let i = 0; i < 20; i++) await client.produce('topic', `${i}`, 1);
    const members = await Promise.all(
      [1, 2, 3].map(async () => {
        const member = new TestShareConsumer(requesterOver(await WireClient.connect(program.kafkaPort)));
        await member.join();
        return member;
      }),
    );
    const accept = 1;
    const working = members.map(async (member) => {
      for (;;) {
        const given = await member.fetch({ maxRecords: 2, shareAcquireMode: 1, maxWaitMs: 10 });
        for (const { offset } of given.slice(1)) await member.acknowledge([[offset, offset, accept]]);
        await member.beat();
      }
    });
    const ends = Promise.allSettled(working);
    await client.fetch('topic', 20, 100);
    expect(await program.stop()).toEqual({ code: 0, signal: null });
    await ends;
    expect(program.log.filter(({ level }) => level !== 'info')).toEqual([]);
  });

  it('keeps what was written', async () => {
    const first = await serving();
    const writer = await WireClient.connect(first.kafkaPort);
    await writer.createTopic('t');
    for (const [index, value] of ['one', 'two'].entries()) expect(await writer.produce('t', value, 1)).toBe(index);
    expect(await first.stop()).toEqual({ code: 0, signal: null });
    const second = await serving();
    expect(second.stdout).not.toContain('(new)');
    const reader = await WireClient.connect(second.kafkaPort);
    const bytes = await reader.fetch('t', 0);
    expect(bytes.includes('one') && bytes.includes('two')).toBe(true);
    expect(await reader.produce('t', 'three')).toBe(2);
  });

  it('answers fetches that wait, and does not wait for them', async () => {
    const program = await serving();
    const client = await WireClient.connect(program.kafkaPort);
    await client.createTopic('t');
    const fetched = client.fetch('t', 0, 60_000);
    const other = await WireClient.connect(program.kafkaPort);
    await other.fetch('t', 0);
    expect(await program.stop()).toEqual({ code: 0, signal: null });
    expect(await fetched).toHaveLength(0);
  });

  it('tells members that wait for their group to look elsewhere, and does not wait for them', async () => {
    const program = await serving();
    const member = await WireClient.connect(program.kafkaPort);
    const joined = member.request(joinGroupApi, 3, {
      ...defaultJoinGroupRequest(),
      groupId: 'g',
      sessionTimeoutMs: 30_000,
      rebalanceTimeoutMs: 60_000,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: new Uint8Array(6) }],
    });
    const other = await WireClient.connect(program.kafkaPort);
    await other.createTopic('t');
    expect(await program.stop()).toEqual({ code: 0, signal: null });
    expect((await joined).errorCode).toBe(ErrorCode.NOT_COORDINATOR);
  });

  it('that hangs is cut short by a second signal, with exit code 1', async () => {
    const program = await serving();
    const client = await WireClient.connect(program.kafkaPort);
    await client.createTopic('t');
    for (let i = 0; i < 26; i++) await client.produce('t', 'x'.repeat(1_000_000), 1);
    // One response of more than the sockets hold, and nobody reads it; a stop waits for that a while.
    client.socket.pause();
    client.send(fetchApi, 11, WireClient.fetchRequest('t', 0, 0, 1 << 25));
    const other = await WireClient.connect(program.kafkaPort);
    await other.fetch('t', 0);
    program.child.kill('SIGTERM');
    await program.logged('The broker stops.');
    program.child.kill('SIGINT');
    expect(await program.ended).toEqual({ code: 1, signal: null });
  });
});

describe('kill -9', () => {
  it('costs nothing that was acknowledged, and the next start needs no hands', async () => {
    let offset = 0;
    for (let round = 0; round < 3; round++) {
      const program = await serving();
      const client = await WireClient.connect(program.kafkaPort);
      if (round === 0) await client.createTopic('t');
      for (let i = 0; i < 5; i++) expect(await client.produce('t', `value ${offset}`, 1)).toBe(offset++);
      expect(await program.stop('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
      expect(locks()).toHaveLength(1);
    }
    const program = await serving();
    const client = await WireClient.connect(program.kafkaPort);
    const bytes = await client.fetch('t', 0);
    for (let i = 0; i < offset; i++) expect(bytes.includes(`value ${i}`)).toBe(true);
    expect(await program.stop()).toEqual({ code: 0, signal: null });
    expect(locks()).toEqual([]);
  });
});

describe('a defect', () => {
  it('ends the program with a trace and exit code 1, and costs nothing that was acknowledged', async () => {
    const planted = moduleUrl(`process.on('SIGUSR2', () => { throw new Error('planted'); });`);
    const program = await serving({ nodeArgs: ['--import', planted] });
    const client = await WireClient.connect(program.kafkaPort);
    await client.createTopic('t');
    expect(await client.produce('t', 'kept', 1)).toBe(0);
    program.child.kill('SIGUSR2');
    expect(await program.ended).toEqual({ code: 1, signal: null });
    expect(program.stderr).toContain(
      'millrace: This is a defect in Millrace: please report it.\nError: planted\n    at ',
    );
    const next = await serving();
    const reader = await WireClient.connect(next.kafkaPort);
    expect((await reader.fetch('t', 0)).includes('kept')).toBe(true);
  });
});
