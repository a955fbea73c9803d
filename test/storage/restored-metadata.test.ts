import { expect, test } from 'vitest';
import { partitionMetadataName } from '../../src/storage/partition-metadata.ts';
import { temporarySuffix } from '../../src/storage/segment-name.ts';
import { FaultHarness, Ledger } from './fault-harness.ts';

const metadataPath = `/data/orders-0/${partitionMetadataName}`;
/** Long enough for the store's recovery points to move. */
const checkpointMs = 5250;

test('a start goes on with the metadata that one before it had only begun to restore', async () => {
  const harness = new FaultHarness(3);
  const ledger = new Ledger();
  await harness.open();
  for (let i = 0; i < 5; i++) {
    expect(await ledger.append(harness.log(0), 'written')).toMatchObject({ errorCode: 0 });
  }
  await harness.pass(checkpointMs);
  harness.kill();
  harness.disk.rename(metadataPath, metadataPath + temporarySuffix);

  await harness.open();
  expect(harness.disk.sizeAt(metadataPath)).toBeGreaterThan(0);
  expect(harness.disk.sizeAt(metadataPath + temporarySuffix)).toBeNull();
  await ledger.expectIn(harness.log(0));
  await harness.store.close();
  await harness.expectSound();
});
