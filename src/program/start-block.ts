/** What the program prints once it serves: where, with what data, and how to connect. Any thread. */

import { formatDoorAddress, reachable, type DoorAddress } from './door-address.ts';

export interface StartBlockFacts {
  readonly version: string;
  readonly kafka: DoorAddress | null;
  readonly http: DoorAddress | null;
  readonly missingHttp: string | null;
  readonly dataDirectory: string;
  readonly createdDataDirectory: boolean;
  /** From the start of the process, in milliseconds. */
  readonly startedInMs: number;
}

/** The block, with its line ends. */
export function startBlock(facts: StartBlockFacts): string {
  const { version, kafka, http, missingHttp, dataDirectory, createdDataDirectory, startedInMs } = facts;
  const rows: [name: string, text: string][] = [
    ['data', dataDirectory + (createdDataDirectory ? ' (new)' : '')],
    ['Kafka over TCP', kafka === null ? 'off' : formatDoorAddress(kafka)],
    ['HTTP and WebSocket', http === null ? 'off' : formatDoorAddress(http)],
  ];
  if (kafka !== null) rows.push(['with kcat', `kcat -b ${formatDoorAddress(reachable(kafka))} -L`]);
  if (http !== null) {
    const at = formatDoorAddress(reachable(http));
    rows.push(['from a WebSocket', `new WebSocket('ws://${at}/kafka', 'kafka')`]);
    rows.push(['metrics', `http://${at}/metrics`]);
  }
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`);
  const note = missingHttp === null ? [] : ['', `  ${missingHttp}`];
  return `${['', `Millrace ${version} is ready after ${Math.round(startedInMs)} ms.`, '', ...lines, ...note, ''].join('\n')}\n`;
}
