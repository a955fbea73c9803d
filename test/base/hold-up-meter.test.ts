/** What a hold-up meter takes for time in which its thread heard somebody. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoldUpMeter } from '../../src/base/hold-up-meter.ts';
import { ManualClock } from '../broker/manual-clock.ts';

function start(): { clock: ManualClock; meter: HoldUpMeter } {
  const clock = new ManualClock();
  return { clock, meter: new HoldUpMeter(clock) };
}

describe('a thread that is attended', () => {
  it('hears as long as its ticks come', () => {
    const { clock, meter } = start();
    meter.attend();
    const beforeMs = meter.heardMs();
    clock.advance(12_345);
    expect(meter.heardMs() - beforeMs).toBe(12_345);
  });

  it.each([
    [0, 5000, 200],
    [99, 5000, 101],
    [0, 199, 199],
    [0, 200, 200],
    [0, 201, 200],
  ])('that is held up %i ms behind a tick for %i ms hears for %i ms of it', async (behindMs, heldUpMs, heardMs) => {
    const { clock, meter } = start();
    meter.attend();
    clock.advance(500 + behindMs);
    const beforeMs = meter.heardMs();
    clock.pass(heldUpMs);
    // Within the turn that took so long, and behind it.
    expect(meter.heardMs() - beforeMs).toBe(heardMs);
    await clock.stall(0);
    expect(meter.heardMs() - beforeMs).toBe(heardMs);
    clock.advance(1000);
    expect(meter.heardMs() - beforeMs).toBe(heardMs + 1000);
  });

  it('keeps what was lost when nobody attends any more', () => {
    const { clock, meter } = start();
    const attendances = [meter.attend(), meter.attend()];
    const beforeMs = meter.heardMs();
    clock.pass(5000);
    for (const attendance of attendances) attendance.cancel();
    attendances[0]!.cancel();
    expect(meter.heardMs() - beforeMs).toBe(200);
    expect(clock.pendingCount).toBe(0);
    clock.pass(5000);
    expect(meter.heardMs() - beforeMs).toBe(5200);
    meter.attend();
    clock.pass(5000);
    expect(meter.heardMs() - beforeMs).toBe(5400);
  });

  it('hears for a time that never goes back, and never faster than time goes', async () => {
    const step = fc.record({
      kind: fc.constantFrom('advance', 'pass', 'stall', 'attend', 'leave'),
      ms: fc.nat({ max: 400 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { clock, meter } = start();
        const attendances: { cancel(): void }[] = [];
        let heardMs = meter.heardMs();
        let nowMs = clock.monotonicMs();
        for (const { kind, ms } of steps) {
          if (kind === 'advance') clock.advance(ms);
          else if (kind === 'pass') clock.pass(ms);
          else if (kind === 'stall') await clock.stall(ms);
          else if (kind === 'attend') attendances.push(meter.attend());
          else attendances.pop()?.cancel();
          const gainMs = meter.heardMs() - heardMs;
          expect(gainMs).toBeGreaterThanOrEqual(0);
          expect(gainMs).toBeLessThanOrEqual(clock.monotonicMs() - nowMs);
          heardMs += gainMs;
          nowMs = clock.monotonicMs();
        }
      }),
      { numRuns: 60 },
    );
  });
});
