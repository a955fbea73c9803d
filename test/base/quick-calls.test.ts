import { describe, expect, it } from 'vitest';
import { QuickCalls } from '../../src/base/quick-calls.ts';

function after(calls: QuickCalls, ...durationsMs: number[]): boolean {
  for (const durationMs of durationsMs) calls.took(durationMs);
  return calls.areQuick;
}

describe('QuickCalls', () => {
  it('counts calls as quick after four in a row, and no more after a slow one', () => {
    const calls = new QuickCalls(0.5, false);
    expect(after(calls, 0.1, 0.1, 0.1)).toBe(false);
    expect(after(calls, 0.1)).toBe(true);
    expect(after(calls, 0.5)).toBe(false);
    expect(after(calls, 0.1, 0.1, 0.1, 0.6, 0.1)).toBe(false);
    expect(after(calls, 0.1, 0.1, 0.1)).toBe(true);
  });

  it('trusts what it has not seen where it is told to', () => {
    expect(new QuickCalls(0.5, true).areQuick).toBe(true);
    expect(after(new QuickCalls(0.5, true), 0.6)).toBe(false);
  });

  it('forgives single slow calls where it is told to, but not so many in a row, nor any while it has no trust', () => {
    const calls = new QuickCalls(0.5, true, 3);
    expect(after(calls, 5, 5, 0.1, 5, 5)).toBe(true);
    expect(after(calls, 5)).toBe(false);
    expect(after(calls, 0.1, 0.1, 0.1, 5, 0.1)).toBe(false);
    expect(after(calls, 0.1, 0.1, 0.1)).toBe(true);
  });
});
