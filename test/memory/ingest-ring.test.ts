import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asAddress, asRingPosition, type RingPosition } from '../../src/base/numbers.ts';
import { IngestRing } from '../../src/memory/ingest-ring.ts';

describe('IngestRing', () => {
  it('skips to the start rather than cut a reservation in two', () => {
    const ring = new IngestRing(asAddress(4096), 128);
    expect(ring.reserve(64)).toBe(0);
    expect(ring.reserve(40)).toBe(64);
    ring.releaseUpTo(ring.head);
    expect(ring.reserve(32)).toBe(128);
    expect(ring.addressOf(asRingPosition(128))).toBe(4096);
  });

  it('takes half its size whenever it has drained, wherever it stands', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 128 }), { maxLength: 30 }), (sizes) => {
        const ring = new IngestRing(asAddress(64), 256);
        for (const sizeBytes of sizes) {
          expect(ring.reserve(sizeBytes)).not.toBeNull();
          ring.releaseUpTo(ring.head);
        }
        expect(ring.reserve(ring.maxReservationBytes)).not.toBeNull();
      }),
    );
  });

  it('never hands out bytes that still wait, nor a range across the end', () => {
    const steps = fc.array(fc.oneof(fc.integer({ min: 1, max: 128 }), fc.constant('release' as const)), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(steps, (all) => {
        const capacity = 256;
        const ring = new IngestRing(asAddress(64), capacity);
        const live: { start: number; end: number; after: number }[] = [];
        for (const step of all) {
          if (step === 'release') {
            const oldest = live.shift();
            if (oldest !== undefined) ring.releaseUpTo(asRingPosition(oldest.after));
            continue;
          }
          const hadRoom = ring.hasRoom(step);
          const position = ring.reserve(step);
          expect(position !== null).toBe(hadRoom);
          if (position === null) continue;
          const start = position % capacity;
          expect(start + step).toBeLessThanOrEqual(capacity);
          expect(position % 8).toBe(0);
          for (const other of live) expect(start < other.end && other.start < start + step).toBe(false);
          expect(ring.holds(position)).toBe(true);
          live.push({ start, end: start + step, after: ring.head });
        }
      }),
    );
  });

  it('holds what was released until it is overwritten', () => {
    const ring = new IngestRing(asAddress(64), 128);
    const first = ring.reserve(32)!;
    ring.reserve(24);
    ring.releaseUpTo(ring.head);
    expect(ring.holds(first)).toBe(true);
    ring.reserve(64);
    expect(ring.holds(first)).toBe(true);
    ring.reserve(16);
    expect(ring.holds(first)).toBe(false);
    expect(ring.holds(ring.head)).toBe(false);
  });

  it('goes on at the start once nothing waits in its first half, and not before', () => {
    const ring = new IngestRing(asAddress(64), 256);
    expect(ring.reserve(128)).toBe(0);
    expect(ring.reserve(16)).toBe(128);
    ring.releaseUpTo(asRingPosition(120));
    expect(ring.reserve(16)).toBe(144);
    ring.releaseUpTo(asRingPosition(128));
    // What stood at the start is overwritten as far as the new one reaches, and what still waits stays.
    expect(ring.reserve(64)).toBe(256);
    expect(ring.holds(asRingPosition(56))).toBe(false);
    expect(ring.holds(asRingPosition(64))).toBe(true);
    // Without what was skipped.
    expect(ring.pendingBytes).toBe(96);
    expect(ring.reserve(64)).toBe(320);
    expect(ring.reserve(8)).toBeNull();
    ring.releaseUpTo(asRingPosition(256));
    expect(ring.reserve(128)).toBe(384);
  });

  it('takes a release up to where it skipped for one up to where it went on', () => {
    const ring = new IngestRing(asAddress(64), 256);
    ring.reserve(128);
    // Noted by what needs no bytes of the ring, and is not done yet.
    const noted = ring.head;
    ring.releaseUpTo(noted);
    expect(ring.head).toBe(256);
    ring.releaseUpTo(noted);
    expect(ring.reserve(64)).toBe(256);
    ring.releaseUpTo(noted);
    expect(ring.pendingBytes).toBe(64);
    expect(ring.hasRoom(192)).toBe(true);
    ring.releaseUpTo(ring.head);
    expect(ring.pendingBytes).toBe(0);
    expect(() => ring.releaseUpTo(noted)).toThrow('between tail and head');
  });

  it('wakes those who wait in their order, and nobody overtakes', () => {
    const ring = new IngestRing(asAddress(64), 128);
    const first = ring.reserve(64)!;
    ring.reserve(64);
    const woken: string[] = [];
    const ask = (name: string, sizeBytes: number): boolean =>
      ring.whenRoom(sizeBytes, () => {
        woken.push(name);
        ring.reserve(sizeBytes);
      });
    expect(ask('large', 64)).toBe(false);
    expect(ask('small', 8)).toBe(false);
    ring.releaseUpTo(asRingPosition(first + 32));
    expect(woken).toEqual([]);
    ring.releaseUpTo(asRingPosition(first + 64));
    expect(woken).toEqual(['large']);
    ring.releaseUpTo(asRingPosition(first + 128));
    expect(woken).toEqual(['large', 'small']);
    expect(ask('next', 8)).toBe(true);
  });

  it('uses no more of a large ring than what waits takes, and some megabytes', () => {
    const mebibyte = 2 ** 20;
    const ring = new IngestRing(asAddress(64), 64 * mebibyte);
    const waiting: RingPosition[] = [];
    let furthest = 0;
    for (let i = 0; i < 500; i++) {
      const position = ring.reserve(mebibyte)!;
      furthest = Math.max(furthest, (position % ring.capacityBytes) + mebibyte);
      waiting.push(position);
      if (waiting.length === 5) waiting.shift();
      ring.releaseUpTo(waiting[0]!);
      expect(ring.pendingBytes).toBe(waiting.length * mebibyte);
    }
    expect(furthest).toBe(12 * mebibyte);
  });

  it('serves all that wait in the end, whatever came and was released before', () => {
    const steps = fc.array(fc.oneof(fc.integer({ min: 0, max: 128 }), fc.constant('release' as const)), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(steps, (all) => {
        const ring = new IngestRing(asAddress(64), 256);
        const live: RingPosition[] = [];
        let served = 0;
        const ask = (sizeBytes: number): void => {
          ring.whenRoom(sizeBytes, () => {
            served++;
            if (sizeBytes > 0) live.push(ring.reserve(sizeBytes)!);
          });
        };
        const release = (): void => {
          live.shift();
          ring.releaseUpTo(live[0] ?? ring.head);
        };
        let asked = 0;
        for (const step of all) {
          if (step === 'release') release();
          else {
            asked++;
            ask(step);
          }
        }
        while (live.length > 0) release();
        expect(served).toBe(asked);
        expect(ring.pendingBytes).toBe(0);
      }),
    );
  });
});
