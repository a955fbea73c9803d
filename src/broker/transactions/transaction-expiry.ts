/**
 * Aborts transactions that were open for longer than their timeout, and forgets ids that nobody used for long. I/O
 * thread.
 *
 *   every transaction.abort.timed.out.transaction.cleanup.interval.ms    ongoing for longer than the producer's timeout
 *   every transaction.remove.expired.transaction.cleanup.interval.ms     idle for transactional.id.expiration.ms
 *
 * The abort comes under the next epoch, so that its producer, where it still lives, is told (KIP-588). What cannot be
 * written now is found again the next time.
 *
 * An abort comes after what has come in was read, and time in which this thread was held up is none of a transaction's
 * (`Clock.heardMs`).
 */

import { ErrorCode, errorName } from '../../base/error-code.ts';
import type { Timer } from '../../base/clock.ts';
import { setPatientTimer } from '../../base/patient-timer.ts';
import type { Broker } from '../broker.ts';
import type { Transaction } from './transaction.ts';
import { isIdle } from './transaction-state.ts';
import type { TransactionStore } from './transaction-store.ts';

/** So many ids are looked at, and forgotten with one batch, before other work has its turn. */
const idsPerSlice = 5000;

export class TransactionExpiry {
  readonly #broker: Broker;
  readonly #store: TransactionStore;
  readonly #fence: (transaction: Transaction) => Promise<ErrorCode>;
  #abortTimer: Timer | null = null;
  #forgetTimer: Timer | null = null;
  #isAborting = false;
  #stopped = false;

  constructor(broker: Broker, store: TransactionStore, fence: (transaction: Transaction) => Promise<ErrorCode>) {
    this.#broker = broker;
    this.#store = store;
    this.#fence = fence;
  }

  start(): void {
    this.#scheduleAbort();
    this.#scheduleForget();
  }

  stop(): void {
    this.#stopped = true;
    this.#abortTimer?.cancel();
    this.#forgetTimer?.cancel();
  }

  #scheduleAbort(): void {
    if (this.#stopped) return;
    const { clock, config } = this.#broker;
    const periodMs = config.number('transaction.abort.timed.out.transaction.cleanup.interval.ms');
    this.#abortTimer = setPatientTimer(clock, periodMs, (heardUntilMs) => {
      this.#scheduleAbort();
      if (!this.#isAborting) this.#abortTimedOut(heardUntilMs).catch((error: unknown) => this.#defect(error));
    });
  }

  async #abortTimedOut(untilMs: number): Promise<void> {
    this.#isAborting = true;
    try {
      await this.#abortEach(untilMs);
    } finally {
      this.#isAborting = false;
    }
  }

  /** Aborts those whose time was up by `untilMs` of `clock.heardMs`. */
  async #abortEach(untilMs: number): Promise<void> {
    const isTimedOut = ({ pending, image, deadlineMs }: Transaction): boolean =>
      pending === null && image.state === 'Ongoing' && deadlineMs < untilMs;
    for (const transaction of [...this.#store.open()].filter(isTimedOut)) {
      if (this.#stopped) return;
      // While others were aborted it may have ended, and the next have begun.
      if (!isTimedOut(transaction)) continue;
      const errorCode = await this.#fence(transaction);
      const about = { transactionalId: transaction.id, producerId: transaction.image.producerId };
      if (errorCode === ErrorCode.NONE) this.#broker.logger.info(about, 'A transaction was aborted: its time was up.');
      else {
        const error = errorName(errorCode);
        this.#broker.logger.warn({ ...about, error }, 'A transaction whose time was up could not be aborted yet.');
      }
    }
  }

  #defect(error: unknown): void {
    this.#broker.logger.error(
      { error },
      'Transactions could not be looked through, by a defect; they are again later.',
    );
  }

  #scheduleForget(): void {
    if (this.#stopped) return;
    const { clock, config } = this.#broker;
    this.#forgetTimer = clock.setTimer(
      config.number('transaction.remove.expired.transaction.cleanup.interval.ms'),
      () => {
        this.#forgetExpired()
          .catch((error: unknown) => this.#defect(error))
          .finally(() => this.#scheduleForget());
      },
    );
  }

  async #forgetExpired(): Promise<void> {
    const { clock, config, logger } = this.#broker;
    const before = clock.nowMs() - config.number('transactional.id.expiration.ms');
    const all = [...this.#store.all()];
    for (let start = 0; start < all.length; start += idsPerSlice) {
      if (this.#stopped) return;
      const expired = all
        .slice(start, start + idsPerSlice)
        .filter(({ pending, image }) => pending === null && isIdle(image.state) && image.updatedMs <= before);
      if (expired.length > 0) {
        const errorCode = await this.#store.forget(expired);
        if (errorCode === ErrorCode.NONE)
          logger.info({ count: expired.length }, 'Unused transactional ids were forgotten.');
      }
      await new Promise<void>((resolve) => clock.setTimer(0, resolve));
    }
  }
}
