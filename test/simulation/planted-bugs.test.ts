import { describe, expect, it } from 'vitest';
import { plantedBugs } from './planted-bugs.ts';
import { simulate } from './simulation.ts';

const seedLimit = 60;
/** It measures nothing; so long that only a hang takes longer, on a machine that does much else. */
const timeoutMs = 600_000;

describe('a planted bug', () => {
  for (const bug of plantedBugs) {
    it(`is found: ${bug.name}`, { timeout: timeoutMs }, async ({ signal }) => {
      const others = new Set<string>();
      for (let seed = 1; seed <= seedLimit; seed++) {
        // A test that has timed out must not go on: two simulations in one thread disturb each other.
        signal.throwIfAborted();
        // Crashes often, so that few seeds do.
        const profile = { crashEveryMs: 300, powerCutChance: 0.6, groups: 1, shares: 0, streamers: 0, ...bug.profile };
        const { problems } = await simulate(seed, { bug, profile });
        if (problems.some((problem) => bug.found.test(problem))) return;
        for (const problem of problems) others.add(problem.slice(0, 200));
      }
      expect.fail(`not found in ${seedLimit} seeds; what was found instead: ${[...others].slice(0, 5).join('\n')}`);
    });
  }
});
