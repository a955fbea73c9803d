/**
 * A report of `millrace verify` as text for people and as JSON for machines. Any thread; it writes nothing itself.
 *
 *   partition  segments  bytes    batches  records  offsets   state
 *   orders-0          3  12.4 MB     1203    48120  0–48120   whole
 */

import type { Finding, Loss, VerifyReport } from './findings.ts';
import type { RepairPlan } from './repair.ts';

/** Terminal colours, or nothing where the text goes elsewhere. */
export interface Style {
  bold(text: string): string;
  red(text: string): string;
  yellow(text: string): string;
}

const same = (text: string): string => text;
export const plainStyle: Style = { bold: same, red: same, yellow: same };
export const terminalStyle: Style = {
  bold: (text) => `\u001B[1m${text}\u001B[22m`,
  red: (text) => `\u001B[31m${text}\u001B[39m`,
  yellow: (text) => `\u001B[33m${text}\u001B[39m`,
};

const columns = ['partition', 'segments', 'bytes', 'batches', 'records', 'offsets', 'state'] as const;
const numeric: readonly boolean[] = [false, true, true, true, true, false, false];

/** The whole report as lines. */
export function reportText(report: VerifyReport, style: Style): string {
  const rows = report.partitions.map((partition) => [
    partition.name,
    String(partition.segments),
    formatBytes(partition.sizeBytes),
    String(partition.batches),
    String(partition.records),
    `${partition.logStartOffset}–${partition.endOffset}`,
    partition.needsRepair ? 'damaged' : partition.loss === null ? 'whole' : 'torn end',
  ]);
  const lines = report.findings.map((finding) => findingLine(finding, style));
  if (lines.length > 0) lines.push('');
  lines.push(...table(rows, style), '', summary(report));
  return `${lines.join('\n')}\n`;
}

function table(rows: readonly (readonly string[])[], style: Style): string[] {
  if (rows.length === 0) return ['There are no partitions.'];
  const widths = columns.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (numeric[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  const painted = (text: string, state: string): string => {
    if (state === 'damaged') return style.red(text);
    return state === 'whole' ? text : style.yellow(text);
  };
  return [style.bold(line(columns)), ...rows.map((row) => painted(line(row), row.at(-1)!))];
}

function findingLine({ severity, file, position, offset, what }: Finding, style: Style): string {
  const place = [
    file,
    ...(position === null ? [] : [`position ${position}`]),
    ...(offset === null ? [] : [`offset ${offset}`]),
  ].join(', ');
  const paint = severity === 'damage' ? style.red : severity === 'warning' ? style.yellow : same;
  return `${paint(severity.padEnd(7))}  ${place}: ${what}`;
}

function summary({ directory, partitions, findings, scannedBytes, stoppedClean }: VerifyReport): string {
  const sum = (of: (one: VerifyReport['partitions'][number]) => number): number =>
    partitions.reduce((total, partition) => total + of(partition), 0);
  const count = (severity: Finding['severity']): number =>
    findings.filter((finding) => finding.severity === severity).length;
  const damage = count('damage');
  const found =
    damage === 0
      ? 'nothing is damaged'
      : `${damage} ${damage === 1 ? 'thing is' : 'things are'} damaged (see --repair)`;
  const warnings = count('warning');
  return (
    `${directory}: ${partitions.length} partitions, ${sum(({ segments }) => segments)} segments, ` +
    `${formatBytes(scannedBytes)}, ${sum(({ records }) => records)} records; ` +
    `${stoppedClean ? 'stopped cleanly' : 'not stopped cleanly, so that the next start recovers'}; ${found}` +
    `${warnings === 0 ? '' : `; ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`}.`
  );
}

/** What a repair would do and lose, as lines. */
export function planText({ partitions, storeFiles }: RepairPlan): string {
  const lines = ['A repair would do this:', ''];
  for (const { name, loss, endOffset } of partitions) {
    lines.push(
      loss === null
        ? `  ${name}: loses nothing; indexes, producer snapshot and leader epochs are made again (log end ${endOffset}).`
        : `  ${name}: ${lossText(loss)}`,
    );
  }
  for (const text of storeFiles) lines.push(`  ${text}`);
  return `${lines.join('\n')}\n`;
}

function lossText({ fromOffset, endOffset, sizeBytes, readableRecords, position, baseOffset }: Loss): string {
  if (endOffset <= fromOffset) {
    return `the log ends at offset ${fromOffset}; ${sizeBytes} bytes that hold no whole batch move to .cut files.`;
  }
  const count = endOffset - fromOffset;
  return (
    `LOSES offsets ${fromOffset} to ${endOffset - 1} (at most ${count} ${count === 1 ? 'record' : 'records'}): the log is cut at ` +
    `position ${position} of the segment ${baseOffset}. ${sizeBytes} bytes move to .cut files, ` +
    `${readableRecords} records in whole batches among them.`
  );
}

/** The report as JSON, with a line end. */
export function reportJson(report: VerifyReport, plan: RepairPlan | null, repaired: boolean): string {
  const damaged = report.findings.some(({ severity }) => severity === 'damage');
  const repair =
    plan === null
      ? null
      : {
          done: repaired,
          partitions: plan.partitions.map(({ name, loss }) => ({ name, loss })),
          storeFiles: plan.storeFiles,
        };
  return `${JSON.stringify({ ...report, damaged, repair }, null, 2)}\n`;
}

function formatBytes(sizeBytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = sizeBytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return unit === 0 ? `${value} B` : `${value.toFixed(1)} ${units[unit]}`;
}
