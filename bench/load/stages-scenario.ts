/**
 * Where a microsecond of a batch goes: each stage alone, the whole thread by thread, and what of the whole is left over
 * once its stages are taken off. All stages take turns, so that a machine that slows down slows all of them.
 */

import { type FigureName, plain, type ResultRow, scaled } from './figures.ts';
import { machineSentence, type MachineFacts } from './machine.ts';
import { roundsOf, rowOf } from './produce-case.ts';
import { writeReadmePart } from './readme-part.ts';
import { alternate } from './rounds.ts';
import type { Scenario } from './scenario.ts';
import { type Stage, stages } from './stages.ts';

type StageName = keyof typeof stages;
type Rows = Readonly<Record<StageName, ResultRow>>;

const names = Object.keys(stages) as StageName[];

/** A part of an account: what it is, and its microseconds. */
interface Part {
  readonly what: string;
  readonly microseconds: number;
}

/** One thread's time in the whole of a case, and the stages that it consists of. */
interface Account {
  readonly title: string;
  readonly measured: number;
  readonly parts: readonly Part[];
  /** What there is beside them. */
  readonly rest: string;
}

/** What every round of `figure` came to, by its median. */
function microseconds(row: ResultRow, figure: FigureName = 'brokerCpuMicrosecondsPerRequest'): number {
  return row.figures[figure]?.median ?? 0;
}

/** The accounts of whatever was measured whole. */
export function accountsOf(rows: Rows): Account[] {
  const received = { what: 'socket → buffer, and an answer', microseconds: microseconds(rows.received) };
  const copied = { what: 'buffer → ring', microseconds: microseconds(rows.copied) };
  const checked = {
    what: 'header, CRC, every record',
    microseconds: microseconds(rows.checked) - microseconds(rows.copied),
  };
  const served = { what: 'frames, handler, log, answer', microseconds: microseconds(rows.served, 'ioMicroseconds') };
  const rounds = { what: 'flush round', microseconds: microseconds(rows.served, 'workerMicroseconds') };
  const io = (title: string, row: ResultRow, parts: readonly Part[], rest: string): Account => ({
    title: `${title}, I/O thread`,
    measured: microseconds(row, 'ioMicroseconds'),
    parts,
    rest,
  });
  const worker = (title: string, row: ResultRow, parts: readonly Part[]): Account => ({
    title: `${title}, flush worker`,
    measured: microseconds(row, 'workerMicroseconds'),
    parts: [...parts, rounds],
    rest: 'waking up, indexes, files made and closed',
  });
  const ioRest = 'turns of the event loop, reads that bring a part of a frame, waking the worker, collecting garbage';
  const cached = 'a batch of 1 MiB through the page cache';
  const direct = 'a batch of 1 MiB past the page cache';
  const small = 'a request of one record of 1 KiB';
  return [
    io(cached, rows.cached, [received, copied, checked, served], ioRest),
    worker(cached, rows.cached, [{ what: 'ring → new file', microseconds: microseconds(rows.written) }]),
    io(direct, rows.direct, [received, copied, checked, served], ioRest),
    worker(direct, rows.direct, [
      { what: 'ring → staging', microseconds: microseconds(rows.staged) },
      { what: 'staging → new file', microseconds: microseconds(rows.writtenDirectly) },
    ]),
    io(small, rows.small, [{ ...received, microseconds: microseconds(rows.bareSmall) }, served], ioRest),
    worker(small, rows.small, []),
    {
      title: 'a fetch of 1 MiB, all threads',
      measured: microseconds(rows.fetched),
      parts: [
        { what: 'file → buffer', microseconds: microseconds(rows.read) },
        { what: 'buffer → socket, in answer to a request', microseconds: microseconds(rows.sent) },
      ],
      rest: 'handler, the search for the batch, parts of the answer, the wake-up of a thread that reads and the one back',
    },
  ];
}

function accountTable(accounts: readonly Account[]): string {
  const lines = accounts.map(({ title, measured, parts, rest }) => {
    const sum = parts.reduce((total, part) => total + part.microseconds, 0);
    const words = parts.map((part) => `${part.what} ${plain(part.microseconds)}`).join(' + ');
    return `| ${title} | ${words} = **${plain(sum)}** | **${plain(measured)}** | ${signed(measured - sum)}: ${rest} |`;
  });
  return ['| | its stages alone, in µs | measured | left over |', '| --- | --- | --: | --- |', ...lines].join('\n');
}

function signed(value: number): string {
  return value < 0 ? `−${plain(-value)}` : plain(value);
}

/** Which way the broker wrote, by what its worker took between the two ways. */
function wayTaken(rows: Rows): string {
  const [cached, direct, auto] = (['cached', 'direct', 'auto'] as const).map((name) =>
    microseconds(rows[name], 'workerMicroseconds'),
  ) as [number, number, number];
  const share = Math.min(Math.max((cached - auto) / (cached - direct), 0), 1);
  const files = rows.auto.figures.directFiles?.median ?? 0;
  return (
    `Left to choose, it wrote some ${Math.round(share * 100)} % past the page cache, by its flush worker's time (through it ` +
    `${plain(cached)} µs a batch, past it ${plain(direct)}, as it chose ${plain(auto)}); ` +
    `${files === 0 ? 'no file was' : `${files} of its files ${files === 1 ? 'was' : 'were'}`} open past it at the end.`
  );
}

/** Each stage with what it means. */
function stageTable(rows: Rows): string {
  const lines = names.map((name) => {
    const { what, who, remark } = stages[name] as Stage;
    const { figures, each } = rows[name];
    const { bytesPerSecond, brokerCpuMicrosecondsPerRequest: cpu, ioMicroseconds, p50Ms } = figures;
    const speed = bytesPerSecond === undefined ? '' : `${scaled(bytesPerSecond.median)}B/s`;
    const threads = (['ioMicroseconds', 'workerMicroseconds', 'otherMicroseconds'] as const)
      .flatMap((figure) => (figures[figure] === undefined ? [] : [plain(figures[figure].median)]))
      .join(' + ');
    const range = cpu === undefined || each.length < 2 ? '' : ` (${plain(cpu.low)}–${plain(cpu.high)})`;
    const time =
      cpu !== undefined
        ? `${plain(cpu.median)}${range}${ioMicroseconds === undefined ? '' : `<br>${threads}`}`
        : p50Ms === undefined
          ? threads
          : `${plain(p50Ms.median * 1000)} (time, p50)`;
    return `| ${what} | ${who} | ${speed} | ${time} | ${remark} |`;
  });
  return [
    '| step | by | at most | CPU µs a batch of 1 MiB, or a request | where the bytes go, and the limit |',
    '| --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n');
}

function report(rows: Rows, machine: MachineFacts): string {
  const { length } = rows.cached.each;
  const disturbed = Object.values(rows).reduce((sum, row) => sum + row.disturbed, 0);
  return [
    stageTable(rows),
    '',
    'Behind the time of a whole stand those of its I/O thread, its flush worker and its other threads.',
    '',
    accountTable(accountsOf(rows)),
    '',
    wayTaken(rows),
    '',
    `Medians of ${length} rounds${disturbed === 0 ? '' : ` (${disturbed} measurements of all disturbed)`}. Measured on: ${machineSentence(machine)}`,
  ].join('\n');
}

const scenario: Scenario = {
  name: 'stages',
  title: "each stage of a batch's way alone, beside the whole; batches of 1 MiB",
  async run(context) {
    const wanted = names.filter((name) => context.includes(stages[name].what));
    const contenders = wanted.map((name) => ({
      name: stages[name].who,
      round: async () => {
        context.note(`stages: ${stages[name].what}, ${stages[name].who}`);
        return (stages[name] as Stage).round(context);
      },
    }));
    const results = await alternate(contenders, roundsOf(context));
    const rows = results.map((result, i) => rowOf('stages', { what: stages[wanted[i]!].what }, result));
    if (context.keepsResults) {
      const byName = Object.fromEntries(wanted.map((name, i) => [name, rows[i]!])) as unknown as Rows;
      writeReadmePart('stages', report(byName, context.machine));
    }
    return rows;
  },
};

export const stageScenarios: readonly Scenario[] = [scenario];
