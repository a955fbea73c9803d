/**
 * The topology of a streams group (KIP-1071), as the first member that joined gave it: which subtopologies read which
 * topics, and which topics the broker makes for them. Any thread; never changed.
 *
 *   source topics ──► subtopology ──► repartition sink topics = repartition source topics of others
 *                         └──► changelog topics of its state
 */

/** A topic that the broker makes for the application. */
export interface InternalTopic {
  readonly name: string;
  /** 0: as many as the topology asks for, worked out from its sources. */
  readonly partitionCount: number;
  /** 0: what the broker is set to. */
  readonly replicationFactor: number;
  readonly configs: readonly TopicSetting[];
}

export interface TopicSetting {
  readonly key: string;
  readonly value: string;
}

/** Topics that need equally many partitions, as indexes into the subtopology's lists. */
export interface CopartitionGroup {
  readonly sourceTopics: readonly number[];
  readonly repartitionSourceTopics: readonly number[];
}

export interface Subtopology {
  readonly id: string;
  readonly sourceTopics: readonly string[];
  readonly repartitionSinkTopics: readonly string[];
  readonly repartitionSourceTopics: readonly InternalTopic[];
  readonly changelogTopics: readonly InternalTopic[];
  readonly copartitionGroups: readonly CopartitionGroup[];
}

export interface Topology {
  readonly epoch: number;
  readonly subtopologies: readonly Subtopology[];
}

/** All topics that have to be there: sources and those that the broker makes; sinks are sources of others. */
export function requiredTopics({ subtopologies }: Topology): Set<string> {
  const topics = new Set<string>();
  for (const subtopology of subtopologies) {
    for (const topic of subtopology.sourceTopics) topics.add(topic);
    for (const { name } of subtopology.repartitionSourceTopics) topics.add(name);
    for (const { name } of subtopology.changelogTopics) topics.add(name);
  }
  return topics;
}

/** Every name that the topology mentions. */
export function namedTopics(topology: Topology): Set<string> {
  const topics = requiredTopics(topology);
  for (const { repartitionSinkTopics } of topology.subtopologies) {
    for (const topic of repartitionSinkTopics) topics.add(topic);
  }
  return topics;
}

/** The subtopology that reads each topic; the last where several do. */
export function readersOf({ subtopologies }: Topology): ReadonlyMap<string, string> {
  const readers = new Map<string, string>();
  for (const { id, sourceTopics, repartitionSourceTopics } of subtopologies) {
    for (const topic of sourceTopics) readers.set(topic, id);
    for (const { name } of repartitionSourceTopics) readers.set(name, id);
  }
  return readers;
}

/** What is wrong with a topology whatever topics there are, as a sentence, or null. */
export function problemOfTopology({ epoch, subtopologies }: Topology): string | null {
  if (epoch < 0) return `The topology epoch is ${epoch}, and must not be negative.`;
  const ids = new Set<string>();
  for (const subtopology of subtopologies) {
    if (ids.has(subtopology.id)) return `Subtopology ${subtopology.id} is given twice.`;
    ids.add(subtopology.id);
    for (const { name, partitionCount } of subtopology.changelogTopics) {
      if (partitionCount !== 0) {
        return `Changelog topic ${name} must have an undefined partition count, but it is set to ${partitionCount}.`;
      }
    }
    const problem = problemOfInternalTopics(subtopology) ?? problemOfGroups(subtopology);
    if (problem !== null) return problem;
  }
  return null;
}

function problemOfInternalTopics({ repartitionSourceTopics, changelogTopics }: Subtopology): string | null {
  for (const { name, partitionCount } of [...repartitionSourceTopics, ...changelogTopics]) {
    if (partitionCount < 0) return `Topic ${name} cannot have ${partitionCount} partitions.`;
  }
  return null;
}

function problemOfGroups({ id, sourceTopics, repartitionSourceTopics, copartitionGroups }: Subtopology): string | null {
  for (const group of copartitionGroups) {
    const isWithin = (count: number) => (index: number) => index >= 0 && index < count;
    if (group.sourceTopics.every(isWithin(sourceTopics.length))) {
      if (group.repartitionSourceTopics.every(isWithin(repartitionSourceTopics.length))) continue;
    }
    return `A copartition group of subtopology ${id} has a topic that the subtopology does not read.`;
  }
  return null;
}
