/**
 * What a share group was promised of its records, and who has which. Pure.
 *
 *   sent ─► given out ─► accepted or rejected: never again      once that was answered, through kills and power cuts
 *              │  ▲
 *              └──┴ given back, lock ended: comes again         with a count past that of the answered return
 *
 * A member has a record from when it hears of it until its lock may have ended: so long after it sent what gave it. Until
 * then nobody else is given the record, unless the member gave it back or its connection or the broker ended. Values are
 * unlike, so records that were lost and others in their place are never taken for each other.
 */

/** How long a lock lasts and how often a record is given out, as the world's settings have it. */
export const shareLockMs = 1000;
export const shareDeliveryLimit = 10;

/** A record in the hands of a member. */
export interface Hold {
  readonly member: string;
  readonly value: string;
  readonly count: number;
  /** When it was heard of, and until when nobody else may have it, in virtual milliseconds. */
  readonly sinceMs: number;
  /** When what gave it was sent. */
  readonly askedMs: number;
  untilMs: number;
  /** By then the lock has ended for certain. */
  overMs: number;
  /** False once the member has said something of it, or cannot any more. */
  isCertain: boolean;
  isOpen(): boolean;
}

/** What a member says of a record for good. */
export type Settlement = 'accept' | 'reject' | 'release';
export type ShareOutcome = 'answered' | 'refused' | 'unknown';

interface Entry {
  /** Whether the log has it for good. */
  isStored: boolean;
  /** When the answer came that it is done; Infinity while it is not. */
  doneMs: number;
  /** Something was said of it for good that was not answered. */
  mayBeDone: boolean;
  underWay: number;
  /** The count of the last return that was answered, and when. */
  returnedCount: number;
  returnedMs: number;
  seenCount: number;
  /** How many answers had been lost when it was sent, or seen last. */
  lostBefore: number;
  hold: Hold | null;
}

export interface ShareLedgerOptions {
  /** Whether a member keeps what it has while broker and connection stand: a log that takes no change takes it away. */
  readonly isCertain: boolean;
  breakPromise(message: string): void;
}

export class ShareLedger {
  readonly #options: ShareLedgerOptions;
  readonly #entries = new Map<string, Entry>();
  /** Answers that never came, and may have given records out. */
  #lost = 0;

  constructor(options: ShareLedgerOptions) {
    this.#options = options;
  }

  sent(value: string): void {
    this.#entries.set(value, {
      isStored: false,
      doneMs: Infinity,
      mayBeDone: false,
      underWay: 0,
      returnedCount: 0,
      returnedMs: Infinity,
      seenCount: 0,
      lostBefore: this.#lost,
      hold: null,
    });
  }

  /** The log has it, and keeps it through everything. */
  stored(value: string): void {
    this.#entries.get(value)!.isStored = true;
  }

  /** A member was given the record. */
  given(hold: Hold): void {
    const { value, member, count, askedMs, sinceMs } = hold;
    const entry = this.#entries.get(value);
    if (entry === undefined) return this.#break(`${value} was never sent, and is given to ${member}`);
    if (askedMs >= entry.doneMs) this.#break(`${value} is done, and is given to ${member}`);
    if (askedMs >= entry.returnedMs && count <= entry.returnedCount) {
      this.#break(`${value} was given back at ${entry.returnedCount}, and is given out with a count of ${count}`);
    }
    if (count < 1 || count > shareDeliveryLimit) this.#break(`${value} is given out with a count of ${count}`);
    const before = entry.hold;
    if (
      before !== null &&
      this.#isHeld(before) &&
      askedMs >= before.sinceMs &&
      sinceMs <= before.untilMs &&
      this.#options.isCertain
    ) {
      this.#break(`two members have ${value}: ${before.member} and ${member}`);
    }
    entry.seenCount = Math.max(entry.seenCount, count);
    entry.lostBefore = this.#lost;
    entry.hold = hold;
  }

  /** What a member asked for was not answered: whatever it would have been given may have been counted. */
  answerLost(): void {
    this.#lost++;
  }

  /** A member says something for good of records that it has; the returned function takes what became of that. */
  settles(holds: readonly Hold[], what: Settlement, sentMs: number): (outcome: ShareOutcome, nowMs: number) => void {
    const isLate = holds.some(({ overMs }) => sentMs > overMs);
    const wereCertain = holds.every((hold) => hold.isCertain);
    for (const hold of holds) {
      hold.isCertain = false;
      this.#of(hold).underWay++;
    }
    return (outcome, nowMs) => {
      for (const hold of holds) this.#of(hold).underWay--;
      const isCertain = wereCertain && this.#options.isCertain && holds.every((hold) => hold.isOpen());
      if (outcome === 'refused' && isCertain && holds.every(({ untilMs }) => nowMs <= untilMs)) {
        this.#break(`${holds[0]!.member} has ${textOf(holds)}, and may not ${what} that`);
      }
      for (const hold of holds) {
        if (outcome === 'answered' && isLate && sentMs > hold.overMs && this.#mustCome(this.#of(hold))) {
          this.#break(`${hold.member} may ${what} ${hold.value} although its lock ended at ${hold.overMs}`);
        }
        if (outcome !== 'refused') this.#settle(this.#of(hold), hold, what, outcome, nowMs);
      }
    };
  }

  /** A renewal that was sent then was answered; nobody else may have the record until `untilMs`. */
  renewed(hold: Hold, sentMs: number, untilMs: number, nowMs: number): void {
    if (sentMs > hold.overMs && this.#mustCome(this.#of(hold))) {
      this.#break(`${hold.member} may renew ${hold.value} although its lock ended at ${hold.overMs}`);
    }
    hold.untilMs = untilMs;
    hold.overMs = nowMs + shareLockMs;
  }

  /** The broker's process ended: nobody has anything any more. */
  crashed(): void {
    for (const { hold } of this.#entries.values()) if (hold !== null) hold.isCertain = false;
  }

  /** Nothing more will be given out. */
  judge(): void {
    for (const [value, entry] of this.#entries) {
      if (!this.#mustCome(entry)) continue;
      const when = entry.seenCount === 0 ? 'never given out' : `not given out again after the ${entry.seenCount}. time`;
      this.#break(`${value} stands in the log, and is ${when}`);
    }
  }

  #settle(entry: Entry, { count }: Hold, what: Settlement, outcome: ShareOutcome, nowMs: number): void {
    if (what === 'release') {
      if (outcome === 'unknown' || count < entry.returnedCount) return;
      entry.returnedCount = count;
      entry.returnedMs = nowMs;
    } else if (outcome === 'unknown') entry.mayBeDone = true;
    else entry.doneMs = Math.min(entry.doneMs, nowMs);
  }

  /** Whether the record is to be given out again, for all that is known. */
  #mustCome({ isStored, doneMs, mayBeDone, underWay, seenCount, lostBefore }: Entry): boolean {
    if (!isStored || doneMs !== Infinity || mayBeDone || underWay > 0) return false;
    return seenCount + this.#lost - lostBefore < shareDeliveryLimit;
  }

  #isHeld({ isCertain, isOpen }: Hold): boolean {
    return isCertain && isOpen();
  }

  #of({ value }: Hold): Entry {
    return this.#entries.get(value)!;
  }

  #break(message: string): void {
    this.#options.breakPromise(message);
  }
}

function textOf(holds: readonly Hold[]): string {
  return holds.map(({ value }) => value).join(', ');
}
