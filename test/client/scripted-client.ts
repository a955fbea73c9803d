/** A client of a broker that answers by a script (`scripted-broker.ts`). */

import { onTestFinished } from 'vitest';
import { Client, type ClientOptions, KafkaError } from '../../src/client/index.ts';
import { type Answer, type Asked, ScriptedBroker } from './scripted-broker.ts';

/** It is closed once the test is done; `retries` are the names of the errors that it tried again behind. */
export function scripted(
  script: (asked: Asked) => Answer,
  options: Partial<ClientOptions> = {},
): { client: Client; broker: ScriptedBroker; retries: string[] } {
  const broker = new ScriptedBroker(script);
  const retries: string[] = [];
  const client = new Client({
    url: 'scripted',
    transport: broker.transport,
    nodeUrl: () => 'scripted',
    backoff: { firstMs: 1, longestMs: 5 },
    onRetry: (error) => retries.push((error as KafkaError).codeName),
    ...options,
  });
  onTestFinished(() => client.close());
  return { client, broker, retries };
}
