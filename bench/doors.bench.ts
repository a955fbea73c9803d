/** What the HTTP doors do with bytes: streams cut into records, records written as JSON. */

import { firstOffset } from '../src/base/numbers.ts';
import { RecordBlock } from '../src/gateway/record-block.ts';
import { recordCountAt } from '../src/records/record-batch.ts';
import { LineSplitter, ObjectSplitter, type SharedRoom } from '../src/server/http-ingest/text-splitter.ts';
import { JsonText } from '../src/server/json/json-text.ts';
import { recordLine, writeRecord } from '../src/server/json/record-text.ts';
import type { Benchmark } from './benchmark.ts';
import { filledBuilder } from './material.ts';

const recordBytes = 100;
const linesPerRun = 1000;
const chunkBytes = 64 * 1024;
const batchBytes = 128 * 1024;
const endless: SharedRoom = { keep: () => true, giveUp: () => {} };

export function doorBenchmarks(): Benchmark[] {
  return [splitting('\n'), splitting(''), writing()];
}

/** NDJSON where something stands between texts, else concatenated objects. */
function splitting(between: string): Benchmark {
  const texts = Array.from({ length: linesPerRun }, (_, i) => JSON.stringify({ i, text: 'x'.repeat(recordBytes) }));
  const stream = Buffer.from(texts.map((text) => text + between).join(''));
  const chunks: Buffer[] = [];
  for (let at = 0; at < stream.length; at += chunkBytes) chunks.push(stream.subarray(at, at + chunkBytes));
  let bytes = 0;
  const take = (_: Uint8Array, start: number, end: number): boolean => {
    bytes += end - start;
    return true;
  };
  const isLines = between !== '';
  const splitter = isLines ? new LineSplitter(2 ** 20, endless, take) : new ObjectSplitter(2 ** 20, endless, take);
  const counted = (cut: () => void) => (): number => {
    bytes = 0;
    cut();
    return bytes;
  };
  return {
    name: isLines ? 'NDJSON cut into lines' : 'concatenated JSON cut into objects',
    unit: 'records',
    unitsPerRun: linesPerRun,
    bytesPerRun: stream.length,
    contenders: [
      {
        name: isLines ? 'LineSplitter' : 'ObjectSplitter',
        run: counted(() => {
          for (const chunk of chunks) splitter.chunk(chunk);
        }),
      },
      {
        name: isLines ? 'toString, split' : 'a loop over depths and quotes',
        run: counted(() => {
          if (isLines)
            for (const line of Buffer.concat(chunks).toString().split('\n')) bytes += line === '' ? 0 : line.length + 1;
          else cutObjects(Buffer.concat(chunks), take);
        }),
      },
    ],
  };
}

function cutObjects(bytes: Buffer, take: (bytes: Uint8Array, start: number, end: number) => boolean): void {
  let start = 0;
  let depth = 0;
  let isText = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (isText) {
      if (byte === 0x5c) at++;
      else if (byte === 0x22) isText = false;
    } else if (byte === 0x22) isText = true;
    else if (byte === 0x7b) {
      if (depth++ === 0) start = at;
    } else if (byte === 0x7d && --depth === 0) take(bytes, start, at + 1);
  }
}

/** Records with values that are JSON, a line each. */
function writing(): Benchmark {
  const batch = filledBuilder(recordBytes, batchBytes).seal();
  const block = new RecordBlock('t', 0, firstOffset, firstOffset, batch, null, () => null);
  const count = recordCountAt(batch, 0);
  const out = new JsonText();
  const decoder = new TextDecoder();
  return {
    name: `${count} records of ${recordBytes} B written as text in JSON`,
    unit: 'records',
    unitsPerRun: count,
    bytesPerRun: batch.length,
    contenders: [
      {
        name: 'writeRecord into JsonText',
        run() {
          for (let i = 0; i < block.count; i++) {
            writeRecord(out, block, i, 'text', recordLine);
            out.ascii('\n');
          }
          return out.take().length;
        },
      },
      {
        name: 'JSON.stringify, Buffer.from',
        run() {
          const lines: string[] = [];
          for (let i = 0; i < block.count; i++) {
            const record = {
              partition: block.partition,
              offset: block.offsetAt(i),
              timestamp: block.timestampMsAt(i),
              key: null,
              text: decoder.decode(block.valueAt(i)!),
            };
            lines.push(`${JSON.stringify(record)}\n`);
          }
          return Buffer.from(lines.join('')).length;
        },
      },
    ],
  };
}
