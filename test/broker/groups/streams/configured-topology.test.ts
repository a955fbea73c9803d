import { describe, expect, it } from 'vitest';
import {
  configuredTopology,
  StreamsStatus,
  type ConfiguredTopology,
} from '../../../../src/broker/groups/streams/configured-topology.ts';
import type { InternalTopic, Subtopology } from '../../../../src/broker/groups/streams/topology.ts';

const internal = (name: string, partitionCount = 0): InternalTopic => ({
  name,
  partitionCount,
  replicationFactor: 0,
  configs: [],
});

function part(id: string, sourceTopics: readonly string[], more: Partial<Subtopology> = {}): Subtopology {
  const nothing = {
    repartitionSinkTopics: [],
    repartitionSourceTopics: [],
    changelogTopics: [],
    copartitionGroups: [],
  };
  return { id, sourceTopics, ...nothing, ...more };
}

function configured(subtopologies: readonly Subtopology[], existing: Record<string, number>): ConfiguredTopology {
  const found = configuredTopology({ epoch: 0, subtopologies }, (name) => existing[name] ?? null);
  if ('problem' in found) throw new Error(found.problem);
  return found;
}

const missing = ({ missingTopics }: ConfiguredTopology): Record<string, number> =>
  Object.fromEntries(missingTopics.map(({ name, partitionCount }) => [name, partitionCount]));

describe('a topology held against the topics that there are', () => {
  it('has as many partitions behind it as its largest source, over a chain in any order', () => {
    const chain = [
      part('0', [], { repartitionSourceTopics: [internal('two')], changelogTopics: [internal('log')] }),
      part('1', [], { repartitionSourceTopics: [internal('one')], repartitionSinkTopics: ['two'] }),
      part('2', ['small', 'large'], { repartitionSinkTopics: ['one'] }),
    ];
    const found = configured(chain, { small: 2, large: 5 });
    expect(missing(found)).toEqual({ two: 5, log: 5, one: 5 });
    expect([...found.subtopologies!.values()].map(({ taskCount }) => taskCount)).toEqual([5, 5, 5]);
    expect(found.status!.statusCode).toBe(StreamsStatus.MISSING_INTERNAL_TOPICS);
    expect(configured(chain, { small: 2, large: 5, one: 5, two: 5, log: 5 }).status).toBeNull();
  });

  it('makes what is read together equally large', () => {
    const reads = { sourceTopics: [0], repartitionSourceTopics: [0] };
    const together = [
      part('0', ['large'], { repartitionSinkTopics: ['again'] }),
      part('1', ['table'], { repartitionSourceTopics: [internal('again')], copartitionGroups: [reads] }),
    ];
    expect(missing(configured(together, { large: 7, table: 3 }))).toEqual({ again: 3 });
    const fixed = [together[0]!, { ...together[1]!, repartitionSourceTopics: [internal('again', 4)] }];
    expect(configured(fixed, { large: 7, table: 3 }).status).toEqual({
      statusCode: StreamsStatus.INCORRECTLY_PARTITIONED_TOPICS,
      statusDetail:
        "Number of partitions [4] of repartition topic [again] doesn't match number of partitions [3] of the source topic.",
    });
    const sources = [
      part('0', ['a', 'b'], { copartitionGroups: [{ sourceTopics: [0, 1], repartitionSourceTopics: [] }] }),
    ];
    expect(configured(sources, { a: 1, b: 2 }).status!.statusDetail).toBe(
      'Following topics do not have the same number of partitions: [{a=1, b=2}]',
    );
  });

  it('refuses an internal topic that has another number of partitions', () => {
    const counting = [part('0', ['lines'], { changelogTopics: [internal('log')] })];
    expect(configured(counting, { lines: 3, log: 2 }).status).toEqual({
      statusCode: StreamsStatus.INCORRECTLY_PARTITIONED_TOPICS,
      statusDetail: 'Existing topic log has different number of partitions: expected 3, found 2',
    });
  });

  it('names three of the sources that are missing', () => {
    const { status } = configured([part('0', ['e', 'd', 'c', 'b', 'a'])], { a: 1 });
    expect(status!.statusDetail).toBe('Source topics b, c, d and 1 additional topics are missing.');
  });

  it.each([
    ['a loop', [part('0', [], { repartitionSourceTopics: [internal('a')], repartitionSinkTopics: ['a'] })]],
    ['what nobody writes', [part('0', ['lines'], { repartitionSourceTopics: [internal('a')] })]],
    ['no source', [part('0', [])]],
    ['too many tasks', [part('0', ['lines'], { repartitionSourceTopics: [internal('a', 20_001)] })]],
  ])('says what is wrong with %s', (_what, subtopologies) => {
    const found = configuredTopology({ epoch: 0, subtopologies }, (name) => (name === 'lines' ? 1 : null));
    expect(found).toEqual({ problem: expect.stringMatching(/^[A-Z].{20}/) });
  });

  it('takes a long chain that stands the wrong way round', () => {
    const length = 20_000;
    const subtopologies = Array.from({ length }, (_, i) =>
      i === length - 1
        ? part(`${100_000 + i}`, ['lines'], { repartitionSinkTopics: [`t${i - 1}`] })
        : part(`${100_000 + i}`, [], {
            repartitionSourceTopics: [internal(`t${i}`)],
            repartitionSinkTopics: i === 0 ? [] : [`t${i - 1}`],
          }),
    );
    expect(configured(subtopologies, { lines: 1 }).missingTopics).toHaveLength(length - 1);
  });
});
