import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { EnvironmentErrorCode } from '../../src/base/environment-error.ts';
import { ErrorCode } from '../../src/base/error-code.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { SeededRandom } from '../../src/base/random.ts';
import type { KeyedRecord } from '../../src/broker/keyed-batch.ts';
import { StateLog, stateLogConfig, type KeyedState } from '../../src/broker/state-log.ts';
import { recordCountAt } from '../../src/records/record-batch.ts';
import { MemoryLogStore } from './memory-log-store.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array): string => new TextDecoder().decode(value);

class Texts implements KeyedState {
  readonly values = new Map<string, string>();
  applied = 0;

  apply({ key, value }: KeyedRecord): void {
    this.applied++;
    if (value === null) this.values.delete(text(key));
    else this.values.set(text(key), text(value));
  }

  *snapshot(): Generator<KeyedRecord | KeyedRecord[]> {
    for (const [key, value] of this.values) yield { key: bytes(key), value: bytes(value) };
  }
}

/** Has the order of all its records say something. */
class OrderedTexts extends Texts {
  override *snapshot(): Generator<KeyedRecord[]> {
    yield [...super.snapshot()] as KeyedRecord[];
  }
}

const set = (key: string, value: string | null): KeyedRecord => ({
  key: bytes(key),
  value: value === null ? null : bytes(value),
});

/** A turn ends with each change, unless given. */
async function load(
  store: MemoryLogStore,
  snapshotAfterBytes = 1_000_000,
  afterTurn = (callback: () => void): void => callback(),
  state = new Texts(),
): Promise<{ state: Texts; log: StateLog }> {
  const log = await StateLog.load({
    log: store.open('__state', 'id', 0, stateLogConfig),
    store,
    clock: { ...systemClock, afterTurn },
    logger: silentLogger,
    state,
    snapshotAfterBytes,
  });
  return { state, log };
}

test('applies what is synced, in order, and reads it again', async () => {
  const store = new MemoryLogStore();
  const { state, log } = await load(store);
  expect(await log.append([set('a', '1'), set('b', '2')])).toBe(ErrorCode.NONE);
  expect(await log.append([set('a', null), set('c', '')])).toBe(ErrorCode.NONE);
  expect(store.appended.map(({ options }) => options)).toEqual([
    { durability: 'synced', origin: 'coordinator' },
    { durability: 'synced', origin: 'coordinator' },
  ]);
  const again = await load(store);
  expect(again.state.values).toEqual(
    new Map([
      ['b', '2'],
      ['c', ''],
    ]),
  );
  expect(again.state.values).toEqual(state.values);
});

test('writes the changes of a turn as one batch, each of which hears what became of it', async () => {
  const store = new MemoryLogStore();
  let endTurn = (): void => {};
  const { state, log } = await load(store, 1_000_000, (callback) => (endTurn = callback));
  const changes = ['1', '2', '3'].map((value) => log.append([set('a', value), set(value, value)]));
  const tooLarge = log.append([{ key: bytes('b'), value: new Uint8Array(stateLogConfig.maxMessageBytes) }]);
  expect(await tooLarge).toBe(ErrorCode.MESSAGE_TOO_LARGE);
  expect(store.appended).toEqual([]);
  endTurn();
  expect(await Promise.all(changes)).toEqual([ErrorCode.NONE, ErrorCode.NONE, ErrorCode.NONE]);
  expect(store.appended).toHaveLength(1);
  expect([...state.values]).toEqual([
    ['a', '3'],
    ['1', '1'],
    ['2', '2'],
    ['3', '3'],
  ]);
  store.failAppends = ErrorCode.KAFKA_STORAGE_ERROR;
  const failed = ['4', '5'].map((value) => log.append([set('a', value)]));
  endTurn();
  expect(await Promise.all(failed)).toEqual([ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.KAFKA_STORAGE_ERROR]);
  expect(state.values.get('a')).toBe('3');
});

test('does not wait for the end of a turn that brings very much', async () => {
  const store = new MemoryLogStore();
  const { log } = await load(store, 100_000_000, () => {});
  const changes = Array.from({ length: 8 }, (_, i) =>
    log.append([{ key: bytes(`${i}`), value: new Uint8Array(100_000) }]),
  );
  expect(await Promise.all(changes.slice(0, 6))).toEqual(Array.from({ length: 6 }, () => ErrorCode.NONE));
  expect(store.appended).toHaveLength(3);
});

test('applies nothing before it is synced', async () => {
  const store = new MemoryLogStore();
  const { state, log } = await load(store);
  store.held = [];
  const change = log.append([set('a', '1')]);
  expect(state.applied).toBe(0);
  store.finishHeld();
  expect(state.applied).toBe(1);
  await change;
});

test('answers with the error of a failed append, and applies nothing', async () => {
  const store = new MemoryLogStore();
  const { state, log } = await load(store);
  store.failAppends = ErrorCode.KAFKA_STORAGE_ERROR;
  expect(await log.append([set('a', '1')])).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
  expect(state.applied).toBe(0);
  expect(await log.append([set('a', 'x'.repeat(9_000_000))])).toBe(ErrorCode.MESSAGE_TOO_LARGE);
});

test('writes a snapshot after enough changes, and a start reads little more than that', async () => {
  const store = new MemoryLogStore();
  const { state, log } = await load(store, 2000);
  for (let i = 0; i < 500; i++) await log.append([set(`key${i % 3}`, String(i))]);
  await log.settled();
  const partition = store.open('__state', 'id', 0, stateLogConfig);
  expect(partition.logStartOffset).toBeGreaterThan(400);
  const again = await load(store);
  expect(again.state.values).toEqual(state.values);
  expect(again.state.applied).toBeLessThan(60);
});

test('changes that arrive while a snapshot is due stand behind it', async () => {
  const store = new MemoryLogStore();
  const { state, log } = await load(store, 100);
  store.held = [];
  const changes = [log.append([set('a', '1'.repeat(200))]), log.append([set('b', '2')])];
  store.held.shift()!();
  // The first change made a snapshot due, and the second is under way: this one must wait for both.
  changes.push(log.append([set('a', 'new')]));
  store.finishHeld();
  await Promise.all(changes);
  await log.settled();
  expect(state.values.get('a')).toBe('new');
  expect((await load(store)).state.values).toEqual(state.values);
});

test('keeps the old records where a snapshot could not be written', async () => {
  const store = new MemoryLogStore();
  const { state, log } = await load(store, 100);
  store.held = [];
  const change = log.append([set('a', '1'.repeat(200))]);
  store.failAppends = ErrorCode.KAFKA_STORAGE_ERROR;
  store.finishHeld();
  await change;
  await log.settled();
  expect((await load(store)).state.values).toEqual(state.values);
});

test('reads right at any moment of snapshots that are written in slices, between which it changes', async () => {
  const random = new SeededRandom(17);
  const store = new MemoryLogStore();
  const { state, log } = await load(store, 300_000);
  const partition = store.open('__state', 'id', 0, stateLogConfig);
  const finish = async (count: number): Promise<void> => {
    for (const done of store.held!.splice(0, count)) done();
    await setImmediate();
  };
  store.held = [];
  const starts = new Set<number>();
  let asWritten = 0;
  let meanwhile = 0;
  for (let step = 0; step < 3000; step++) {
    const key = `key ${random.below(150)}`;
    void log.append([
      set(key, random.chance(0.2) ? null : `${step} ${'x'.repeat(random.below(4000))}`),
      set(`other ${random.below(30)}`, String(step)),
    ]);
    if (random.chance(0.6)) await finish(random.below(4));
    starts.add(partition.logStartOffset);
    // A slice is on its way, and so is what changes behind it.
    if (store.held.length > 1 && partition.batches.slice(-store.held.length).some((batch) => batch.length > 60_000))
      meanwhile++;
    if (step % 100 !== 99) continue;
    while (store.held.length > 0) await finish(1);
    expect((await load(store)).state.values).toEqual(state.values);
    asWritten++;
  }
  expect(asWritten).toBe(30);
  expect(starts.size).toBeGreaterThan(5);
  expect(meanwhile).toBeGreaterThan(20);
});

test('parts no records in slices whose order says something', async () => {
  const store = new MemoryLogStore();
  const { state, log } = await load(store, 100_000, (callback) => callback(), new OrderedTexts());
  for (const key of ['a', 'b', 'c']) await log.append([set(key, 'x'.repeat(40_000))]);
  await log.settled();
  const snapshot = store.open('__state', 'id', 0, stateLogConfig).batches.slice(3);
  expect(snapshot.map((batch) => recordCountAt(batch, 0))).toEqual([3]);
  expect((await load(store)).state.values).toEqual(state.values);
});

test('begins no slice once it is closed, and reads the old records and what there is of the new', async () => {
  const store = new MemoryLogStore();
  const { state, log } = await load(store, 100_000);
  for (let i = 0; i < 40; i++) await log.append([set(`key ${i}`, 'x'.repeat(2000))]);
  store.held = [];
  const change = log.append([set('last', 'x'.repeat(30_000))]);
  store.held.shift()!();
  await change;
  await setImmediate();
  // The first slice of two is on its way.
  expect(store.held).toHaveLength(1);
  const settled = log.settled();
  store.held.shift()!();
  await settled;
  expect(store.held).toEqual([]);
  expect(store.open('__state', 'id', 0, stateLogConfig).logStartOffset).toBe(0);
  expect((await load(store)).state.values).toEqual(state.values);
});

test('is not read at all where a part of it is missing, which would be taken for the whole', async () => {
  const store = new MemoryLogStore();
  const { log } = await load(store);
  await log.append([set('a', '1')]);
  store.damagedNames.add('__state-0');
  await expect(load(store)).rejects.toMatchObject({
    code: EnvironmentErrorCode.DATA_CORRUPT,
    message: 'Partition 0 of __state takes no writes: a test says so.',
  });
});

test('whoever closes the log has the changes of this turn written first', async () => {
  const store = new MemoryLogStore();
  const { state, log } = await load(store, 1_000_000, () => {});
  const change = log.append([set('a', '1')]);
  expect(store.appended).toEqual([]);
  await log.settled();
  expect(state.values).toEqual(new Map([['a', '1']]));
  expect(await change).toBe(ErrorCode.NONE);
});
