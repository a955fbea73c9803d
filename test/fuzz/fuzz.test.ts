/** The fuzzer for a few seconds, with fixed seeds. `npm run fuzz -- --seconds N` runs it for longer. */

import { describe, expect, it } from 'vitest';
import { fuzz } from './fuzz-run.ts';

describe('a broker that is fuzzed', () => {
  it.each([11, 12])('answers or ends, lives, and harms nobody else: seed %i', async (seed) => {
    const result = await fuzz({ seed, conversations: 150 });
    expect(result.sentences).toEqual([]);
    expect(result.conversations).toBeGreaterThanOrEqual(150);
    // All kinds of conversations were had, and the good requests were served.
    expect(result.byKind.size).toBe(4);
    expect(result.answers).toBeGreaterThan(100);
    expect(result.bystanderRecords).toBeGreaterThan(0);
  });
});
