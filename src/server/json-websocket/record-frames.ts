/**
 * Records of a block as `records` frames: written once for all who read them in the same way. I/O thread.
 *
 *   {"type":"records","subscription":S,"topic":T,"partition":P,"records":[ …  ]}
 *   └─ once for each name of a subscription ─────────────────────────────┘ └─ once for each way to write values
 */

import type { FrameFormat, RecordBlock } from '../../gateway/record-block.ts';
import { JsonScanner } from '../json/json-scanner.ts';
import { JsonText } from '../json/json-text.ts';
import { writeRecord, type RecordForm, type ValuesAs } from '../json/record-text.ts';
import { deepestNesting } from './publish-scanner.ts';

const text = new JsonText();
const form: RecordForm = {
  isSelfContained: false,
  isOneLine: false,
  scanner: new JsonScanner({ deepest: deepestNesting }),
};
const closing = Buffer.from(']}');

/** The records alone, without the brackets around them. */
class RecordsFormat implements FrameFormat<Uint8Array> {
  readonly #values: ValuesAs;

  constructor(values: ValuesAs) {
    this.#values = values;
  }

  encode(block: RecordBlock, from: number, to: number): Uint8Array {
    for (let i = from; i < to; i++) {
      if (i > from) text.ascii(',');
      writeRecord(text, block, i, this.#values, form);
    }
    return text.take();
  }
}

class SubscriptionFormat implements FrameFormat<Uint8Array> {
  readonly #subscription: string;
  readonly #records: RecordsFormat;

  constructor(subscription: string, records: RecordsFormat) {
    this.#subscription = subscription;
    this.#records = records;
  }

  encode(block: RecordBlock, from: number, to: number): Uint8Array {
    const records = block.frame(this.#records, from, to);
    const { topic, partition } = block;
    const opening = JSON.stringify({ type: 'records', subscription: this.#subscription, topic, partition });
    return Buffer.concat([Buffer.from(`${opening.slice(0, -1)},"records":[`), records, closing]);
  }
}

/** Formats that are kept to be found again; what comes beyond shares its frames with nobody. */
const keptFormats = 256;

/** Hands out one format for all subscriptions that read in the same way. */
export class FrameFormats {
  readonly #records: Readonly<Record<ValuesAs, RecordsFormat>> = {
    json: new RecordsFormat('json'),
    text: new RecordsFormat('text'),
    base64: new RecordsFormat('base64'),
  };
  readonly #formats = new Map<string, FrameFormat<Uint8Array>>();

  of(subscription: string, values: ValuesAs): FrameFormat<Uint8Array> {
    const name = `${values} ${subscription}`;
    const known = this.#formats.get(name);
    if (known !== undefined) return known;
    const format = new SubscriptionFormat(subscription, this.#records[values]);
    const oldest = this.#formats.keys().next();
    if (this.#formats.size >= keptFormats && oldest.done !== true) this.#formats.delete(oldest.value);
    this.#formats.set(name, format);
    return format;
  }
}
