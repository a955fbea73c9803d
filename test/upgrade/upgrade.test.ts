/**
 * Data directories as earlier releases wrote them (scripts/make-data-directory.mjs): each opens in this one with all that
 * is in it, takes more, and opens again. What a newer release wrote is refused.
 */

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { startBroker, text, type RunningBroker } from '../../src/index.ts';
import type { ApiCodec } from '../../src/protocol/api-codec.ts';
import { zeroUuid } from '../../src/base/uuid.ts';
import * as generated from '../../src/protocol/generated/index.ts';
import { formatVersion } from '../../src/storage/data-directory.ts';
import { WireClient } from '../program/wire-client.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const directories = readdirSync(here, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

const copies: string[] = [];
afterEach(() => {
  for (const copy of copies.splice(0)) rmSync(copy, { recursive: true, force: true });
});

function copyOf(name: string): string {
  const copy = mkdtempSync(join(tmpdir(), 'millrace-upgrade-'));
  copies.push(copy);
  cpSync(join(here, name), copy, { recursive: true });
  return copy;
}

const start = (data: string): Promise<RunningBroker> => startBroker({ data, kafka: '127.0.0.1:0', http: false });

/** Each record of a topic as `partition@offset key=value headers`. */
async function recordsOf(broker: RunningBroker, topic: string): Promise<string[]> {
  const records: string[] = [];
  for await (const { partition, offset, key, value, headers } of broker.consume(topic, {
    key: text,
    value: text,
    untilEnd: true,
  })) {
    records.push(`${partition}@${offset} ${key}=${value} ${Object.keys(headers).length}`);
  }
  return records.toSorted();
}

/** What the metadata and the groups' log say, asked as clients do. */
async function settingsOf(port: number): Promise<unknown> {
  const client = await WireClient.connect(port);
  const ask = <Request, Response>(api: ApiCodec<Request, Response>, version: number, request: Request) =>
    client.request(api, version, request);
  const partitions = { ...generated.defaultOffsetFetchRequest(), groupId: 'readers', topics: null };
  const offsets = await ask(generated.offsetFetchApi, 7, partitions);
  const resource = (resourceType: number, resourceName: string, key: string) => ({
    resourceType,
    resourceName,
    configurationKeys: [key],
  });
  const described = await ask(generated.describeConfigsApi, 4, {
    ...generated.defaultDescribeConfigsRequest(),
    resources: [
      resource(2, 'compacted', 'cleanup.policy'),
      resource(4, '', 'message.max.bytes'),
      resource(32, 'readers', 'consumer.session.timeout.ms'),
      resource(16, 'metrics', 'interval.ms'),
    ],
  });
  const quotas = await ask(generated.describeClientQuotasApi, 1, { components: [], strict: false });
  client.socket.destroy();
  return {
    offsets: offsets.topics.map(({ name, partitions: of }) => [
      name,
      of.map((one) => [one.committedOffset, one.metadata]),
    ]),
    configs: described.results.map(({ configs }) => configs[0]?.value),
    quotas: quotas.entries?.map(({ values }) => values),
  };
}

/** What the group `sharers` is given of topic `plain`, as `offset×count`. */
async function givenTo(port: number, memberId: string): Promise<string[]> {
  const client = await WireClient.connect(port);
  const groupId = 'sharers';
  const member = { groupId, memberId, memberEpoch: 0, rackId: null, subscribedTopicNames: ['plain'] };
  expect((await client.request(generated.shareGroupHeartbeatApi, 1, member)).errorCode).toBe(0);
  const named = [{ topicId: zeroUuid, name: 'plain' }];
  const asked = { ...generated.defaultMetadataRequest(), topics: named, allowAutoTopicCreation: false };
  const { topicId } = (await client.request(generated.metadataApi, 12, asked)).topics[0]!;
  const fetched = await client.request(generated.shareFetchApi, 2, {
    ...{ groupId, memberId, shareSessionEpoch: 0, maxWaitMs: 1000, minBytes: 1, maxBytes: 100_000, maxRecords: 100 },
    ...{ batchSize: 100, shareAcquireMode: 0, isRenewAck: false, forgottenTopicsData: [] },
    topics: [{ topicId, partitions: [{ partitionIndex: 0, acknowledgementBatches: [] }] }],
  });
  client.socket.destroy();
  return fetched.responses[0]!.partitions[0]!.acquiredRecords.map(
    ({ firstOffset, lastOffset, deliveryCount }) => `${firstOffset}-${lastOffset}×${deliveryCount}`,
  );
}

/** Directories from before share groups. */
const withoutShares = new Set(['0.1.0-clean', '0.1.0-killed']);

const plain = ['0@1 key of two=two 1', '0@2 key of three=three 1', '0@3 key of four=four 1', '1@0 key of five=five 1'];

describe.each(directories)('%s', (name) => {
  it('opens with all that is in it, takes more, and opens again', async () => {
    const data = copyOf(name);
    const first = await start(data);
    expect(await recordsOf(first, 'plain')).toEqual(plain);
    expect(await recordsOf(first, 'compacted')).toEqual(['0@0 key of six=six 1']);
    await expect(first.deleteTopic('gone')).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' });
    expect(await settingsOf(first.kafka!.port)).toEqual({
      offsets: [['plain', [[3, 'here']]]],
      configs: ['compact', '2000000', '50000', '5000'],
      quotas: [[{ key: 'producer_byte_rate', value: 1_048_576 }]],
    });
    await first.produce('plain', [{ value: Buffer.from('more'), partition: 1 }]);
    await first.close();
    await using second = await start(data);
    expect(await recordsOf(second, 'plain')).toEqual([...plain, '1@1 null=more 0']);
  });

  it.skipIf(formatOf(join(here, name)) < 2)('shows nobody what was aborted', async () => {
    const data = copyOf(name);
    await using broker = await start(data);
    expect(await recordsOf(broker, 'transactional')).toEqual(['0@2 key of kept=kept 1']);
  });

  it.skipIf(withoutShares.has(name))('has share groups go on where they were', async () => {
    const data = copyOf(name);
    const first = await start(data);
    // The second record was accepted, and the third given back.
    expect(await givenTo(first.kafka!.port, 'first')).toEqual(['1-1×1', '3-3×2']);
    await first.close();
    await using second = await start(data);
    // Whether what nobody answered counts hangs on what the first heard of before it stopped.
    const again = await givenTo(second.kafka!.port, 'second');
    expect(again).toEqual([expect.stringMatching(/^1-1×[12]$/), expect.stringMatching(/^3-3×[23]$/)]);
  });
});

const formatOf = (data: string): number =>
  Number(/^millrace\.format=(\d+)$/m.exec(readFileSync(join(data, 'meta.properties'), 'utf8'))?.[1]);

it('has directories of every format', () => {
  const formats = new Set(directories.map((name) => formatOf(join(here, name))));
  expect([...formats].toSorted((a, b) => a - b)).toEqual(Array.from({ length: formatVersion }, (_, i) => i + 1));
});

it.each(directories)('marks %s as of its own format, which older releases refuse', async (name) => {
  const data = copyOf(name);
  await (await start(data)).close();
  expect(formatOf(data)).toBe(formatVersion);
});

it('refuses what a newer release wrote, in a sentence, and leaves it as it is', async () => {
  const data = copyOf(directories[0]!);
  const path = join(data, 'meta.properties');
  const newer = readFileSync(path, 'utf8').replace(/^millrace\.format=\d+$/m, `millrace.format=${formatVersion + 1}`);
  writeFileSync(path, newer);
  await expect(start(data)).rejects.toMatchObject({
    code: 'DATA_DIRECTORY_NEWER',
    message: expect.stringMatching(/^The data directory .* was written by a newer Millrace \(format 3, .*\.$/),
  });
  expect(readFileSync(path, 'utf8')).toBe(newer);
});
