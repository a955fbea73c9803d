/**
 * What `millrace verify` finds out. Plain data, in the order of the directory.
 *
 *   damage    something is lost, or would be taken for what it is not: `--repair` deals with it where it can
 *   warning   what an unclean stop leaves; the next start puts it right by itself
 *   note      worth knowing, and harmless
 */

export type Severity = 'damage' | 'warning' | 'note';

export interface Finding {
  readonly severity: Severity;
  /** Relative to the data directory. */
  readonly file: string;
  /** The byte in the file; null where the finding is about all of it. */
  readonly position: number | null;
  /** The offset of the record concerned; null where there is none. */
  readonly offset: number | null;
  /** A sentence. */
  readonly what: string;
}

/** What would be taken out of a log to make it whole. */
export interface Loss {
  /** The segment in which the log ends then, and where in it. */
  readonly baseOffset: number;
  readonly position: number;
  /** Offsets from here on go … */
  readonly fromOffset: number;
  /** … up to here, exclusive: as far as the log is known to have gone. */
  readonly endOffset: number;
  /** Bytes that move to `.cut` files. */
  readonly sizeBytes: number;
  /** Records in whole batches among them: what could still be read out of the `.cut` files. */
  readonly readableRecords: number;
}

/** One partition as it was found. */
export interface PartitionReport {
  /** The name of its directory. */
  readonly name: string;
  readonly topic: string;
  readonly partition: number;
  readonly topicId: string | null;
  readonly segments: number;
  readonly sizeBytes: number;
  readonly batches: number;
  readonly records: number;
  readonly logStartOffset: number;
  /** Where the whole and valid batches end. */
  readonly endOffset: number;
  /** The largest leader epoch of its batches and its file; -1 where there is none. */
  readonly largestEpoch: number;
  /** Null where nothing has to be cut. */
  readonly loss: Loss | null;
  /** Whether its indexes, snapshot, epochs or what is written down of it must be made again. */
  readonly needsRepair: boolean;
  readonly metadataDamaged: boolean;
}

/** What is wrong with the store's own files, which belong to no partition. */
export interface StoreDamage {
  leaderEpoch: boolean;
  recoveryPoints: boolean;
  logStarts: boolean;
  cleanStop: boolean;
}

export interface VerifyReport {
  readonly directory: string;
  /** Whether the last run ended with a clean stop. */
  readonly stoppedClean: boolean;
  readonly partitions: readonly PartitionReport[];
  readonly findings: readonly Finding[];
  readonly storeDamage: StoreDamage;
  readonly scannedBytes: number;
}

/** Collects findings of one place. */
export class Findings {
  readonly all: Finding[] = [];

  add(severity: Severity, file: string, what: string, position: number | null = null, offset: number | null = null) {
    this.all.push({ severity, file, position, offset, what });
  }

  count(severity: Severity): number {
    return this.all.filter((finding) => finding.severity === severity).length;
  }
}
