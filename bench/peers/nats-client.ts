/** Loads from NATS's own command line client, `nats bench js pub`. Main thread. */

import type { Figures } from '../load/figures.ts';
import type { ServerUnderTest } from '../load/server-under-test.ts';
import { runCommand } from './commands.ts';
import { runOutsideClient } from './outside-client.ts';

/**
 *   sync     one message, one acknowledgement, one after the other
 *   async    a window of 500 unacknowledged messages
 *   fast     batches of 500, in a stream, acknowledged as they go
 *   atomic   batches of 500 that are stored as a whole or not at all
 */
export type NatsMode = 'sync' | 'async' | 'fast' | 'atomic';

export interface NatsProduce {
  readonly mode: NatsMode;
  /** Default: TCP. */
  readonly transport?: 'tcp' | 'webSocket';
  readonly messages: number;
  readonly messageBytes: number;
}

const microsecondsPerMs = 1000;
const stream = 'bench';

/** Throws where the stream holds another number of messages than were acknowledged. */
export async function natsProduce(program: string, server: ServerUnderTest, load: NatsProduce): Promise<Figures> {
  const args = [
    ...addressed(server, load),
    ...['bench', 'js', 'pub', load.mode, 'bench', '--stream', stream],
    ...['--create', '--purge', '--storage', 'file', '--maxbytes', '16GB', '--no-progress'],
    ...['--msgs', `${load.messages}`, '--size', `${load.messageBytes}`, '--clients', '1'],
  ];
  const figures = await publish(program, server, args, load);
  const found = messagesIn(program, server, load);
  if (found !== load.messages) throw new Error(`${load.messages} messages were acknowledged, and NATS has ${found}.`);
  return figures;
}

function addressed(server: ServerUnderTest, { transport }: Pick<NatsProduce, 'transport'>): string[] {
  const isWebSocket = transport === 'webSocket';
  const { host, port } = isWebSocket ? server.doors.webSocket! : server.doors.nats!;
  return ['--no-context', '-s', `${isWebSocket ? 'ws' : 'nats'}://${host}:${port}`];
}

function messagesIn(program: string, server: ServerUnderTest, load: NatsProduce): number {
  const said = runCommand(program, [...addressed(server, load), 'stream', 'info', stream, '--json']);
  return (JSON.parse(said) as { readonly state: { readonly messages: number } }).state.messages;
}

function publish(
  program: string,
  server: ServerUnderTest,
  args: readonly string[],
  load: NatsProduce,
): Promise<Figures> {
  return runOutsideClient(
    server,
    program,
    args,
    { records: load.messages, recordBytes: load.messageBytes },
    (printed) => {
      const stats = /publisher (?:aggregated )?stats: ([\d,]+) msgs\/sec.*/.exec(printed);
      if (stats === null) return null;
      const elapsedMs = (load.messages * 1000) / number(stats[1]!);
      const percentile = (name: string): number | undefined => {
        const match = new RegExp(`~ ${name}: ([\\d.,]+)us`).exec(stats[0]);
        return match === null ? undefined : number(match[1]!) / microsecondsPerMs;
      };
      const answer = { records: load.messages, elapsedMs };
      const p50Ms = percentile('P50');
      const p99Ms = percentile('P99');
      // Only where messages go one by one is a latency one message's.
      if (load.mode !== 'sync' || p50Ms === undefined || p99Ms === undefined) return answer;
      return { ...answer, latencies: load.messages, p50Ms, p99Ms };
    },
  );
}

function number(text: string): number {
  return Number(text.replaceAll(',', ''));
}
