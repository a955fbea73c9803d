/**
 * A topology held against the topics that there are: how many tasks each subtopology has, which topics the broker has to
 * make, and why the group cannot run yet. Partition counts and sentences are those of Kafka 4.4's coordinator. Any
 * thread; it makes no topics.
 *
 *   repartition topic   the partitions that the topology asks for; else as many as the largest source of what writes it,
 *                       unless topics that are read together need another number
 *   changelog topic     as many as its subtopology has tasks: one for each partition of the largest source
 */

import { present } from '../../../base/assert.ts';
import { LeastLoaded } from './least-loaded.ts';
import { compareNames } from './tasks.ts';
import { requiredTopics, type InternalTopic, type Subtopology, type TopicSetting, type Topology } from './topology.ts';

/** The wire's numbers for what members should know. */
export const StreamsStatus = {
  STALE_TOPOLOGY: 0,
  MISSING_SOURCE_TOPICS: 1,
  INCORRECTLY_PARTITIONED_TOPICS: 2,
  MISSING_INTERNAL_TOPICS: 3,
  SHUTDOWN_APPLICATION: 4,
  ASSIGNMENT_DELAYED: 5,
  MISSING_CLIENT_TAGS: 6,
} as const;

export interface Status {
  readonly statusCode: number;
  readonly statusDetail: string;
}

/** A topic that the broker makes, with as many partitions as it has to have. */
export interface ConfiguredTopic {
  readonly name: string;
  readonly partitionCount: number;
  /** 0: what the broker is set to. */
  readonly replicationFactor: number;
  readonly configs: readonly TopicSetting[];
}

export interface ConfiguredSubtopology {
  readonly id: string;
  readonly taskCount: number;
  readonly sourceTopics: readonly string[];
  readonly repartitionSinkTopics: readonly string[];
  readonly repartitionSourceTopics: readonly ConfiguredTopic[];
  readonly changelogTopics: readonly ConfiguredTopic[];
}

export interface ConfiguredTopology {
  /** By id, in ascending order; null where sources are missing or do not fit together. */
  readonly subtopologies: ReadonlyMap<string, ConfiguredSubtopology> | null;
  readonly missingTopics: readonly ConfiguredTopic[];
  /** Why no tasks are given out; null where the group is ready. */
  readonly status: Status | null;
}

/** Why a topology can never run, as a sentence. */
export interface InvalidTopology {
  readonly problem: string;
}

/** The partitions of a topic that exists; null where it does not. */
export type CountPartitions = (topic: string) => number | null;

/** As many tasks as a group may have in all: they are spread in one go, and nobody else is served meanwhile. */
const maxTasks = 20_000;
const maxNamesShown = 3;

/** Thrown inside this file alone. */
class Misfit extends Error {
  readonly statusCode: number | null;

  /** `statusCode` is null where the topology itself is wrong. */
  constructor(statusCode: number | null, message: string) {
    super(message);
    this.statusCode = statusCode;
  }
}

export function configuredTopology(
  topology: Topology,
  partitionsOf: CountPartitions,
): ConfiguredTopology | InvalidTopology {
  try {
    return configured(topology, partitionsOf);
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    if (error.statusCode === null) return { problem: error.message };
    const status = { statusCode: error.statusCode, statusDetail: error.message };
    return { subtopologies: null, missingTopics: [], status };
  }
}

function configured(topology: Topology, existing: CountPartitions): ConfiguredTopology {
  const missingSources = new Set<string>();
  for (const { sourceTopics } of topology.subtopologies) {
    for (const topic of sourceTopics) if (existing(topic) === null) missingSources.add(topic);
  }
  if (missingSources.size > 0) {
    const names = summary([...missingSources].toSorted(compareNames));
    throw new Misfit(StreamsStatus.MISSING_SOURCE_TOPICS, `Source topics ${names} are missing.`);
  }
  const decided = repartitionCounts(topology, existing);
  const countOf: CountPartitions = (topic) => existing(topic) ?? decided.get(topic) ?? null;
  copartition(topology, decided, countOf);
  const taskCounts = taskCountsOf(topology, countOf);
  const subtopologies = new Map<string, ConfiguredSubtopology>();
  for (const subtopology of topology.subtopologies.toSorted((a, b) => compareNames(a.id, b.id))) {
    subtopologies.set(subtopology.id, configuredSubtopology(subtopology, taskCounts, decided));
  }
  const missingTopics = missingOf(topology, subtopologies, existing);
  if (missingTopics.length === 0) return { subtopologies, missingTopics, status: null };
  const statusDetail = `Internal topics are missing: ${summary(missingTopics.map(({ name }) => name))}`;
  return { subtopologies, missingTopics, status: { statusCode: StreamsStatus.MISSING_INTERNAL_TOPICS, statusDetail } };
}

/**
 * The partitions of every repartition topic, before those that are read together are made to fit. A sink has as many as
 * the largest of what its writer reads, as far as that is decided when it is the writer's turn: they are looked at round
 * by round, in the order of their ids, and each is done once something that it reads is decided.
 */
function repartitionCounts(topology: Topology, existing: CountPartitions): Map<string, number> {
  const subtopologies = topology.subtopologies.toSorted((a, b) => compareNames(a.id, b.id));
  const decided = new Map<string, number>();
  const readers = new Map<string, number[]>();
  for (const [index, { repartitionSourceTopics }] of subtopologies.entries()) {
    for (const { name, partitionCount } of repartitionSourceTopics) {
      if (partitionCount !== 0) decided.set(name, partitionCount);
      const known = readers.get(name);
      if (known === undefined) readers.set(name, [index]);
      else known.push(index);
    }
  }
  const done = new Set<number>();
  /** Round × count + index. */
  const turns = new LeastLoaded(subtopologies.keys(), (turn) => turn);
  for (let turn = turns.poll(); turn !== null; turn = turns.poll()) {
    const index = turn % subtopologies.length;
    const writer = subtopologies[index]!;
    const count = done.has(index) ? null : largestSource(writer, decided, existing);
    if (count === null) continue;
    done.add(index);
    for (const sink of writer.repartitionSinkTopics) {
      if (decided.has(sink)) continue;
      decided.set(sink, count);
      for (const reader of readers.get(sink) ?? []) {
        if (done.has(reader)) continue;
        const sameRound = turn - index + reader;
        turns.add(reader > index ? sameRound : sameRound + subtopologies.length);
      }
    }
  }
  const isDecided = (topic: string): boolean => decided.has(topic);
  if (!subtopologies.every(({ repartitionSinkTopics }) => repartitionSinkTopics.every(isDecided))) {
    throw new Misfit(null, `${failedToCompute}. There may be loops in the topology that cannot be resolved.`);
  }
  if (!subtopologies.every((each) => each.repartitionSourceTopics.every(({ name }) => isDecided(name)))) {
    throw new Misfit(null, `${failedToCompute}, because a repartition source topic is never used as a sink topic.`);
  }
  return decided;
}

const failedToCompute = 'Failed to compute number of partitions for all repartition topics';

/** As many partitions as the largest of what it reads has, as far as that is decided. */
function largestSource(
  { sourceTopics, repartitionSourceTopics }: Subtopology,
  decided: ReadonlyMap<string, number>,
  existing: CountPartitions,
): number | null {
  let largest: number | null = null;
  for (const { name } of repartitionSourceTopics) largest = larger(largest, decided.get(name) ?? null);
  for (const topic of sourceTopics) largest = larger(largest, existing(topic));
  return largest;
}

function larger(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b);
}

/** Gives topics that are read together equally many partitions, where they are repartition topics. */
function copartition(topology: Topology, decided: Map<string, number>, countOf: CountPartitions): void {
  const fixed = new Map<string, number>();
  const flexible = new Set<string>();
  for (const { repartitionSourceTopics } of topology.subtopologies) {
    for (const { name, partitionCount } of repartitionSourceTopics) {
      if (partitionCount === 0) flexible.add(name);
      else fixed.set(name, present(countOf(name), 'what is fixed is counted'));
    }
  }
  const fixedCounts = new Set(fixed.values());
  for (const { sourceTopics, repartitionSourceTopics, copartitionGroups } of topology.subtopologies) {
    for (const group of copartitionGroups) {
      const names = new Set([
        ...group.sourceTopics.map((index) => sourceTopics[index]!),
        ...group.repartitionSourceTopics.map((index) => repartitionSourceTopics[index]!.name),
      ]);
      const counts = new Map([...names].map((name) => [name, present(countOf(name), 'what is read is counted')]));
      const others = new Map([...counts].filter(([name]) => !fixed.has(name) && !flexible.has(name)));
      // Where only repartition topics are read together, all of the topology's with a number of their own are looked at.
      const [deciding, shown] = others.size > 0 ? [new Set(others.values()), others] : [fixedCounts, counts];
      if (deciding.size > 1) throw differing(shown);
      const [partitionCount = Math.max(0, ...counts.values())] = deciding;
      for (const [name, count] of counts) {
        if (others.has(name)) continue;
        decided.set(name, partitionCount);
        if (!fixed.has(name) || count === partitionCount) continue;
        throw new Misfit(
          StreamsStatus.INCORRECTLY_PARTITIONED_TOPICS,
          `Number of partitions [${count}] of repartition topic [${name}] doesn't match number of partitions [${partitionCount}] of the source topic.`,
        );
      }
    }
  }
}

function differing(counts: ReadonlyMap<string, number>): Misfit {
  const list = [...counts].toSorted(([a], [b]) => compareNames(a, b)).map(([name, count]) => `${name}=${count}`);
  return new Misfit(
    StreamsStatus.INCORRECTLY_PARTITIONED_TOPICS,
    `Following topics do not have the same number of partitions: [{${list.join(', ')}}]`,
  );
}

function taskCountsOf(topology: Topology, countOf: CountPartitions): ReadonlyMap<string, number> {
  const taskCounts = new Map<string, number>();
  let total = 0;
  for (const { id, sourceTopics, repartitionSourceTopics } of topology.subtopologies) {
    const sources = [...sourceTopics, ...repartitionSourceTopics.map(({ name }) => name)];
    if (sources.length === 0) throw new Misfit(null, `No source topics found for subtopology ${id}`);
    let taskCount = 0;
    for (const topic of sources) taskCount = Math.max(taskCount, present(countOf(topic), 'what is read is counted'));
    taskCounts.set(id, taskCount);
    total += taskCount;
  }
  if (total > maxTasks) throw new Misfit(null, `The topology has ${total} tasks, and may have ${maxTasks} at most.`);
  return taskCounts;
}

function configuredSubtopology(
  subtopology: Subtopology,
  taskCounts: ReadonlyMap<string, number>,
  decided: ReadonlyMap<string, number>,
): ConfiguredSubtopology {
  const { id, sourceTopics, repartitionSinkTopics, repartitionSourceTopics, changelogTopics } = subtopology;
  const taskCount = present(taskCounts.get(id), 'each subtopology is counted');
  const withCount = ({ name, replicationFactor, configs }: InternalTopic, partitionCount: number): ConfiguredTopic => ({
    name,
    partitionCount,
    replicationFactor,
    configs,
  });
  return {
    id,
    taskCount,
    sourceTopics,
    repartitionSinkTopics,
    repartitionSourceTopics: repartitionSourceTopics.map((topic) =>
      withCount(topic, topic.partitionCount || present(decided.get(topic.name), 'each is decided')),
    ),
    changelogTopics: changelogTopics.map((topic) => withCount(topic, taskCount)),
  };
}

/** The internal topics that do not exist; those that do have to have the partitions that were worked out. */
function missingOf(
  topology: Topology,
  subtopologies: ReadonlyMap<string, ConfiguredSubtopology>,
  existing: CountPartitions,
): ConfiguredTopic[] {
  const wanted = new Map<string, ConfiguredTopic>();
  for (const { repartitionSourceTopics, changelogTopics } of subtopologies.values()) {
    for (const topic of [...repartitionSourceTopics, ...changelogTopics]) wanted.set(topic.name, topic);
  }
  for (const name of requiredTopics(topology)) {
    const found = existing(name);
    const topic = wanted.get(name);
    if (found === null || topic === undefined) continue;
    wanted.delete(name);
    if (found === topic.partitionCount) continue;
    throw new Misfit(
      StreamsStatus.INCORRECTLY_PARTITIONED_TOPICS,
      `Existing topic ${name} has different number of partitions: expected ${topic.partitionCount}, found ${found}`,
    );
  }
  return [...wanted.values()];
}

function summary(names: readonly string[]): string {
  const shown = names.slice(0, maxNamesShown).join(', ');
  const more = names.length - maxNamesShown;
  return more > 0 ? `${shown} and ${more} additional topics` : shown;
}
