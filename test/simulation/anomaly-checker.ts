/**
 * Judges what clients of a log saw: takes a history of sends, acknowledgements, reads, kills and power cuts, and names
 * each place where it breaks a promise. Pure; any thread.
 *
 * ```
 *   send v1 ── acknowledged v1 @7 ── powerCut ── scan [.. 6: v0]      → lost-acknowledged, if v1 asked for acks=all
 *                                                [.. 7: v2, epoch 4]  → epoch-offset-reused, if v1 was read in epoch 4
 * ```
 *
 * What was acknowledged as written, or read, survives a kill. A power cut leaves what asked to be synced and was
 * acknowledged or read (the high watermark waits for it), with all before it; it frees the later offsets for new
 * records, which must then stand under a new leader epoch.
 * Values are unique in a history: they name the records. It knows nothing of transactions, groups or timing.
 */

import type { Durability } from '../../src/storage/partition-log.ts';

/** A record where it was found. */
export interface SeenRecord {
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly value: string;
}

/** One thing that happened, in the order in which it was seen. `log` names a topic's partition. */
export type HistoryEvent =
  /** A record goes out for the first time; retries are no further sends. */
  | {
      readonly kind: 'send';
      readonly log: string;
      readonly value: string;
      readonly durability: Durability;
      readonly isIdempotent: boolean;
    }
  /**
   * The broker's answer reached the producer. Outcomes that are not known, or bad, have no event. Connections end with
   * the process, so an answer comes before the kill or power cut that ended the process which gave it.
   */
  | { readonly kind: 'acknowledged'; readonly log: string; readonly value: string; readonly offset: number }
  /** The consumer reads from `offset` on; its next record is that one. */
  | { readonly kind: 'seek'; readonly log: string; readonly consumer: string; readonly offset: number }
  | ({ readonly kind: 'read'; readonly log: string; readonly consumer: string } & SeenRecord)
  /** All that the log holds, from its start to its high watermark, taken while nothing else went on. */
  | {
      readonly kind: 'scan';
      readonly log: string;
      readonly startOffset: number;
      readonly records: readonly SeenRecord[];
    }
  /** Retention or DeleteRecords may from now on have removed what stands below `offset`. */
  | { readonly kind: 'startMoved'; readonly log: string; readonly offset: number }
  | { readonly kind: 'kill' }
  | { readonly kind: 'powerCut' };

export type AnomalyKind =
  /** A record that was acknowledged is not in the log although its durability covers what happened since. */
  | 'lost-acknowledged'
  /** A record that somebody had read is not in the log although there was no power cut since. */
  | 'lost-read'
  /** An offset was seen with two values although the first could not have been lost. */
  | 'two-values'
  /** Two records bear one leader epoch and offset, before and after a power cut or not. */
  | 'epoch-offset-reused'
  /** A reader was given an offset past the one that comes next. */
  | 'skip'
  /** A reader was given an offset again, or one before its last. */
  | 'inversion'
  /** A record of an idempotent producer stands at two offsets. */
  | 'duplicate'
  /** A record was read that nobody had sent to this log by then. */
  | 'unwritten';

export interface Anomaly {
  readonly kind: AnomalyKind;
  readonly log: string;
  readonly offset: number;
  /** Index in the history of the event that showed it. */
  readonly eventIndex: number;
  readonly message: string;
}

export interface CheckOptions {
  /** Whether an offset may rightly hold no record for readers, such as a control record or one compacted away. */
  readonly mayBeAbsent?: (log: string, offset: number) => boolean;
}

type Sent = Extract<HistoryEvent, { kind: 'send' }>;

/** What is known to stand at an offset. */
interface Standing {
  readonly value: string;
  readonly isAcknowledged: boolean;
}

class LogHistory {
  readonly sent = new Map<string, Sent>();
  readonly standing = new Map<number, Standing>();
  /** Where each record of an idempotent producer stands. */
  readonly offsetOf = new Map<string, number>();
  readonly byEpoch = new Map<string, string>();
  readonly nextOffsets = new Map<string, number>();
  startOffset = 0;
}

/**
 * All anomalies in `history`, in the order in which they showed.
 * Throws where the history itself makes no sense: a value sent twice, an answer to what was not sent, a read by a
 * consumer that never sought.
 */
export function findAnomalies(history: readonly HistoryEvent[], options: CheckOptions = {}): Anomaly[] {
  const check = new Check(options);
  for (const [eventIndex, event] of history.entries()) check.take(event, eventIndex);
  return check.anomalies;
}

class Check {
  readonly anomalies: Anomaly[] = [];
  readonly #logs = new Map<string, LogHistory>();
  readonly #mayBeAbsent: (log: string, offset: number) => boolean;
  #eventIndex = 0;

  constructor(options: CheckOptions) {
    this.#mayBeAbsent = options.mayBeAbsent ?? (() => false);
  }

  take(event: HistoryEvent, eventIndex: number): void {
    this.#eventIndex = eventIndex;
    // A kill takes nothing away: the page cache stays, and all that was answered or read had been written.
    if (event.kind === 'kill') return;
    if (event.kind === 'powerCut') {
      for (const log of this.#logs.values()) this.#loseUnsynced(log);
      return;
    }
    const log = this.#logs.get(event.log) ?? new LogHistory();
    this.#logs.set(event.log, log);
    switch (event.kind) {
      case 'send':
        if (log.sent.has(event.value)) throw new Error(`event ${eventIndex}: '${event.value}' was sent before`);
        log.sent.set(event.value, event);
        break;
      case 'acknowledged':
        if ((log.sent.get(event.value)?.durability ?? 'none') === 'none') {
          throw new Error(`event ${eventIndex}: '${event.value}' was never sent, or not to be answered`);
        }
        this.#stand(event.log, log, event.offset, event.value, true);
        break;
      case 'seek':
        log.nextOffsets.set(event.consumer, event.offset);
        break;
      case 'read': {
        const next = log.nextOffsets.get(event.consumer);
        if (next === undefined) throw new Error(`event ${eventIndex}: ${event.consumer} reads but never sought`);
        log.nextOffsets.set(event.consumer, this.#follow(event.log, log, event.consumer, next, event.offset));
        this.#see(event.log, log, event);
        break;
      }
      case 'scan':
        this.#scan(event.log, log, event.startOffset, event.records);
        break;
      case 'startMoved':
        log.startOffset = Math.max(log.startOffset, event.offset);
        break;
    }
  }

  #report(kind: AnomalyKind, log: string, offset: number, message: string): void {
    this.anomalies.push({ kind, log, offset, eventIndex: this.#eventIndex, message: `${log} @${offset}: ${message}` });
  }

  #loseUnsynced(log: LogHistory): void {
    let endOfSynced = 0;
    for (const [offset, { value }] of log.standing) {
      if (log.sent.get(value)?.durability === 'synced') endOfSynced = Math.max(endOfSynced, offset + 1);
    }
    for (const [offset, { value }] of [...log.standing]) {
      if (offset < endOfSynced) continue;
      log.standing.delete(offset);
      if (log.offsetOf.get(value) === offset) log.offsetOf.delete(value);
    }
  }

  /** Notes that `value` stands at `offset`, and reports what that contradicts. */
  #stand(name: string, log: LogHistory, offset: number, value: string, isAcknowledged: boolean): void {
    const before = log.standing.get(offset);
    if (before !== undefined && before.value !== value) {
      this.#report('two-values', name, offset, `'${before.value}' stood here, now '${value}' does`);
    }
    const wasAcknowledged = before?.value === value && before.isAcknowledged;
    log.standing.set(offset, { value, isAcknowledged: isAcknowledged || wasAcknowledged });
    if (log.sent.get(value)?.isIdempotent !== true) return;
    const other = log.offsetOf.get(value);
    if (other === undefined) log.offsetOf.set(value, offset);
    else if (other !== offset) this.#report('duplicate', name, offset, `'${value}' stands at ${other} as well`);
  }

  /** Takes note of a record that a reader was given. */
  #see(name: string, log: LogHistory, record: SeenRecord): void {
    const { offset, leaderEpoch, value } = record;
    if (!log.sent.has(value)) this.#report('unwritten', name, offset, `'${value}' was read, which nobody had sent`);
    const key = `${leaderEpoch}/${offset}`;
    const named = log.byEpoch.get(key);
    if (named === undefined) log.byEpoch.set(key, value);
    else if (named !== value) {
      const message = `in epoch ${leaderEpoch} this was '${named}', now it is '${value}'`;
      this.#report('epoch-offset-reused', name, offset, message);
    }
    this.#stand(name, log, offset, value, false);
  }

  /** Checks that a reader's `offset` is the `next` one; returns which comes after it. */
  #follow(name: string, log: LogHistory, reader: string, next: number, offset: number): number {
    if (offset < next) {
      this.#report('inversion', name, offset, `${reader} was to read ${next}`);
      return next;
    }
    for (let absent = Math.max(next, log.startOffset); absent < offset; absent++) {
      if (this.#mayBeAbsent(name, absent)) continue;
      this.#report('skip', name, absent, `${reader} was to read this but was given ${offset}`);
      break;
    }
    return offset + 1;
  }

  #scan(name: string, log: LogHistory, startOffset: number, records: readonly SeenRecord[]): void {
    let next = startOffset;
    for (const record of records) next = this.#follow(name, log, 'the scan', next, record.offset);
    const found = new Map(records.map((record) => [record.offset, record.value]));
    for (const [offset, { value, isAcknowledged }] of [...log.standing]) {
      if (found.get(offset) === value || offset < log.startOffset || this.#mayBeAbsent(name, offset)) continue;
      const instead = found.has(offset) ? `'${found.get(offset)}' stands here` : 'nothing is here';
      if (isAcknowledged)
        this.#report('lost-acknowledged', name, offset, `'${value}' was acknowledged, but ${instead}`);
      else this.#report('lost-read', name, offset, `'${value}' had been read, but ${instead}`);
      // Told once; and should it stand elsewhere now, it was moved rather than doubled.
      if (!found.has(offset)) log.standing.delete(offset);
      if (log.offsetOf.get(value) === offset) log.offsetOf.delete(value);
    }
    for (const record of records) this.#see(name, log, record);
  }
}
