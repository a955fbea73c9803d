/**
 * The content of one simulated file: what the page cache shows, what the disk holds, and all that lies between.
 * Any thread; used by simulated-file-system.ts.
 *
 * ```
 *   sector   on disk   versions since (by operation)      in the cache
 *   0        A         -                                  A
 *   1        B         B'(#3)  B''(#5)                    B''           a power cut leaves B, B' or B''
 *   2        -         C(#5)                              C             … leaves zeros or C, if the size reaches there
 *   size     900       1100(#5)                           1100          … leaves 900 or 1100
 * ```
 *
 * Each sector is written back by itself and at any moment, so a write tears at sector borders and never within one.
 * Size and truncations are the journal's: a prefix of them happens. A sector never mixes what a truncation parts.
 * Sectors are never changed in place, so copies share them. It knows no names, descriptors or injected failures.
 */

import { directBlockBytes } from '../../src/storage/file-system.ts';
import type { SeededRandom } from '../../src/base/random.ts';

export const sectorBytes = 512;

/** How much of what was not synced a power cut leaves. */
export type Fate = 'nothing' | 'everything' | 'mixed';

/** Draws a fate; the two clean ones come up often enough to be met in every run of some length. */
export function drawFate(random: SeededRandom): Fate {
  const drawn = random.below(4);
  if (drawn === 0) return 'nothing';
  return drawn === 1 ? 'everything' : 'mixed';
}

/** One array with the bytes of all `sources`. */
export function joined(sources: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(sources.reduce((sum, source) => sum + source.length, 0));
  let length = 0;
  for (const source of sources) {
    whole.set(source, length);
    length += source.length;
  }
  return whole;
}

/** What a disk in use may want of a write past the page cache. Throws what nobody takes for a failure of the disk. */
export function checkDirect(sources: readonly Uint8Array[], position: number): void {
  const [source] = sources;
  if (sources.length !== 1 || source === undefined) throw new Error('a direct write has one source');
  for (const [what, value] of Object.entries({ position, length: source.length, address: source.byteOffset })) {
    if (value % directBlockBytes !== 0) throw new Error(`the ${what} ${value} of a direct write is no whole block`);
  }
}

interface SectorVersion {
  readonly operation: number;
  /** Null where a truncation took the sector away. */
  readonly bytes: Uint8Array | null;
  readonly isTruncation: boolean;
}

interface SizeChange {
  readonly operation: number;
  readonly sizeBytes: number;
  readonly isTruncation: boolean;
}

function put(sectors: Map<number, Uint8Array>, sector: number, bytes: Uint8Array | null): void {
  if (bytes === null) sectors.delete(sector);
  else sectors.set(sector, bytes);
}

export class SimulatedFile {
  #cached = new Map<number, Uint8Array>();
  #durable = new Map<number, Uint8Array>();
  readonly #versions = new Map<number, SectorVersion[]>();
  #sizeChanges: SizeChange[] = [];
  #sizeBytes = 0;
  #durableSizeBytes = 0;
  #lastOperation = 0;

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Bytes of the sectors it takes up; holes take none. */
  get allocatedBytes(): number {
    return this.#cached.size * sectorBytes;
  }

  /** Names the last change made so far; `sync` up to it covers that and all before. */
  get lastOperation(): number {
    return this.#lastOperation;
  }

  /** Whether something would be lost if the power went now. */
  get isDirty(): boolean {
    return this.#versions.size > 0 || this.#sizeChanges.length > 0;
  }

  /** Fills `target` from `position`; returns the bytes read, fewer than asked only at the end. */
  read(target: Uint8Array, position: number): number {
    const length = Math.max(0, Math.min(target.length, this.#sizeBytes - position));
    for (let done = 0; done < length;) {
      const start = (position + done) % sectorBytes;
      const count = Math.min(sectorBytes - start, length - done);
      const bytes = this.#cached.get(Math.floor((position + done) / sectorBytes));
      if (bytes === undefined) target.fill(0, done, done + count);
      else target.set(bytes.subarray(start, start + count), done);
      done += count;
    }
    return length;
  }

  /** How many of `length` bytes at `position` can be written while at most `freeBytes` are newly taken up. */
  fittingBytes(position: number, length: number, freeBytes: number): number {
    let freeSectors = Math.floor(freeBytes / sectorBytes);
    for (let done = 0; done < length;) {
      if (!this.#cached.has(Math.floor((position + done) / sectorBytes)) && --freeSectors < 0) return done;
      done += sectorBytes - ((position + done) % sectorBytes);
    }
    return length;
  }

  /** Writes all of `source` at `position` into the cache, as one operation. */
  write(source: Uint8Array, position: number): void {
    if (source.length === 0) return;
    const operation = ++this.#lastOperation;
    for (let done = 0; done < source.length;) {
      const sector = Math.floor((position + done) / sectorBytes);
      const start = (position + done) % sectorBytes;
      const count = Math.min(sectorBytes - start, source.length - done);
      const bytes = new Uint8Array(sectorBytes);
      const before = this.#cached.get(sector);
      if (before !== undefined) bytes.set(before);
      bytes.set(source.subarray(done, done + count), start);
      this.#change(sector, { operation, bytes, isTruncation: false });
      done += count;
    }
    const end = position + source.length;
    if (end > this.#sizeBytes) {
      this.#sizeBytes = end;
      this.#sizeChanges.push({ operation, sizeBytes: end, isTruncation: false });
    }
  }

  /** Cuts the file, or lengthens it by a hole. */
  truncate(sizeBytes: number): void {
    const operation = ++this.#lastOperation;
    const isTruncation = sizeBytes < this.#sizeBytes;
    if (isTruncation) {
      const first = Math.floor(sizeBytes / sectorBytes);
      for (const [sector, before] of [...this.#cached]) {
        if (sector < first) continue;
        const keptBytes = sizeBytes - sector * sectorBytes;
        let bytes: Uint8Array | null = null;
        if (keptBytes > 0) {
          bytes = new Uint8Array(sectorBytes);
          bytes.set(before.subarray(0, keptBytes));
        }
        this.#change(sector, { operation, bytes, isTruncation });
      }
    }
    this.#sizeBytes = sizeBytes;
    this.#sizeChanges.push({ operation, sizeBytes, isTruncation });
  }

  /** Brings all up to `operation` to the disk. */
  sync(operation: number): void {
    for (const [sector, versions] of [...this.#versions]) {
      const last = versions.findLast((version) => version.operation <= operation);
      if (last !== undefined) put(this.#durable, sector, last.bytes);
      this.#forget(sector, versions, operation);
    }
    this.#settleSizes(operation);
  }

  /**
   * A sync that failed as Linux fails it: what was dirty counts as clean from now on and the cache still shows it, but
   * some sectors never reached the disk and no later sync will bring them there. Where one of them is written again,
   * the whole sector goes. The size may reach the disk now or with the next sync.
   */
  failSync(operation: number, random: SeededRandom): void {
    for (const [sector, versions] of [...this.#versions]) {
      const last = versions.findLast((version) => version.operation <= operation);
      const cut = versions.findLast((version) => version.operation <= operation && version.isTruncation);
      const reached = random.chance(0.5) ? last : cut;
      if (reached !== undefined) put(this.#durable, sector, reached.bytes);
      this.#forget(sector, versions, operation);
    }
    // The versions that remember a truncation are gone, so it cannot be left open whether it happened.
    const hasTruncation = this.#sizeChanges.some((change) => change.isTruncation && change.operation <= operation);
    if (random.chance(0.5) || hasTruncation) this.#settleSizes(operation);
  }

  /** The file as it is found once the power is back. */
  afterPowerCut(random: SeededRandom, fate: Fate): SimulatedFile {
    const draw = (count: number): number => {
      if (fate === 'nothing') return 0;
      return fate === 'everything' ? count - 1 : random.below(count);
    };
    const change = this.#sizeChanges[draw(this.#sizeChanges.length + 1) - 1];
    const operation = change?.operation ?? 0;
    const sizeBytes = change?.sizeBytes ?? this.#durableSizeBytes;
    const left = new Map(this.#durable);
    for (const [sector, versions] of this.#versions) {
      const first = versions.findLastIndex((version) => version.isTruncation && version.operation <= operation);
      const cut = versions.findIndex((version) => version.isTruncation && version.operation > operation);
      const end = cut === -1 ? versions.length : cut;
      // One more than there are versions, because what is on the disk may stay.
      const version = versions[first + draw(end - first)];
      if (version !== undefined) put(left, sector, version.bytes);
    }
    return SimulatedFile.#of(left, sizeBytes);
  }

  /** Forgets what the cache holds beside the disk's content, as far as it counts as clean. */
  evictCleanPages(): void {
    for (const sector of new Set([...this.#cached.keys(), ...this.#durable.keys()])) {
      const isBeyond = sector * sectorBytes >= this.#sizeBytes;
      if (!this.#versions.has(sector) && !isBeyond) put(this.#cached, sector, this.#durable.get(sector) ?? null);
    }
  }

  static #of(sectors: Map<number, Uint8Array>, sizeBytes: number): SimulatedFile {
    const file = new SimulatedFile();
    for (const [sector, bytes] of sectors) {
      const keptBytes = Math.min(sectorBytes, sizeBytes - sector * sectorBytes);
      if (keptBytes <= 0) continue;
      // What lies past the end reads as zeros when the file grows again.
      const kept = new Uint8Array(sectorBytes);
      kept.set(bytes.subarray(0, keptBytes));
      file.#cached.set(sector, kept);
    }
    file.#durable = new Map(file.#cached);
    file.#sizeBytes = sizeBytes;
    file.#durableSizeBytes = sizeBytes;
    return file;
  }

  #change(sector: number, version: SectorVersion): void {
    put(this.#cached, sector, version.bytes);
    const versions = this.#versions.get(sector);
    if (versions === undefined) this.#versions.set(sector, [version]);
    else versions.push(version);
  }

  #forget(sector: number, versions: readonly SectorVersion[], operation: number): void {
    const later = versions.filter((version) => version.operation > operation);
    if (later.length === 0) this.#versions.delete(sector);
    else this.#versions.set(sector, later);
  }

  #settleSizes(operation: number): void {
    const last = this.#sizeChanges.findLast((change) => change.operation <= operation);
    if (last !== undefined) this.#durableSizeBytes = last.sizeBytes;
    this.#sizeChanges = this.#sizeChanges.filter((change) => change.operation > operation);
  }
}
