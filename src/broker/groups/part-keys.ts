/**
 * Keys of the records in which groups of one protocol keep their state. Any thread.
 *
 *   kind int8 · group · name, but for what a group has once
 *
 * Each protocol has a run of kinds, one for each part, in the order of its parts; texts are in their compact form.
 */

import type { Reader } from '../../protocol/reader.ts';
import { Writer } from '../../protocol/writer.ts';
import { bytesOf } from '../record-bytes.ts';
import type { PartKey } from './parted-groups.ts';

export interface ProtocolKey<Protocol extends string, Part extends string> extends PartKey<Part> {
  readonly kind: Protocol;
}

export class PartKeys<Protocol extends string, Part extends string> {
  readonly #protocol: Protocol;
  readonly #firstKind: number;
  readonly #parts: readonly Part[];
  readonly #single: readonly Part[];

  /** `single` are the parts that a group has once. */
  constructor(protocol: Protocol, firstKind: number, parts: readonly Part[], single: readonly Part[]) {
    this.#protocol = protocol;
    this.#firstKind = firstKind;
    this.#parts = parts;
    this.#single = single;
  }

  has(kind: number): boolean {
    return kind >= this.#firstKind && kind < this.#firstKind + this.#parts.length;
  }

  /** The rest of a key, behind its kind, which is one of these. */
  read(reader: Reader, kind: number): ProtocolKey<Protocol, Part> {
    const part = this.#parts[kind - this.#firstKind]!;
    const group = reader.compactString();
    const name = this.#single.includes(part) ? '' : reader.compactString();
    return { kind: this.#protocol, group, part, name };
  }

  /** `name` is empty for what a group has once. */
  of(part: Part, group: string, name = ''): Uint8Array {
    const writer = new Writer(false, 128);
    writer.int8(this.#firstKind + this.#parts.indexOf(part));
    writer.compactString(group);
    if (!this.#single.includes(part)) writer.compactString(name);
    return bytesOf(writer);
  }
}
