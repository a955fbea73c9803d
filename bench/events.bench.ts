/** Server-sent events of records, as they go to all readers at the same positions. */

import { firstOffset } from '../src/base/numbers.ts';
import { RecordBlock } from '../src/gateway/record-block.ts';
import { recordCountAt } from '../src/records/record-batch.ts';
import { EventFormat } from '../src/server/http-read/event-stream.ts';
import type { Benchmark } from './benchmark.ts';
import { filledBuilder } from './material.ts';

const recordBytes = 100;
const batchBytes = 128 * 1024;
/** Of a reader of three partitions, where the records are of the second. */
const [before, after] = ['0:17,1:', ',2:5'];

export function eventBenchmarks(): Benchmark[] {
  const batch = filledBuilder(recordBytes, batchBytes).seal();
  const block = new RecordBlock('t', 1, firstOffset, firstOffset, batch, null, () => null);
  const count = recordCountAt(batch, 0);
  const format = new EventFormat('text', before, after);
  const decoder = new TextDecoder();
  return [
    {
      name: `${count} records of ${recordBytes} B as server-sent events`,
      unit: 'records',
      unitsPerRun: count,
      bytesPerRun: batch.length,
      contenders: [
        { name: 'EventFormat', run: () => format.encode(block, 0, count).length },
        {
          name: 'JSON.stringify, Buffer.from',
          run() {
            const events: string[] = [];
            for (let i = 0; i < block.count; i++) {
              const record = {
                partition: block.partition,
                offset: block.offsetAt(i),
                timestamp: block.timestampMsAt(i),
                key: null,
                text: decoder.decode(block.valueAt(i)!),
              };
              events.push(`id: ${before}${record.offset + 1}${after}\ndata: ${JSON.stringify(record)}\n\n`);
            }
            return Buffer.from(events.join('')).length;
          },
        },
      ],
    },
  ];
}
