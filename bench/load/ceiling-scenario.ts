/** What the broker takes at most, beside what the sockets, the copies, the disk and the client themselves do. */

import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { zeroUuid } from '../../src/base/uuid.ts';
import { defaultProduceResponse, produceApi } from '../../src/protocol/generated/index.ts';
import { Writer } from '../../src/protocol/writer.ts';
import type { BareMode } from './bare-server.ts';
import type { Figures, ResultRow } from './figures.ts';
import { measureLoad } from './measured-load.ts';
import { jobOf, type ProduceCase, produceRound, roundsOf, rowOf } from './produce-case.ts';
import { produceVersion } from './produce-frames.ts';
import { alternate, type Contender } from './rounds.ts';
import type { Scenario, ScenarioContext } from './scenario.ts';
import { type ServerKind, ServerUnderTest, syncDisks } from './server-under-test.ts';

const mebibyte = 2 ** 20;
const bulk: ProduceCase = { what: '1 MiB batches, acks=1', recordBytes: 1024, batchBytes: mebibyte, acks: 1 };
const bulkSynced: ProduceCase = {
  what: '1 MiB batches, acks=all',
  recordBytes: 1024,
  batchBytes: mebibyte,
  acks: -1,
  idempotent: true,
};

const bareNames = {
  discard: 'bare socket (the client)',
  'copy-write': 'bare socket, copy, write',
  'copy-direct': 'bare socket, copy, O_DIRECT write',
} as const;

/** The bare server answers every request as a broker answers one batch of the topic. */
function bareServer(mode: BareMode, topic: string): ServerKind {
  return {
    name: mode,
    command: (directory) => ({
      file: process.execPath,
      args: [fileURLToPath(new URL('./bare-server.js', import.meta.url)), mode, join(directory, 'file'), answer(topic)],
      doors: (printed) => {
        const match = /serving (\d+)/.exec(printed);
        return match === null ? null : { kafka: { host: '127.0.0.1', port: Number(match[1]) } };
      },
    }),
  };
}

function answer(topic: string): string {
  const partitionResponses = [{ index: 0, errorCode: 0, baseOffset: 0, logAppendTimeMs: -1, logStartOffset: 0 }];
  const body = { ...defaultProduceResponse(), responses: [{ name: topic, topicId: zeroUuid, partitionResponses }] };
  const writer = new Writer(true);
  writer.int32(0);
  produceApi.encodeResponse(writer, body as ReturnType<typeof defaultProduceResponse>, produceVersion);
  return Buffer.concat(writer.finish()).toString('hex');
}

/** One round of prepared batches on the bare server. */
export async function bareRound(mode: BareMode, context: ScenarioContext, one = bulk): Promise<Figures> {
  const { sizes, dataParent } = context;
  const job = jobOf(one, sizes);
  await using server = await ServerUnderTest.start(bareServer(mode, job.topic), dataParent);
  const measured = { ...job, doors: server.doors };
  if (sizes.warmUpMs > 0) await measureLoad(server, { ...measured, durationMs: sizes.warmUpMs });
  return (await measureLoad(server, measured)).figures;
}

/** 1 MiB of a file in answer to each request of one record. */
export async function bareSendRound(context: ScenarioContext): Promise<Figures> {
  const asking: ProduceCase = { what: '', recordBytes: 100, batchBytes: 0, acks: 1 };
  const { requestsPerSecond, brokerCpuMicrosecondsPerRequest } = await bareRound('read-send', context, asking);
  return {
    bytesPerSecond: requestsPerSecond! * mebibyte,
    brokerCpuSecondsPerGb: (brokerCpuMicrosecondsPerRequest! * 1e3) / mebibyte,
  };
}

/** One round of the same batches on Millrace. */
export function millraceRound(acks: -1 | 1, context: ScenarioContext): Promise<Figures> {
  return produceRound(context.millrace(), acks === 1 ? bulk : bulkSynced, context);
}

/** 1 MiB written, synced, and again, into a new file. */
function diskRound({ sizes, dataParent }: ScenarioContext): Figures {
  const directory = mkdtempSync(join(dataParent, 'millrace-load-'));
  const descriptor = openSync(join(directory, 'file'), 'w');
  const bytes = Buffer.alloc(mebibyte, 'x');
  const startedMs = performance.now();
  let count = 0;
  for (; performance.now() - startedMs < sizes.loadMs; count++) {
    writeSync(descriptor, bytes);
    fdatasyncSync(descriptor);
  }
  const elapsedMs = performance.now() - startedMs;
  closeSync(descriptor);
  rmSync(directory, { recursive: true });
  syncDisks();
  return { requestsPerSecond: (count * 1000) / elapsedMs, bytesPerSecond: (count * mebibyte * 1000) / elapsedMs };
}

/** What the table has room for. */
export const kept = ({ bytesPerSecond, brokerCpuSecondsPerGb, clientCpuSecondsPerGb, rssMiB }: Figures): Figures =>
  ({ bytesPerSecond, brokerCpuSecondsPerGb, clientCpuSecondsPerGb, rssMiB }) as Figures;

/** The rows of `contenders`, each with the first one's bytes a second over its own. */
async function compared(
  what: string,
  contenders: readonly Contender[],
  context: ScenarioContext,
): Promise<ResultRow[]> {
  context.note(`ceiling: ${what}`);
  const results = await alternate(contenders, roundsOf(context));
  const first = results[0]!.figures.bytesPerSecond!;
  return results.map((result, i) => {
    const own = result.figures.bytesPerSecond!;
    const ratio = {
      median: first.median / own.median,
      low: first.low / own.high,
      high: first.high / own.low,
    };
    return rowOf('ceiling', { what }, i === 0 ? result : { ...result, figures: { ...result.figures, ratio } });
  });
}

const ceiling: Scenario = {
  name: 'ceiling',
  title: 'prepared 1 MiB batches against bare sockets, copies and writes; ratio: Millrace over the other',
  async run(context) {
    const { name } = context.millrace();
    const written = await compared(
      bulk.what,
      [
        { name, round: async () => kept(await millraceRound(1, context)) },
        ...(['copy-write', 'copy-direct', 'discard'] as const).map((mode) => ({
          name: bareNames[mode],
          round: async () => kept(await bareRound(mode, context)),
        })),
      ],
      context,
    );
    const synced = await compared(
      bulkSynced.what,
      [
        { name, round: async () => kept(await millraceRound(-1, context)) },
        { name: 'bare write, fdatasync', round: () => Promise.resolve(kept(diskRound(context))) },
      ],
      context,
    );
    return [...written, ...synced];
  },
};

export const ceilingScenarios: readonly Scenario[] = [ceiling];
