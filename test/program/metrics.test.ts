/** What `/metrics` shows of a broker that has something to show. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { zeroUuid } from '../../src/base/uuid.ts';
import { defaultOffsetCommitRequest, offsetCommitApi } from '../../src/protocol/generated/index.ts';
import { metricsOf } from '../../src/program/metrics.ts';
import { ProgramProcess } from './program-process.ts';
import { WireClient } from './wire-client.ts';

let directory: string;
let program: ProgramProcess;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-metrics-'));
  program = await ProgramProcess.serving(join(directory, 'data'));
});

afterEach(async () => {
  await program.stop('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

/** Samples by name and labels, as Prometheus reads them. */
async function scrape(): Promise<Map<string, number>> {
  const response = await fetch(`http://127.0.0.1:${program.httpPort}/metrics`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  const samples = new Map<string, number>();
  for (const line of (await response.text()).split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const match = /^([a-z_:]\w*(?:\{.*\})?) (\S+)$/i.exec(line);
    expect(match, line).not.toBeNull();
    expect(samples.has(match![1]!), line).toBe(false);
    samples.set(match![1]!, Number(match![2]));
  }
  return samples;
}

it('shows topics by the names of kafka_exporter, doors, the log and the process, anew each time', async () => {
  const before = await scrape();
  expect(before.get('kafka_brokers')).toBe(1);
  expect(before.get('millrace_connections{listener="kafka"}')).toBe(0);
  expect([...before.keys()].filter((name) => name.startsWith('kafka_topic'))).toEqual([]);

  const client = await WireClient.connect(program.kafkaPort);
  await client.createTopic('orders');
  for (let i = 0; i < 3; i++) await client.produce('orders', `value ${i}`);
  await client.fetch('orders', 0);
  const samples = await scrape();
  const partition = '{topic="orders",partition="0"}';
  const expected = {
    kafka_brokers: 1,
    [`kafka_broker_info{id="0",address="127.0.0.1:${program.kafkaPort}"}`]: 1,
    'kafka_topic_partitions{topic="orders"}': 1,
    [`kafka_topic_partition_current_offset${partition}`]: 3,
    [`kafka_topic_partition_oldest_offset${partition}`]: 0,
    [`kafka_topic_partition_leader${partition}`]: 0,
    [`kafka_topic_partition_replicas${partition}`]: 1,
    [`kafka_topic_partition_in_sync_replica${partition}`]: 1,
    [`kafka_topic_partition_leader_is_preferred${partition}`]: 1,
    [`kafka_topic_partition_under_replicated_partition${partition}`]: 0,
    'millrace_connections{listener="kafka"}': 1,
    'millrace_connections{listener="kafka-ws"}': 0,
    'millrace_requests_total{listener="kafka",api="Produce"}': 3,
    'millrace_requests_total{listener="kafka",api="Fetch"}': 1,
    'millrace_requests_total{listener="kafka",api="CreateTopics"}': 1,
    'millrace_log_lines_total{level="error"}': 0,
    millrace_ring_pending_bytes: 0,
    millrace_assembly_bytes: 0,
  };
  expect(Object.fromEntries(Object.keys(expected).map((name) => [name, samples.get(name)]))).toEqual(expected);
  expect(samples.get('millrace_log_lines_total{level="info"}')).toBeGreaterThan(0);
  expect(samples.get('millrace_ring_capacity_bytes')).toBeGreaterThan(0);
  expect(samples.get('process_resident_memory_bytes')).toBeGreaterThan(0);
  // What went over the wire, to the byte.
  expect(samples.get('millrace_received_bytes_total{listener="kafka"}')).toBe(client.socket.bytesWritten);
  expect(samples.get('millrace_sent_bytes_total{listener="kafka"}')).toBe(client.socket.bytesRead);

  await client.produce('orders', 'one more');
  expect((await scrape()).get(`kafka_topic_partition_current_offset${partition}`)).toBe(4);
});

it('shows what a group has committed, and how far it is behind', async () => {
  const client = await WireClient.connect(program.kafkaPort);
  await client.createTopic('orders');
  for (let i = 0; i < 5; i++) await client.produce('orders', `value ${i}`);
  const partition = { partitionIndex: 0, committedOffset: 2, committedLeaderEpoch: -1, committedMetadata: '' };
  await client.request(offsetCommitApi, 8, {
    ...defaultOffsetCommitRequest(),
    groupId: 'readers',
    topics: [{ name: 'orders', topicId: zeroUuid, partitions: [partition] }],
  });
  const samples = await scrape();
  const labels = '{consumergroup="readers",topic="orders",partition="0"}';
  expect(samples.get(`kafka_consumergroup_current_offset${labels}`)).toBe(2);
  expect(samples.get(`kafka_consumergroup_lag${labels}`)).toBe(3);
  expect(samples.get('kafka_consumergroup_members{consumergroup="readers"}')).toBe(0);
});

it('can be asked again where collecting failed', async () => {
  const failures = ['first', 'second'];
  const text = metricsOf(() => {
    throw new Error(failures.shift());
  });
  await expect(text()).rejects.toThrow('first');
  await expect(text()).rejects.toThrow('second');
});
