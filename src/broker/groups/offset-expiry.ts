/**
 * Looks through all groups every `offsets.retention.check.interval.ms` for offsets that have expired (KIP-211), offsets
 * of topics that are gone, and groups of which nothing is left. I/O thread.
 *
 *   group without members     `offsets.retention.minutes` after it became empty
 *   never had members         … after the commit
 *   consumers, stable         … after the commit, where no member subscribes to the topic
 *   newer protocols           … after the commit, where no member subscribes to the topic
 *   any other                 never
 *
 * Share groups stay until they are deleted.
 *
 * It works in slices, so that many offsets do not hold up requests. The removed offsets answer to nobody: what cannot be
 * written now is found again next time.
 */

import type { Timer } from '../../base/clock.ts';
import type { Broker } from '../broker.ts';
import type { ClassicGroup } from './classic-group.ts';
import type { GroupCoordinator } from './group-coordinator.ts';
import type { GroupRun } from './group-directory.ts';
import type { CommittedOffset } from './group-records.ts';
import type { OffsetPlace } from './offset-commits.ts';
import type { ShareRun } from './share/share-run.ts';

/** After so many offsets, other work has its turn. */
const offsetsPerSlice = 10_000;

const minuteMs = 60_000;

export class OffsetExpiry {
  readonly #broker: Broker;
  readonly #coordinator: GroupCoordinator;
  #timer: Timer | null = null;
  #stopped = false;

  constructor(broker: Broker, coordinator: GroupCoordinator) {
    this.#broker = broker;
    this.#coordinator = coordinator;
  }

  /** Begins to look through the groups, for the first time after one interval. */
  start(): void {
    const { clock, config, logger } = this.#broker;
    this.#timer = clock.setTimer(config.number('offsets.retention.check.interval.ms'), () => {
      this.#sweep().then(
        () => {
          if (!this.#stopped) this.start();
        },
        (error: unknown) => logger.error({ error }, 'Expired offsets could not be looked for; no more are.'),
      );
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #sweep(): Promise<void> {
    const ids = [...this.#coordinator.groups()].map(({ group }) => group.id);
    let changes: Promise<unknown>[] = [];
    let lookedAt = 0;
    for (const id of ids) {
      const rebalance = this.#coordinator.find(id);
      if (rebalance === null) continue;
      lookedAt += 1 + this.#expire(rebalance, changes);
      if (lookedAt < offsetsPerSlice) continue;
      await Promise.all(changes);
      await this.#othersTurn();
      if (this.#stopped) return;
      changes = [];
      lookedAt = 0;
    }
    await Promise.all(changes);
  }

  /** Removes what has expired in one group. Returns how many offsets it looked at. */
  #expire(run: GroupRun, changes: Promise<unknown>[]): number {
    // Its place in its partitions is no offset that expires.
    if (run.kind === 'share') return 0;
    const { group } = run;
    const { commits } = this.#coordinator;
    const expired: OffsetPlace[] = [];
    let lookedAt = 0;
    for (const slot of commits.slots(group.id)) {
      lookedAt++;
      if (slot.changesUnderWay > 0 || slot.pending.size > 0 || slot.committed === null) continue;
      if (this.#isExpired(run, slot, slot.committed)) expired.push(slot);
    }
    const isLeft = group.state === 'Empty' && (run.kind !== 'classic' || run.group.pendingJoins.size === 0);
    if (expired.length === lookedAt && isLeft) {
      changes.push(this.#coordinator.delete(group.id));
    } else if (expired.length > 0) {
      changes.push(commits.remove(group.id, expired));
    }
    if (expired.length > 0) {
      this.#broker.logger.info({ group: group.id, offsets: expired.length }, 'Offsets of a group have expired.');
    }
    return lookedAt;
  }

  #isExpired(run: Exclude<GroupRun, ShareRun>, { topicId }: OffsetPlace, committed: CommittedOffset): boolean {
    const topic = this.#broker.topics.topicById(topicId);
    if (topic === null) return true;
    const sinceMs = run.kind === 'classic' ? expiresSinceMs(run.group, committed) : committed.committedMs;
    if (sinceMs === null || run.group.subscribes(topic.name)) return false;
    const nowMs = this.#broker.clock.nowMs();
    if (committed.expiresMs >= 0) return nowMs >= committed.expiresMs;
    return nowMs - sinceMs >= this.#broker.config.number('offsets.retention.minutes') * minuteMs;
  }

  #othersTurn(): Promise<void> {
    return new Promise((resolve) => {
      this.#timer = this.#broker.clock.setTimer(0, resolve);
    });
  }
}

/** From when on the retention counts, in wall-clock milliseconds; null where the offset is in use. */
function expiresSinceMs(group: ClassicGroup, { committedMs }: CommittedOffset): number | null {
  if (group.protocolType === null) return committedMs;
  if (group.state === 'Empty') return group.stateSinceMs;
  const isKnown = group.usesConsumerProtocol && group.subscribedTopics !== null && group.state === 'Stable';
  return isKnown ? committedMs : null;
}
