/**
 * Which names a topic may have, and which two collide. Any thread.
 * A name becomes part of a directory's name, so this also keeps paths inside the data directory.
 */

const maxNameLength = 249;
const legalName = /^[a-zA-Z0-9._-]+$/;

/** Topics that a Kafka's coordinators write. Here nobody does: clients may make them, but not write to them. */
export const internalTopics: ReadonlySet<string> = new Set([
  '__consumer_offsets',
  '__transaction_state',
  '__share_group_state',
]);

/** The logs in which coordinators keep their state (state-log.ts). No topic can have these names. */
export const stateLogTopics = {
  metadata: '__cluster_metadata',
  groups: '__millrace_groups',
  transactions: '__millrace_transactions',
} as const;

export type StateLogTopic = (typeof stateLogTopics)[keyof typeof stateLogTopics];

/** Whether the name belongs to a log of a coordinator's state, which clients neither see nor make. */
export function isStateLogTopic(name: string): boolean {
  return Object.values<string>(stateLogTopics).includes(name);
}

/** A sentence that says why `name` cannot be a topic's, or null where it can. */
export function problemOfTopicName(name: string): string | null {
  const start = 'Topic name is invalid: ';
  if (name === '') return `${start}the empty string is not allowed`;
  if (name === '.' || name === '..') return `${start}'.' or '..' is not allowed`;
  if (name.length > maxNameLength) {
    return `${start}the length of '${name.slice(0, maxNameLength)}…' is longer than the max allowed length ${maxNameLength}`;
  }
  if (!legalName.test(name)) {
    return `${start}'${name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'`;
  }
  return null;
}

/**
 * What two colliding names have in common: a dot and an underscore are the same character in metric names, so Kafka
 * refuses a topic whose name differs from another's only there.
 */
export function collisionKey(name: string): string {
  return name.replaceAll('.', '_');
}

/** Whether only coordinators may write to the topic. */
export function isInternalTopic(name: string): boolean {
  return internalTopics.has(name);
}
