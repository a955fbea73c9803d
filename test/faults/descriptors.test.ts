/**
 * A crowd of connections and a low bound on open files: the crowd is turned away while there are descriptors left, so
 * that partitions can be written, and all is well again once it has gone. `prlimit` lowers the bound of the running broker; where it is missing this is skipped.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { present } from '../../src/base/assert.ts';
import { Bystander } from '../fuzz/bystander.ts';
import { ProgramProcess } from '../program/program-process.ts';
import { WireClient } from '../program/wire-client.ts';

const hasPrlimit = spawnSync('prlimit', ['--version']).status === 0;
if (!hasPrlimit) process.stderr.write('test/faults/descriptors.test.ts is skipped: there is no prlimit.\n');

function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

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
