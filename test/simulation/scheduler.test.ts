import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Scheduler } from './scheduler.ts';
import { SimulatedFileSystem } from './simulated-file-system.ts';

describe('Scheduler', () => {
  it('lets events happen by time, whatever order they were added in', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.array(fc.nat(50), { maxLength: 60 }), async (seed, delays) => {
        const scheduler = new Scheduler(seed);
        const seen: number[] = [];
        for (const delayMs of delays) {
          scheduler.schedule('event', delayMs, () => {
            expect(scheduler.nowMs).toBe(delayMs);
            seen.push(delayMs);
          });
        }
        await scheduler.run();
        expect(seen).toEqual(delays.toSorted((a, b) => a - b));
        expect(scheduler.eventCount).toBe(delays.length);
        expect(scheduler.pendingCount).toBe(0);
      }),
      { numRuns: 50 },
    );
  });

  it('orders events of one time by the seed', async () => {
    const order = async (seed: number): Promise<string> => {
      const scheduler = new Scheduler(seed);
      let seen = '';
      for (const name of 'abcd') scheduler.schedule(name, 5, () => (seen += name));
      await scheduler.run();
      return seen;
    };
    const orders = new Set<string>();
    for (let seed = 0; seed < 300; seed++) orders.add(await order(seed));
    expect(orders.size).toBe(24);
    expect(await order(7)).toBe(await order(7));
  });

  it('drains microtasks between events, those that they add included', async () => {
    const scheduler = new Scheduler(1);
    const seen: string[] = [];
    scheduler.schedule('first', 1, () => {
      void (async () => {
        for (let i = 0; i < 100; i++) await Promise.resolve();
        await new Promise<void>((resolve) => {
          process.nextTick(resolve);
        });
        seen.push(`settled at ${scheduler.nowMs}`);
      })();
    });
    scheduler.schedule('second', 1.5, () => seen.push('second'));
    await scheduler.run();
    expect(seen).toEqual(['settled at 1', 'second']);
  });

  it('keeps timers that fire, drops those that were cancelled, and adds those of events', async () => {
    const scheduler = new Scheduler(1);
    const { clock } = scheduler;
    const seen: string[] = [];
    const cancelled = clock.setTimer(10, () => seen.push('cancelled'));
    const first = clock.setTimer(5, () => {
      seen.push(`first at ${clock.monotonicMs()}`);
      cancelled.cancel();
      cancelled.cancel();
      clock.setTimer(-3, () => seen.push(`at once at ${clock.monotonicMs()}`));
      clock.setTimer(20, () => seen.push(`later at ${clock.monotonicMs()}`));
    });
    expect(scheduler.pendingCount).toBe(2);
    await scheduler.run();
    first.cancel();
    expect(seen).toEqual(['first at 5', 'at once at 5', 'later at 25']);
    expect(scheduler.pendingCount).toBe(0);
  });

  it('stops at a time, on a condition, and never twice at once', async () => {
    const scheduler = new Scheduler(1);
    let count = 0;
    const again = (): void => {
      count++;
      scheduler.schedule('again', 10, again);
    };
    scheduler.schedule('again', 10, again);
    await scheduler.run({ untilMs: 35 });
    expect([count, scheduler.nowMs]).toEqual([3, 35]);
    await scheduler.run({ until: () => count === 7 });
    expect([count, scheduler.nowMs]).toEqual([7, 70]);
    await expect(scheduler.run({ maxEvents: 5 })).rejects.toThrow('no end after 12 events');
    expect(count).toBe(12);
    const under = scheduler.run({ untilMs: 200 });
    await expect(scheduler.run()).rejects.toThrow('under way');
    await under;
  });

  it('hands on what an event throws', async () => {
    const scheduler = new Scheduler(1);
    scheduler.schedule('bad', 1, () => {
      throw new Error('thrown within');
    });
    await expect(scheduler.run()).rejects.toThrow('thrown within');
    await scheduler.run();
    expect(() => scheduler.schedule('bad', Number.NaN, () => {})).toThrow(RangeError);
  });

  it('moves the wall clock without the monotonic one', async () => {
    const scheduler = new Scheduler(1, { startMs: 1_000_000 });
    expect(scheduler.clock.nowMs()).toBe(1_000_000);
    await scheduler.run({ untilMs: 12.5 });
    scheduler.jumpWallClock(-500);
    expect(scheduler.clock.nowMs()).toBe(999_512);
    expect(scheduler.clock.monotonicMs()).toBe(12.5);
  });

  it('has a trace hash that any difference changes', async () => {
    const hash = async (events: readonly (readonly [string, number])[], note = ''): Promise<string> => {
      const scheduler = new Scheduler(1);
      for (const [label, delayMs] of events) scheduler.schedule(label, delayMs, () => {});
      await scheduler.run();
      if (note !== '') scheduler.note(note);
      return scheduler.traceHash;
    };
    const hashes = await Promise.all([
      hash([]),
      hash([['a', 1]]),
      hash([['b', 1]]),
      hash([['a', 1.5]]),
      hash([['a', 2 ** 40]]),
      hash([
        ['a', 1],
        ['a', 1],
      ]),
      hash([['a', 1]], 'note'),
    ]);
    expect(new Set(hashes).size).toBe(hashes.length);
    expect(hashes.every((value) => /^[0-9a-f]{16}$/.test(value))).toBe(true);
  });

  it('runs a workload on the simulated file system bit for bit alike for equal seeds', async () => {
    const run = async (seed: number): Promise<string> => {
      const scheduler = new Scheduler(seed);
      const fileSystem = new SimulatedFileSystem({ completions: scheduler, random: scheduler.random });
      fileSystem.shortWriteChance = 0.3;
      const writer = async (name: string): Promise<void> => {
        const file = fileSystem.open(`/${name}`, 'create');
        for (let i = 0; i < 20; i++) {
          const written = fileSystem.write(file, [new Uint8Array(700).fill(i)], fileSystem.sizeOf(file));
          await fileSystem.syncLater(file);
          scheduler.note(`${name} wrote ${written}`);
        }
      };
      const writers = Promise.all(['a', 'b', 'c'].map(writer));
      await scheduler.run();
      await writers;
      const left = fileSystem.powerCut(scheduler.random);
      for (const name of left.list('/')) scheduler.note(`${name} ${left.sizeAt(`/${name}`)}`);
      return scheduler.traceHash;
    };
    const hashes: string[] = [];
    for (let seed = 0; seed < 10; seed++) {
      hashes.push(await run(seed));
      expect(await run(seed)).toBe(hashes[seed]);
    }
    expect(new Set(hashes).size).toBe(10);
  });
});
