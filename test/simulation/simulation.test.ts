import { describe, expect, it } from 'vitest';
import { simulate, type SimulationResult } from './simulation.ts';

const seedsPerTest = 25;
const seedCount = 250;
/** It measures nothing; so long that only a hang takes longer, on a machine that does much else. */
const timeoutMs = 600_000;

/** What must have come about in the runs together: one in which nothing happens keeps every promise as well. */
const exercised = [
  ...['kill with unsettled tails', 'powerCut with unsettled tails'],
  ...['kill', 'powerCut', 'deaths within a call', 'page cache dropped', 'clean stops', 'connections cut'],
  ...['sent, none', 'sent, written', 'sent, synced', 'acknowledged', 'retries', 'new producer sessions', 'read'],
  ...['committed', 'resumed', 'left', 'topics deleted', 'records deleted', 'settings changed', 'startMoved'],
  ...['KAFKA_STORAGE_ERROR', 'disk full', 'disk faults set, sync', 'disk faults set, write', 'clock jumps'],
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

function told(result: SimulationResult): string {
  const events = result.trace.join('\n  ');
  const problems = result.problems.slice(0, 10).join('\n✗ ');
  return `seed ${result.seed} (npm run simulate -- --seed ${result.seed})\n  ${events}\n✗ ${problems}`;
}

describe('the whole broker under seeded schedulers', () => {
  const counts = new Map<string, number>();

  for (let from = 1; from <= seedCount; from += seedsPerTest) {
    it(
      `keeps every promise through crashes and faults, seeds ${from} to ${from + seedsPerTest - 1}`,
      { timeout: timeoutMs },
      async ({ signal }) => {
        for (let seed = from; seed < from + seedsPerTest; seed++) {
          // A test that has timed out must not go on: two simulations in one thread disturb each other.
          signal.throwIfAborted();
          const result = await simulate(seed);
          if (result.problems.length > 0) expect.fail(told(result));
          for (const [name, count] of result.counts) counts.set(name, (counts.get(name) ?? 0) + count);
        }
      },
    );
  }

  it('meets in these seeds all that it is for', () => {
    expect(exercised.filter((name) => !counts.has(name))).toEqual([]);
  });

  it('takes the same steps from the same seed, and others from another', async () => {
    const hashes = new Set<string>();
    for (let seed = 1; seed <= 5; seed++) {
      const first = await simulate(seed);
      const second = await simulate(seed);
      expect(second.hash).toBe(first.hash);
      expect(second.counts).toEqual(first.counts);
      hashes.add(first.hash);
    }
    expect(hashes.size).toBe(5);
  });
});
