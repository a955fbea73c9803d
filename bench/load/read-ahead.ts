/**
 * How far the kernel reads ahead on the disk that servers keep their data on. Main thread.
 *
 *   a page of a file is touched ──► the kernel reads so much around it; Linux's own default is 128 KiB
 *
 * Images of virtual machines set it to megabytes. Apache Kafka maps its indexes, each of which is made as a hole of 10 MiB: with
 * 8 MiB the first entry of an index cost milliseconds of processor time for reading zeros, and the page cache threw out for
 * them what it held: 277 instead of 30,000 records a second over 10,000 partitions. Nobody would run it so for long, so for
 * the time of a run it is what Linux has by itself. Millrace maps no files.
 */

import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const usualKib = 128;
const blockDevices = '/sys/class/block';

/**
 * Until this process ends the disk named `disk` reads no further ahead than Linux does by itself; where that may not be
 * changed, `onNote` is told. Does nothing where the disk is not known.
 */
export function readAheadAsUsual(disk: string, onNote: (note: string) => void, devices = blockDevices): void {
  const path = settingOf(disk, devices);
  if (path === null) return;
  const kib = Number(readFileSync(path, 'latin1'));
  if (!(kib > usualKib)) return;
  try {
    writeFileSync(path, `${usualKib}\n`);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    onNote(`${disk} reads ${kib} KiB ahead, and that may not be changed (${code}): programs that map files are slower`);
    return;
  }
  onNote(`${disk} reads ${kib} KiB ahead: ${usualKib}, as Linux has by itself, until this is over`);
  process.on('exit', () => writeFileSync(path, `${kib}\n`));
}

/** A partition has no queue of its own, but its disk. */
function settingOf(disk: string, devices: string): string | null {
  const device = join(devices, disk);
  if (!existsSync(device)) return null;
  const own = realpathSync(device);
  return (
    [own, dirname(own)].map((folder) => join(folder, 'queue', 'read_ahead_kb')).find((path) => existsSync(path)) ?? null
  );
}
