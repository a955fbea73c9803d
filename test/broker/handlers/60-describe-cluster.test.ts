import { describe, expect, it, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { describeClusterApi } from '../../../src/protocol/generated/index.ts';
import { BrokerHarness, testClusterId, versionsOf } from '../broker-harness.ts';

const notAsked = -(2 ** 31);

describe.each(versionsOf(describeClusterApi))('DescribeCluster version %i', (version) => {
  it('names this node at the address of the door', async () => {
    const harness = await BrokerHarness.open({ config: { 'node.id': '5', 'broker.rack': 'r1' } });
    expect(await harness.request(describeClusterApi, version, {})).toEqual({
      throttleTimeMs: 0,
      errorCode: ErrorCode.NONE,
      errorMessage: null,
      endpointType: 1,
      clusterId: testClusterId,
      controllerId: 5,
      brokers: [{ brokerId: 5, host: 'broker.test', port: 9092, rack: 'r1', isFenced: false }],
      clusterAuthorizedOperations: notAsked,
    });
  });

  it('says what the client may do where it asks', async () => {
    const harness = await BrokerHarness.open();
    const fields = { includeClusterAuthorizedOperations: true };
    expect(await harness.request(describeClusterApi, version, fields)).toMatchObject({
      clusterAuthorizedOperations: 8096,
    });
  });
});

test.each([
  [2, ErrorCode.MISMATCHED_ENDPOINT_TYPE],
  [3, ErrorCode.UNSUPPORTED_ENDPOINT_TYPE],
])('refuses endpoint type %i', async (endpointType, errorCode) => {
  const harness = await BrokerHarness.open();
  expect(await harness.request(describeClusterApi, 2, { endpointType })).toMatchObject({
    errorCode,
    errorMessage: expect.any(String),
    clusterId: '',
    controllerId: -1,
    brokers: [],
    clusterAuthorizedOperations: notAsked,
  });
});
