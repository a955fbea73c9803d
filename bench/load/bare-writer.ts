/** The second thread of the bare server: writes what is in the ring to a file, with one gathered call whatever there is. */

import { constants, openSync, writevSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { BareRing } from './bare-ring.ts';

interface BareWriterData {
  readonly file: string;
  readonly memory: SharedArrayBuffer;
  readonly isDirect: boolean;
}

const { file, memory, isDirect } = workerData as BareWriterData;
const ring = new BareRing(memory);
const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | (isDirect ? constants.O_DIRECT : 0);
const descriptor = openSync(file, flags);

for (;;) {
  const parts = ring.next();
  const sizeBytes = parts.reduce((sum, { length }) => sum + length, 0);
  if (writevSync(descriptor, parts) !== sizeBytes) throw new Error('The disk took a part of a write only.');
  ring.wrote(sizeBytes);
}
