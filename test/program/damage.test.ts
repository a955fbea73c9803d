/** What the program says and does where something is missing that was on disk. */

import { existsSync, mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ProgramProcess } from './program-process.ts';
import { WireClient } from './wire-client.ts';

let directory: string;
let data: string;
let program: ProgramProcess;

/** Leaves a topic of two records behind, known to be on disk, and no clean stop. */
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-damage-'));
  data = join(directory, 'data');
  program = await ProgramProcess.serving(data);
  const client = await WireClient.connect(program.kafkaPort);
  for (const topic of ['orders', 'other']) {
    await client.createTopic(topic);
    for (const value of ['first', 'second']) await client.produce(topic, value);
  }
  client.socket.destroy();
  await program.stop();
  program = await ProgramProcess.serving(data);
  await program.stop('SIGKILL');
});

afterEach(async () => {
  await program.stop('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

async function page(path: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${program.httpPort}${path}`);
  expect(response.status).toBe(200);
  return response.text();
}

it('shows a damaged partition in metrics and readiness, though nobody asked for it, and serves what is left', async () => {
  truncateSync(join(data, 'orders-0', `${'0'.repeat(20)}.log`), 100);
  program = await ProgramProcess.serving(data);
  expect(await page('/readyz')).toBe('ok\nPartition 0 of orders takes no writes: see the log.\n');
  const metrics = await page('/metrics');
  for (const line of [
    'millrace_refusing_partitions 1',
    'kafka_topic_partition_in_sync_replica{topic="orders",partition="0"} 0',
    'kafka_topic_partition_in_sync_replica{topic="other",partition="0"} 1',
    'kafka_topic_partition_under_replicated_partition{topic="orders",partition="0"} 1',
    'kafka_topic_partition_under_replicated_partition{topic="other",partition="0"} 0',
    'kafka_topic_partition_leader{topic="orders",partition="0"} 0',
  ]) {
    expect(metrics.split('\n')).toContain(line);
  }
  const client = await WireClient.connect(program.kafkaPort);
  expect((await client.fetch('orders', 0)).includes('first')).toBe(true);
  expect((await client.fetch('other', 1)).includes('second')).toBe(true);
  client.socket.destroy();
});

it.each([
  ['cut short', (log: string) => truncateSync(log, 70)],
  ['gone', (log: string) => rmSync(join(log, '..'), { recursive: true })],
])('does not start where the metadata log is %s, and deletes no topic that it does not name', async (_how, damage) => {
  damage(join(data, '__cluster_metadata-0', `${'0'.repeat(20)}.log`));
  program = new ProgramProcess(['--data', data, '--kafka', '127.0.0.1:0', '--http', '127.0.0.1:0']);
  expect(await program.ended).toEqual({ code: 1, signal: null });
  expect(program.stderr).toMatch(/millrace: Partition 0 of __cluster_metadata takes no writes: .*\n$/);
  for (const topic of ['orders', 'other']) expect(existsSync(join(data, `${topic}-0`))).toBe(true);
});
