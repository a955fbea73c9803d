/**
 * Finds the topics that the expressions of a consumer group match, beside the requests, and begins an epoch where those
 * are not what they were. I/O thread. When that is due is as in Kafka: for a new expression, after a topic was created,
 * and now and then, but never twice within some seconds; and what the member may not know of that has it looked up, its
 * group is not given, as there.
 */

import { sameTopics } from './consumer-member.ts';
import type { ConsumerRun } from './consumer-run.ts';
import { GroupEdit } from './group-edit.ts';
import { refreshEpoch } from './rebalance-epoch.ts';

const leastIntervalMs = 10_000;
const refreshIntervalMs = 10 * 60_000;
const noTopics: ReadonlySet<string> = new Set();

/**
 * Looks for the topics where that is due, among those that `mayDescribe` lets the client know of. `isNeeded`: an
 * expression has come that was not there before.
 */
export function considerResolving(run: ConsumerRun, isNeeded: boolean, mayDescribe: (topic: string) => boolean): void {
  const { group, surroundings } = run;
  const { subscriptions } = group;
  if (!subscriptions.hasRegexes || run.isResolving) return;
  const nowMs = surroundings.clock.nowMs();
  const [last] = subscriptions.resolved.values();
  if (last !== undefined && nowMs <= last.resolvedMs + leastIntervalMs) return;
  const isDue =
    isNeeded ||
    last === undefined ||
    subscriptions.regexes().length !== subscriptions.resolved.size ||
    last.growths < surroundings.topics.growths ||
    nowMs > last.resolvedMs + refreshIntervalMs;
  if (!isDue) return;
  run.isResolving = true;
  resolve(run, nowMs, mayDescribe).then(
    () => (run.isResolving = false),
    (error: unknown) => {
      run.isResolving = false;
      surroundings.logger.error({ group: group.id, error }, 'The topics of regular expressions could not be found.');
    },
  );
}

async function resolve(run: ConsumerRun, resolvedMs: number, mayDescribe: (topic: string) => boolean): Promise<void> {
  const { group, surroundings } = run;
  const { subscriptions } = group;
  const { growths } = surroundings.topics;
  const matched = await surroundings.regexes.match(
    subscriptions.regexes(),
    [...surroundings.topics.names()].filter(mayDescribe),
  );
  if (!run.isServing) return;
  const edit = new GroupEdit(group);
  let hasChanged = false;
  for (const [regex, topics] of matched) {
    // Meanwhile the last member that had it may have gone.
    if (subscriptions.regexMemberCount(regex) === 0) continue;
    hasChanged ||= !sameTopics(subscriptions.resolved.get(regex)?.topics ?? noTopics, topics);
    edit.putRegex(regex, { topics, resolvedMs, growths });
  }
  refreshEpoch(run, edit, hasChanged);
  run.commit(edit);
}
