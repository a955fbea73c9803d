/** What the broker takes at most, beside what the sockets, the copies, the disk and the client themselves do. */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { zeroUuid } from '../../src/base/uuid.ts';
import { defaultProduceResponse, produceApi } from '../../src/protocol/generated/index.ts';
import { Writer } from '../../src/protocol/writer.ts';
import type { BareMode } from './bare-server.ts';
import { probeSyncedWrites } from './disk-probes.ts';
import type { Figures } from './figures.ts';
import { runLoad } from './load-client.ts';
import type { ProduceJob } from './load-job.ts';
import { settleMachine } from './page-cache.ts';
import { measureLoad } from './measured-load.ts';
import { comparedRows, jobOf, type ProduceCase, produceRound } from './produce-case.ts';
import { produceVersion } from './produce-frames.ts';
import { inBulk, type Scenario, type ScenarioContext } from './scenario.ts';
import { type ServerKind, ServerUnderTest } from './server-under-test.ts';

const mebibyte = 2 ** 20;
export const bulk: ProduceCase = { what: '1 MiB batches, acks=1', recordBytes: 1024, batchBytes: mebibyte, acks: 1 };
export const bulkSynced: ProduceCase = {
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
export function bareRound(mode: BareMode, { sizes, dataParent }: ScenarioContext, one = bulk): Promise<Figures> {
  return bareLoad(mode, jobOf(one, sizes), dataParent, sizes.warmUpMs);
}

/** `job` on the bare server, once the same has run for `warmUpMs`. */
export async function bareLoad(
  mode: BareMode,
  job: Omit<ProduceJob, 'doors'>,
  dataParent: string,
  warmUpMs: number,
): Promise<Figures> {
  await using server = await ServerUnderTest.start(bareServer(mode, job.topic), dataParent);
  const measured = { ...job, doors: server.doors };
  if (warmUpMs > 0) await runLoad({ ...measured, durationMs: warmUpMs });
  return (await measureLoad(server, measured)).figures;
}

/** 1 MiB in answer to each request of one record, of which one is under way. */
export async function bareSendRound(mode: 'read-send' | 'send', context: ScenarioContext): Promise<Figures> {
  const asking: ProduceCase = { what: '', recordBytes: 100, batchBytes: 0, acks: 1, inFlight: 1 };
  const { requestsPerSecond, brokerCpuMicrosecondsPerRequest } = await bareRound(mode, context, asking);
  return {
    bytesPerSecond: requestsPerSecond! * mebibyte,
    brokerCpuMicrosecondsPerRequest: brokerCpuMicrosecondsPerRequest!,
  };
}

/** One round of the same batches on Millrace. */
export function millraceRound(acks: -1 | 1, context: ScenarioContext): Promise<Figures> {
  return produceRound(context.millrace(), acks === 1 ? bulk : bulkSynced, context);
}

/** 1 MiB written, synced, and again, into a new file. */
function diskRound({ sizes, dataParent }: ScenarioContext): Figures {
  const figures = probeSyncedWrites(dataParent, sizes.loadMs);
  settleMachine();
  return figures;
}

/** What the table has room for. */
export const kept = ({ bytesPerSecond, brokerCpuSecondsPerGb, clientCpuSecondsPerGb, rssMiB }: Figures): Figures =>
  ({ bytesPerSecond, brokerCpuSecondsPerGb, clientCpuSecondsPerGb, rssMiB }) as Figures;

/** Of either bare server that writes: the faster of them is the limit. */
const share = { figure: 'ratio', atLeast: 0.5 } as const;
const floors = { [bareNames['copy-write']]: share, [bareNames['copy-direct']]: share };

const ceiling: Scenario = {
  name: 'ceiling',
  title: 'prepared 1 MiB batches against bare sockets, copies and writes; ratio: Millrace over the other',
  async run(anyContext) {
    const context = inBulk(anyContext);
    const { name } = context.millrace();
    const written = [
      { name, round: async () => kept(await millraceRound(1, context)) },
      ...(['copy-write', 'copy-direct', 'discard'] as const).map((mode) => ({
        name: bareNames[mode],
        round: async () => kept(await bareRound(mode, context)),
      })),
    ];
    const synced = [
      { name, round: async () => kept(await millraceRound(-1, context)) },
      { name: 'bare write, fdatasync', round: () => Promise.resolve(kept(diskRound(context))) },
    ];
    return [
      ...(await comparedRows('ceiling', bulk, written, floors, context)),
      ...(await comparedRows('ceiling', bulkSynced, synced, {}, context)),
    ];
  },
};

export const ceilingScenarios: readonly Scenario[] = [ceiling];
