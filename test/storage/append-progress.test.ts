import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asOffset } from '../../src/base/numbers.ts';
import { AppendProgress, type Stage } from '../../src/storage/append-progress.ts';

describe('AppendProgress', () => {
  it('answers acks=1 at the write although an earlier acks=all batch still waits for its sync', () => {
    const progress = new AppendProgress(asOffset(10));
    const answered: string[] = [];
    progress.assigned(asOffset(12), true);
    progress.await(asOffset(12), 'synced', () => answered.push('all'));
    progress.assigned(asOffset(13), false);
    progress.await(asOffset(13), 'written', () => answered.push('one'));
    progress.reachedWritten(asOffset(13));
    expect(answered).toEqual(['one']);
    expect(progress.highWatermark).toBe(10);
    progress.reachedSynced(asOffset(12));
    expect(answered).toEqual(['one', 'all']);
    expect(progress.highWatermark).toBe(13);
  });

  it('shows what only acks=1 promised as soon as it is written', () => {
    const progress = new AppendProgress(asOffset(0));
    progress.assigned(asOffset(1), false);
    progress.assigned(asOffset(2), true);
    expect(progress.highWatermark).toBe(0);
    progress.reachedWritten(asOffset(2));
    expect(progress.highWatermark).toBe(1);
  });

  it('rolls back to what is written and tells who waits for more', () => {
    const progress = new AppendProgress(asOffset(0));
    const told: [string, boolean][] = [];
    for (const [end, all] of [
      [1, true],
      [2, true],
      [3, false],
    ] as const) {
      progress.assigned(asOffset(end), all);
      progress.await(asOffset(end), all ? 'synced' : 'written', (reached) => told.push([`${end}`, reached]));
    }
    progress.reachedWritten(asOffset(1));
    progress.rollBackToWritten();
    expect(told.toSorted()).toEqual([
      ['2', false],
      ['3', false],
    ]);
    expect(progress.end).toBe(1);
    expect(progress.highWatermark).toBe(0);
    progress.reachedSynced(asOffset(1));
    expect(told).toContainEqual(['1', true]);
    expect(progress.highWatermark).toBe(1);
  });

  it('tells who waits for a sync that failed, and never shows what it would have covered', () => {
    const progress = new AppendProgress(asOffset(0));
    const told: boolean[] = [];
    progress.assigned(asOffset(1), true);
    progress.await(asOffset(1), 'synced', (reached) => told.push(reached));
    progress.reachedWritten(asOffset(1));
    progress.abandonSync();
    expect(told).toEqual([false]);
    expect(progress.highWatermark).toBe(0);
  });

  it('answers everybody once, in order, and keeps synced ≤ written ≤ end and the watermark behind them', () => {
    const step = fc.oneof(
      fc.record({ append: fc.integer({ min: 1, max: 5 }), stage: fc.constantFrom<Stage>('written', 'synced') }),
      fc.record({ write: fc.nat(6) }),
      fc.record({ sync: fc.nat(6) }),
      fc.record({ retry: fc.nat(30), stage: fc.constantFrom<Stage>('written', 'synced') }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const progress = new AppendProgress(asOffset(0));
        const answered = new Map<number, boolean>();
        const ends: { end: number; all: boolean; base: number }[] = [];
        let waiters = 0;
        const wait = (end: number, stage: Stage): void => {
          const id = waiters++;
          progress.await(asOffset(end), stage, (reached) => {
            expect(answered.has(id)).toBe(false);
            expect(end).toBeLessThanOrEqual(stage === 'written' ? progress.written : progress.synced);
            answered.set(id, reached);
          });
        };
        const finish = (): void => {
          progress.reachedWritten(progress.end);
          progress.reachedSynced(progress.end);
        };
        for (const it of steps) {
          if ('append' in it) {
            const base = progress.end;
            progress.assigned(asOffset(base + it.append), it.stage === 'synced');
            ends.push({ base, end: base + it.append, all: it.stage === 'synced' });
            wait(base + it.append, it.stage);
          } else if ('write' in it) {
            progress.reachedWritten(asOffset(Math.min(progress.written + it.write, progress.end)));
          } else if ('sync' in it) {
            progress.reachedSynced(asOffset(Math.min(progress.synced + it.sync, progress.written)));
          } else if (ends.length > 0) {
            wait(ends[it.retry % ends.length]!.end, it.stage);
          }
          const held = ends.find((batch) => batch.all && batch.end > progress.synced);
          expect(progress.highWatermark).toBe(Math.min(progress.written, held?.base ?? Infinity));
        }
        finish();
        expect(answered.size).toBe(waiters);
        expect([...answered.values()].every(Boolean)).toBe(true);
        expect(progress.highWatermark).toBe(progress.end);
      }),
    );
  });
});
