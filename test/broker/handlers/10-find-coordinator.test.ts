import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { findCoordinatorApi } from '../../../src/protocol/generated/index.ts';
import { BrokerHarness, versionsOf } from '../broker-harness.ts';

const here = { errorCode: ErrorCode.NONE, nodeId: 1, host: 'broker.test', port: 9092 };
const nowhere = { errorCode: ErrorCode.INVALID_REQUEST, nodeId: -1, host: '', port: -1 };

const single = versionsOf(findCoordinatorApi).filter((version) => version < 4);
const several = versionsOf(findCoordinatorApi).filter((version) => version >= 4);

describe.each(single)('FindCoordinator version %i', (version) => {
  it('gives the address of the door that was asked', async () => {
    const harness = await BrokerHarness.open();
    const response = await harness.request(findCoordinatorApi, version, { key: 'group', keyType: 0 });
    expect(response).toMatchObject(here);
    expect(response.errorMessage).toBe(version === 0 ? null : 'NONE');
  });
});

describe.each(single.filter((version) => version > 0))('FindCoordinator version %i', (version) => {
  it('coordinates transactions as well, and nothing else', async () => {
    const harness = await BrokerHarness.open();
    expect(await harness.request(findCoordinatorApi, version, { key: 't', keyType: 1 })).toMatchObject(here);
    expect(await harness.request(findCoordinatorApi, version, { key: 's', keyType: 2 })).toMatchObject(nowhere);
  });
});

describe.each(several)('FindCoordinator version %i', (version) => {
  it('answers for each key', async () => {
    const harness = await BrokerHarness.open();
    const asked = { coordinatorKeys: ['a', '', 'b'], keyType: 0 };
    const { coordinators } = await harness.request(findCoordinatorApi, version, asked);
    expect(coordinators).toEqual(['a', '', 'b'].map((key) => ({ key, ...here, errorMessage: '' })));
    expect((await harness.request(findCoordinatorApi, version, { coordinatorKeys: [] })).coordinators).toEqual([]);
  });

  it('refuses key types that have no coordinator', async () => {
    const harness = await BrokerHarness.open();
    for (const keyType of [7, -1]) {
      const asked = { coordinatorKeys: ['a'], keyType };
      const { coordinators } = await harness.request(findCoordinatorApi, version, asked);
      expect(coordinators).toMatchObject([{ key: 'a', ...nowhere }]);
      expect(coordinators[0]!.errorMessage).toContain(`Key type ${keyType} `);
    }
  });

  it('knows partitions of share groups from version 6 on', async () => {
    const harness = await BrokerHarness.open();
    const coordinatorKeys = ['group:AAAAAAAAAAAAAAAAAAAAZg:0', 'group', ':AAAAAAAAAAAAAAAAAAAAZg:0', 'group:x:0'];
    const { coordinators } = await harness.request(findCoordinatorApi, version, { coordinatorKeys, keyType: 2 });
    const [known, ...refused] = coordinatorKeys.map((key) => ({ key, ...nowhere }));
    expect(coordinators).toMatchObject([version < 6 ? known : { ...known, ...here }, ...refused]);
  });
});
