/**
 * `npm run bench:groups [-- --groups N] [--snapshot FILE]`: what a group takes that has committed one offset and has no member,
 * in V8's heap: as it was made by the commit, and as a start finds it in the log. --snapshot writes a heap snapshot of the first.
 */

import { setTimeout } from 'node:timers/promises';
import { writeHeapSnapshot } from 'node:v8';
import { readCommandLine, wholeNumber } from '../scripts/command-line.mjs';
import { ErrorCode } from '../src/base/error-code.ts';
import { GroupCoordinator } from '../src/broker/groups/group-coordinator.ts';
import { InProcessBroker } from './in-process-broker.ts';
import { machineFacts, machineSentence } from './load/machine.ts';

const commitsAtOnce = 1000;
/** So long a snapshot of the groups' log, which replaces what is read, may be under way behind the last commit. */
const snapshotMs = 3000;
const committer = {
  memberId: '',
  instanceId: null,
  generation: -1,
  knowsMissingGroups: true,
  retentionMs: -1,
  producerId: null,
};

const { values } = readCommandLine({
  usage: 'npm run bench:groups -- [--groups N] [--snapshot FILE]',
  options: { groups: { type: 'string', default: '100000' }, snapshot: { type: 'string' } },
});
const groupCount = wholeNumber('groups', values.groups, 1);

/** What is left of V8's heap once all that nobody holds is gone, in bytes. */
async function heapBytes(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    globalThis.gc!();
  }
  return process.memoryUsage().heapUsed;
}

async function commitAll(inProcess: InProcessBroker): Promise<void> {
  const { broker } = inProcess;
  const { topic } = await broker.topics.create({ name: 'topic', partitionCount: 1, replicationFactor: 1, configs: [] });
  const offset = { topicId: topic!.id, partition: 0, offset: 1, leaderEpoch: -1, metadata: '' };
  for (let first = 0; first < groupCount; first += commitsAtOnce) {
    const ids = Array.from({ length: Math.min(commitsAtOnce, groupCount - first) }, (_, i) => `group-${first + i}`);
    const answers = await Promise.all(ids.map((id) => broker.groups.commits.commit(id, committer, [offset])));
    if (answers.flat().some((code) => code !== ErrorCode.NONE)) throw new Error('An offset was not committed.');
  }
}

const inProcess = await InProcessBroker.open();
const beforeBytes = await heapBytes();
await commitAll(inProcess);
const madeBytes = await heapBytes();
if (values.snapshot !== undefined) writeHeapSnapshot(values.snapshot);
await setTimeout(snapshotMs);
const settledBytes = await heapBytes();
const restarted = await GroupCoordinator.open(inProcess.broker);
const foundBytes = await heapBytes();
const found = [...restarted.groups()].length;
if (found !== groupCount) throw new Error(`${groupCount} groups were committed to, and ${found} are found again.`);

const each = (bytes: number): string => `${Math.round(bytes / groupCount)} bytes a group`;
console.log(`${machineSentence(machineFacts())}\n`);
console.log(`${groupCount} groups of one offset, without members, in V8's heap:`);
console.log(`  as made by a commit      ${each(madeBytes - beforeBytes)}`);
console.log(`  as found by a start      ${each(foundBytes - settledBytes)}`);
process.exit(0);
