/** What a door makes of JSON text on its way in: whether it is JSON and UTF-8, and where the fields of a frame lie. */

import { isUtf8 } from 'node:buffer';
import { JsonScanner } from '../src/server/json/json-scanner.ts';
import { field, PublishScanner, Scanned } from '../src/server/json-websocket/publish-scanner.ts';
import { type Benchmark, repeated } from './benchmark.ts';

const textsPerRun = 100;

export function jsonBenchmarks(): Benchmark[] {
  return [100, 1024].flatMap((sizeBytes) => [
    checking(`a text of ${sizeBytes} B`, JSON.stringify('x'.repeat(sizeBytes - 2))),
    checking(`an object of ${sizeBytes} B`, objectOf(sizeBytes)),
    framing(sizeBytes),
  ]);
}

/** Names, numbers and short texts, as measurements have them. */
function objectOf(sizeBytes: number): string {
  const members: string[] = [];
  for (let i = 0; members.join(',').length < sizeBytes - 40; i++) {
    members.push(i % 2 === 0 ? `"reading${i}":${i * 7919}.25` : `"status${i}":"well"`);
  }
  const most = `{${members.join(',')},"rest":""}`;
  return `${most.slice(0, -2)}${'.'.repeat(Math.max(0, sizeBytes - most.length))}"}`;
}

function checking(name: string, text: string): Benchmark {
  const bytes = new Uint8Array(Buffer.from(text));
  const scanner = new JsonScanner();
  const decoder = new TextDecoder();
  return {
    name: `JSON: ${name} checked`,
    unit: 'calls',
    unitsPerRun: textsPerRun,
    bytesPerRun: textsPerRun * bytes.length,
    contenders: [
      { name: 'JsonScanner', run: repeated(textsPerRun, () => scanner.scan(bytes, 0, bytes.length)) },
      {
        name: 'isUtf8, JSON.parse',
        run: repeated(textsPerRun, () => {
          if (!isUtf8(bytes)) return -1;
          return JSON.parse(decoder.decode(bytes)) === undefined ? -1 : bytes.length;
        }),
      },
    ],
  };
}

function framing(sizeBytes: number): Benchmark {
  const bytes = new Uint8Array(Buffer.from(`{"type":"publish","topic":"bench","text":"${'x'.repeat(sizeBytes)}"}`));
  const scanner = new PublishScanner();
  const decoder = new TextDecoder();
  return {
    name: `JSON: a publish frame with a text of ${sizeBytes} B read`,
    unit: 'calls',
    unitsPerRun: textsPerRun,
    bytesPerRun: textsPerRun * bytes.length,
    contenders: [
      {
        name: 'PublishScanner',
        run: repeated(textsPerRun, () => {
          if (scanner.scan(bytes) !== Scanned.PUBLISH) return -1;
          return scanner.endOf(field.text) - scanner.startOf(field.text);
        }),
      },
      {
        name: 'JSON.parse',
        run: repeated(textsPerRun, () => (JSON.parse(decoder.decode(bytes)) as { readonly text: string }).text.length),
      },
    ],
  };
}
