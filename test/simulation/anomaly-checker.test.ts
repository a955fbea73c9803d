import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import type { Durability } from '../../src/storage/partition-log.ts';
import { type CheckOptions, type HistoryEvent, type SeenRecord, findAnomalies } from './anomaly-checker.ts';

const log = 'topic-0';
const durabilities: readonly Durability[] = ['none', 'written', 'synced'];

const send = (value: string, durability: Durability = 'synced', isIdempotent = false): HistoryEvent => ({
  kind: 'send',
  log,
  value,
  durability,
  isIdempotent,
});
const acknowledged = (value: string, offset: number): HistoryEvent => ({ kind: 'acknowledged', log, value, offset });
const seek = (offset: number, consumer = 'c'): HistoryEvent => ({ kind: 'seek', log, consumer, offset });
const at = (offset: number, value: string, leaderEpoch = 0): SeenRecord => ({ offset, leaderEpoch, value });
const read = (record: SeenRecord, consumer = 'c'): HistoryEvent => ({ kind: 'read', log, consumer, ...record });
const scan = (startOffset: number, ...records: SeenRecord[]): HistoryEvent => ({
  kind: 'scan',
  log,
  startOffset,
  records,
});
const startMoved = (offset: number): HistoryEvent => ({ kind: 'startMoved', log, offset });
const kill: HistoryEvent = { kind: 'kill' };
const powerCut: HistoryEvent = { kind: 'powerCut' };

/** The anomalies as `kind offset`, in order. */
function found(history: readonly HistoryEvent[], options?: CheckOptions): string[] {
  return findAnomalies(history, options).map((anomaly) => `${anomaly.kind} ${anomaly.offset}`);
}

/** What a broker without a fault could have shown: one log, producers, a consumer, kills and power cuts. */
function cleanHistory(seed: number, steps: number): HistoryEvent[] {
  const random = new SeededRandom(seed);
  const history: HistoryEvent[] = [seek(0)];
  let records: SeenRecord[] = [];
  let syncedEnd = 0;
  let leaderEpoch = 0;
  let position = 0;
  const highWatermark = (): number => {
    const held = records.find(
      (record) => record.offset >= syncedEnd && record.value.startsWith('synced') /* waits for its sync */,
    );
    return held?.offset ?? records.length;
  };
  for (let step = 0; step < steps; step++) {
    const drawn = random.below(20);
    if (drawn < 8) {
      const durability = durabilities[random.below(3)]!;
      const value = `${durability} ${step}`;
      history.push(send(value, durability, random.chance(0.5)));
      // Some are lost on the way, and some answers are.
      if (random.chance(0.1)) continue;
      const offset = records.push(at(records.length, value, leaderEpoch)) - 1;
      if (durability === 'synced' && random.chance(0.7)) syncedEnd = records.length;
      const isDone = durability === 'written' || (durability === 'synced' && syncedEnd > offset);
      if (isDone && random.chance(0.9)) history.push(acknowledged(value, offset));
    } else if (drawn < 16) {
      if (position < highWatermark()) history.push(read(records[position++]!));
    } else if (drawn === 16) {
      position = random.below(records.length + 1);
      history.push(seek(position));
    } else if (drawn === 17) {
      syncedEnd = records.length;
      history.push(scan(0, ...records));
    } else if (drawn === 18) {
      leaderEpoch++;
      history.push(kill);
    } else {
      leaderEpoch++;
      records = records.slice(0, syncedEnd + random.below(records.length - syncedEnd + 1));
      history.push(powerCut);
      syncedEnd = records.length;
      position = Math.min(position, records.length);
      history.push(seek(position));
    }
  }
  history.push(scan(0, ...records));
  return history;
}

describe('a clean history', () => {
  it('passes, through kills and power cuts', () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat(300), (seed, steps) => {
        expect(found(cleanHistory(seed, steps))).toEqual([]);
      }),
    );
  });

  it('may lose in a power cut what only asked to be written, and reuse its offset in a new epoch', () => {
    const history = [send('a', 'written', true), acknowledged('a', 0), seek(0), read(at(0, 'a'))];
    expect(found([...history, powerCut, send('b'), acknowledged('b', 0), scan(0, at(0, 'b', 1))])).toEqual([]);
    // Its producer may send it again, and it then stands elsewhere.
    expect(found([...history, powerCut, send('b'), scan(0, at(0, 'b', 1), at(1, 'a', 1))])).toEqual([]);
  });

  it('may hold a record twice where its producer is not idempotent', () => {
    expect(found([send('a'), acknowledged('a', 1), scan(0, at(0, 'a'), at(1, 'a'))])).toEqual([]);
  });

  it('may begin later once the start moved, and lack what may be absent', () => {
    const history = [send('a'), acknowledged('a', 0), send('b'), acknowledged('b', 2), seek(0)];
    const left = [scan(2, at(2, 'b')), read(at(2, 'b'))];
    expect(found([...history, startMoved(2), ...left])).toEqual([]);
    expect(found([...history, ...left], { mayBeAbsent: (_log, offset) => offset < 2 })).toEqual([]);
    expect(found([...history, ...left])).toEqual(['lost-acknowledged 0', 'skip 0']);
  });

  it('keeps logs and consumers apart', () => {
    const history = [send('a'), seek(0), seek(0, 'd'), read(at(0, 'a')), read(at(0, 'a'), 'd')];
    const other = history.map((event) => ({ ...event, log: 'topic-1', ...('value' in event ? { value: 'b' } : {}) }));
    expect(found([...history, ...(other as HistoryEvent[])])).toEqual([]);
  });
});

describe('a planted anomaly', () => {
  it('is reported: an acknowledged record lost in a kill, for acks=1 and acks=all', () => {
    for (const durability of ['written', 'synced'] as const) {
      const history = [send('a', durability), acknowledged('a', 0), kill, scan(0)];
      expect(found(history)).toEqual(['lost-acknowledged 0']);
      expect(found([...history, scan(0)])).toEqual(['lost-acknowledged 0']);
    }
  });

  it('is reported: an acks=all record lost in a power cut, at the end, before another or replaced', () => {
    const history = [send('a'), acknowledged('a', 0), send('b'), acknowledged('b', 1), powerCut];
    expect(found([...history, scan(0, at(0, 'a'))])).toEqual(['lost-acknowledged 1']);
    expect(found([...history, scan(1, at(1, 'b'))])).toEqual(['lost-acknowledged 0']);
    expect(found([...history, send('d'), scan(0, at(0, 'a'), at(1, 'd', 1))])).toEqual([
      'lost-acknowledged 1',
      'two-values 1',
    ]);
  });

  it('is reported: an acks=1 record lost in a power cut although it stood before a synced one', () => {
    const history = [send('a', 'written'), acknowledged('a', 0), send('b'), acknowledged('b', 1), powerCut];
    expect(found([...history, scan(1, at(1, 'b'))])).toEqual(['lost-acknowledged 0']);
  });

  it('is reported: a record that was read and then lost', () => {
    const unanswered = [send('a', 'none'), seek(0), read(at(0, 'a'))];
    expect(found([...unanswered, kill, scan(0)])).toEqual(['lost-read 0']);
    expect(found([...unanswered, powerCut, scan(0)])).toEqual([]);
    // The high watermark does not pass an acks=all record before it is synced.
    expect(found([send('a'), seek(0), read(at(0, 'a')), powerCut, scan(0)])).toEqual(['lost-read 0']);
  });

  it('is reported: one offset with two values, by answers and by reads', () => {
    const sent = [send('a'), send('b'), acknowledged('a', 0)];
    expect(found([...sent, acknowledged('b', 0)])).toEqual(['two-values 0']);
    expect(found([...sent, seek(0), read(at(0, 'b'))])).toEqual(['two-values 0']);
    expect(found([...sent, kill, seek(0), read(at(0, 'b', 1))])).toEqual(['two-values 0']);
  });

  it('is reported: a skip in what a consumer reads', () => {
    const sent = [send('a'), send('b'), send('d')];
    expect(found([...sent, seek(0), read(at(0, 'a')), read(at(2, 'd'))])).toEqual(['skip 1']);
    expect(found([...sent, seek(0), read(at(1, 'b'))])).toEqual(['skip 0']);
    expect(found([...sent, scan(0, at(0, 'a'), at(2, 'd'))])).toEqual(['skip 1']);
  });

  it('is reported: an inversion in what a consumer reads', () => {
    const sent = [send('a'), send('b'), seek(0), read(at(0, 'a')), read(at(1, 'b'))];
    expect(found([...sent, read(at(0, 'a'))])).toEqual(['inversion 0']);
    expect(found([...sent, read(at(1, 'b'))])).toEqual(['inversion 1']);
    expect(found([...sent, seek(1), read(at(0, 'a'))])).toEqual(['inversion 0']);
  });

  it('is reported: a duplicate from an idempotent producer', () => {
    const sent = send('a', 'synced', true);
    expect(found([sent, scan(0, at(0, 'a'), at(1, 'a'))])).toEqual(['duplicate 1']);
    expect(found([sent, acknowledged('a', 0), acknowledged('a', 1)])).toEqual(['duplicate 1']);
    expect(found([sent, acknowledged('a', 0), powerCut, scan(0, at(0, 'a'), at(1, 'a', 1))])).toEqual(['duplicate 1']);
  });

  it('is reported: an epoch and offset that name two records, across a power cut', () => {
    const history = [send('a', 'written'), send('b'), seek(0), read(at(0, 'a', 3)), powerCut];
    expect(found([...history, scan(0, at(0, 'b', 3))])).toEqual(['epoch-offset-reused 0']);
    expect(found([...history, scan(0, at(0, 'b', 4))])).toEqual([]);
  });

  it('is reported: a record that nobody wrote, or not yet, or to another log', () => {
    expect(found([seek(0), read(at(0, 'a'))])).toEqual(['unwritten 0']);
    expect(found([scan(0, at(0, 'a')), send('a')])).toEqual(['unwritten 0']);
    expect(found([{ ...send('a'), log: 'topic-1' } as HistoryEvent, scan(0, at(0, 'a'))])).toEqual(['unwritten 0']);
  });

  it('is reported wherever it is planted in a long history', () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat(), (seed, pick) => {
        const history = cleanHistory(seed, 200);
        const last = history.at(-1)!;
        if (last.kind !== 'scan' || last.records.length < 2) return;
        const index = pick % (last.records.length - 1);
        const without = { ...last, records: last.records.toSpliced(index, 1) };
        const kinds = new Set(findAnomalies([...history.slice(0, -1), without]).map((anomaly) => anomaly.kind));
        // The first may be missing where no record was promised; the start is then only later.
        if (index > 0) expect(kinds).toContain('skip');
        const forged = { ...last, records: last.records.with(index, { ...last.records[index]!, value: 'forged' }) };
        expect(found([...history.slice(0, -1), forged])).toContain(`unwritten ${last.records[index]!.offset}`);
      }),
    );
  });

  it('says where and what it is', () => {
    const [anomaly] = findAnomalies([send('a'), acknowledged('a', 0), kill, scan(0)]);
    expect(anomaly).toEqual({
      kind: 'lost-acknowledged',
      log,
      offset: 0,
      eventIndex: 3,
      message: "topic-0 @0: 'a' was acknowledged, but nothing is here",
    });
  });
});

describe('a history that makes no sense', () => {
  it('is refused', () => {
    expect(() => findAnomalies([send('a'), send('a')])).toThrow('was sent before');
    expect(() => findAnomalies([acknowledged('a', 0)])).toThrow('never sent');
    expect(() => findAnomalies([send('a', 'none'), acknowledged('a', 0)])).toThrow('not to be answered');
    expect(() => findAnomalies([read(at(0, 'a'))])).toThrow('never sought');
  });
});
