/** The second thread of the bare server: writes what is in the ring to a file, with one gathered call whatever there is. */

import { openSync, writevSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { BareRing } from './bare-ring.ts';

const { file, memory } = workerData as { readonly file: string; readonly memory: SharedArrayBuffer };
const ring = new BareRing(memory);
const descriptor = openSync(file, 'w');

for (;;) {
  const parts = ring.next();
  const sizeBytes = parts.reduce((sum, { length }) => sum + length, 0);
  if (writevSync(descriptor, parts) !== sizeBytes) throw new Error('The disk took a part of a write only.');
  ring.wrote(sizeBytes);
}
