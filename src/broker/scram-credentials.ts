/**
 * What is kept of users' passwords for SCRAM (RFC 5802): salted and hashed, never the password. I/O thread.
 *
 *   key ["scram-credential", user, "SCRAM-SHA-256"]
 *   value {"salt", "storedKey", "serverKey": base64, "iterations": 4096}
 *
 * Clients set and list them; no door asks for them yet.
 */

import { createRequire } from 'node:module';
import { ErrorCode } from '../base/error-code.ts';
import type { KeyedRecord } from './keyed-batch.ts';
import { corrupt, integerField, partRecord, textField, type Fields, type ImagePart } from './metadata-record.ts';
import type { ChangeResult } from './topic-catalog.ts';

interface Mechanism {
  /** The wire's number. */
  readonly code: number;
  readonly name: string;
  readonly hash: string;
}

const mechanisms: readonly Mechanism[] = [
  { code: 1, name: 'SCRAM-SHA-256', hash: 'sha256' },
  { code: 2, name: 'SCRAM-SHA-512', hash: 'sha512' },
];
const fewestIterations = 4096;
const mostIterations = 16_384;

interface Credential {
  readonly salt: string;
  readonly storedKey: string;
  readonly serverKey: string;
  readonly iterations: number;
}

export interface ScramUpsertion {
  readonly name: string;
  readonly mechanism: number;
  readonly iterations: number;
  readonly salt: Uint8Array;
  readonly saltedPassword: Uint8Array;
}

export interface ScramDeletion {
  readonly name: string;
  readonly mechanism: number;
}

export class ScramCredentials implements ImagePart {
  readonly kind = 'scram-credential';
  readonly #byUser = new Map<string, Map<string, Credential>>();

  users(): IterableIterator<string> {
    return this.#byUser.keys();
  }

  /** The mechanisms that the user has, as DescribeUserScramCredentials tells them; null where there is no such user. */
  describe(user: string): { mechanism: number; iterations: number }[] | null {
    const credentials = this.#byUser.get(user);
    if (credentials === undefined) return null;
    return mechanisms.flatMap(({ code, name }) => {
      const credential = credentials.get(name);
      return credential === undefined ? [] : [{ mechanism: code, iterations: credential.iterations }];
    });
  }

  /** The record that deletes, or what forbids it. */
  deletion({ name, mechanism }: ScramDeletion): KeyedRecord | ChangeResult {
    const known = mechanismOf(mechanism);
    if (known === null) return unknownMechanism;
    if (name === '') return unacceptable('Username must not be empty');
    if (this.#byUser.get(name)?.has(known.name) !== true) {
      const message = 'Attempt to delete a user credential that does not exist';
      return { errorCode: ErrorCode.RESOURCE_NOT_FOUND, message };
    }
    return partRecord(this, [name, known.name], null);
  }

  /** The record that sets, or what forbids it. */
  upsertion({ name, mechanism, iterations, salt, saltedPassword }: ScramUpsertion): KeyedRecord | ChangeResult {
    const known = mechanismOf(mechanism);
    if (known === null) return unknownMechanism;
    if (name === '') return unacceptable('Username must not be empty');
    if (iterations < fewestIterations) return unacceptable('Too few iterations');
    if (iterations > mostIterations) return unacceptable('Too many iterations');
    // Kafka cannot make a key of nothing and says that it does not know why.
    if (saltedPassword.length === 0) return { errorCode: ErrorCode.UNKNOWN_SERVER_ERROR, message: null };
    const { createHash, createHmac } = nodeCrypto();
    const keyed = (text: string): Buffer => createHmac(known.hash, saltedPassword).update(text).digest();
    return partRecord(this, [name, known.name], {
      salt: Buffer.from(salt).toString('base64'),
      storedKey: createHash(known.hash).update(keyed('Client Key')).digest('base64'),
      serverKey: keyed('Server Key').toString('base64'),
      iterations,
    });
  }

  apply([user, mechanism]: readonly string[], value: Fields | null): void {
    if (user === undefined || mechanism === undefined) throw corrupt('a key');
    const credentials = this.#byUser.get(user) ?? new Map<string, Credential>();
    if (value === null) credentials.delete(mechanism);
    else {
      credentials.set(mechanism, {
        salt: textField(value, 'salt'),
        storedKey: textField(value, 'storedKey'),
        serverKey: textField(value, 'serverKey'),
        iterations: integerField(value, 'iterations'),
      });
    }
    if (credentials.size === 0) this.#byUser.delete(user);
    else this.#byUser.set(user, credentials);
  }

  *snapshot(): Generator<KeyedRecord> {
    for (const [user, credentials] of this.#byUser) {
      for (const [mechanism, credential] of credentials) yield partRecord(this, [user, mechanism], { ...credential });
    }
  }
}

/** Loaded when it is first used: it would take milliseconds of every start. */
function nodeCrypto(): typeof import('node:crypto') {
  return createRequire(import.meta.url)('node:crypto') as typeof import('node:crypto');
}

const unknownMechanism: ChangeResult = {
  errorCode: ErrorCode.UNSUPPORTED_SASL_MECHANISM,
  message: 'Unknown SCRAM mechanism',
};

function unacceptable(message: string): ChangeResult {
  return { errorCode: ErrorCode.UNACCEPTABLE_CREDENTIAL, message };
}

function mechanismOf(wanted: number): Mechanism | null {
  return mechanisms.find(({ code }) => code === wanted) ?? null;
}
