/**
 * A crowd of connections and a low bound on open files: the crowd is turned away while there are descriptors left, so
 * that partitions can be written, and all is well again once it has gone. And more partitions than descriptors, all of
 * which can be written. `prlimit` sets the bound; where it is missing this is skipped.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { present } from '../../src/base/assert.ts';
import { zeroUuid } from '../../src/base/uuid.ts';
import { defaultProduceRequest, produceApi } from '../../src/protocol/generated/index.ts';
import { BatchBuilder } from '../../src/records/batch-builder.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import { Bystander } from '../fuzz/bystander.ts';
import { ProgramProcess } from '../program/program-process.ts';
import { WireClient } from '../program/wire-client.ts';

const hasPrlimit = spawnSync('prlimit', ['--version']).status === 0;
if (!hasPrlimit) process.stderr.write('test/faults/descriptors.test.ts is skipped: there is no prlimit.\n');

function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Produces one record to each of `partitions`; throws at the first error code. */
async function produceTo(
  client: WireClient,
  topic: string,
  partitions: readonly number[],
  acks: number,
): Promise<void> {
  const builder = new BatchBuilder(crc32c);
  builder.append({ key: null, value: Buffer.from('a record'), timestampMs: Date.now() });
  const records = builder.seal();
  const partitionData = partitions.map((index) => ({ index, records }));
  const topicData = [{ name: topic, topicId: zeroUuid, partitionData }];
  const request = { ...defaultProduceRequest(), acks, timeoutMs: 60_000, topicData };
  const { responses } = await client.request(produceApi, 7, request);
  for (const { index, errorCode } of responses[0]!.partitionResponses) {
    if (errorCode !== 0) throw new Error(`partition ${index} was answered with error ${errorCode}`);
  }
}

describe.skipIf(!hasPrlimit)('partitions that are more than descriptors', () => {
  it.each([
    [256, 600],
    [1024, 1100],
  ])(
    'are all written with a bound of %i and %i partitions, one after the other and at once',
    async (openFiles, count) => {
      const data = mkdtempSync(join(tmpdir(), 'millrace-descriptors-'));
      const program = await ProgramProcess.serving(join(data, 'data'), [], { openFiles });
      const pid = present(program.child.pid, 'the broker runs');
      const client = await WireClient.connect(program.kafkaPort);
      const { topics } = await client.createTopics([{ name: 'many', numPartitions: count }]);
      expect(topics[0]?.errorCode).toBe(0);
      const all = Array.from({ length: count }, (_, index) => index);
      let most = 0;
      for (const [atOnce, acks] of [
        [50, 1],
        [count, 1],
        [50, -1],
        [count, -1],
        [1, 1],
      ] as const) {
        for (let from = 0; from < count; from += atOnce) {
          await produceTo(client, 'many', all.slice(from, from + atOnce), acks);
          most = Math.max(most, openDescriptors(pid));
        }
      }
      expect(most).toBeLessThan(openFiles - 16);
      client.socket.destroy();
      expect(await program.stop()).toEqual({ code: 0, signal: null });
      expect(program.log.filter(({ level }) => level === 'error')).toEqual([]);

      const again = await ProgramProcess.serving(join(data, 'data'), [], { openFiles });
      const reader = await WireClient.connect(again.kafkaPort);
      for (let from = 0; from < count; from += 50) await produceTo(reader, 'many', all.slice(from, from + 50), -1);
      reader.socket.destroy();
      expect(await again.stop()).toEqual({ code: 0, signal: null });
      rmSync(data, { recursive: true, force: true });
    },
  );
});

describe.skipIf(!hasPrlimit)('a broker with few descriptors', () => {
  it('keeps some for files, goes on for those who are there, and for all once the crowd has gone', async () => {
    const data = mkdtempSync(join(tmpdir(), 'millrace-descriptors-'));
    const program = await ProgramProcess.serving(join(data, 'data'));
    const pid = present(program.child.pid, 'the broker runs');
    const bystander = await Bystander.start(program.kafkaPort);
    const client = await WireClient.connect(program.kafkaPort);
    await client.createTopic('later');
    while (bystander.promisedCount < 5) await setTimeout(5);

    const bound = openDescriptors(pid) + 40;
    expect(spawnSync('prlimit', [`--pid=${pid}`, `--nofile=${bound}:${bound}`]).status).toBe(0);
    const crowd: Socket[] = [];
    for (let i = 0; i < 200; i++) {
      const socket = connect(program.kafkaPort, '127.0.0.1');
      socket.on('error', () => {});
      crowd.push(socket);
    }
    await program.until(() => program.stderr.includes('open files (ulimit -n)'));
    const before = bystander.promisedCount;
    while (bystander.promisedCount < before + 20 && bystander.problems.length === 0) await setTimeout(5);
    expect(bystander.problems).toEqual([]);
    // Its files are not open yet: what the crowd may have leaves descriptors for them.
    await client.produce('later', 'while the crowd is there');
    expect(openDescriptors(pid)).toBeLessThan(bound);

    for (const socket of crowd) socket.destroy();
    await client.produce('later', 'afterwards');
    let newcomer: WireClient | null = null;
    while (newcomer === null) {
      const candidate = await WireClient.connect(program.kafkaPort);
      // Until the last of the crowd has gone newcomers are turned away.
      await candidate.produce('later', 'from a newcomer').then(
        () => (newcomer = candidate),
        () => setTimeout(20),
      );
    }
    (newcomer as WireClient).socket.destroy();
    client.socket.destroy();
    await bystander.finish();
    expect(bystander.problems).toEqual([]);
    expect(await program.stop()).toEqual({ code: 0, signal: null });
    expect(program.log.filter(({ msg }) => /defect/.test(String(msg)))).toEqual([]);
    rmSync(data, { recursive: true, force: true });
  });
});
