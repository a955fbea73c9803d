import { describe, expect, it, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { initProducerIdApi } from '../../../src/protocol/generated/index.ts';
import { BrokerHarness, versionsOf } from '../broker-harness.ts';

const refusal = { throttleTimeMs: 0, producerId: -1, producerEpoch: -1 };

describe.each(versionsOf(initProducerIdApi))('InitProducerId version %i', (version) => {
  it('gives every producer an id of its own', async () => {
    const harness = await BrokerHarness.open();
    const first = await harness.request(initProducerIdApi, version, { transactionalId: null, transactionTimeoutMs: 1 });
    const second = await harness.request(initProducerIdApi, version, { transactionalId: null });
    expect(first).toMatchObject({ throttleTimeMs: 0, errorCode: ErrorCode.NONE, producerEpoch: 0 });
    expect(second).toMatchObject({ throttleTimeMs: 0, errorCode: ErrorCode.NONE, producerEpoch: 0 });
    expect(second.producerId).not.toBe(first.producerId);
  });

  it('gives the producer of a transactional id the next epoch each time', async () => {
    const harness = await BrokerHarness.open();
    const fields = { transactionalId: 'pays', transactionTimeoutMs: 60_000 };
    const first = await harness.request(initProducerIdApi, version, fields);
    const second = await harness.request(initProducerIdApi, version, fields);
    expect(first).toMatchObject({ errorCode: ErrorCode.NONE, producerEpoch: 0 });
    expect(second).toMatchObject({ errorCode: ErrorCode.NONE, producerEpoch: 1, producerId: first.producerId });
  });

  it.each([0, -1, 900_001])('refuses a transaction timeout of %i ms', async (transactionTimeoutMs) => {
    const harness = await BrokerHarness.open();
    const response = await harness.request(initProducerIdApi, version, {
      transactionalId: 'pays',
      transactionTimeoutMs,
    });
    expect(response).toMatchObject({ ...refusal, errorCode: ErrorCode.INVALID_TRANSACTION_TIMEOUT });
  });

  it('refuses an empty transactional id', async () => {
    const harness = await BrokerHarness.open();
    const errorCode = ErrorCode.INVALID_REQUEST;
    const response = await harness.request(initProducerIdApi, version, { transactionalId: '' });
    expect(response).toMatchObject({ ...refusal, errorCode });
  });
});

test('gives a new id to a producer that names the one it had', async () => {
  const harness = await BrokerHarness.open();
  const { producerId } = await harness.request(initProducerIdApi, 4, { transactionalId: null });
  const again = await harness.request(initProducerIdApi, 4, { transactionalId: null, producerId, producerEpoch: 0 });
  expect(again).toMatchObject({ errorCode: ErrorCode.NONE, producerEpoch: 0 });
  expect(again.producerId).not.toBe(producerId);
});

test.each([
  [5, -1],
  [-1, 5],
])('refuses producer id %i with epoch %i', async (producerId, producerEpoch) => {
  const harness = await BrokerHarness.open();
  const response = await harness.request(initProducerIdApi, 4, { transactionalId: null, producerId, producerEpoch });
  expect(response).toMatchObject({ ...refusal, errorCode: ErrorCode.INVALID_REQUEST });
});

test('never gives an id again after a restart', async () => {
  const before = await BrokerHarness.open();
  const { producerId } = await before.request(initProducerIdApi, 4, { transactionalId: null });
  const after = await BrokerHarness.open({ store: before.store });
  const response = await after.request(initProducerIdApi, 4, { transactionalId: null });
  expect(response.producerId).toBeGreaterThan(producerId);
});

test('asks the client to come again where no block of ids can be written', async () => {
  const harness = await BrokerHarness.open();
  harness.store.failAppends = ErrorCode.KAFKA_STORAGE_ERROR;
  const response = await harness.request(initProducerIdApi, 4, { transactionalId: null });
  expect(response).toMatchObject({ ...refusal, errorCode: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS });
  harness.store.failAppends = ErrorCode.NONE;
  const again = await harness.request(initProducerIdApi, 4, { transactionalId: null });
  expect(again).toMatchObject({ errorCode: ErrorCode.NONE, producerId: 0 });
});
