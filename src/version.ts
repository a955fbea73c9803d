/** Which release this is, as package.json says. Any thread. A built script has been told, so that no start reads that file. */

import { fileURLToPath } from 'node:url';
import { present } from './base/assert.ts';
import { readWholeFile } from './storage/checkpoint-file.ts';
import { nodeFileSystem } from './storage/node-file-system.ts';

/** What `scripts/bundle.mjs` puts in its place. */
declare const RELEASE_VERSION: string | undefined;

const largestPackageBytes = 1024 * 1024;

/** The release, such as `0.1.0`. package.json stands one folder above this file, built or not. */
export function releaseVersion(): string {
  if (typeof RELEASE_VERSION === 'string') return RELEASE_VERSION;
  const path = fileURLToPath(new URL('../package.json', import.meta.url));
  const bytes = present(readWholeFile(nodeFileSystem, path, largestPackageBytes), 'the package has a package.json');
  return (JSON.parse(new TextDecoder().decode(bytes)) as { version: string }).version;
}
