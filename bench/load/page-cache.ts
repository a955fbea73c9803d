/**
 * A page cache that is full, as that of a server is which has run for a day. Main thread.
 *
 *   host    ◄── free pages ──  balloon with free page reporting, in the guest's kernel
 *           ──  a fault each, and a page of zeros  ──►  whoever takes one of them next
 *
 * A virtual machine whose balloon reports free pages gives them back to its host after some seconds, and the next program
 * that takes one waits while the host finds and clears another: 1.4 to 2.6 ms of processor time for a MiB that is written
 * to a new file, where it is 0.2 ms with pages that are there. What is measured then is who came soon after something had been deleted.
 * Before each measurement the page cache is therefore filled with pages of a sparse file, which nothing needs and the kernel
 * takes first. On a machine without such a balloon nothing is done.
 *
 * Only the page cache: what a server itself has given back to the kernel and takes again comes from there as well.
 */

import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, readdirSync, readFileSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const bytesPerKilobyte = 1024;
const bytesPerMiB = 2 ** 20;
/** Between two looks at what is free. */
const stepBytes = 128 * bytesPerMiB;
/** Pages that are just being reported are not counted as free, and come back: one step that finds few says little. */
const stepsWithoutGain = 3;
const virtioDevices = '/sys/bus/virtio/devices';
const balloonDevice = '0x0005';
/** VIRTIO_BALLOON_F_REPORTING (virtio 1.2, 5.5.3). */
const reportingFeature = 5;

/** Whether the host takes free memory back, as far as Linux tells. */
export function givesFreePagesBack(devices = virtioDevices): boolean {
  let names: string[];
  try {
    names = readdirSync(devices);
  } catch {
    return false;
  }
  return names.some((name) => {
    const read = (what: string): string => readFileSync(join(devices, name, what), 'latin1').trim();
    return read('device') === balloonDevice && read('features')[reportingFeature] === '1';
  });
}

/** Fills memory that is free with pages of a file of its own; each page of it is read once, then those behind it. */
export class PageCacheFiller {
  readonly #path: string;
  readonly #descriptor: number;
  readonly #sizeBytes: number;
  readonly #buffer = Buffer.allocUnsafe(bytesPerMiB);
  #position = 0;

  /** Makes a file without content in `folder`, twice as long as the memory, so that what is read is not there any more. */
  constructor(folder: string) {
    this.#path = join(folder, `filler-${process.pid}`);
    this.#sizeBytes = 2 * memoryBytes('MemTotal');
    this.#descriptor = openSync(this.#path, 'w+');
    ftruncateSync(this.#descriptor, this.#sizeBytes);
  }

  /** Reads until the kernel takes about as many pages back as are read. Returns how much was read, in bytes. */
  fill(): number {
    let filledBytes = 0;
    for (let without = 0; without < stepsWithoutGain && filledBytes < this.#sizeBytes;) {
      const freeBytes = memoryBytes('MemFree');
      for (let left = stepBytes; left > 0; left -= this.#buffer.length) {
        readSync(this.#descriptor, this.#buffer, 0, this.#buffer.length, this.#position);
        this.#position = (this.#position + this.#buffer.length) % this.#sizeBytes;
      }
      filledBytes += stepBytes;
      without = freeBytes - memoryBytes('MemFree') > stepBytes / 2 ? 0 : without + 1;
    }
    return filledBytes;
  }

  close(): void {
    closeSync(this.#descriptor);
    rmSync(this.#path, { force: true });
  }
}

let filler: PageCacheFiller | null = null;

/**
 * From now on `settleMachine` keeps the page cache full, where free pages go back to a host; `onNote` is told so, because the
 * first time takes up to a minute for 24 GiB. `folder` is on a disk, not in memory; what is made there goes with this process.
 */
export function keepPageCacheFull(folder: string, onNote: (note: string) => void): void {
  if (filler !== null || !givesFreePagesBack()) return;
  onNote('the host takes free memory back: filling the page cache, here and before each load');
  const made = new PageCacheFiller(folder);
  process.on('exit', () => made.close());
  filler = made;
  made.fill();
}

/** Before a load: has the kernel write what it holds, so that the disk is not busy with what was before. */
export function settleMachine(): void {
  spawnSync('sync');
  filler?.fill();
}

/** A line of /proc/meminfo. */
function memoryBytes(name: 'MemFree' | 'MemTotal'): number {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/meminfo', 'latin1'));
  if (match === null) throw new Error(`/proc/meminfo does not say ${name}`);
  return Number(match[1]) * bytesPerKilobyte;
}
