/**
 * All handlers there are, for whoever starts a broker to give to the dispatcher. Any thread.
 * ApiVersions is not among them: the dispatcher makes its own, since it tells what the dispatcher serves.
 */

import type { AnyApiHandler } from '../dispatcher.ts';
import { produceHandler } from './00-produce.ts';
import { fetchHandler } from './01-fetch.ts';
import { listOffsetsHandler } from './02-list-offsets.ts';
import { metadataHandler } from './03-metadata.ts';
import { createTopicsHandler } from './19-create-topics.ts';
import { deleteTopicsHandler } from './20-delete-topics.ts';
import { initProducerIdHandler } from './22-init-producer-id.ts';

/** One a line, in the order of their keys. */
export const handlers: readonly AnyApiHandler[] = [
  produceHandler,
  fetchHandler,
  listOffsetsHandler,
  metadataHandler,
  createTopicsHandler,
  deleteTopicsHandler,
  initProducerIdHandler,
];
