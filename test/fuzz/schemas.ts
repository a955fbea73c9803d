/** Every schema of the project with its codec, for whoever makes requests of all keys and versions. */

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { present } from '../../src/base/assert.ts';
import type { ApiCodec } from '../../src/protocol/api-codec.ts';
import { apis } from '../../src/protocol/generated/index.ts';
import { parseSchema, type Schema } from '../protocol/schema.ts';

export interface KnownApi {
  readonly schema: Schema;
  readonly codec: ApiCodec;
}

const directory = fileURLToPath(new URL('../../src/protocol/schemas/', import.meta.url));

/** In rising order of keys. */
export const knownApis: readonly KnownApi[] = readdirSync(directory)
  .filter((file) => file.endsWith('.txt'))
  .map((file) => {
    const schema = parseSchema(readFileSync(directory + file, 'utf8'), file);
    return { schema, codec: present(apis.get(schema.key), 'each schema has its codec') };
  })
  .toSorted((a, b) => a.schema.key - b.schema.key);
