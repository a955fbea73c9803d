/**
 * Standard output, for what the program prints itself. Main thread.
 *
 * Not through `process.stdout` as long as the system takes what is printed: making that object takes longer than making the text.
 */

import { systemErrorCode } from '../base/environment-error.ts';
import { writeStandardOutput } from '../storage/node-file-system.ts';

/**
 * Prints `text`, at once as far as the system takes it; resolves once all of it has left. Who started the program may not read
 * on; that is no failure of it.
 */
export async function print(text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  let printed = 0;
  try {
    while (printed < bytes.length) printed += writeStandardOutput(bytes.subarray(printed));
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === null) throw error;
    // A pipe or terminal that does not wait, and is full. Whatever else it is, nobody reads.
    if (code !== 'EAGAIN') return;
    process.stdout.on('error', () => {});
    await new Promise<void>((resolve) => process.stdout.write(bytes.subarray(printed), () => resolve()));
  }
}
