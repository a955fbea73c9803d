/** Millrace as a server that is measured: the program as users start it, on free ports. Main thread. */

import { join } from 'node:path';
import { projectRoot } from './project-root.ts';
import type { HostPort, ServerKind } from './server-under-test.ts';

export interface MillraceOptions {
  readonly settings?: Readonly<Record<string, string>>;
  /** Of its Kafka door, where it has to be known before; else any. */
  readonly kafkaPort?: number;
  /** Where a profile of the last load of each process goes; it slows it a little. */
  readonly profileFolder?: string;
}

/** Only warnings: a line a connection would be measured as well. */
const logLevel = 'warn';

export function millrace({ settings = {}, kafkaPort = 0, profileFolder }: MillraceOptions = {}): ServerKind {
  return {
    name: 'Millrace',
    command: (directory) => ({
      file: process.execPath,
      args: [
        ...(profileFolder === undefined ? [] : ['--inspect=127.0.0.1:0']),
        join(projectRoot, 'dist/main.cjs'),
        ...['--data', join(directory, 'data'), '--kafka', `127.0.0.1:${kafkaPort}`, '--http', '127.0.0.1:0'],
        ...['--log-level', logLevel],
        ...Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
      ],
      doors: (printed) => {
        const kafka = doorIn(printed, 'Kafka over TCP');
        if (kafka === null || !printed.includes('\n\n', printed.indexOf('Kafka over TCP'))) return null;
        const webSocket = doorIn(printed, 'HTTP and WebSocket');
        return { kafka, ...(webSocket === null ? {} : { webSocket }) };
      },
      ...(profileFolder === undefined ? {} : { profile: { folder: profileFolder, inspectorIn } }),
    }),
  };
}

function inspectorIn(printed: string): string {
  const match = /^Debugger listening on (ws:\S+)$/m.exec(printed);
  if (match === null) throw new Error(`Node does not say where its inspector listens: ${printed}`);
  return match[1]!;
}

function doorIn(printed: string, door: string): HostPort | null {
  const match = new RegExp(`${door} +(127\\.0\\.0\\.1):(\\d+)`).exec(printed);
  return match === null ? null : { host: match[1]!, port: Number(match[2]) };
}
