import { readFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { handlers } from '../../../src/broker/handlers/index.ts';
import { apiVersionsApi, fetchApi } from '../../../src/protocol/generated/index.ts';
import { decodeResponseHeader } from '../../../src/protocol/headers.ts';
import { Reader } from '../../../src/protocol/reader.ts';
import { BrokerHarness, encodeRequest, testClusterId, versionsOf } from '../broker-harness.ts';

const client = { clientSoftwareName: 'test', clientSoftwareVersion: '1.0' };

interface Range {
  readonly apiKey: number;
  readonly minVersion: number;
  readonly maxVersion: number;
}

/** What a default Kafka 4.4 tells: `Name(KEY): LOW to HIGH`, or one version, a line. */
const kafkaRanges: readonly Range[] = readFileSync(
  new URL('../../protocol/facts/kafka-4.4-api-versions.txt', import.meta.url),
  'utf8',
)
  .split('\n')
  .map((line) => /^\w+\((\d+)\): (\d+)(?: to (\d+))?$/.exec(line))
  .filter((match) => match !== null)
  .map(([, key, low, high]) => ({ apiKey: Number(key), minVersion: Number(low), maxVersion: Number(high ?? low) }))
  // A default Kafka has no receiver for telemetry of clients; one that has tells these.
  .concat([71, 72].map((apiKey) => ({ apiKey, minVersion: 0, maxVersion: 0 })))
  .toSorted((a, b) => a.apiKey - b.apiKey);

describe.each(versionsOf(apiVersionsApi))('ApiVersions version %i', (version) => {
  it("tells Kafka's ranges of the keys that are served, and of no others", async () => {
    const harness = await BrokerHarness.open();
    const response = await harness.request(apiVersionsApi, version, client);
    expect(response.errorCode).toBe(ErrorCode.NONE);
    const served = new Set([apiVersionsApi.apiKey, ...handlers.map(({ apiKey }) => apiKey)]);
    expect(response.apiKeys).toEqual(kafkaRanges.filter(({ apiKey }) => served.has(apiKey)));
    expect(response.apiKeys).toHaveLength(served.size);
  });
});

test.each([
  [3, ['metadata.version']],
  [4, ['eligible.leader.replicas.version', 'kraft.version', 'metadata.version']],
])('names features in version %i', async (version, names) => {
  const harness = await BrokerHarness.open({ handlers: [] });
  const response = await harness.request(apiVersionsApi, version, client);
  expect(response.supportedFeatures.map(({ name }) => name)).toEqual(names);
  expect(response.finalizedFeatures).toEqual([
    { name: 'eligible.leader.replicas.version', maxVersionLevel: 1, minVersionLevel: 1 },
    { name: 'metadata.version', maxVersionLevel: 33, minVersionLevel: 33 },
  ]);
});

test('keeps what the client calls itself', async () => {
  const harness = await BrokerHarness.open();
  await harness.request(apiVersionsApi, 3, { clientSoftwareName: 'apache-kafka.java', clientSoftwareVersion: '4.4.0' });
  const { clientSoftwareName, clientSoftwareVersion } = harness.connection;
  expect([clientSoftwareName, clientSoftwareVersion]).toEqual(['apache-kafka.java', '4.4.0']);
});

test.each(['', '-a', 'a-', 'a b', 'a_b', 'é'])('refuses the name %j', async (name) => {
  const harness = await BrokerHarness.open();
  for (const fields of [
    { ...client, clientSoftwareName: name },
    { ...client, clientSoftwareVersion: name },
  ]) {
    const response = await harness.request(apiVersionsApi, 3, fields);
    expect(response).toMatchObject({ errorCode: ErrorCode.INVALID_REQUEST, apiKeys: [] });
  }
  expect(harness.connection.clientSoftwareName).toBe('unknown');
});

test('sends a client back to its first addresses that takes this for another node or cluster', async () => {
  const harness = await BrokerHarness.open();
  const codeOf = async (fields: { clusterId?: string; nodeId?: number }): Promise<number> =>
    (await harness.request(apiVersionsApi, 5, { ...client, ...fields })).errorCode;
  expect(await codeOf({ clusterId: testClusterId, nodeId: 1 })).toBe(ErrorCode.NONE);
  expect(await codeOf({ clusterId: 'another' })).toBe(ErrorCode.REBOOTSTRAP_REQUIRED);
  expect(await codeOf({ nodeId: 2 })).toBe(ErrorCode.REBOOTSTRAP_REQUIRED);
});

test('answers a version that it does not know in version 0, with the range', async () => {
  const harness = await BrokerHarness.open();
  const frame = encodeRequest(apiVersionsApi, 3, client);
  // The version stands behind the key.
  frame[3] = 99;
  const chunks = await harness.dispatcher.serve(frame, harness.connection);
  const reader = new Reader(new Uint8Array(Buffer.concat(chunks!)).subarray(4));
  expect(decodeResponseHeader(reader, apiVersionsApi, 0)).toBe(1);
  const { minVersion, stableVersion: maxVersion } = apiVersionsApi;
  expect(apiVersionsApi.decodeResponse(reader, 0)).toMatchObject({
    errorCode: ErrorCode.UNSUPPORTED_VERSION,
    apiKeys: [{ apiKey: 18, minVersion, maxVersion }],
  });
  reader.expectEnd();
});

test('closes the connection on keys and versions that are not served', async () => {
  const harness = await BrokerHarness.open({ handlers: [] });
  await expect(harness.request(fetchApi, 4, {})).rejects.toThrow('API key 1 is not served');
  const all = await BrokerHarness.open();
  const frame = encodeRequest(fetchApi, 4, {});
  frame[3] = 3;
  expect(() => all.dispatcher.serve(frame, all.connection)).toThrow('Fetch version 3 is not served');
});
