/** The assembler under any chunking, refusal and lie about sizes. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssemblyBudget } from '../../src/server/assembly-budget.ts';
import { FrameAssembler } from '../../src/server/frame-assembler.ts';
import type { AssemblyOwner } from '../../src/server/frame-assembler.ts';
import { ManualClock } from '../broker/manual-clock.ts';

const largestFrameBytes = 1 << 20;

function prefixed(frame: Uint8Array): Buffer {
  const size = Buffer.alloc(4);
  size.writeInt32BE(frame.length);
  return Buffer.concat([size, frame]);
}

function claim(size: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(size);
  return bytes;
}

class Recorder implements AssemblyOwner {
  readonly frames: Buffer[] = [];
  readonly ended: string[] = [];
  resumed = 0;
  accepts: () => boolean = () => true;

  take(frame: Uint8Array): boolean {
    if (!this.accepts()) return false;
    this.frames.push(Buffer.from(frame));
    return true;
  }

  readingMayGoOn(): void {
    this.resumed++;
  }

  mustEnd(reason: string): void {
    this.ended.push(reason);
  }
}

function budgetOf(limitBytes: number): AssemblyBudget {
  return new AssemblyBudget({ limitBytes, largestFrameBytes: largestFrameBytes + 4 });
}

describe('FrameAssembler', () => {
  it('gives back the frames that were sent, whether their bytes were pushed or read to where they are kept', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 300_000 }), { minLength: 1, maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 90_000 }), { minLength: 1, maxLength: 20 }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 10 }),
        (sizes, cuts, refusals) => {
          const frames = sizes.map((size, i) => Buffer.alloc(size, i + 1));
          const owner = new Recorder();
          const budget = budgetOf(1 << 22);
          const assembler = new FrameAssembler(owner, budget, largestFrameBytes);
          let asked = 0;
          owner.accepts = () => !refusals[asked++ % refusals.length]! || asked % 3 === 0;
          const stream = Buffer.concat(frames.map(prefixed));
          const shared = Buffer.alloc(90_000);
          for (let at = 0, i = 0; at < stream.length; i++) {
            const target = assembler.readTarget;
            const cut = Math.min(stream.length - at, cuts[i % cuts.length]!);
            const count = stream.copy(target ?? shared, 0, at, at + cut);
            if (target === null) assembler.push(shared.subarray(0, count));
            else assembler.filled(count);
            at += count;
            while (assembler.state === 'held') assembler.resume();
          }
          expect(owner.frames.map((frame) => frame.length)).toEqual(sizes);
          expect(owner.frames.every((frame, i) => frame.equals(frames[i]!))).toBe(true);
          expect(budget.leasedBytes).toBe(0);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('lets a large frame be read to where it is kept, and nothing behind it', () => {
    const owner = new Recorder();
    const assembler = new FrameAssembler(owner, budgetOf(1 << 22), largestFrameBytes);
    const bytes = prefixed(Buffer.alloc(200_000, 7));
    expect(assembler.readTarget).toBeNull();
    assembler.push(bytes.subarray(0, 60_000));
    // It grows with what came, whatever was claimed.
    expect(assembler.readTarget!.length).toBeLessThan(200_000);
    assembler.push(bytes.subarray(60_000, 120_004));
    const target = assembler.readTarget!;
    expect(target.length).toBe(80_000);
    bytes.copy(target, 0, 120_004);
    assembler.filled(80_000);
    expect(owner.frames).toEqual([bytes.subarray(4)]);
    expect(assembler.readTarget).toBeNull();
  });

  it('gives back the frames that were sent, however they are cut and whenever they are refused', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 3000 }), { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 4000 }), { minLength: 1, maxLength: 20 }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 10 }),
        (frames, cuts, refusals) => {
          const owner = new Recorder();
          const budget = budgetOf(1 << 20);
          const assembler = new FrameAssembler(owner, budget, largestFrameBytes);
          let asked = 0;
          owner.accepts = () => !refusals[asked++ % refusals.length]! || asked % 3 === 0;
          const stream = Buffer.concat(frames.map(prefixed));
          // One buffer for all chunks, as the doors have it: a view that is kept would show.
          const shared = Buffer.alloc(4000);
          for (let at = 0, i = 0; at < stream.length; i++) {
            const count = stream.copy(shared, 0, at, Math.min(stream.length, at + cuts[i % cuts.length]!));
            assembler.push(shared.subarray(0, count));
            shared.fill(0xee);
            at += count;
            if (i % 2 === 0) assembler.resume();
          }
          while (assembler.state === 'held') assembler.resume();
          expect(owner.frames).toEqual(frames.map((frame) => Buffer.from(frame)));
          expect(assembler.keptBytes).toBe(0);
          expect(budget.leasedBytes).toBe(0);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('hands a frame that is whole out of the chunk itself', () => {
    const chunk = prefixed(Buffer.from('whole'));
    let seen: Uint8Array | null = null;
    const owner = new Recorder();
    const assembler = new FrameAssembler(
      { ...owner, take: (frame) => ((seen = frame), true), readingMayGoOn: () => {}, mustEnd: () => {} },
      budgetOf(1000),
      largestFrameBytes,
    );
    expect(assembler.push(chunk)).toBe('reading');
    expect(seen!.buffer).toBe(chunk.buffer);
  });

  it.each([0, -1, -2147483648, largestFrameBytes + 1, 0x7fffffff])('breaks at a claim of %i bytes', (size) => {
    for (const cut of [1, 2, 4]) {
      const owner = new Recorder();
      const budget = budgetOf(1000);
      const assembler = new FrameAssembler(owner, budget, largestFrameBytes);
      const stream = Buffer.concat([prefixed(Buffer.from('good')), claim(size), Buffer.from('more')]);
      for (let at = 0; at < stream.length; at += cut) assembler.push(stream.subarray(at, at + cut));
      expect(assembler.state).toBe('broken');
      expect(assembler.problem).toContain(`claims ${size} bytes`);
      expect(owner.frames).toEqual([Buffer.from('good')]);
      expect(budget.leasedBytes).toBe(0);
    }
  });

  it('takes a frame of exactly the largest size', () => {
    const owner = new Recorder();
    const budget = budgetOf(8 << 20);
    const assembler = new FrameAssembler(owner, budget, largestFrameBytes);
    const stream = prefixed(Buffer.alloc(largestFrameBytes, 7));
    for (let at = 0; at < stream.length; at += 65536) assembler.push(stream.subarray(at, at + 65536));
    expect(owner.frames[0]!.length).toBe(largestFrameBytes);
    // The claim bounds the last doubling; while it copies, old and new are both there.
    expect(budget.peakBytes).toBeLessThanOrEqual(2 * (largestFrameBytes + 4));
  });

  it('allocates what came, not what was claimed', () => {
    const budget = budgetOf(1 << 20);
    for (let i = 0; i < 100; i++) {
      const assembler = new FrameAssembler(new Recorder(), budget, largestFrameBytes);
      assembler.push(Buffer.concat([claim(largestFrameBytes), Buffer.alloc(100)]));
    }
    expect(budget.leasedBytes).toBe(100 * 1024);
  });

  it('finishes every frame of connections that together exceed the budget, one after the other', async () => {
    const budget = budgetOf(64 * 1024);
    const frame = Buffer.alloc(60_000, 5);
    const stream = prefixed(frame);
    const senders = Array.from({ length: 20 }, () => {
      const owner = new Recorder();
      return { owner, assembler: new FrameAssembler(owner, budget, largestFrameBytes), at: 0 };
    });
    let rounds = 0;
    let waited = 0;
    while (senders.some((sender) => sender.at < stream.length)) {
      rounds++;
      expect(rounds).toBeLessThan(10_000);
      for (const sender of senders) {
        if (sender.assembler.state === 'waiting') waited++;
        if (sender.assembler.state !== 'reading' || sender.at >= stream.length) continue;
        sender.assembler.push(stream.subarray(sender.at, sender.at + 8192));
        sender.at += 8192;
      }
      await Promise.resolve();
    }
    expect(waited).toBeGreaterThan(0);
    for (const { owner } of senders) expect(owner.frames.map((got) => got.equals(frame))).toEqual([true]);
    expect(budget.leasedBytes).toBe(0);
    expect(budget.waitingCount).toBe(0);
    expect(budget.peakBytes).toBeLessThan(budget.hardLimitBytes);
  });

  it('ends a favoured connection that dawdles while others wait, and then lets them finish', async () => {
    const clock = new ManualClock();
    const budget = new AssemblyBudget({ limitBytes: 2000, largestFrameBytes: largestFrameBytes + 4, clock });
    const slow = new Recorder();
    const slowAssembler = new FrameAssembler(slow, budget, largestFrameBytes);
    expect(slowAssembler.push(Buffer.concat([claim(9000), Buffer.alloc(3000)]))).toBe('waiting');
    await Promise.resolve();
    expect(slow.resumed).toBe(1);
    const other = new Recorder();
    const otherAssembler = new FrameAssembler(other, budget, largestFrameBytes);
    expect(otherAssembler.push(Buffer.concat([claim(4000), Buffer.alloc(3000)]))).toBe('waiting');
    await Promise.resolve();
    expect(other.resumed).toBe(0);
    clock.advance(1000);
    expect(slow.ended.length).toBe(1);
    slowAssembler.close();
    await Promise.resolve();
    expect(other.resumed).toBe(1);
    otherAssembler.push(Buffer.alloc(1000));
    expect(other.frames.length).toBe(1);
    expect(budget.leasedBytes).toBe(0);
    clock.advance(1000);
    expect(clock.pendingCount).toBe(0);
  });

  it('takes no favoured connection for one that dawdles over a time in which nothing was read', async () => {
    const clock = new ManualClock();
    const budget = new AssemblyBudget({ limitBytes: 2000, largestFrameBytes: largestFrameBytes + 4, clock });
    const favoured = new Recorder();
    const assembler = new FrameAssembler(favoured, budget, largestFrameBytes);
    expect(assembler.push(Buffer.concat([claim(9000), Buffer.alloc(3000)]))).toBe('waiting');
    await Promise.resolve();
    const other = new FrameAssembler(new Recorder(), budget, largestFrameBytes);
    expect(other.push(Buffer.concat([claim(4000), Buffer.alloc(3000)]))).toBe('waiting');
    await Promise.resolve();
    clock.advance(500);
    await clock.stall(60_000);
    clock.advance(480);
    // Too short to count: what came in is read first.
    await clock.stall(90, () => void assembler.push(Buffer.alloc(1000)));
    expect(favoured.ended).toEqual([]);
    clock.advance(1000);
    expect(favoured.ended).toHaveLength(1);
  });

  it('breaks rather than pass the hard limit', () => {
    const budget = new AssemblyBudget({ limitBytes: 1024, largestFrameBytes: 2048, overdraftBytes: 0 });
    const first = new FrameAssembler(new Recorder(), budget, 2000);
    first.push(Buffer.concat([claim(2000), Buffer.alloc(1900)]));
    const second = new FrameAssembler(new Recorder(), budget, 2000);
    expect(second.push(Buffer.concat([claim(2000), Buffer.alloc(1900)]))).toBe('broken');
    expect(second.problem).toContain('memory');
    first.close();
    expect(budget.leasedBytes).toBe(0);
  });

  it('ends those that send slowest where others wait, though they send now and then', async () => {
    const clock = new ManualClock();
    const budget = new AssemblyBudget({ limitBytes: 64 * 1024, largestFrameBytes: largestFrameBytes + 4, clock });
    const trickle = (): { owner: Recorder; assembler: FrameAssembler } => {
      const owner = new Recorder();
      const assembler = new FrameAssembler(owner, budget, largestFrameBytes);
      owner.mustEnd = (reason) => {
        owner.ended.push(reason);
        assembler.close();
      };
      assembler.push(Buffer.concat([claim(100_000), Buffer.alloc(1000)]));
      return { owner, assembler };
    };
    const attackers = Array.from({ length: 100 }, trickle);
    const client = new Recorder();
    const assembler = new FrameAssembler(client, budget, largestFrameBytes);
    expect(assembler.push(Buffer.concat([claim(4000), Buffer.alloc(3000)]))).toBe('waiting');
    await Promise.resolve();
    for (let second = 0; second < 3; second++) {
      for (const attacker of attackers)
        if (attacker.assembler.state === 'reading') attacker.assembler.push(Buffer.of(1));
      clock.advance(1000);
    }
    expect(client.resumed).toBe(1);
    assembler.push(Buffer.alloc(1000));
    expect(client.frames).toHaveLength(1);
    expect(attackers.filter(({ owner }) => owner.ended.length > 0).length).toBeGreaterThan(30);
    expect(budget.leasedBytes).toBeLessThanOrEqual(budget.limitBytes);
    expect(client.ended).toEqual([]);
  });

  it('lets all who wait go on in time where those before them do not use the room expected for them', async () => {
    const clock = new ManualClock();
    const budget = new AssemblyBudget({ limitBytes: 64 * 1024, largestFrameBytes: largestFrameBytes + 4, clock });
    const hog = new FrameAssembler(new Recorder(), budget, largestFrameBytes);
    hog.push(Buffer.concat([claim(70_000), Buffer.alloc(66_000)]));
    const waiting = Array.from({ length: 5 }, () => {
      const owner = new Recorder();
      new FrameAssembler(owner, budget, largestFrameBytes).push(Buffer.concat([claim(4000), Buffer.alloc(100)]));
      return owner;
    });
    hog.close();
    clock.advance(1000);
    expect(waiting.map(({ resumed }) => resumed)).toEqual([1, 1, 1, 1, 1]);
  });

  it('ends who holds most, and not who needs little, at the hard limit', () => {
    const budget = new AssemblyBudget({ limitBytes: 8192, largestFrameBytes: 8192, overdraftBytes: 0 });
    const hog = new Recorder();
    const hogAssembler = new FrameAssembler(hog, budget, 20_000);
    hog.accepts = () => false;
    hog.mustEnd = (reason) => {
      hog.ended.push(reason);
      hogAssembler.close();
    };
    hogAssembler.push(prefixed(Buffer.alloc(15_000)));
    expect(hogAssembler.state).toBe('held');
    const client = new FrameAssembler(new Recorder(), budget, 20_000);
    expect(client.push(Buffer.concat([claim(4000), Buffer.alloc(3000)]))).toBe('reading');
    expect(hog.ended).toHaveLength(1);
  });
});
