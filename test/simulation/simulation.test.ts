import { describe, expect, it } from 'vitest';
import type { Profile } from './profile.ts';
import { simulate, type SimulationResult } from './simulation.ts';

const seedsPerTest = 25;
const seedCount = 250;
/**
 * Hardly any of the seeds draws what has a named producer's numbers refused: later ones on their way while the disk takes none
 * of the one before.
 */
const refusingSeedCount = 20;
const refusing: Partial<Profile> = {
  ...{ topics: 1, named: 4, producers: 1, consumers: 1, publishers: 0 },
  ...{ groups: 0, reconciling: 0, copies: 0, keyed: 0, shares: 0 },
  ...{ maxNetworkMs: 20, maxDiskMs: 2, maxFlushStepMs: 1, thinkMs: 20, runMs: 1600 },
  ...{ diskFaultEveryMs: 500, fullDiskEveryMs: 500 },
};
/** It measures nothing; so long that only a hang takes longer, on a machine that does much else. */
const timeoutMs = 600_000;

/** What must have come about in the runs together: one in which nothing happens keeps every promise as well. */
const exercised = [
  ...['kill with unsettled tails', 'powerCut with unsettled tails'],
  ...['kill', 'powerCut', 'deaths within a call', 'page cache dropped', 'clean stops', 'connections cut'],
  ...['sent, none', 'sent, written', 'sent, synced', 'acknowledged', 'retries', 'new producer sessions', 'read'],
  ...['committed', 'resumed', 'left', 'topics deleted', 'records deleted', 'settings changed', 'startMoved'],
  ...[
    'KAFKA_STORAGE_ERROR',
    'disk full',
    'disk faults set, sync',
    'disk faults set, write',
    'clock jumps',
    'lone syncs',
  ],
  ...['starts that failed', 'offsets out of range', 'heartbeat: REBALANCE_IN_PROGRESS'],
  ...['named retries', 'named records stored before', 'named producers resumed', 'named: OUT_OF_ORDER_SEQUENCE_NUMBER'],
  ...['copies committed', 'copies aborted', 'copy end: PRODUCER_FENCED', 'copy resumes: UNSTABLE_OFFSET_COMMIT'],
  ...['share records given', 'share records given again', 'share accept: answered', 'share accept: refused'],
  ...['share release: answered', 'share reject: answered', 'share renew: answered', 'share accept: unknown'],
  ...['joined a streams group', 'assigned active tasks', 'assigned standby tasks', 'vanished from a streams group'],
  ...['keyed batches', 'keyed passes', 'records compacted away'],
  ...[
    'published',
    'publishing failed',
    'publishers held back',
    'epochs validated',
    'cut logs noticed',
    'readers compared',
  ],
];

function told(result: SimulationResult, profile?: Partial<Profile>): string {
  const events = result.trace.join('\n  ');
  const problems = result.problems.slice(0, 10).join('\n✗ ');
  const again = profile === undefined ? `npm run simulate -- --seed ${result.seed}` : 'with the profile of this file';
  return `seed ${result.seed} (${again})\n  ${events}\n✗ ${problems}`;
}

describe('the whole broker under seeded schedulers', () => {
  const counts = new Map<string, number>();
  const runs = new Map<number, SimulationResult>();

  /** Runs the seeds from `from` to before `end`, and fails at the first that breaks a promise. */
  async function keepsPromises(from: number, end: number, signal: AbortSignal, profile?: Partial<Profile>) {
    for (let seed = from; seed < end; seed++) {
      // A test that has timed out must not go on: two simulations in one thread disturb each other.
      signal.throwIfAborted();
      const result = await simulate(seed, profile === undefined ? {} : { profile });
      if (result.problems.length > 0) expect.fail(told(result, profile));
      for (const [name, count] of result.counts) counts.set(name, (counts.get(name) ?? 0) + count);
      if (profile === undefined) runs.set(seed, result);
    }
  }

  for (let from = 1; from <= seedCount; from += seedsPerTest) {
    it(
      `keeps every promise through crashes and faults, seeds ${from} to ${from + seedsPerTest - 1}`,
      { timeout: timeoutMs },
      ({ signal }) => keepsPromises(from, from + seedsPerTest, signal),
    );
  }

  it('keeps every promise to named producers whose numbers are refused', { timeout: timeoutMs }, ({ signal }) =>
    keepsPromises(1, 1 + refusingSeedCount, signal, refusing),
  );

  it('meets in these seeds all that it is for', () => {
    expect(exercised.filter((name) => !counts.has(name))).toEqual([]);
  });

  it('takes the same steps from the same seed, and others from another', async () => {
    const hashes = new Set<string>();
    for (let seed = 1; seed <= 5; seed++) {
      const first = runs.get(seed) ?? (await simulate(seed));
      const second = await simulate(seed);
      expect(second.hash).toBe(first.hash);
      expect(second.counts).toEqual(first.counts);
      hashes.add(first.hash);
    }
    expect(hashes.size).toBe(5);
  });
});
